//! Rules 7 and 8: what follows from the end of an attempt.

use chrono::TimeDelta;
use mhost_model::Instant;
use mhost_model::plan::{Ended, OpenRun, Progress, Verdict};
use mhost_model::policy::{Delivery, Retry};
use mhost_model::run::{Outcome, RunState};
use mhost_model::task::Task;

use crate::jitter::{hash, pick};

/// After so many deaths of its process a run waits before the next try: it may be
/// what kills the process.
const CRASHES_AT_ONCE: u32 = 3;

/// And after so many it is given up.
const CRASHES: u32 = 20;

/// Settles the fire or plans its next attempt.
pub(super) fn verdict(
    task: &Task,
    progress: &Progress,
    run: &OpenRun,
    ended: &Ended,
    now: Instant,
) -> Verdict {
    let attempt = Attempt {
        task,
        run,
        retry: &task.spec.policy.retry,
        next_fire: next_fire(progress, run),
        now,
    };
    match ended {
        Ended::Succeeded => settle(Outcome::Succeeded, None),
        Ended::Cancelled => settle(Outcome::Cancelled, None),
        Ended::TimedOut => attempt.again_or(Outcome::TimedOut),
        Ended::Failed(error) if error.retryable => attempt.again_or(Outcome::Failed),
        Ended::Failed(_) => settle(Outcome::Failed, attempt.permanent()),
        Ended::Crashed => attempt.crashed(task.spec.policy.delivery),
    }
}

/// Rule 8: whether a retry that was meant for before the next fire has not begun by then,
/// because no slot was free, or nobody was there. One that a crash brought on later than that is
/// rule 7's: its fire was started, and runs at least once.
pub(super) fn is_overtaken(
    retry: &Retry,
    run: &OpenRun,
    next_start: Option<Instant>,
    now: Instant,
) -> bool {
    let RunState::Waiting { retry_at } = run.state else {
        return false;
    };
    !retry.past_next_fire && next_start.is_some_and(|next| next <= now && retry_at < next)
}

/// The oldest due time after this run's that has not run yet: one that is queued, or
/// the task's next.
fn next_fire(progress: &Progress, run: &OpenRun) -> Option<Instant> {
    let queued = progress
        .open
        .iter()
        .filter(|open| open.state == RunState::Queued && open.fire_at > run.fire_at)
        .map(|open| open.fire_at);
    queued.chain(progress.next_due).min()
}

struct Attempt<'a> {
    task: &'a Task,
    run: &'a OpenRun,
    retry: &'a Retry,
    next_fire: Option<Instant>,
    now: Instant,
}

impl Attempt<'_> {
    /// Rule 8.
    fn again_or(&self, outcome: Outcome) -> Verdict {
        let Self { run, retry, .. } = self;
        if run.attempt >= retry.attempts {
            let tried = (retry.attempts > 1).then(|| format!("tried {} times", run.attempt));
            return settle(outcome, tried);
        }
        let at = self.after(self.backoff(run.attempt));
        match self.cut_off(at) {
            None => Verdict::Retry { at },
            Some(reason) => settle(outcome, Some(reason)),
        }
    }

    /// Rule 7. `attempts` does not bound what a crash leads to: at least once means a
    /// further try even where failures have none.
    fn crashed(&self, delivery: Delivery) -> Verdict {
        if delivery == Delivery::AtMostOnce {
            let reason = "its process died, and it runs at most once";
            return settle(Outcome::Lost, Some(reason.into()));
        }
        let window = self.task.spec.policy.catch_up_window;
        let oldest = self.now.checked_sub_signed(window.delta());
        if oldest.is_some_and(|oldest| self.run.fire_at < oldest) {
            // Rule 3 holds for what was started, too.
            let reason = format!("its process died, and its catch-up window of {window} is over");
            return settle(Outcome::Lost, Some(reason));
        }
        let attempt = self.run.attempt;
        if attempt < CRASHES_AT_ONCE {
            return Verdict::Retry { at: self.now };
        }
        if attempt >= CRASHES.max(self.retry.attempts) {
            let reason = format!("its process died, after {attempt} attempts in all");
            return settle(Outcome::Lost, Some(reason));
        }
        let at = self.after(self.backoff(attempt - CRASHES_AT_ONCE + 1));
        match self.cut_off(at) {
            None => Verdict::Retry { at },
            Some(reason) => settle(Outcome::Lost, Some(format!("its process died; {reason}"))),
        }
    }

    /// Why a retry at `at` would come too late.
    fn cut_off(&self, at: Instant) -> Option<String> {
        let next = self.next_fire.filter(|next| *next <= at)?;
        (!self.retry.past_next_fire).then(|| {
            let next = next.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            format!("not tried again: the next fire is due at {next}")
        })
    }

    fn permanent(&self) -> Option<String> {
        (self.retry.attempts > 1).then(|| "not tried again: the failure is permanent".into())
    }

    /// The wait after the `nth` try: doubling, never above the greatest, and up to a
    /// quarter shorter so that tasks that failed together do not come back together.
    fn backoff(&self, nth: u32) -> TimeDelta {
        let factor = 1_i32.checked_shl(nth.saturating_sub(1)).filter(|f| *f > 0);
        let doubled = factor.and_then(|factor| self.retry.backoff.delta().checked_mul(factor));
        let most = self.retry.max_backoff.delta();
        let wait = doubled.map_or(most, |wait| wait.min(most));
        let millis = wait.num_milliseconds().max(0) as u64;
        let word = self.run.fire_at.timestamp_millis() as u64;
        let seed = hash(&[self.task.id.0, word, u64::from(self.run.attempt)]);
        let less = pick(seed, millis / 4 + 1);
        TimeDelta::milliseconds((millis - less) as i64)
    }

    fn after(&self, wait: TimeDelta) -> Instant {
        self.now.checked_add_signed(wait).unwrap_or(self.now)
    }
}

fn settle(outcome: Outcome, reason: Option<String>) -> Verdict {
    Verdict::Settle { outcome, reason }
}
