//! A planner for tests: intervals, the newest missed fire runs, and the overlap
//! policies in their simplest form. It keeps every promise of the trait.

use mhost_model::Instant;
use mhost_model::plan::{Decision, Ended, OpenRun, Passed, Planner, Progress, Verdict};
use mhost_model::policy::{Delivery, Overlap};
use mhost_model::run::{Outcome, RunState};
use mhost_model::schedule::Schedule;
use mhost_model::task::Task;

/// Fires at every whole multiple of `every` since 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct IntervalPlanner;

impl IntervalPlanner {
    /// The first fire after `from`.
    pub fn next(task: &Task, from: Instant) -> Option<Instant> {
        let millis = match &task.spec.schedule {
            Schedule::Every { every, .. } => i64::try_from(every.0.as_millis()).ok()?,
            Schedule::Once { at } => return Some(*at).filter(|at| *at > from),
            _ => return None,
        };
        let next = (from.timestamp_millis().div_euclid(millis) + 1) * millis;
        Instant::from_timestamp_millis(next)
    }

    fn fires(task: &Task, progress: &Progress, now: Instant) -> (Vec<Instant>, Option<Instant>) {
        let mut due = Vec::new();
        let mut next = progress.next_due.filter(|_| task.enabled);
        while let Some(fire) = next.filter(|fire| *fire <= now) {
            due.push(fire);
            next = Self::next(task, fire);
        }
        (due, next)
    }
}

impl Planner for IntervalPlanner {
    fn arm(&self, task: &Task, now: Instant) -> (Option<Instant>, Option<Instant>) {
        let next = Self::next(task, now).filter(|_| task.enabled);
        (next, next)
    }

    fn due(&self, task: &Task, progress: &Progress, slots: u32, now: Instant) -> Decision {
        let (mut due, next) = Self::fires(task, progress, now);
        let mut decision = Decision {
            resume: resume(progress, slots, now),
            next_due: next,
            wake_at: next,
            ..Decision::default()
        };
        let Some(newest) = due.pop() else {
            return decision;
        };
        let older = |fire| passed(fire, Outcome::Coalesced);
        decision.pass = due.into_iter().map(older).collect();
        place(task, progress, newest, slots, &mut decision);
        decision
    }

    fn ended(
        &self,
        task: &Task,
        _: &Progress,
        run: &OpenRun,
        ended: &Ended,
        now: Instant,
    ) -> Verdict {
        let policy = &task.spec.policy;
        let again = run.attempt < policy.retry.attempts;
        let retry = Verdict::Retry {
            at: now + policy.retry.backoff.delta(),
        };
        match ended {
            Ended::Succeeded => settle(Outcome::Succeeded),
            Ended::Cancelled => settle(Outcome::Cancelled),
            Ended::Failed(error) if error.retryable && again => retry,
            Ended::Failed(_) => settle(Outcome::Failed),
            Ended::TimedOut if again => retry,
            Ended::TimedOut => settle(Outcome::TimedOut),
            Ended::Crashed if policy.delivery == Delivery::AtLeastOnce => {
                Verdict::Retry { at: now }
            }
            Ended::Crashed => settle(Outcome::Lost),
        }
    }
}

fn settle(outcome: Outcome) -> Verdict {
    let reason = (outcome == Outcome::Lost).then(|| "it may have run".to_owned());
    Verdict::Settle { outcome, reason }
}

fn passed(fire_at: Instant, outcome: Outcome) -> Passed {
    let reason = outcome.as_str().to_owned();
    Passed {
        fire_at,
        outcome,
        reason,
    }
}

fn resume(progress: &Progress, slots: u32, now: Instant) -> Vec<mhost_model::RunId> {
    let running = |run: &OpenRun| matches!(run.state, RunState::Running { .. });
    if slots == 0 || progress.open.iter().any(running) {
        return Vec::new();
    }
    let ready = |run: &&OpenRun| match run.state {
        RunState::Waiting { retry_at } => retry_at <= now,
        _ => true,
    };
    let first = progress.open.first().filter(ready);
    first.map(|run| run.id).into_iter().collect()
}

fn place(task: &Task, progress: &Progress, fire: Instant, slots: u32, to: &mut Decision) {
    let queued = progress
        .open
        .iter()
        .filter(|run| run.state == RunState::Queued);
    match task.spec.policy.overlap {
        _ if progress.open.is_empty() && slots > 0 => to.start.push(fire),
        Overlap::Allow if slots > 0 => to.start.push(fire),
        Overlap::CancelPrevious if !progress.open.is_empty() => {
            to.cancel = progress.open.iter().map(|run| run.id).collect();
            to.queue.push(fire);
            to.resume.clear();
        }
        Overlap::QueueOne if !progress.open.is_empty() && queued.count() == 0 => {
            to.queue.push(fire);
        }
        Overlap::Skip | Overlap::QueueOne | Overlap::Queue(_) if !progress.open.is_empty() => {
            to.pass.push(passed(fire, Outcome::Skipped));
        }
        _ => {
            to.next_due = Some(fire);
            to.wake_at = None;
        }
    }
}
