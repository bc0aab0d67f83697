//! The words between the scheduler, which decides, and the store, which makes
//! decisions durable: the store calls a [`Planner`] inside its transaction and
//! writes down what it answers.

use serde::{Deserialize, Serialize};

use crate::run::{Outcome, Run, RunError, RunState, Trigger};
use crate::schedule::Schedule;
use crate::task::Task;
use crate::{Fence, Instant, RunId, Span};

/// What the store knows of a task's progress.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The next due time (nominal); none for a disabled or exhausted schedule.
    pub next_due: Option<Instant>,
    /// When that fire may start: `next_due` plus jitter.
    pub wake_at: Option<Instant>,
    /// The newest fire that has a row.
    pub last_fire: Option<Instant>,
    /// Fire time of the newest run that succeeded.
    pub last_success: Option<Instant>,
    pub last_outcome: Option<Outcome>,
    /// Runs in a row that did not succeed.
    pub failures: u32,
    /// The newest fence given.
    pub fence: u64,
    /// Runs that are not settled, oldest first.
    pub open: Vec<OpenRun>,
}

/// A run that is not settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenRun {
    pub id: RunId,
    pub fire_at: Instant,
    pub attempt: u32,
    pub fence: Fence,
    pub trigger: Trigger,
    pub state: RunState,
}

/// A fire that ends without running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passed {
    pub fire_at: Instant,
    /// `Skipped`, `Coalesced` or `Lost`.
    pub outcome: Outcome,
    pub reason: String,
}

/// What is to be done about a task now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Fires to settle without running, oldest first.
    pub pass: Vec<Passed>,
    /// Fires to claim and run now, oldest first.
    pub start: Vec<Instant>,
    /// Fires to write down as queued: they wait for a living run (overlap `queue`
    /// and `cancel-previous`) or for an older fire of the same catch-up.
    pub queue: Vec<Instant>,
    /// Open runs that wait for a retry whose time the next fire took: to be settled as their
    /// last attempt ended.
    pub give_up: Vec<RunId>,
    /// Open runs to promote: queued or waiting ones that may start now.
    pub resume: Vec<RunId>,
    /// Open runs that must end first: a running one is its executor's to cancel, a
    /// queued or waiting one the store settles as cancelled.
    pub cancel: Vec<RunId>,
    /// The new next due time and wake-up. `wake_at == Some(now)` says that more is
    /// due than one transaction should settle: ask again at once. The retry times
    /// of waiting runs are not in `wake_at`; the store wakes for those too.
    pub next_due: Option<Instant>,
    pub wake_at: Option<Instant>,
}

/// What is to be done about an attempt that ended or whose lease did.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The fire is over.
    Settle {
        outcome: Outcome,
        reason: Option<String>,
    },
    /// The same fire again, not before `at`.
    Retry { at: Instant },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The plugin reported.
    Succeeded,
    /// The plugin failed or trapped.
    Failed(RunError),
    /// Its deadline passed.
    TimedOut,
    /// It was asked to stop.
    Cancelled,
    /// Its process died: the lease ended, or the store was opened anew.
    Crashed,
}

/// The due time and wake-up of a task: [`Progress::next_due`], [`Progress::wake_at`].
pub type Armed = (Option<Instant>, Option<Instant>);

/// From this second since 1970 on, a zone's clock is so many seconds ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneChange {
    pub at: i64,
    pub offset: i32,
}

/// A time in which a task was enabled under one schedule: every due time after `from`,
/// up to and including `until`, has a row. The open one has no `until`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Era {
    pub from: Instant,
    pub until: Option<Instant>,
    pub schedule: Schedule,
    /// Where intervals without `from` begin.
    pub anchor: Instant,
    /// The zone as it was known then, where that is not how it is known now.
    pub zone: Option<Vec<ZoneChange>>,
}

/// Something that the operator did not expect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "alert", rename_all = "kebab-case")]
pub enum Alert {
    /// Due, and not started within `start_within`.
    NotStarted { fire_at: Instant, late_by: Span },
    /// Running for longer than `finish_within`.
    RunsTooLong { run: RunId, started_at: Instant },
    /// It ended sooner than `at_least`: it has probably done nothing.
    FinishedTooFast { run: RunId, took: Span },
    /// No success for longer than the schedule explains.
    NoSuccess {
        since: Instant,
        expected_by: Instant,
    },
}

/// Pure decisions; implemented by `mhost-sched`.
pub trait Planner: Send + Sync {
    /// A task that was created, changed, enabled or disabled at `now`: its first
    /// `next_due` and `wake_at`. Nothing is caught up. `now` is the later of the
    /// store's clock and the task's `last_fire`, so that no fire comes twice after
    /// the clock was set back.
    fn arm(&self, task: &Task, now: Instant) -> Armed;

    /// What is due at `now`. `slots` is how many more runs the task's pool takes.
    /// A fire for which there is no slot stays due: it is in none of the lists, and
    /// `next_due` stays at it. `wake_at` is then none: a completion wakes the pool.
    /// A task in quarantine is held in the same way.
    fn due(&self, task: &Task, progress: &Progress, slots: u32, now: Instant) -> Decision;

    /// What follows from the end of an attempt.
    fn ended(
        &self,
        task: &Task,
        progress: &Progress,
        run: &OpenRun,
        ended: &Ended,
        now: Instant,
    ) -> Verdict;

    /// The release of the time zones' data that due times are computed with.
    fn zone_data(&self) -> &str {
        ""
    }

    /// The zone that a schedule hangs on; none where none can change it.
    fn zone(&self, _schedule: &Schedule) -> Option<String> {
        None
    }

    /// The changes of a zone's clock, in order, as the present data have them; the first
    /// says what it shows before all others. Empty for a zone that is not known.
    fn zone_changes(&self, _zone: &str) -> Vec<ZoneChange> {
        Vec::new()
    }

    /// The due time and wake-up that a task should have, where those it has are not what
    /// its schedule says any more because the zones' data changed. A fire that is due
    /// already keeps its time. None where nothing moves.
    fn realigned(&self, _task: &Task, _progress: &Progress, _now: Instant) -> Option<Armed> {
        None
    }

    /// Rule 10: what is amiss with a task now, and when to look again at the latest; none
    /// where no time can bring anything. `running` holds the starts of its living runs.
    fn watch(
        &self,
        _task: &Task,
        _progress: &Progress,
        _running: &[(RunId, Instant)],
        _now: Instant,
    ) -> (Vec<Alert>, Option<Instant>) {
        (Vec::new(), None)
    }

    /// Rule 10: whether a run that succeeded did so suspiciously fast.
    fn too_fast(&self, _task: &Task, _run: &Run) -> Option<Alert> {
        None
    }
}
