//! The end of an attempt, and what follows from it: the row, the report, the log, the
//! plugin's state, the task's progress and the runs that it sets off, together.

use mhost_model::plan::{Ended, Verdict};
use mhost_model::run::{ErrorKind, Outcome, Run, RunError, RunState, Trigger};
use mhost_model::task::Task;
use mhost_model::{Instant, Name, RunId, TaskId};

use super::held::Held;
use super::record::{OpenRec, OpenState, Row, StateValue, encode, get, instant, millis};
use super::trouble::{Res, Trouble};
use super::tx::Tx;
use crate::{Completed, Completion, StoreError};

impl Tx<'_> {
    pub fn complete(&mut self, completion: &Completion) -> Res<Completed> {
        let id = completion.key.run;
        let row = self.row(id)?;
        let mut row = row.ok_or_else(|| Trouble::not_found("run", id))?;
        let on = matches!(row.run.state, RunState::Running { .. });
        if !on || row.run.fence != completion.key.fence {
            return Err(StoreError::Stale(id).into());
        }
        self.append_lines(id, &completion.log)?;
        row.run.started_at = Some(completion.started_at);
        row.run.finished_at = Some(completion.finished_at);
        row.run.report = completion.report.clone();
        row.run.receipt = completion.receipt.clone();
        if let Some(task) = counts_for(&row.run) {
            self.change_state(task, completion)?;
        }
        self.observe(&row.run, &completion.observed)?;
        let run = self.end_attempt(
            row,
            &completion.ended,
            completion.cancelled_because.as_deref(),
        )?;
        self.change_alerts_of(&run, completion)?;
        Ok(Completed {
            run,
            next_wake: self.next_wake()?,
        })
    }

    /// What the run said of its task's alerts.
    fn change_alerts_of(&mut self, run: &Run, completion: &Completion) -> Res<()> {
        if completion.alerts.is_empty() {
            return Ok(());
        }
        let task = match counts_for(run) {
            Some(task) => get::<Task, _>(&*self.tables.tasks, task.0)?,
            None => None,
        };
        match task {
            Some(task) => self.change_alerts(&task, run, &completion.alerts),
            None => Ok(()),
        }
    }

    /// The state of a task that was removed meanwhile is gone, and stays gone.
    fn change_state(&mut self, task: TaskId, completion: &Completion) -> Res<()> {
        if redb::ReadableTable::get(&*self.tables.tasks, task.0)?.is_none() {
            return Ok(());
        }
        for (key, value) in &completion.state {
            let key = (task.0, key.as_str());
            match value {
                Some(value) => {
                    let bytes = encode(&StateValue(value.clone()))?;
                    self.tables.state.put(key, bytes.as_slice())?;
                }
                None => {
                    self.tables.state.remove(key)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the run out of its pool, and settles it or lets it wait for a retry.
    pub fn end_attempt(
        &mut self,
        mut row: Row,
        ended: &Ended,
        cancelled_because: Option<&str>,
    ) -> Res<Run> {
        row.run.error = error_of(ended);
        let held = match counts_for(&row.run) {
            Some(task) => self.take(task)?,
            None => None,
        };
        let verdict = match &held {
            Some(held) => self.verdict(held, &row.run, ended)?,
            None => plain(ended),
        };
        self.tables.running.remove(row.run.id.0)?;
        self.memory.stirred = true;
        match (verdict, held) {
            (Verdict::Retry { at }, Some(held)) => self.retry(row, held, at),
            (Verdict::Retry { .. }, None) => self.settle(row, None, Outcome::Failed, None),
            (Verdict::Settle { outcome, reason }, held) => {
                let asked = cancelled_because.filter(|_| outcome == Outcome::Cancelled);
                let reason = reason.or(asked.map(str::to_owned));
                self.settle(row, held, outcome, reason)
            }
        }
    }

    fn verdict(&self, held: &Held, run: &Run, ended: &Ended) -> Res<Verdict> {
        let progress = self.view(&held.progress)?;
        let open = progress.open.iter().find(|open| open.id == run.id);
        let open = open.ok_or_else(|| {
            Trouble::Damaged(format!(
                "run {} is on, but its task does not know it",
                run.id
            ))
        })?;
        let planner = self.planner;
        Ok(planner.ended(&held.task, &progress, open, ended, self.now))
    }

    fn retry(&mut self, mut row: Row, mut held: Held, at: Instant) -> Res<Run> {
        let retry_at = instant(millis(at)).map_err(Trouble::Damaged)?;
        row.run.state = RunState::Waiting { retry_at };
        self.put_row(&row)?;
        held.note(&row.run);
        self.put_back(held)?;
        Ok(row.run)
    }

    /// The fire is over.
    fn settle(
        &mut self,
        mut row: Row,
        held: Option<Held>,
        outcome: Outcome,
        reason: Option<String>,
    ) -> Res<Run> {
        row.run.state = RunState::Settled { outcome };
        row.run.reason = reason;
        self.put_row(&row)?;
        if let Some(mut held) = held {
            let end = account(&mut held, &row.run, outcome);
            self.tell_end(&held.task, &row.run, outcome)?;
            self.put_back(held)?;
            self.set_off(end)?;
        }
        Ok(row.run)
    }

    /// Writes the end of a run that is not on. Of one that was tried, the last attempt
    /// is what it took.
    fn settle_idle(
        &mut self,
        run: RunId,
        end: impl FnOnce(&Run) -> Outcome,
        reason: &str,
    ) -> Res<Run> {
        let row = self.row(run)?;
        let mut row = row.ok_or_else(|| Trouble::dangling("run", run))?;
        row.run.state = RunState::Settled {
            outcome: end(&row.run),
        };
        row.run.finished_at.get_or_insert(self.now);
        row.run.reason = Some(reason.to_owned());
        self.put_row(&row)?;
        Ok(row.run)
    }

    /// Settles a queued or waiting run of a task that the caller holds, puts back and
    /// then lets set off what follows.
    pub fn cancel_held(&mut self, held: &mut Held, run: RunId, reason: &str) -> Res<Option<End>> {
        let run = self.settle_idle(run, |_| Outcome::Cancelled, reason)?;
        Ok(account(held, &run, Outcome::Cancelled))
    }

    /// Settles a run that waits for a retry as its last attempt ended.
    pub fn give_up_held(&mut self, held: &mut Held, run: RunId) -> Res<Option<End>> {
        let run = self.settle_idle(run, last_end, "not tried again: the next fire came first")?;
        let outcome = last_end(&run);
        self.tell_end(&held.task, &run, outcome)?;
        Ok(account(held, &run, outcome))
    }

    /// Settles what of a task waits to start and nobody asked for by hand: its task was paused
    /// meanwhile. The caller puts the task back, and then lets set off what follows.
    pub fn pass_held(&mut self, held: &mut Held, reason: &str) -> Res<Vec<Option<End>>> {
        let idle =
            |open: &&OpenRec| open.state != OpenState::Running && open.trigger != Trigger::Manual;
        let idle: Vec<OpenRec> = held.progress.open.iter().filter(idle).cloned().collect();
        let mut ends = Vec::new();
        for open in idle {
            let run = RunId(open.id);
            if open.attempt > 0 {
                ends.push(self.cancel_held(held, run, reason)?);
            } else {
                self.settle_idle(run, |_| Outcome::Skipped, reason)?;
                held.forget(run);
            }
        }
        Ok(ends)
    }

    pub fn cancel_open(&mut self, run: RunId, reason: &str) -> Res<bool> {
        let row = self.row(run)?;
        let row = row.ok_or_else(|| Trouble::not_found("run", run))?;
        match row.run.state {
            RunState::Queued | RunState::Waiting { .. } => {
                self.cancel_idle(run, reason)?;
                Ok(true)
            }
            RunState::Running { .. } | RunState::Settled { .. } => Ok(false),
        }
    }

    /// Settles a run that is queued or waiting.
    pub fn cancel_idle(&mut self, run: RunId, reason: &str) -> Res<()> {
        let task = self.row(run)?.and_then(|row| row.run.task);
        let task = task.ok_or_else(|| Trouble::dangling("run", run))?;
        let mut held = self.take_indexed(task)?;
        let end = self.cancel_held(&mut held, run, reason)?;
        self.put_back(held)?;
        self.memory.stirred = true;
        self.set_off(end)
    }
}

/// The end of a run that was tried, for the tasks that run after its task.
pub struct End {
    pub task: Name,
    pub outcome: Outcome,
}

/// What the run's end means to its task, and to others.
fn account(held: &mut Held, run: &Run, outcome: Outcome) -> Option<End> {
    held.forget(run.id);
    let progress = &mut held.progress;
    progress.last_outcome = Some(outcome);
    if outcome == Outcome::Succeeded {
        progress.failures = 0;
        let fire_at = millis(run.fire_at);
        progress.last_success = progress.last_success.max(Some(fire_at));
    } else if run.attempt > 0 {
        progress.failures = progress.failures.saturating_add(1);
    }
    (run.attempt > 0).then(|| End {
        task: held.task.name.clone(),
        outcome,
    })
}

/// The task whose progress and state the run changes; a dry run and an `exec` change none.
fn counts_for(run: &Run) -> Option<TaskId> {
    run.task.filter(|_| !run.dry_run)
}

/// How the last attempt of a run that waits for a retry ended.
fn last_end(run: &Run) -> Outcome {
    match run.error.as_ref().map(|error| error.kind) {
        Some(ErrorKind::Timeout) => Outcome::TimedOut,
        Some(ErrorKind::Crash) => Outcome::Lost,
        _ => Outcome::Failed,
    }
}

/// The verdict on a run that no policy speaks about.
fn plain(ended: &Ended) -> Verdict {
    let (outcome, reason) = match ended {
        Ended::Succeeded => (Outcome::Succeeded, None),
        Ended::Failed(_) => (Outcome::Failed, None),
        Ended::TimedOut => (Outcome::TimedOut, None),
        Ended::Cancelled => (Outcome::Cancelled, None),
        Ended::Crashed => (Outcome::Lost, Some("the process died while it was on")),
    };
    Verdict::Settle {
        outcome,
        reason: reason.map(str::to_owned),
    }
}

fn error_of(ended: &Ended) -> Option<RunError> {
    let (message, kind, retryable) = match ended {
        Ended::Succeeded => return None,
        Ended::Failed(error) => return Some(error.clone()),
        Ended::TimedOut => (
            "limits.time: its deadline passed; raise the limit if it needs longer",
            ErrorKind::Timeout,
            true,
        ),
        Ended::Cancelled => ("it was cancelled", ErrorKind::Cancelled, false),
        Ended::Crashed => ("the process died while it was on", ErrorKind::Crash, true),
    };
    Some(RunError {
        message: message.to_owned(),
        kind,
        retryable,
        cause: None,
    })
}
