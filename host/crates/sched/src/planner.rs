//! The decisions that the store asks for inside its transactions: [`Planner`].

mod cache;
mod due;
pub(crate) mod missed;
mod overlap;
mod retry;

use mhost_model::plan::{
    Alert, Armed, Decision, Ended, OpenRun, Planner, Progress, Verdict, ZoneChange,
};
use mhost_model::run::Run;
use mhost_model::schedule::{Fields, Schedule};
use mhost_model::task::Task;
use mhost_model::{Instant, RunId};

use crate::zone::{parse_zone, zone_changes, zone_data_version};
use crate::{jitter, watch};

/// The planner, with a bounded memory of compiled schedules.
#[derive(Debug, Default)]
pub struct Scheduler {
    cache: cache::Cache,
}

impl Planner for Scheduler {
    fn arm(&self, task: &Task, now: Instant) -> Armed {
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

    fn zone_data(&self) -> &str {
        zone_data_version()
    }

    fn zone(&self, schedule: &Schedule) -> Option<String> {
        match schedule {
            Schedule::Cron { tz, .. } | Schedule::Fields(Fields { tz, .. }) => tz.clone(),
            _ => None,
        }
    }

    fn zone_changes(&self, zone: &str) -> Vec<ZoneChange> {
        parse_zone(Some(zone)).map_or_else(|_| Vec::new(), zone_changes)
    }

    fn realigned(&self, task: &Task, progress: &Progress, now: Instant) -> Option<Armed> {
        let from = now.max(progress.last_fire.unwrap_or(now));
        if progress.next_due.is_some_and(|due| due <= from) {
            return None;
        }
        let armed = self.arm(task, from);
        (armed.0 != progress.next_due).then_some(armed)
    }

    fn watch(
        &self,
        task: &Task,
        progress: &Progress,
        running: &[(RunId, Instant)],
        now: Instant,
    ) -> (Vec<Alert>, Option<Instant>) {
        match self.cache.compiled(&task.spec.schedule) {
            Some(schedule) => watch::standing(task, &schedule, progress, running, now),
            None => (Vec::new(), None),
        }
    }

    fn too_fast(&self, task: &Task, run: &Run) -> Option<Alert> {
        watch::ended(task, run.id, run.started_at?, run.finished_at?)
    }
}
