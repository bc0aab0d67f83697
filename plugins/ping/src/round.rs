//! Asks all targets at the same time, and again those that failed and may be asked again.

use std::time::Duration;

use mhost_sdk::progress::Unit;
use mhost_sdk::{Context, Result};

use crate::config::{Config, Kind, Target};
use crate::finding::{Finding, Verdict};
use crate::{local, question, verdict};

/// Answers that are taken at a time.
const HANDFUL: u32 = 1024;
/// How long an answer is waited for before it is asked whether the run is to end.
const PATIENCE: Duration = Duration::from_millis(500);
/// Asks that are handed over at a time, so that no call carries too much.
const PORTION: usize = 1000;

/// The findings, in the order of the targets, without what was known before.
pub fn ask_all(context: &Context, config: &Config, labels: &[String]) -> Result<Vec<Finding>> {
    let targets = config.targets.iter().zip(labels);
    let mut findings: Vec<_> = targets
        .map(|(target, label)| first(context, target, label.clone()))
        .collect();
    let remote = |at: &usize| config.targets[*at].kind() != Kind::Local && !findings[*at].skipped;
    let remote: Vec<usize> = (0..findings.len()).filter(remote).collect();
    if remote.is_empty() {
        look_around(context, config, &mut findings);
        return Ok(findings);
    }
    let batch = context.probe().batch(config.concurrency)?;
    for portion in remote.chunks(PORTION) {
        let mut asks = Vec::with_capacity(portion.len());
        for at in portion {
            asks.extend(ask(context, config, &mut findings, *at));
        }
        batch.add(&asks)?;
    }
    // Meanwhile the others are looked at.
    look_around(context, config, &mut findings);
    let mut done = 0;
    loop {
        let news = batch.next(HANDFUL, PATIENCE)?;
        let mut again = Vec::new();
        for answer in news.answers {
            let at = answer.id as usize;
            let Some(target) = config.targets.get(at) else {
                continue;
            };
            let name = std::mem::take(&mut findings[at].name);
            let attempts = findings[at].attempts;
            findings[at] = Finding {
                attempts,
                ..verdict::judge(target, name, answer, context.now())
            };
            match wants_another(target, &findings[at]) {
                true => again.extend(ask(context, config, &mut findings, at)),
                false => done += 1,
            }
        }
        let open = news.open as usize + again.len();
        if open == 0 || context.cancelled() {
            return Ok(findings);
        }
        batch.add(&again)?;
        context.report_progress("probing", done, Some(remote.len() as u64), Unit::Items);
    }
}

/// A dry run changes nothing, so it asks nothing that may.
fn first(context: &Context, target: &Target, label: String) -> Finding {
    let http = target.http.is_some() && !matches!(target.method.as_str(), "GET" | "HEAD");
    let tcp = target.tcp.is_some()
        && (target.body.is_some() || target.steps.iter().any(|step| step.send.is_some()));
    match context.dry_run() && (http || tcp) {
        true => Finding::skipped(label),
        false => Finding::new(label),
    }
}

/// The next ask of a target. What cannot even be asked is a finding at once.
fn ask(
    context: &Context,
    config: &Config,
    findings: &mut [Finding],
    at: usize,
) -> Option<mhost_sdk::probe::Ask> {
    let target = &config.targets[at];
    findings[at].attempts += 1;
    let attempts = findings[at].attempts;
    match question::ask(context, u32::try_from(at).ok()?, target) {
        Ok(asked) => asked.map(|mut ask| {
            let delay = target.retry_delay.filter(|_| attempts > 1);
            let millis = delay.map_or(0, |delay| delay.duration().as_millis());
            ask.delay_ms = u32::try_from(millis).unwrap_or(u32::MAX);
            ask
        }),
        Err(error) => {
            let name = std::mem::take(&mut findings[at].name);
            findings[at] = Finding {
                attempts,
                unasked: true,
                ..Finding::failed(name, error)
            };
            None
        }
    }
}

fn wants_another(target: &Target, finding: &Finding) -> bool {
    finding.bad() && finding.may_recover() && finding.attempts <= target.retries
}

fn look_around(context: &Context, config: &Config, findings: &mut [Finding]) {
    for (target, finding) in config.targets.iter().zip(findings) {
        if target.kind() != Kind::Local || context.cancelled() {
            continue;
        }
        let name = std::mem::take(&mut finding.name);
        *finding = local::look(context, target, name);
        finding.attempts = 1;
        debug_assert_ne!(finding.verdict, Verdict::None);
    }
}
