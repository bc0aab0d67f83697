//! The decisions that the store asks for inside its transactions: [`Planner`].

mod cache;
mod due;
mod missed;
mod overlap;
mod retry;

use mhost_model::Instant;
use mhost_model::plan::{Decision, Ended, OpenRun, Planner, Progress, Verdict};
use mhost_model::task::Task;

use crate::jitter;

/// The planner, with a bounded memory of compiled schedules.
#[derive(Debug, Default)]
pub struct Scheduler {
    cache: cache::Cache,
}

impl Scheduler {
    /// The due time and wake-up that a task should have, where those it has are not
    /// what its schedule says any more because the zones' data changed. A fire that is
    /// due already keeps its time. None where nothing moves.
    pub fn realigned(
        &self,
        task: &Task,
        progress: &Progress,
        now: Instant,
    ) -> Option<(Option<Instant>, Option<Instant>)> {
        let from = now.max(progress.last_fire.unwrap_or(now));
        if progress.next_due.is_some_and(|due| due <= from) {
            return None;
        }
        let armed = self.arm(task, from);
        (armed.0 != progress.next_due).then_some(armed)
    }
}

impl Planner for Scheduler {
    fn arm(&self, task: &Task, now: Instant) -> (Option<Instant>, Option<Instant>) {
        let next = task
            .enabled
            .then(|| self.cache.compiled(&task.spec.schedule))
            .flatten()
            .and_then(|schedule| schedule.next_after(now, task.created_at));
        let wake = next.map(|next| jitter::start_at(task.id, &task.spec.policy, next));
        (next, wake)
    }

    fn due(&self, task: &Task, progress: &Progress, slots: u32, now: Instant) -> Decision {
        match self.cache.compiled(&task.spec.schedule) {
            Some(schedule) if task.quarantine.is_none() => {
                due::decide(task, &schedule, progress, slots, now)
            }
            // Held: in quarantine, or made by an mhost whose zones knew more.
            _ => Decision {
                next_due: progress.next_due,
                ..Decision::default()
            },
        }
    }

    fn ended(
        &self,
        task: &Task,
        progress: &Progress,
        run: &OpenRun,
        ended: &Ended,
        now: Instant,
    ) -> Verdict {
        retry::verdict(task, progress, run, ended, now)
    }
}
