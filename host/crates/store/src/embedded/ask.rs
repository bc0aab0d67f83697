//! Runs that something other than the clock asks for.
//!
//! A dry run and an `exec` change nothing of a task, so they start at once, beside
//! whatever is on; only their row is kept. Any other obeys the overlap policy.

use mhost_model::plugin::Digest;
use mhost_model::run::{Outcome, Run, RunState, Trigger};
use mhost_model::task::{Task, TaskSpec};
use mhost_model::{Fence, Instant, RunId, TaskId};

use super::claim::{SUPERSEDED, claim_of, draft, drafted};
use super::held::Held;
use super::overlap::{Admission, admit};
use super::record::{OpenState, Row, StateValue, encode, instant};
use super::trouble::{Res, Trouble};
use super::tx::{Claimant, Tx};
use crate::{Answer, Ask, Asked, Claim};

/// A run that is wanted of a task.
pub struct Wanted {
    pub task: TaskId,
    pub trigger: Trigger,
    pub force: bool,
    /// Absent where it is only to be queued.
    pub by: Option<Claimant>,
}

impl Tx<'_> {
    pub fn ask(&mut self, ask: &Ask) -> Res<Answer> {
        let by = Claimant {
            node: ask.node,
            lease: ask.lease,
        };
        let task = match &ask.what {
            Asked::Exec { spec, digest } => return self.exec(ask, spec, *digest, by),
            Asked::Task(task) => *task,
        };
        let held = self.take(task)?;
        let held = held.ok_or_else(|| Trouble::not_found("task", task))?;
        refuse(&held.task, ask.trigger)?;
        if ask.dry_run {
            return self.dry_run(held, ask.trigger, by);
        }
        let answer = self.want(&Wanted {
            task,
            trigger: ask.trigger,
            force: ask.force,
            by: (ask.slots > 0).then_some(by),
        })?;
        // What was passed over is noticed again.
        if let (Some(mark), false) = (&ask.mark, matches!(answer, Answer::Passed(_))) {
            self.set_mark(task, mark)?;
        }
        Ok(answer)
    }

    /// Remembers what the watched directory of a task looks like.
    pub fn set_mark(&mut self, task: TaskId, mark: &[u8]) -> Res<()> {
        if self.take(task)?.is_none() {
            return Ok(());
        }
        let bytes = encode(&StateValue(mark.to_vec()))?;
        self.tables.marks.put(task.0, bytes.as_slice())
    }

    fn exec(&mut self, ask: &Ask, spec: &TaskSpec, digest: Digest, by: Claimant) -> Res<Answer> {
        let mut row = self.enrol(Run {
            dry_run: ask.dry_run,
            fence: Fence(1),
            ..drafted(&spec.plugin.name, spec, digest, ask.trigger, self.now)
        })?;
        self.occupy(&mut row.run, by, spec.policy.pool.as_str())?;
        self.put_row(&row)?;
        Ok(Answer::Start(Box::new(Claim {
            run: row.run,
            task: None,
            previous_success: None,
        })))
    }

    fn dry_run(&mut self, mut held: Held, trigger: Trigger, by: Claimant) -> Res<Answer> {
        let mut row = self.asked_row(&held, trigger)?;
        row.run.dry_run = true;
        self.start_beside(&mut held, &mut row, by)?;
        let claim = claim_of(&held, row);
        self.put_back(held)?;
        Ok(Answer::Start(Box::new(claim)))
    }

    /// Starts, queues or passes a run as the task's overlap policy says.
    pub fn want(&mut self, wanted: &Wanted) -> Res<Answer> {
        let held = self.take_indexed(wanted.task)?;
        let open = &held.progress.open;
        let overlap = held.task.spec.policy.overlap;
        match admit(overlap, open, wanted.by.is_some(), wanted.force) {
            Admission::Start => self.start_or_queue(held, wanted),
            Admission::Queue => Ok(Answer::Queued(Box::new(self.queue(held, wanted.trigger)?))),
            Admission::Skip(reason) => self.skip(&held, wanted, reason),
            Admission::Replace => self.replace(&held, wanted),
        }
    }

    fn start_or_queue(&mut self, mut held: Held, wanted: &Wanted) -> Res<Answer> {
        let Some(by) = wanted.by else {
            return Ok(Answer::Queued(Box::new(self.queue(held, wanted.trigger)?)));
        };
        let row = self.asked_row(&held, wanted.trigger)?;
        let claim = self.start(&mut held, row, by)?;
        self.put_back(held)?;
        Ok(Answer::Start(Box::new(claim)))
    }

    fn queue(&mut self, mut held: Held, trigger: Trigger) -> Res<Run> {
        let row = self.asked_row(&held, trigger)?;
        self.put_row(&row)?;
        held.note(&row.run);
        self.put_back(held)?;
        self.memory.stirred = true;
        Ok(row.run)
    }

    fn skip(&mut self, held: &Held, wanted: &Wanted, reason: String) -> Res<Answer> {
        let mut row = self.asked_row(held, wanted.trigger)?;
        row.run.state = RunState::Settled {
            outcome: Outcome::Skipped,
        };
        row.run.reason = Some(reason);
        row.run.finished_at = Some(self.now);
        self.put_row(&row)?;
        Ok(Answer::Passed(Box::new(row.run)))
    }

    /// What is not on is cancelled here; what is on, by its executor.
    fn replace(&mut self, held: &Held, wanted: &Wanted) -> Res<Answer> {
        let mut living = Vec::new();
        for open in &held.progress.open {
            match open.state {
                OpenState::Running => living.push(RunId(open.id)),
                _ => self.cancel_idle(RunId(open.id), SUPERSEDED)?,
            }
        }
        let held = self.take_indexed(wanted.task)?;
        if living.is_empty() {
            return self.start_or_queue(held, wanted);
        }
        Ok(Answer::CancelThen {
            run: Box::new(self.queue(held, wanted.trigger)?),
            cancel: living,
        })
    }

    fn asked_row(&mut self, held: &Held, trigger: Trigger) -> Res<Row> {
        let fire_at = self.asked_fire(held)?;
        self.enrol(draft(&held.task, trigger, fire_at))
    }

    /// The time of asking, or the next millisecond that no fire of the task has: the
    /// plugin's idempotency key is made of it.
    fn asked_fire(&self, held: &Held) -> Res<Instant> {
        let id = held.task.id;
        let mut at = self.now_ms();
        while held.progress.next_due == Some(at)
            || self.has_fire(id, at, Trigger::Timer)?
            || self.has_fire(id, at, Trigger::Manual)?
        {
            at += 1;
        }
        instant(at).map_err(Trouble::Damaged)
    }
}

/// A task in quarantine runs for nobody; a disabled one only by hand.
fn refuse(task: &Task, trigger: Trigger) -> Res<()> {
    if let Some(why) = &task.quarantine {
        let text = format!("the task `{}` is in quarantine: {why}", task.name);
        return Err(Trouble::conflict(text));
    }
    if !task.enabled && trigger != Trigger::Manual {
        let text = format!("the task `{}` is disabled", task.name);
        return Err(Trouble::conflict(text));
    }
    Ok(())
}
