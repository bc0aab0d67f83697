//! The planner with one rule broken on purpose.

use mhost_model::Instant;
use mhost_model::plan::{Armed, Decision, Ended, OpenRun, Planner, Progress, Verdict, ZoneChange};
use mhost_model::policy::{Delivery, Missed};
use mhost_model::schedule::Schedule;
use mhost_model::task::Task;
use mhost_sched::Scheduler;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Rule 1: the oldest missed fire gets no row.
    DropsAMissedFire,
    /// Rule 2: the next due time follows from when the run began.
    GoesOnFromNow,
    /// Rule 3: all that was missed runs.
    RunsAllMissed,
    /// Rule 4: starts beside a living run.
    OverlooksTheLiving,
    /// Rule 4: starts more than the pool takes.
    OverlooksThePool,
    /// Rule 5: takes the readings of every zone for UTC's.
    ForgetsTheZone,
    /// Rule 6: goes back with the clock.
    FollowsTheClockBack,
    /// Rule 7: tries a fire again that may run once at most.
    RetriesTheLost,
    /// Rule 7: a stale fence is as good as a new one.
    TakesStaleFences,
    /// Rule 8: never stops to try.
    NeverGivesUp,
    /// Rule 8: tries again although the next fire is due.
    RetriesTooLate,
    /// Rule 9: starts at another offset each time.
    Wanders,
}

impl Flaw {
    pub const ALL: [Self; 12] = [
        Self::DropsAMissedFire,
        Self::GoesOnFromNow,
        Self::RunsAllMissed,
        Self::OverlooksTheLiving,
        Self::OverlooksThePool,
        Self::ForgetsTheZone,
        Self::FollowsTheClockBack,
        Self::RetriesTheLost,
        Self::TakesStaleFences,
        Self::NeverGivesUp,
        Self::RetriesTooLate,
        Self::Wanders,
    ];

    /// The rule that it breaks.
    pub fn rule(self) -> u8 {
        match self {
            Self::DropsAMissedFire => 1,
            Self::GoesOnFromNow => 2,
            Self::RunsAllMissed => 3,
            Self::OverlooksTheLiving | Self::OverlooksThePool => 4,
            Self::ForgetsTheZone => 5,
            Self::FollowsTheClockBack => 6,
            Self::RetriesTheLost | Self::TakesStaleFences => 7,
            Self::NeverGivesUp | Self::RetriesTooLate => 8,
            Self::Wanders => 9,
        }
    }
}

/// The scheduler, with a flaw or none.
#[derive(Default)]
pub struct Flawed {
    pub scheduler: Scheduler,
    pub flaw: Option<Flaw>,
}

impl Flawed {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// The task as the flaw sees it.
    fn seen(&self, task: &Task) -> Task {
        let mut task = task.clone();
        match &mut task.spec.schedule {
            Schedule::Cron { tz, .. } if self.has(Flaw::ForgetsTheZone) => *tz = None,
            Schedule::Fields(fields) if self.has(Flaw::ForgetsTheZone) => fields.tz = None,
            _ => {}
        }
        if self.has(Flaw::RunsAllMissed) {
            task.spec.policy.missed = Missed::All(1000);
        }
        if self.has(Flaw::RetriesTheLost) {
            task.spec.policy.delivery = Delivery::AtLeastOnce;
        }
        if self.has(Flaw::NeverGivesUp) {
            task.spec.policy.retry.attempts = 1000;
            task.spec.policy.retry.past_next_fire = true;
        }
        task
    }

    fn wake(&self, wake: Option<Instant>, due: Option<Instant>, now: Instant) -> Option<Instant> {
        match (wake, due) {
            (Some(wake), Some(due)) if self.has(Flaw::Wanders) && wake != now => {
                Some(wake + chrono::TimeDelta::seconds(due.timestamp() / 60 % 7))
            }
            _ => wake,
        }
    }
}

impl Planner for Flawed {
    fn arm(&self, task: &Task, now: Instant) -> Armed {
        let (due, wake) = self.scheduler.arm(&self.seen(task), now);
        (due, self.wake(wake, due, now))
    }

    fn due(&self, task: &Task, progress: &Progress, slots: u32, now: Instant) -> Decision {
        let (mut task, mut progress, mut slots) = (self.seen(task), progress.clone(), slots);
        let before = progress.next_due;
        if self.has(Flaw::OverlooksTheLiving) {
            progress.open.clear();
        }
        if self.has(Flaw::OverlooksThePool) {
            slots += 1;
        }
        task.spec.policy.retry.past_next_fire |= self.has(Flaw::RetriesTooLate);
        let mut decision = self.scheduler.due(&task, &progress, slots, now);
        decision.wake_at = self.wake(decision.wake_at, decision.next_due, now);
        if self.has(Flaw::DropsAMissedFire) && !decision.pass.is_empty() {
            decision.pass.remove(0);
        }
        let moved = decision.next_due != before && decision.wake_at != Some(now);
        let back = progress.last_fire.is_some_and(|last| last > now);
        let from = match self.flaw {
            Some(Flaw::GoesOnFromNow) if moved => Some(now + chrono::TimeDelta::minutes(3)),
            Some(Flaw::FollowsTheClockBack) if back => Some(now),
            _ => None,
        };
        if let Some(from) = from {
            (decision.next_due, decision.wake_at) = self.scheduler.arm(&task, from);
        }
        decision
    }

    fn ended(
        &self,
        task: &Task,
        progress: &Progress,
        run: &OpenRun,
        ended: &Ended,
        now: Instant,
    ) -> Verdict {
        let task = self.seen(task);
        self.scheduler.ended(&task, progress, run, ended, now)
    }

    fn zone_data(&self) -> &str {
        self.scheduler.zone_data()
    }

    fn zone(&self, schedule: &Schedule) -> Option<String> {
        self.scheduler.zone(schedule)
    }

    fn zone_changes(&self, zone: &str) -> Vec<ZoneChange> {
        self.scheduler.zone_changes(zone)
    }
}
