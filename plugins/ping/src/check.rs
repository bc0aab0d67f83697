//! The action: asks every target, again those that are down and may be asked
//! again, and judges all together.

use mhost_sdk::progress::Unit;
use mhost_sdk::{Context, Error, Failure, Report};

use crate::config::{Config, Target};
use crate::finding::Finding;
use crate::{http, probe};

/// Checks.
pub fn check(context: &Context, config: Config) -> Result<Report, Failure> {
    sensible(&config)?;
    let mut findings: Vec<_> = config
        .targets
        .iter()
        .map(|target| first(context, target))
        .collect();
    let rounds = config.targets.iter().map(|target| target.retries).max();
    for round in 0..=rounds.unwrap_or(0) {
        context.check_cancelled()?;
        ask_round(context, &config.targets, &mut findings, round);
    }
    let slow = warn_of_slow(context, &config.targets, &findings);
    judge(&findings, report(context, &findings, slow))
}

fn sensible(config: &Config) -> Result<(), Failure> {
    if config.targets.is_empty() {
        return Err(Failure::permanent(
            "`targets` is empty, so nothing would be checked",
        ));
    }
    let mistakes = config
        .targets
        .iter()
        .filter_map(|target| Some((target, target.mistake()?)));
    match mistakes.into_iter().next() {
        Some((target, why)) => Err(Failure::permanent(format!(
            "the target `{}` makes no sense: {why}",
            target.label()
        ))),
        None => Ok(()),
    }
}

/// A dry run changes nothing, so it asks nothing that may.
fn first(context: &Context, target: &Target) -> Finding {
    let changes = target.http.is_some() && !matches!(target.method.as_str(), "GET" | "HEAD");
    match context.dry_run() && changes {
        true => Finding::skipped(target.label()),
        false => Finding::new(target.label()),
    }
}

fn ask_round(context: &Context, targets: &[Target], findings: &mut [Finding], round: u32) {
    let asked = |at: &usize| {
        let finding: &Finding = &findings[*at];
        !finding.up && !finding.skipped && finding.may_recover() && targets[*at].retries >= round
    };
    let open: Vec<usize> = (0..targets.len()).filter(asked).collect();
    let (over_http, below): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|at| targets[*at].http.is_some());
    let asked: Vec<_> = over_http.iter().map(|at| &targets[*at]).collect();
    let mut answers: Vec<_> = over_http
        .into_iter()
        .zip(http::ask(context, &asked))
        .collect();
    let total = Some(below.len() as u64);
    for (done, at) in below.into_iter().enumerate() {
        if context.cancelled() {
            break;
        }
        context.report_progress("probing", done as u64, total, Unit::Items);
        answers.push((at, probe::ask(context, &targets[at])));
    }
    for (at, answer) in answers {
        findings[at] = Finding {
            attempts: round + 1,
            ..answer
        };
    }
}

/// How many are slow.
fn warn_of_slow(context: &Context, targets: &[Target], findings: &[Finding]) -> usize {
    let slow = targets.iter().zip(findings).filter(|(target, finding)| {
        let limit = target.warn_ms.map_or(f64::INFINITY, |limit| limit as f64);
        finding.up && finding.latency_ms.is_some_and(|latency| latency > limit)
    });
    let slow = slow.inspect(|(target, finding)| {
        let (latency, limit) = (
            finding.latency_ms.unwrap_or(0.0),
            target.warn_ms.unwrap_or(0),
        );
        let name = &finding.name;
        context.warn(format!(
            "`{name}` is slow: {latency:.0} ms, more than {limit}"
        ));
    });
    slow.count()
}

fn report(context: &Context, findings: &[Finding], slow: usize) -> Report {
    let up = findings.iter().filter(|finding| finding.up).count();
    let skipped = findings.iter().filter(|finding| finding.skipped).count();
    let down = findings.len() - up - skipped;
    let latencies = findings.iter().filter_map(|finding| finding.latency_ms);
    let longest = latencies.fold(0.0, f64::max);
    let mut text = format!("{up} of {} targets up", findings.len());
    for (count, word) in [
        (down, "down"),
        (slow, "slow"),
        (skipped, "not asked in a dry run"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {word}"));
        }
    }
    let days = findings
        .iter()
        .filter_map(|finding| finding.certificate.as_ref());
    let report = Report::new(format!("{text}, {longest:.0} ms at most"))
        .metric("targets_up", up)
        .metric("targets_down", down)
        .metric("targets_slow", slow)
        .metric("latency_ms_max", longest);
    let report = match days.map(|certificate| certificate.days_left).min() {
        Some(days) => report.metric("certificate_days_min", days),
        None => report,
    };
    report.details(&serde_json::json!({ "targets": findings, "checked_at": context.now() }))
}

fn judge(findings: &[Finding], report: Report) -> Result<Report, Failure> {
    let is_down = |finding: &&Finding| !finding.up && !finding.skipped;
    let down: Vec<_> = findings.iter().filter(is_down).collect();
    if down.is_empty() {
        return Ok(report);
    }
    let said = down.iter().take(MOST_NAMED).map(|finding| {
        let why = finding
            .error
            .as_deref()
            .unwrap_or("it was not asked, as the run was to end");
        format!("`{}` is down: {why}", finding.name)
    });
    let mut message = said.collect::<Vec<_>>().join("; ");
    if down.len() > MOST_NAMED {
        message.push_str(&format!("; and {} more", down.len() - MOST_NAMED));
    }
    // A refusal decides how the run ends; a peer that is down is no fault of the host.
    let refusals = down.iter().filter_map(|finding| finding.cause.clone());
    let cause = refusals
        .into_iter()
        .find(|cause| matches!(cause, Error::Denied(_) | Error::Limit(_)));
    Err(Failure {
        retryable: down.iter().any(|finding| finding.may_recover()),
        cause: cause.map(Box::new),
        ..Failure::permanent(message)
    }
    .with_partial(report))
}

/// So many targets stand in the message; all of them are in the report.
const MOST_NAMED: usize = 5;
