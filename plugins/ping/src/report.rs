//! What a check found, for people and programs.

use chrono::{DateTime, Utc};
use mhost_sdk::{Context, Error, Failure, Report};
use serde::Serialize;
use serde_json::{Value, json};

use crate::finding::{Finding, State};

/// So many targets stand in the message; all of them are in the report.
const MOST_NAMED: usize = 5;
/// The details may take so much of a report, bytes: the host takes 4 MiB.
const ROOM: usize = 3 << 20;

pub fn report(context: &Context, findings: &[Finding]) -> Report {
    let count = |wanted: &dyn Fn(&Finding) -> bool| {
        findings.iter().filter(|finding| wanted(finding)).count()
    };
    let of = |state: State| count(&|finding| finding.state == state);
    let up = count(&|finding| finding.up);
    let slow = count(&|finding| finding.slow);
    let down = count(&is_down);
    let (maintained, held) = (of(State::Maintenance), of(State::Held));
    let longest = findings.iter().filter_map(|finding| finding.latency_ms);
    let longest = longest.fold(0.0, f64::max);
    let mut text = format!("{up} of {} targets up", findings.len());
    for (count, words) in [
        (down, "down"),
        (slow, "slow"),
        (of(State::Degraded).saturating_sub(slow), "degraded"),
        (of(State::Flapping), "flapping"),
        (of(State::Unreachable), "unreachable"),
        (maintained, "in maintenance"),
        (held, "held by a task"),
        (of(State::Skipped), "not asked"),
    ] {
        if count > 0 {
            text.push_str(&format!(", {count} {words}"));
        }
    }
    if context.dry_run() && of(State::Skipped) > 0 {
        text.push_str(" in a dry run");
    }
    let certificates = findings
        .iter()
        .filter_map(|finding| finding.certificate.as_ref());
    let report = Report::new(format!("{text}, {longest:.0} ms at most"))
        .metric("targets_up", up)
        .metric("targets_down", down)
        .metric("targets_slow", slow)
        .metric("targets_degraded", of(State::Degraded))
        .metric("targets_flapping", of(State::Flapping))
        .metric("targets_unreachable", of(State::Unreachable))
        .metric("targets_silenced", maintained + held)
        .metric("latency_ms_max", longest);
    let report = match certificates.map(|certificate| certificate.days_left).min() {
        Some(days) => report.metric("certificate_days_min", days),
        None => report,
    };
    let (listed, omitted) = listed(findings);
    report.details(&Details {
        targets: listed,
        omitted,
        checked_at: context.now(),
        show: json!({ "list": "targets", "columns": ["name", "state", "latency_ms", "error"] }),
    })
}

/// Written from the findings themselves: of 10,000 every copy is felt.
#[derive(Serialize)]
struct Details<'f> {
    targets: Vec<&'f Finding>,
    /// How many more there are.
    omitted: usize,
    /// Milliseconds since 1970.
    checked_at: u64,
    show: Value,
}

/// Counts what is written.
struct Counter(usize);

impl std::io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As many as there is room for; those that are well give way first.
fn listed(findings: &[Finding]) -> (Vec<&Finding>, usize) {
    let mut room = ROOM;
    let mut fits = |finding: &Finding| {
        let mut counter = Counter(1);
        let written = serde_json::to_writer(&mut counter, finding);
        let fits = written.is_ok() && counter.0 <= room;
        room -= if fits { counter.0 } else { 0 };
        fits
    };
    let mut listed = vec![false; findings.len()];
    for well in [false, true] {
        for (place, finding) in listed.iter_mut().zip(findings) {
            if (finding.state == State::Up) == well {
                *place = fits(finding);
            }
        }
    }
    let listed: Vec<_> = findings
        .iter()
        .zip(listed)
        .filter_map(|(finding, listed)| listed.then_some(finding))
        .collect();
    let omitted = findings.len() - listed.len();
    (listed, omitted)
}

/// What makes the check fail.
fn is_down(finding: &Finding) -> bool {
    match finding.state {
        State::Down => true,
        State::Flapping => !finding.up,
        // Without the word of a dry run it was not asked because the run was to end.
        State::Skipped => !finding.skipped,
        _ => false,
    }
}

/// A target that is down makes the run fail.
pub fn judge(findings: &[Finding], report: Report) -> Result<Report, Failure> {
    let down: Vec<_> = findings.iter().filter(|finding| is_down(finding)).collect();
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

/// `2026-03-01 04:05Z`.
pub fn time(millis: u64) -> String {
    let at = i64::try_from(millis).ok();
    let at = at.and_then(DateTime::from_timestamp_millis);
    let at = at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times() {
        for (millis, expected) in [
            (0, "1970-01-01 00:00Z"),
            (951_782_400_000, "2000-02-29 00:00Z"),
            (1_772_323_260_000, "2026-03-01 00:01Z"),
            (1_798_761_599_999, "2026-12-31 23:59Z"),
        ] {
            assert_eq!(super::time(millis), expected);
        }
    }
}
