//! What the rules let expect of one task.

use mhost_model::TaskId;
use mhost_model::policy::{Missed, Overlap, Policy};
use mhost_model::run::{Run, RunState};
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;

use crate::calendar;

/// A fire is not missed until it is so late, milliseconds: a busy machine is late too.
const GRACE: i64 = 300_000;

/// A task as the operator made it, and how far it must be.
#[derive(Debug, Clone)]
pub struct Task {
    pub id: TaskId,
    pub name: String,
    pub spec: TaskSpec,
    pub enabled: bool,
    pub quarantined: bool,
    pub created_at: i64,
    /// The first due time that has no row yet.
    pub next: Option<i64>,
    /// The newest due time that has one.
    pub last: Option<i64>,
    /// From when on it is due under this schedule, while it is at all.
    pub since: Option<i64>,
    /// Where it was paused: who catches up goes on from there.
    pub off_since: Option<i64>,
    /// Rule 9: how much later the task starts. Known once it was seen.
    pub offset: Option<i64>,
    /// Whether what is due waits for a slot of its pool.
    pub held: bool,
    /// The clock was set back before what was held: whether it still counts as held hangs
    /// on who looked meanwhile, and either is right.
    pub doubt: bool,
}

impl Task {
    pub fn policy(&self) -> &Policy {
        &self.spec.policy
    }

    /// Rule 3: a new or changed schedule catches nothing up, and rule 6: it goes on
    /// behind what was fired already.
    pub fn arm(&mut self, now: i64) {
        self.arm_after(self.last.map_or(now, |last| last.max(now)));
    }

    fn arm_after(&mut self, from: i64) {
        let next = || calendar::next(&self.spec.schedule, self.created_at, from);
        self.next = self.enabled.then(next).flatten();
        self.since = self.next.map(|_| from);
        (self.held, self.doubt) = (false, false);
    }

    /// Rule 3, where it is asked for: what came due while the task was paused is missed, and
    /// not passed over.
    pub fn catch_up(&mut self) {
        let paused = self.off_since.unwrap_or(self.created_at);
        self.arm_after(self.last.map_or(paused, |last| last.max(paused)));
    }

    /// To be called whenever something was done about the task.
    pub fn reconsider(&mut self, now: i64) {
        self.doubt |= self.held && !self.quarantined && self.due(now).is_empty();
    }

    /// Rule 1: what was due and has not started when the schedule changes or ends. Each
    /// has a row yet to come, as skipped.
    pub fn close(&mut self, now: i64) -> Vec<i64> {
        let until = self.last.map_or(now, |last| last.max(now));
        let mut overdue = Vec::new();
        while let Some(fire) = self.next.filter(|fire| self.enabled && *fire <= until) {
            overdue.push(fire);
            self.fired(fire);
        }
        if let Some(since) = self.since.take() {
            self.off_since = Some(until.max(since));
        }
        overdue
    }

    /// Takes note of the row of the next due time.
    pub fn fired(&mut self, fire: i64) {
        self.last = Some(fire);
        self.next = calendar::next(&self.spec.schedule, self.created_at, fire);
    }

    /// All that may start by now and has no row, oldest first.
    pub fn due(&self, now: i64) -> Vec<i64> {
        let mut due = Vec::new();
        let mut next = self.next.filter(|_| self.enabled && !self.quarantined);
        let offset = self.offset.unwrap_or(0);
        while let Some(fire) = next.filter(|fire| fire + offset <= now) {
            due.push(fire);
            next = calendar::next(&self.spec.schedule, self.created_at, fire);
        }
        due
    }

    /// Rule 8: whether this run waits for a retry that was to be before a fire that is due.
    pub fn overtakes(&self, run: &Run, now: i64) -> bool {
        let RunState::Waiting { retry_at } = run.state else {
            return false;
        };
        let next = self.next.filter(|_| self.enabled && !self.quarantined);
        let start = next.map(|next| next + self.offset.unwrap_or(0));
        let overtaken = |start: i64| start <= now && retry_at.timestamp_millis() < start;
        !self.policy().retry.past_next_fire && start.is_some_and(overtaken)
    }

    /// Rule 3: how many of the newest of these run; the others are passed over.
    pub fn run(&self, due: &[i64], now: i64, held: bool) -> usize {
        let Some(newest) = due.last() else {
            return 0;
        };
        let on_time = held || now - self.offset.unwrap_or(0) - newest <= GRACE;
        let most = match self.policy().missed {
            Missed::Skip => usize::from(on_time),
            Missed::Latest => 1,
            Missed::All(most) => (most as usize).max(usize::from(on_time)),
        };
        let window = self.policy().catch_up_window.0.as_millis() as i64;
        let fits = |fire: &&i64| **fire >= now - window || (on_time && *fire == newest);
        due.iter().rev().take(most).take_while(fits).count()
    }

    /// Rule 4: how many may wait behind a living run.
    pub fn places(&self) -> Option<usize> {
        match self.policy().overlap {
            Overlap::Skip => Some(0),
            Overlap::QueueOne => Some(1),
            Overlap::Queue(most) => Some(most as usize),
            Overlap::CancelPrevious | Overlap::Allow => None,
        }
    }

    /// Whether the zone matters, to say which rule was broken.
    pub fn zoned(&self) -> bool {
        match &self.spec.schedule {
            Schedule::Cron { tz, .. } => tz.is_some(),
            Schedule::Fields(fields) => fields.tz.is_some(),
            _ => false,
        }
    }
}
