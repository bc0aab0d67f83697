//! The brake on deletions: a source that is empty, unmounted or half listed must never
//! empty the target.

use mhost_sdk::Failure;
use mhost_sdk::trees::shown;

use super::config::Mirror;
use super::plan::{Counts, Plan};
use super::stream::below;

/// So many deletions are nobody's catastrophe: the share is not looked at.
const FEW: u64 = 10;

/// One pair of ends, in words.
pub struct Ends<'a> {
    pub from: &'a str,
    pub to: &'a str,
}

/// Refuses a plan that removes more than was allowed. `expected` are the mount points
/// that the source had when it was mirrored last.
pub fn check(
    config: &Mirror,
    ends: &Ends<'_>,
    plan: &Plan,
    expected: &[Vec<u8>],
) -> Result<(), Failure> {
    check_counts(config, ends, plan, plan.counts)?;
    match plan.removals() {
        0 => Ok(()),
        _ => unmounted(ends, plan, expected),
    }
}

/// The same without a memory of mount points.
pub fn check_counts(
    config: &Mirror,
    ends: &Ends<'_>,
    plan: &Plan,
    counts: Counts,
) -> Result<(), Failure> {
    check_numbers(config, ends, plan.removals(), counts)
}

/// The same of anything that removes so many entries.
pub fn check_numbers(
    config: &Mirror,
    ends: &Ends<'_>,
    removals: u64,
    counts: Counts,
) -> Result<(), Failure> {
    if removals == 0 {
        return Ok(());
    }
    empty(ends, counts)?;
    too_many(config, ends, counts.target, removals)
}

fn empty(ends: &Ends<'_>, counts: Counts) -> Result<(), Failure> {
    if counts.source > 0 {
        return Ok(());
    }
    Err(Failure::permanent(format!(
        "the source {} is empty, and {} entries of {} would be removed: is it mounted? nothing was changed; \
         remove them by hand if that is meant",
        ends.from, counts.target, ends.to
    )))
}

/// A mount point in which nothing is any more, and below which something would go.
fn unmounted(ends: &Ends<'_>, plan: &Plan, expected: &[Vec<u8>]) -> Result<(), Failure> {
    let bare = expected
        .iter()
        .filter(|mount| !plan.mounts.contains(mount) && !plan.filled.contains(mount));
    for mount in bare {
        let goes = |path: &[u8]| path == mount || below(path, mount);
        let lost = plan.delete.iter().filter(|extra| goes(&extra.path)).count();
        if lost > 0 {
            return Err(Failure::retryable(format!(
                "`{}` of {} held a mounted file system when it was mirrored last, and is empty now: mount it; \
                 {lost} entries of {} would be removed, and nothing was changed",
                shown(mount),
                ends.from,
                ends.to
            )));
        }
    }
    Ok(())
}

fn too_many(config: &Mirror, ends: &Ends<'_>, there: u64, removals: u64) -> Result<(), Failure> {
    if let Some(most) = config.max_delete.filter(|most| removals > *most) {
        return Err(Failure::permanent(format!(
            "{removals} entries of {} would be removed, more than `max_delete` = {most}: nothing was changed; \
             look with a dry run, then raise it",
            ends.to
        )));
    }
    let share = removals.saturating_mul(100) / there.max(1);
    if removals > FEW && share > u64::from(config.max_delete_percent) {
        return Err(Failure::permanent(format!(
            "{removals} of {there} entries of {} would be removed, more than `max_delete_percent` = {}: nothing was \
             changed; look with a dry run, then raise it",
            ends.to, config.max_delete_percent
        )));
    }
    Ok(())
}
