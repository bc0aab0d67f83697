//! Removing what no snapshot refers to.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use mhost_model::ports::repository::PruneSummary;
use mhost_model::{Clock, FaultResult, Instant, SystemClock};
use rustic_core::{LimitOption, PruneOptions, PrunePlan};

use crate::fault;
use crate::session::Session;
use crate::snapshots::Snapshots;

/// What is unused goes at once, and at most a twentieth of the rest may stay
/// unused, as with restic. The exclusive lock is what makes that safe.
pub fn run(session: Session, root: Option<&Path>) -> FaultResult<PruneSummary> {
    let (plan, summary) = plan(&session)?;
    session
        .repo
        .prune(&options(), plan)
        .map_err(|error| fault::rustic("pruning", &error))?;
    let now = SystemClock.now();
    let removed = root.map_or(0, |root| remove_leftovers(root, now));
    Ok(PruneSummary {
        bytes_removed: summary.bytes_removed + removed,
        ..summary
    })
}

/// What [`run`] would do now, without the leftovers of writers that were killed.
pub fn foresee(session: &Session) -> FaultResult<PruneSummary> {
    plan(session).map(|(_, summary)| summary)
}

fn plan(session: &Session) -> FaultResult<(PrunePlan, PruneSummary)> {
    // The library's own reading of them only logs what it cannot read.
    Snapshots::complete(&session.repo, "pruning")?;
    let plan = session
        .repo
        .prune_plan(&options())
        .map_err(|error| fault::rustic("pruning", &error))?;
    let stats = &plan.stats;
    let sizes = stats.size_sum();
    let summary = PruneSummary {
        bytes_removed: sizes.remove
            + sizes.repackrm
            + stats.size_unref
            + stats.size_to_delete.remove
            + stats.size_to_delete.keep,
        bytes_repacked: sizes.repack,
        bytes_unused_left: sizes.unused_after_prune(),
    };
    Ok((plan, summary))
}

fn options() -> PruneOptions {
    let mut options = PruneOptions::default();
    options.max_repack = LimitOption::Unlimited;
    options.max_unused = LimitOption::Percentage(5);
    options.instant_delete = true;
    options
}

/// Files that a killed writer never gave their name (`…-tmp-…`), once they are a
/// day old. Returns their bytes. What cannot be removed stays: it does no harm.
fn remove_leftovers(root: &Path, now: Instant) -> u64 {
    let folders = ["snapshots", "index", "keys", "locks"].map(|name| root.join(name));
    let packs = fs::read_dir(root.join("data"))
        .into_iter()
        .flatten()
        .flatten();
    let folders = folders.into_iter().chain(packs.map(|entry| entry.path()));
    let entries = folders.flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    entries
        .map(|entry| remove_leftover(&entry, now).unwrap_or(0))
        .sum()
}

fn remove_leftover(entry: &DirEntry, now: Instant) -> io::Result<u64> {
    let meta = entry.metadata()?;
    let age = now.signed_duration_since(DateTime::<Utc>::from(meta.modified()?));
    let unnamed = entry.file_name().to_string_lossy().contains("-tmp-");
    if !meta.is_file() || !unnamed || age <= TimeDelta::days(1) {
        return Ok(0);
    }
    fs::remove_file(entry.path())?;
    Ok(meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;

    #[test]
    fn only_old_files_without_a_name_go() {
        let dir = scratch("prune");
        let packs = dir.path().join("data/ab");
        fs::create_dir_all(&packs).unwrap();
        let (pack, left) = (packs.join("ab01"), packs.join("ab02-tmp-"));
        fs::write(&pack, "1234").unwrap();
        fs::write(&left, "12345").unwrap();
        let now = SystemClock.now();
        assert_eq!(remove_leftovers(dir.path(), now), 0);
        assert_eq!(remove_leftovers(dir.path(), now + TimeDelta::hours(25)), 5);
        assert!(pack.exists() && !left.exists());
    }
}
