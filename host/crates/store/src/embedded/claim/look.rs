//! Looking at one task: what the planner decides about it, and carrying that out.

use mhost_model::plan::{Decision, Passed};
use mhost_model::run::{Run, RunState, Trigger};
use mhost_model::{Instant, RunId, TaskId};

use super::super::agenda::may_start;
use super::super::end::End;
use super::super::held::Held;
use super::super::record::{OpenState, Row, instant, millis};
use super::super::trouble::{Res, Trouble};
use super::super::tx::{Claimant, Tx};
use super::{Round, SUPERSEDED, claim_of, draft};
use crate::Claim;

impl Tx<'_> {
    /// Looks at one task for as long as what stood in its own way can be cancelled here.
    pub(super) fn look_at(&mut self, id: TaskId, round: &mut Round) -> Res<()> {
        while self.look_once(id, round)? {}
        Ok(())
    }

    /// Asks the planner about one task, and does what it says; whether to ask again.
    fn look_once(&mut self, id: TaskId, round: &mut Round) -> Res<bool> {
        let mut held = self.take_indexed(id)?;
        let pool = held.task.spec.policy.pool.clone();
        let free = self.free(round, &pool)?;
        let decision = self.decide(&held, free)?;
        let before = (held.progress.clone(), round.done.passed.len());
        let mut ends = self.cancel(&mut held, &decision, round)?;
        for run in &decision.give_up {
            ends.push(self.give_up_held(&mut held, *run)?);
        }
        let started = self.obey(&mut held, decision, round)?;
        round.slots.insert(pool, free.saturating_sub(started));

        let moved = before != (held.progress.clone(), round.done.passed.len());
        let still_due = |wake: i64| wake <= self.now_ms();
        if moved && held.progress.wake_at.is_some_and(still_due) {
            self.put_back(held)?;
        } else {
            held.progress.examined = Some(self.now_ms());
            self.put_examined(held)?;
        }
        let again = !ends.is_empty();
        ends.into_iter().try_for_each(|end| self.set_off(end))?;
        Ok(again)
    }

    fn decide(&self, held: &Held, free: u32) -> Res<Decision> {
        let mut progress = self.view(&held.progress)?;
        progress.open.retain(|open| {
            let rec = held.open(open.id);
            rec.is_some_and(|rec| rec.state == OpenState::Running || may_start(&held.task, rec))
        });
        Ok(self.planner.due(&held.task, &progress, free, self.now))
    }

    /// Ends what must end first: what is on is its executor's to cancel, the rest is
    /// settled here. Answers the ends of the latter.
    fn cancel(
        &mut self,
        held: &mut Held,
        decision: &Decision,
        round: &mut Round,
    ) -> Res<Vec<Option<End>>> {
        let mut ends = Vec::new();
        for run in &decision.cancel {
            match held.open(*run).map(|open| open.state) {
                Some(OpenState::Running) => round.done.cancel.push(*run),
                Some(_) => ends.push(self.cancel_held(held, *run, SUPERSEDED)?),
                None => {}
            }
        }
        Ok(ends)
    }

    /// Carries the rest of a decision out; answers how many runs it started.
    fn obey(&mut self, held: &mut Held, decision: Decision, round: &mut Round) -> Res<u32> {
        let started = round.done.start.len();
        for passed in &decision.pass {
            self.pass(held, passed, &mut round.done.passed)?;
        }
        for run in decision.resume {
            let row = self.promotable(held, run)?;
            let claim = self.start(held, row, round.by)?;
            round.done.start.push(claim);
        }
        for fire in decision.start {
            if let Some(row) = self.new_fire(held, fire)? {
                let claim = self.start(held, row, round.by)?;
                round.done.start.push(claim);
            }
        }
        for fire in decision.queue {
            if let Some(row) = self.new_fire(held, fire)? {
                self.put_row(&row)?;
                held.note(&row.run);
            }
        }
        let next = (decision.next_due, decision.wake_at);
        let next = held.task.enabled.then_some(next);
        let (next_due, wake_at) = next.unwrap_or_default();
        held.progress.next_due = next_due.map(millis);
        held.progress.wake_at = wake_at.map(millis);
        Ok((round.done.start.len() - started)
            .try_into()
            .unwrap_or(u32::MAX))
    }

    fn pass(&mut self, held: &mut Held, passed: &Passed, rows: &mut Vec<Run>) -> Res<()> {
        let Some(mut row) = self.new_fire(held, passed.fire_at)? else {
            return Ok(());
        };
        row.run.state = RunState::Settled {
            outcome: passed.outcome,
        };
        row.run.reason = Some(passed.reason.clone());
        row.run.finished_at = Some(self.now);
        self.put_row(&row)?;
        self.tell_end(&held.task, &row.run, passed.outcome)?;
        rows.push(row.run);
        Ok(())
    }

    /// A row for a fire of the clock, not yet written; none if the fire has one: no
    /// fire happens twice, whatever is decided.
    fn new_fire(&mut self, held: &mut Held, fire_at: Instant) -> Res<Option<Row>> {
        let at = millis(fire_at);
        if self.has_fire(held.task.id, at, Trigger::Timer)? {
            tracing::error!(task = %held.task.name, %fire_at, "a fire was decided twice");
            return Ok(None);
        }
        let fire_at = instant(at).map_err(Trouble::Damaged)?;
        held.progress.last_fire = held.progress.last_fire.max(Some(at));
        self.enrol(draft(&held.task, Trigger::Timer, fire_at))
            .map(Some)
    }

    fn promotable(&self, held: &Held, run: RunId) -> Res<Row> {
        match held.open(run).map(|open| open.state) {
            Some(OpenState::Queued | OpenState::Waiting { .. }) => {}
            _ => return Err(Trouble::conflict(format!("run {run} cannot be promoted"))),
        }
        self.row(run)?.ok_or_else(|| Trouble::dangling("run", run))
    }

    /// Starts an attempt of a run of the task, as the task is now.
    pub fn start(&mut self, held: &mut Held, mut row: Row, by: Claimant) -> Res<Claim> {
        self.start_beside(held, &mut row, by)?;
        held.note(&row.run);
        Ok(claim_of(held, row))
    }

    /// As [`Self::start`], without a place among the task's open runs.
    pub fn start_beside(&mut self, held: &mut Held, row: &mut Row, by: Claimant) -> Res<()> {
        row.run.fence = held.fence();
        row.run.plugin = held.task.spec.plugin.clone();
        row.run.action = held.task.spec.action.clone();
        row.run.digest = Some(held.task.pin);
        self.occupy(&mut row.run, by, held.task.spec.policy.pool.as_str())?;
        self.put_row(row)?;
        self.tell_start(&held.task, &row.run)
    }
}
