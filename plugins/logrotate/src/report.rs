//! What is told of a run, and whether it went well.

use mhost_format_logrotate::{Problem, Severity};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Failure, Report};
use serde::Serialize;
use serde_json::json;

use crate::budget::Evicted;
use crate::config::Config;
use crate::ground::Ground;
use crate::read::Read;
use crate::section::{Item, Outcome};

/// A run that is over.
pub struct Done {
    pub items: Vec<Item>,
    pub read: Read,
    /// Bytes of logs and archives.
    pub before: u64,
    pub after: u64,
    pub evicted: Evicted,
    /// What of the state could not be read.
    pub damaged: Vec<String>,
    /// Why what was done is not remembered.
    pub unsaved: Option<String>,
}

#[derive(Serialize)]
struct Line<'a> {
    log: &'a str,
    outcome: &'static str,
    reason: &'a str,
    steps: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    window_ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_bytes: Option<u64>,
}

pub fn report(ground: &Ground<'_>, done: &Done) -> Report {
    let dry_run = ground.context.dry_run();
    let steps = |word: &str| {
        let steps = done.items.iter().flat_map(|item| &item.steps);
        steps.filter(|step| step.starts_with(word)).count()
    };
    let ended = |outcome| {
        let items = done.items.iter();
        items.filter(|item| item.outcome == outcome).count()
    };
    let (rotated, finished) = (ended(Outcome::Rotated), ended(Outcome::Finished));
    let compressed = steps("compress ");
    // A plain archive that gave way to its compressed copy is not gone.
    let removed =
        (steps("remove ") + steps("shred ")).saturating_sub(compressed) + done.evicted.paths.len();
    let removed_bytes: u64 = done.items.iter().map(|item| item.removed).sum();
    let removed_bytes = removed_bytes + done.evicted.bytes;
    let after = match dry_run {
        true => done.before.saturating_sub(removed_bytes),
        false => done.after,
    };
    let text = format!(
        "{}rotated {rotated} of {} logs{}, compressed {compressed}, removed {removed}, {} in place of {}{}",
        if dry_run { "would have " } else { "" },
        done.items.len(),
        match finished {
            0 => String::new(),
            count => format!(", finished what an earlier run left of {count}"),
        },
        human_bytes(after),
        human_bytes(done.before),
        mistakes(&done.read.problems),
    );
    let report = Report::new(text)
        .metric("files_rotated", rotated)
        .metric("files_removed", removed)
        .metric("files_compressed", compressed)
        .metric("bytes_before", done.before)
        .metric("bytes_after", after);
    windows(report, &done.items).details(&details(ground, done))
}

/// What of the configuration means nothing, as the end of the summary.
fn mistakes(problems: &[Problem]) -> String {
    let Some(first) = problems.first() else {
        return String::new();
    };
    let more = match problems.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("; the configuration has a mistake in {first}{more}")
}

/// The longest time in which a line could have been lost.
fn windows(report: Report, items: &[Item]) -> Report {
    let drained = || items.iter().filter_map(|item| item.drained);
    let Some(longest) = drained().map(|drained| drained.window_ns).max() else {
        return report;
    };
    report.metric("copytruncate_window_ns", longest).metric(
        "copytruncate_late_bytes",
        drained().map(|drained| drained.bytes).sum::<u64>(),
    )
}

fn details(ground: &Ground<'_>, done: &Done) -> serde_json::Value {
    // What went wrong comes first, so that it is there however many logs there are.
    let (bad, good): (Vec<_>, Vec<_>) = done.items.iter().partition(|item| item.outcome.bad());
    let lines = bad.into_iter().chain(good).map(|item| Line {
        log: &item.log,
        outcome: item.outcome.word(),
        reason: &item.reason,
        steps: &item.steps,
        window_ns: item.drained.map(|drained| drained.window_ns),
        late_bytes: item.drained.map(|drained| drained.bytes),
    });
    let lines: Capped<_> = lines.collect();
    let mut details = json!({ "logs": lines });
    let problems = done
        .read
        .problems
        .iter()
        .map(Problem::to_string)
        .collect::<Vec<_>>();
    for (name, list) in [
        ("problems", problems),
        ("evicted", done.evicted.paths.clone()),
        ("damaged", done.damaged.clone()),
        ("unsaved", done.unsaved.iter().cloned().collect()),
        ("warnings", ground.warnings()),
        ("trace", ground.trace()),
        ("output", ground.outputs()),
    ] {
        if !list.is_empty() {
            details[name] = json!(list);
        }
    }
    details
}

/// Whether all went well.
pub fn judge(config: &Config, done: &Done, report: Report) -> Result<Report, Failure> {
    let bad: Vec<_> = done
        .items
        .iter()
        .filter(|item| item.outcome.bad())
        .collect();
    let others = |count: usize| match count {
        0 => String::new(),
        1 => ", and 1 other log is not right either".to_owned(),
        count => format!(", and {count} other logs are not right either"),
    };
    if let Some(first) = bad.first() {
        let message = format!(
            "cannot rotate `{}`: {}{}",
            first.log,
            first.reason,
            others(bad.len() - 1)
        );
        let failure = match &first.error {
            Some(error) => Failure {
                message,
                ..Failure::from(error.clone())
            },
            None => Failure::permanent(message),
        };
        return Err(failure.with_partial(report));
    }
    let mut mistakes = done.read.problems.iter();
    if let Some(first) = mistakes.find(|problem| problem.severity == Severity::Error) {
        let failure = Failure::permanent(format!("the configuration is wrong in {first}"));
        return Err(failure.with_partial(report));
    }
    let missing = config
        .logs
        .iter()
        .find(|_| done.items.is_empty() && !config.missingok);
    match missing {
        Some(pattern) => Err(Failure::permanent(format!(
            "there is no log `{pattern}`; set `missingok` if that is fine"
        ))
        .with_partial(report)),
        None => Ok(report),
    }
}
