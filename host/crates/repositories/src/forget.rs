//! What a retention policy keeps, and removing the rest.

use mhost_model::ports::repository::{Judged, Keep};
use mhost_model::{Fault, FaultResult, Instant};
use rustic_core::jiff::Span;
use rustic_core::repofile::{SnapshotFile, StringList};
use rustic_core::{ForgetSnapshot, Grouped, KeepOptions, SnapshotGroupCriterion};

use crate::fault;
use crate::session::Session;
use crate::snapshots::{self, Snapshots};

/// Judges each group of one host and the same paths by itself, as restic does.
pub fn judge(session: &Session, policy: &Keep, now: Instant) -> FaultResult<Vec<Judged>> {
    let judged = decide(session, policy, now)?;
    Ok(judged.iter().map(describe).collect())
}

/// As [`judge`], and removes what is not kept.
pub fn apply(session: &Session, policy: &Keep, now: Instant) -> FaultResult<Vec<Judged>> {
    let judged = decide(session, policy, now)?;
    let gone: Vec<_> = judged
        .iter()
        .filter(|one| !one.keep)
        .map(|one| one.snapshot.id)
        .collect();
    session
        .repo
        .delete_snapshots(&gone)
        .map_err(|error| fault::rustic("removing snapshots", &error))?;
    Ok(judged.iter().map(describe).collect())
}

fn decide(session: &Session, policy: &Keep, now: Instant) -> FaultResult<Vec<ForgetSnapshot>> {
    let (options, now) = (options(policy)?, snapshots::zoned(now)?);
    let all = Snapshots::complete(&session.repo, "forgetting snapshots")?;
    let groups = Grouped::from_items(all, SnapshotGroupCriterion::default()).groups;
    let mut judged = Vec::new();
    for group in groups {
        let group = options
            .apply(group.items, &now)
            .map_err(|error| fault::rustic("judging snapshots", &error))?;
        keeps_something(&group)?;
        judged.extend(group);
    }
    Ok(judged)
}

/// A policy under which nothing remains of a host's backups is a mistake: tags
/// that no snapshot bears, for instance.
fn keeps_something(group: &[ForgetSnapshot]) -> FaultResult<()> {
    let by_policy =
        |one: &ForgetSnapshot| one.keep || one.reasons.iter().any(|why| why == "snapshot");
    match group.first() {
        Some(newest) if !group.iter().any(by_policy) => Err(Fault::Invalid(format!(
            "the policy would remove every snapshot of {} from host `{}`: let it keep at least the last one",
            newest.snapshot.paths, newest.snapshot.hostname
        ))),
        _ => Ok(()),
    }
}

fn options(policy: &Keep) -> FaultResult<KeepOptions> {
    if *policy == Keep::default() {
        return Err(Fault::Invalid(
            "the policy keeps nothing: set at least one of last, hourly, daily, weekly, monthly, yearly, within or tags"
                .to_owned(),
        ));
    }
    let mut options = KeepOptions::default();
    options.keep_last = count(policy.last);
    options.keep_hourly = count(policy.hourly);
    options.keep_daily = count(policy.daily);
    options.keep_weekly = count(policy.weekly);
    options.keep_monthly = count(policy.monthly);
    options.keep_yearly = count(policy.yearly);
    options.keep_within = within(policy.within_seconds)?;
    options.keep_tags = policy.tags.iter().map(|tag| tag_list(tag)).collect();
    Ok(options)
}

fn count(wanted: u32) -> Option<i32> {
    (wanted > 0).then(|| i32::try_from(wanted).unwrap_or(i32::MAX))
}

/// Counted from the newest snapshot of the group, as restic does: a machine that
/// was off for a month does not lose its history for it.
fn within(seconds: u64) -> FaultResult<Option<Span>> {
    if seconds == 0 {
        return Ok(None);
    }
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Span::new().try_seconds(seconds).ok())
        .map(Some)
        .ok_or_else(|| Fault::Invalid(format!("`within` of {seconds} seconds is too long")))
}

fn tag_list(tag: &str) -> StringList {
    let mut list = StringList::default();
    list.add(tag.to_owned());
    list
}

fn describe(judged: &ForgetSnapshot) -> Judged {
    let snapshot: &SnapshotFile = &judged.snapshot;
    Judged {
        snapshot: snapshots::describe(snapshot),
        keep: judged.keep,
        reasons: if judged.keep {
            judged.reasons.clone()
        } else {
            Vec::new()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_must_say_something() {
        assert!(matches!(options(&Keep::default()), Err(Fault::Invalid(_))));
        let keep = Keep {
            last: 3,
            within_seconds: 3600,
            ..Keep::default()
        };
        let options = options(&keep).unwrap();
        assert_eq!(options.keep_last, Some(3));
        assert_eq!(options.keep_daily, None);
        assert!(options.keep_within.is_some());
    }

    #[test]
    fn no_number_is_too_large_to_be_answered() {
        assert_eq!(count(u32::MAX), Some(i32::MAX));
        assert!(matches!(within(u64::MAX), Err(Fault::Invalid(_))));
        assert!(matches!(within(i64::MAX as u64), Err(Fault::Invalid(_))));
    }
}
