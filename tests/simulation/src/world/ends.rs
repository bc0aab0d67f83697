//! Ends of attempts, and what follows from them: rules 7 and 8.

use std::collections::BTreeMap;

use mhost_model::TaskId;
use mhost_model::plan::Ended;
use mhost_model::policy::Delivery;
use mhost_model::run::{ErrorKind, Outcome, Run, RunError, RunState};
use mhost_store::{Completion, StoreError, TaskStore};

use super::{Attempt, Checked, World, at, hold, is_running};
use crate::flaw::Flaw;
use crate::model::Task;

/// So often may a run's process die before it waits for the next try.
const CRASHES_AT_ONCE: u32 = 3;

impl World {
    /// Ends an attempt whose time has come, or any.
    pub async fn end_one(&mut self) -> Checked {
        if self.attempts.is_empty() {
            return Ok(());
        }
        let mut over = self.attempts.iter();
        let over = over.position(|attempt| attempt.ends <= self.now);
        let any = self.dice.below(self.attempts.len() as u64) as usize;
        let attempt = self.attempts.remove(over.unwrap_or(any));
        self.end(attempt).await
    }

    async fn end(&mut self, attempt: Attempt) -> Checked {
        let ended = match attempt.cancelled {
            true => Ended::Cancelled,
            false => self.some_end(),
        };
        let row = self.runs[&attempt.key.run].clone();
        let stands = is_running(&row) && row.fence == attempt.key.fence;
        let mut key = attempt.key;
        if self.flaw == Some(Flaw::TakesStaleFences) {
            key.fence = row.fence;
        }
        self.note(format!(
            "attempt {} of run {} of `{}` ended: {}",
            row.attempt,
            key.run,
            row.task_name,
            word(&ended)
        ));
        let next = self.next_fire(&row);
        let completion = Completion {
            key,
            ended: ended.clone(),
            cancelled_because: None,
            started_at: at(self.now),
            finished_at: at(self.now),
            report: None,
            receipt: None,
            state: BTreeMap::new(),
            log: Vec::new(),
            alerts: Vec::new(),
            observed: Vec::new(),
        };
        let completed = self.store().complete(completion).await;
        let changes = self.observe().await?;
        match completed {
            Err(StoreError::Stale(_)) => {
                hold!(7, !stands, "run {} was taken from its executor", key.run);
                hold!(7, changes.is_empty(), "a stale end left {changes:?}");
                self.tally.stale += 1;
                Ok(())
            }
            Ok(completed) => {
                hold!(7, stands, "a stale fence ended run {}: {row:?}", key.run);
                let task = row.task.and_then(|task| self.tasks.get(&task));
                judge(&row, task, &ended, &completed.run, next, self.now)
            }
            Err(error) => {
                hold!(7, false, "the end of run {} was refused: {error}", key.run);
                Ok(())
            }
        }
    }

    fn some_end(&mut self) -> Ended {
        let failed = |retryable| {
            Ended::Failed(RunError {
                message: "it did not work".into(),
                kind: ErrorKind::Failure,
                retryable,
                cause: None,
            })
        };
        match self.dice.below(10) {
            0..=4 => Ended::Succeeded,
            5..=7 => failed(true),
            8 => failed(false),
            _ => Ended::TimedOut,
        }
    }

    /// The oldest due time of the task after this one that has not run: a retry must
    /// not reach it.
    fn next_fire(&self, row: &Run) -> Option<i64> {
        let task: TaskId = row.task?;
        let queued = self
            .open_of(task)
            .into_iter()
            .filter(|run| run.state == RunState::Queued && run.fire_at > row.fire_at);
        let queued = queued.map(|run| run.fire_at.timestamp_millis());
        let next = self.tasks.get(&task).and_then(|task| task.next);
        queued.chain(next).min()
    }

    /// Rule 7: exactly those claims end whose process is dead or whose lease is over.
    pub async fn reap(&mut self) -> Checked {
        let own = self.store().node();
        let dead = |until: i64, node| until <= self.now || node < own;
        let leases = self.leases.iter();
        let expected = leases.filter(|(_, lease)| dead(lease.until, lease.node));
        let expected: Vec<_> = expected.map(|(run, _)| *run).collect();
        let rows: Vec<Run> = expected.iter().map(|run| self.runs[run].clone()).collect();
        let reaped = self.store().reap().await.unwrap();
        let found: Vec<_> = reaped.iter().map(|reaped| reaped.run.id).collect();
        self.note(format!("reaped {found:?}"));
        hold!(7, found == expected, "reaped {found:?}, not {expected:?}");
        self.observe().await?;
        for (row, reaped) in rows.iter().zip(&reaped) {
            self.judge_crash(row, &reaped.run)?;
        }
        Ok(())
    }

    /// Rule 7: at least once means again, at most once means lost.
    fn judge_crash(&mut self, row: &Run, after: &Run) -> Checked {
        let task = row.task.and_then(|task| self.tasks.get(&task));
        let task = task.filter(|_| !row.dry_run);
        let lost = after.outcome() == Some(Outcome::Lost);
        self.tally.lost += usize::from(lost);
        let Some(task) = task else {
            hold!(7, lost, "nobody will try it again: {after:?}");
            return Ok(());
        };
        let window = task.policy().catch_up_window.0.as_millis() as i64;
        let too_old = row.fire_at.timestamp_millis() < self.now - window;
        match task.policy().delivery {
            Delivery::AtMostOnce => {
                hold!(7, lost, "it runs at most once: {after:?}");
            }
            Delivery::AtLeastOnce if too_old => {
                hold!(3, lost, "its catch-up window is over: {after:?}");
            }
            Delivery::AtLeastOnce if row.attempt < CRASHES_AT_ONCE => {
                let retry_at = at(self.now);
                let again = after.state == RunState::Waiting { retry_at };
                hold!(7, again, "it runs at least once: {after:?}");
            }
            Delivery::AtLeastOnce => {
                let waits = matches!(after.state, RunState::Waiting { .. });
                hold!(7, waits || lost, "its process died: {after:?}");
            }
        }
        Ok(())
    }
}

/// Rule 8. `next` is the first due time after this one, as it was before the end.
fn judge(
    row: &Run,
    task: Option<&Task>,
    ended: &Ended,
    after: &Run,
    next: Option<i64>,
    now: i64,
) -> Checked {
    let task = task.filter(|_| !row.dry_run);
    let plain = match ended {
        Ended::Succeeded => Outcome::Succeeded,
        Ended::Failed(_) => Outcome::Failed,
        Ended::TimedOut => Outcome::TimedOut,
        Ended::Cancelled => Outcome::Cancelled,
        Ended::Crashed => Outcome::Lost,
    };
    let retryable = match ended {
        Ended::Failed(error) => error.retryable,
        other => *other == Ended::TimedOut,
    };
    let Some(task) = task.filter(|_| retryable) else {
        hold!(
            8,
            after.outcome() == Some(plain),
            "{plain} became {after:?}"
        );
        return Ok(());
    };
    let retry = task.policy().retry;
    let left = row.attempt < retry.attempts;
    let millis = |span: mhost_model::Span| span.0.as_millis() as i64;
    let doubled = millis(retry.backoff) << row.attempt.saturating_sub(1).min(20);
    let most = doubled.min(millis(retry.max_backoff));
    let least = most - most / 4;
    let reaches = |wait: i64| next.is_some_and(|next| next <= now + wait);
    match after.state {
        RunState::Waiting { retry_at } => {
            let wait = retry_at.timestamp_millis() - now;
            hold!(
                8,
                left,
                "attempt {} of {retry:?} is not the last",
                row.attempt
            );
            hold!(
                8,
                (least..=most).contains(&wait),
                "waits {wait} ms after attempt {} of {retry:?}",
                row.attempt
            );
            hold!(
                8,
                retry.past_next_fire || !reaches(wait),
                "tries again at {retry_at}, but the next fire is due at {:?}",
                next.map(at)
            );
        }
        _ => {
            let cut_off = !retry.past_next_fire && reaches(most);
            hold!(
                8,
                after.outcome() == Some(plain),
                "{plain} became {after:?}"
            );
            hold!(
                8,
                !left || cut_off,
                "given up too soon ({retry:?}): {after:?}"
            );
        }
    }
    Ok(())
}

fn word(ended: &Ended) -> &'static str {
    match ended {
        Ended::Succeeded => "succeeded",
        Ended::Failed(error) if error.retryable => "failed for now",
        Ended::Failed(_) => "failed for good",
        Ended::TimedOut => "timed out",
        Ended::Cancelled => "cancelled",
        Ended::Crashed => "crashed",
    }
}
