//! Checking a FileStorage.

use mhost_filestorage::verify::{self as format, Level, Verdict};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Context, Error, Failure, Report};
use serde_json::json;

use super::{Told, failed, open};

/// Checks; a file that is not sound fails the run, for good.
pub fn verify(context: &Context, path: &str, level: Level) -> Result<Report, Failure> {
    let mut file = open(context, path)?;
    let told = &mut Told {
        context,
        name: path,
    };
    let verdict = format::verify(&mut file, level, told);
    let verdict = verdict.map_err(|error| failed("check", path, error))?;
    let report = report(path, level, &verdict);
    if verdict.stale_count > 0 {
        context.warn(format!(
            "{} older revisions in {path} cannot be read; the current state is not affected, and a pack removes them",
            verdict.stale_count
        ));
    }
    match damaged(path, &verdict) {
        None => Ok(report),
        Some(message) => Err(Failure {
            cause: Some(Box::new(Error::Damaged(message.clone()))),
            ..Failure::permanent(message).with_partial(report)
        }),
    }
}

fn report(path: &str, level: Level, verdict: &Verdict) -> Report {
    let size = human_bytes(verdict.bytes);
    let summary = match verdict.failing() {
        None => format!(
            "{path} is sound: {} transactions, {} objects, {size}",
            verdict.transactions,
            verdict.index.len()
        ),
        Some(failing) => format!("{path} is damaged: {}", fails(failing)),
    };
    let counts: serde_json::Map<_, _> = Level::ALL
        .into_iter()
        .filter(|checked| *checked <= level)
        .map(|checked| {
            (
                checked.name().to_owned(),
                verdict.counts[checked as usize].into(),
            )
        })
        .collect();
    let all: u64 = verdict.counts.iter().sum();
    Report::new(summary)
        .metric("bytes_checked", verdict.bytes)
        .metric("transactions", verdict.transactions)
        .metric("records", verdict.records)
        .metric("objects", verdict.index.len())
        .metric("findings", all)
        .metric("older_revisions_unreadable", verdict.stale_count)
        .details(&json!({
            "sound": verdict.sound(),
            "level": level,
            "last_transaction": verdict.last,
            "findings_by_level": counts,
            "findings": verdict.findings,
            "findings_omitted": all - verdict.findings.len() as u64,
            "older_revisions": verdict.stale,
        }))
}

/// The failure's sentence: which level fails, where, what it means.
fn damaged(path: &str, verdict: &Verdict) -> Option<String> {
    let level = verdict.failing()?;
    let all: u64 = verdict.counts.iter().sum();
    let first = verdict
        .findings
        .iter()
        .find(|finding| finding.level == level)?;
    let findings = if all == 1 { "finding" } else { "findings" };
    Some(format!(
        "{path} is damaged, {}: {}; {} ({all} {findings} in the report)",
        fails(level),
        first.damage,
        first.meaning
    ))
}

fn fails(level: Level) -> String {
    match level {
        Level::Structure => "its structure fails".to_owned(),
        _ => format!("its {} fail", level.name()),
    }
}
