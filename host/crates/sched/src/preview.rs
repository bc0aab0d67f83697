//! Coming fires, with what is unusual about each: for `mhost task next` and
//! `mhost schedule next`. It asks the same functions that the scheduler runs.

mod unusual;

use chrono::SubsecRound;
use mhost_model::plan::Progress;
use mhost_model::task::Task;
use mhost_model::{Instant, Span};
use serde::{Deserialize, Serialize};

use crate::{Compiled, jitter};

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
/// beginning with a fire that is due already.
pub fn coming(
    task: &Task,
    schedule: &Compiled,
    progress: &Progress,
    now: Instant,
    count: usize,
) -> Vec<Coming> {
    let Some(due) = progress.next_due else {
        return Vec::new();
    };
    let offset = jitter::offset(task.id, &task.spec.policy);
    let later = schedule.fires(due.max(now), task.created_at);
    std::iter::once(due)
        .chain(later)
        .take(count)
        .map(|fire| {
            let mut coming = one(schedule, fire, offset);
            if fire <= now {
                coming.notes.push(Note::overdue(fire, now));
            }
            coming
        })
        .collect()
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
    schedule
        .fires(from, from.trunc_subsecs(3))
        .take_while(move |fire| until.is_none_or(|until| *fire <= until))
        .take(count)
        .map(|fire| one(schedule, fire, Span::seconds(0)))
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
