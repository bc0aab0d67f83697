//! Listing snapshots, and choosing one.

use chrono::DateTime;
use mhost_sdk::repository::{Repository, Snapshot};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Report};

use crate::config::Snapshots;
use crate::table;

/// Lists, newest first.
pub fn list(context: &Context, config: Snapshots) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let mut found = matching(repository.as_ref(), config.host.as_deref(), &config.tags)?;
    found.reverse();
    let text = match found.first() {
        Some(newest) => format!(
            "{} snapshots, the newest {} of {}",
            found.len(),
            crate::backup::short(&newest.id),
            instant(newest.time),
        ),
        None => "no snapshots".to_owned(),
    };
    let size = found.first().map_or(0, |newest| newest.size);
    let text = match size {
        0 => text,
        bytes => format!("{text} with {}", human_bytes(bytes)),
    };
    let listed: Capped<_> = found.iter().collect();
    let columns = ["id", "time", "host", "paths", "tags", "size"];
    let rows = found.iter().map(|snapshot| {
        let [id, time, host, paths, tags] = cells(snapshot);
        [id, time, host, paths, tags, human_bytes(snapshot.size)]
    });
    Ok(Report::new(text)
        .metric("snapshots", found.len())
        .details(&table::with(
            serde_json::json!({ "snapshots": listed }),
            columns,
            rows,
        )))
}

/// What a table says of a snapshot first: id, time, host, paths, tags.
pub fn cells(snapshot: &Snapshot) -> [String; 5] {
    [
        crate::backup::short(&snapshot.id).to_owned(),
        instant(snapshot.time),
        snapshot.hostname.clone(),
        snapshot.paths.join(", "),
        snapshot.tags.join(", "),
    ]
}

/// Oldest first.
fn matching(
    repository: &dyn Repository,
    host: Option<&str>,
    tags: &[String],
) -> Result<Vec<Snapshot>, Failure> {
    let snapshots = repository.snapshots();
    let mut snapshots = snapshots.doing(|| "list the snapshots".to_owned())?;
    snapshots.retain(|snapshot| {
        host.is_none_or(|host| snapshot.hostname == host)
            && tags.iter().all(|tag| snapshot.tags.contains(tag))
    });
    snapshots.sort_by_key(|snapshot| snapshot.time);
    Ok(snapshots)
}

/// Which snapshot is meant.
pub struct Choice<'a> {
    /// The repository's name, for messages.
    pub repository: &'a str,
    pub snapshot: &'a str,
    pub at: Option<&'a str>,
    pub host: Option<&'a str>,
    pub tags: &'a [String],
}

/// The id that is meant.
pub fn choose(repository: &dyn Repository, config: &Choice) -> Result<String, Failure> {
    let before = match config.at {
        Some(text) => Some(parse(text)?),
        None => None,
    };
    if config.snapshot != "latest" {
        if before.is_some() || config.host.is_some() || !config.tags.is_empty() {
            return Err(Failure::permanent(format!(
                "`snapshot` names {} and needs no `at`, `host` or `tags`: leave either out",
                config.snapshot
            )));
        }
        return Ok(config.snapshot.to_owned());
    }
    let candidates = matching(repository, config.host, config.tags)?;
    let chosen = candidates
        .iter()
        .rfind(|snapshot| before.is_none_or(|before| snapshot.time <= before));
    let oldest = candidates.first();
    chosen
        .map(|snapshot| snapshot.id.clone())
        .ok_or_else(|| none(config, oldest))
}

fn none(config: &Choice, oldest: Option<&Snapshot>) -> Failure {
    let message = match (config.at, oldest) {
        (Some(at), Some(oldest)) => format!(
            "there is no snapshot at or before {at}: the oldest is of {}",
            instant(oldest.time)
        ),
        _ => format!(
            "there is no such snapshot in `{}`: make one with the action `backup`",
            config.repository
        ),
    };
    Failure::permanent(message)
}

/// Milliseconds.
fn parse(text: &str) -> Result<u64, Failure> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .and_then(|at| u64::try_from(at.timestamp_millis()).ok())
        .ok_or_else(|| {
            Failure::permanent(format!(
                "`at` is no instant: `{text}`; write one such as `2026-03-01T12:00:00Z`"
            ))
        })
}

pub fn instant(millis: u64) -> String {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).map_or_else(
        || millis.to_string(),
        |at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    )
}
