//! Answers about snapshots: what changed, and where something is.

use mhost_sdk::repository::{Repository, Snapshot};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Report};
use serde_json::json;

use crate::backup::short;
use crate::config::{Diff, Find};
use crate::snapshots::instant;
use crate::table;

/// What an answer lists at most.
const LISTED: u32 = 5_000;

/// What changed between two snapshots.
pub fn diff(context: &Context, config: Diff) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let (from, to) = match &config.from {
        Some(from) => (from.clone(), config.to.clone()),
        None => before(repository.as_ref(), &config.to)?,
    };
    let found = repository.diff(&from, &to, LISTED);
    let found = found.doing(|| format!("compare the snapshots {from} and {to}"))?;
    let text = format!(
        "from {} to {}: {} added, {} removed, {} changed, {} with other metadata; {} came, {} went",
        shown(&from),
        shown(&to),
        found.added,
        found.removed,
        found.changed,
        found.metadata,
        human_bytes(found.bytes_added),
        human_bytes(found.bytes_removed),
    );
    let rows = found.changes.iter().map(|change| {
        let sign = sign(&change.change).to_owned();
        let size = |bytes| human_bytes(bytes);
        [
            sign,
            change.path.clone(),
            size(change.size_before),
            size(change.size_after),
        ]
    });
    let details =
        json!({ "from": from, "to": to, "changes": found.changes, "omitted": found.omitted });
    let details = table::with(details, ["change", "path", "before", "after"], rows);
    Ok(Report::new(text)
        .metric("added", found.added)
        .metric("removed", found.removed)
        .metric("changed", found.changed)
        .metric("metadata", found.metadata)
        .metric("bytes_added", found.bytes_added)
        .metric("bytes_removed", found.bytes_removed)
        .details(&details))
}

/// As restic marks them.
fn sign(change: &str) -> &str {
    match change {
        "added" => "+",
        "removed" => "-",
        "changed" => "M",
        "metadata" => "U",
        "kind" => "T",
        other => other,
    }
}

/// An id is shown short, with its folder.
fn shown(reference: &str) -> String {
    match reference.split_once(':') {
        Some((id, folder)) => format!("{}:{folder}", short(id)),
        None => short(reference).to_owned(),
    }
}

/// A snapshot, and the one before it of the same host and paths.
fn before(repository: &dyn Repository, wanted: &str) -> Result<(String, String), Failure> {
    let (id, folder) = match wanted.split_once(':') {
        Some((id, folder)) => (id, format!(":{folder}")),
        None => (wanted, String::new()),
    };
    let all = repository.snapshots();
    let all = all.doing(|| "list the snapshots".to_owned())?;
    let meant = |snapshot: &&Snapshot| id == "latest" || snapshot.id.starts_with(id);
    let newest = all.iter().rev().find(meant);
    let newest =
        newest.ok_or_else(|| Failure::permanent(format!("there is no snapshot `{id}`")))?;
    let fits = |old: &&Snapshot| {
        old.hostname == newest.hostname && old.paths == newest.paths && old.time < newest.time
    };
    let older = all.iter().rev().find(fits);
    let older = older.ok_or_else(|| {
        Failure::permanent(format!(
            "there is no snapshot of the same host and paths before {}: name one in `from`",
            short(&newest.id)
        ))
    })?;
    Ok((
        format!("{}{folder}", older.id),
        format!("{}{folder}", newest.id),
    ))
}

/// Where something is.
pub fn find(context: &Context, config: Find) -> Result<Report, Failure> {
    let repository = crate::open(context, &config.repository)?;
    let found = repository.find(&config.patterns, &config.snapshots, LISTED);
    let found = found.doing(|| format!("search `{}`", config.repository))?;
    let text = match found.first() {
        None => format!("nothing matches {}", config.patterns.join(", ")),
        Some(first) => format!(
            "{} matches, the newest {} in snapshot {} of {}",
            found.len(),
            first.node.path,
            short(&first.snapshot),
            instant(first.time),
        ),
    };
    let listed: Capped<_> = found.iter().collect();
    let rows = found.iter().map(|one| {
        [
            short(&one.snapshot).to_owned(),
            instant(one.time),
            one.node.path.clone(),
            human_bytes(one.node.size),
        ]
    });
    let details = json!({ "found": listed });
    Ok(Report::new(text)
        .metric("matches", found.len())
        .details(&table::with(
            details,
            ["snapshot", "time", "path", "size"],
            rows,
        )))
}
