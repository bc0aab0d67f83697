//! Coming fires, with what is unusual about each: for `mhost task next` and
//! `mhost schedule next`. It asks the same functions that the scheduler runs.

mod unusual;

use chrono::SubsecRound;
use mhost_model::plan::Progress;
use mhost_model::task::Task;
use mhost_model::{Instant, Span};
use serde::{Deserialize, Serialize};

use crate::{Compiled, jitter, planner};

pub use unusual::{Note, Pass, Unusual};

/// One coming fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coming {
    /// The nominal due time, which stands in the ledger.
    pub fire_at: Instant,
    /// When it may start: later by the task's jitter.
    pub starts_at: Instant,
    /// `fire_at` on the wall clock of the schedule's zone: `2026-03-29 03:00:00 EEST`.
    pub local: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// The next `count` fires of a task from its state: what the scheduler would do,
/// beginning with what is due already. Of missed fires those are listed that will run; how many
/// do not, stands with them. Of a task that is held or paused, the fires are those that it would
/// have, each marked.
pub fn coming(
    task: &Task,
    schedule: &Compiled,
    progress: &Progress,
    now: Instant,
    count: usize,
) -> Vec<Coming> {
    let held = match &task.quarantine {
        Some(why) => Some(Note::held(why)),
        None => (!task.enabled).then(Note::paused),
    };
    let backlog = match held {
        None => planner::missed::backlog(task, schedule, progress, now),
        Some(_) => planner::missed::Backlog {
            next: schedule.next_after(now, task.created_at),
            ..Default::default()
        },
    };
    let offset = jitter::offset(task.id, &task.spec.policy);
    let first = backlog.next;
    let later = first.map(|first| schedule.fires(first, task.created_at));
    let mut fires: Vec<Coming> = backlog
        .run
        .into_iter()
        .chain(first)
        .chain(later.into_iter().flatten())
        .take(count)
        .map(|fire| one(schedule, fire, offset))
        .collect();
    let pool = Some(&task.spec.policy.pool).filter(|_| progress.wake_at.is_none());
    for fire in &mut fires {
        if fire.starts_at <= now {
            fire.notes.push(Note::catch_up(fire.fire_at, now, pool));
        }
        fire.notes.extend(held.clone());
    }
    if let Some(fire) = fires.first_mut() {
        fire.notes
            .extend(Note::missed(backlog.coalesced, backlog.skipped));
    }
    fires
}

/// The fires of a bare schedule strictly after `from`, up to and including `until`
/// where that is given, at most `count`. Intervals without `from` are counted from
/// `from`.
pub fn fires(
    schedule: &Compiled,
    from: Instant,
    until: Option<Instant>,
    count: usize,
) -> impl Iterator<Item = Coming> {
    times(schedule, from, until, count).map(|fire| one(schedule, fire, Span::seconds(0)))
}

/// As [`fires`], the bare times.
pub fn times(
    schedule: &Compiled,
    from: Instant,
    until: Option<Instant>,
    count: usize,
) -> impl Iterator<Item = Instant> {
    schedule
        .fires(from, from.trunc_subsecs(3))
        .take_while(move |fire| until.is_none_or(|until| *fire <= until))
        .take(count)
}

fn one(schedule: &Compiled, fire: Instant, offset: Span) -> Coming {
    let mut notes: Vec<_> = unusual::of(schedule, fire).into_iter().collect();
    if offset > Span::seconds(0) {
        notes.push(Note::jitter(offset));
    }
    let local = fire.with_timezone(&schedule.zone());
    Coming {
        fire_at: fire,
        starts_at: fire.checked_add_signed(offset.delta()).unwrap_or(fire),
        local: local.format("%Y-%m-%d %H:%M:%S%.f %Z").to_string(),
        notes,
    }
}
