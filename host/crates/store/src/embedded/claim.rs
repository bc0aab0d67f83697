//! Claiming what is due, and handing out what waited for a slot.
//!
//! Only tasks that the agenda names are looked at: first those that wait in a pool
//! with a free slot, oldest fire first, then those whose time has come. A task that
//! could not go on is put among the waiting, so no instant brings it back, but a
//! completion does.

use std::collections::BTreeMap;
use std::ops::Bound;

use mhost_model::plan::{Decision, Passed};
use mhost_model::resource::PoolDef;
use mhost_model::run::{Run, RunState, Trigger};
use mhost_model::task::Task;
use mhost_model::{Fence, Instant, Name, RunId, TaskId};
use redb::ReadableTable;

use super::agenda::may_start;
use super::held::Held;
use super::record::{OpenState, Row, RunningRec, decode, get, instant, millis};
use super::trouble::{Res, Trouble};
use super::tx::{Claimant, Tx};
use crate::{Claim, ClaimDue, Claimed};

/// One call of `claim_due`.
struct Round {
    by: Claimant,
    /// Free slots of the pools that were asked about.
    slots: BTreeMap<Name, u32>,
    limit: usize,
    /// Tasks that were looked at because they were due.
    looked: usize,
    done: Claimed,
}

impl Round {
    fn full(&self) -> bool {
        let rows = self.done.start.len() + self.done.passed.len();
        rows.max(self.looked) >= self.limit
    }
}

impl Tx<'_> {
    pub fn claim_due(&mut self, request: &ClaimDue) -> Res<Claimed> {
        let mut round = Round {
            by: Claimant {
                node: request.node,
                lease: request.lease,
            },
            slots: request.slots.clone(),
            limit: request.limit.max(1),
            looked: 0,
            done: Claimed::default(),
        };
        self.claim_waiting(&mut round)?;
        self.claim_timed(&mut round)?;
        let mut done = round.done;
        done.cancel.append(&mut self.memory.cancel);
        done.cancel.sort();
        done.cancel.dedup();
        self.memory.stirred = done.more;
        done.next_wake = self.next_wake()?;
        Ok(done)
    }

    fn claim_waiting(&mut self, round: &mut Round) -> Res<()> {
        let mut pool = self.waiting_pool(None)?;
        while let Some(name) = pool {
            self.claim_from(&name, round)?;
            pool = self.waiting_pool(Some(&name))?;
        }
        Ok(())
    }

    /// The next pool, in the order of names, in which somebody waits.
    fn waiting_pool(&self, after: Option<&Name>) -> Res<Option<Name>> {
        let bound = match after {
            Some(name) => Bound::Excluded((name.as_str(), i64::MAX, u64::MAX)),
            None => Bound::Unbounded,
        };
        let range = (bound, Bound::Unbounded);
        let mut rows = self.tables.waiting.range::<(&str, i64, u64)>(range)?;
        let Some(row) = rows.next().transpose()? else {
            return Ok(None);
        };
        let name = row.0.value().0.parse();
        name.map(Some)
            .map_err(|error: mhost_model::NameError| Trouble::Damaged(error.to_string()))
    }

    fn claim_from(&mut self, pool: &Name, round: &mut Round) -> Res<()> {
        let mut last = (i64::MIN, 0);
        while self.free(round, pool)? > 0 {
            let Some(next) = self.waiting_after(pool, last)? else {
                return Ok(());
            };
            if round.full() {
                round.done.more = true;
                return Ok(());
            }
            self.look_at(TaskId(next.1), round)?;
            last = next;
        }
        Ok(())
    }

    fn waiting_after(&self, pool: &Name, (since, task): (i64, u64)) -> Res<Option<(i64, u64)>> {
        let pool = pool.as_str();
        let range = (
            Bound::Excluded((pool, since, task)),
            Bound::Included((pool, i64::MAX, u64::MAX)),
        );
        let mut rows = self.tables.waiting.range::<(&str, i64, u64)>(range)?;
        let row = rows.next().transpose()?;
        Ok(row.map(|(key, _)| {
            let (_, since, task) = key.value();
            (since, task)
        }))
    }

    fn claim_timed(&mut self, round: &mut Round) -> Res<()> {
        while let Some((at, task)) = self.first_due()? {
            if at > self.now_ms() {
                break;
            }
            if round.full() {
                round.done.more = true;
                break;
            }
            round.looked += 1;
            self.look_at(TaskId(task), round)?;
        }
        Ok(())
    }

    pub fn first_due(&self) -> Res<Option<(i64, u64)>> {
        Ok(self.tables.due.first()?.map(|(key, _)| key.value()))
    }

    /// Free slots of a pool: as the caller says, else its size less what is on.
    fn free(&self, round: &mut Round, pool: &Name) -> Res<u32> {
        if let Some(free) = round.slots.get(pool) {
            return Ok(*free);
        }
        let size: Option<PoolDef> = get(&*self.tables.definitions, ("pool", pool.as_str()))?;
        let mut free = size.map_or(1, |pool| pool.size);
        for row in self.tables.running.iter()? {
            let claim: RunningRec = decode(row?.1.value())?;
            free = free.saturating_sub(u32::from(claim.pool == pool.as_str()));
        }
        round.slots.insert(pool.clone(), free);
        Ok(free)
    }

    /// Asks the planner about one task, and does what it says.
    fn look_at(&mut self, id: TaskId, round: &mut Round) -> Res<()> {
        let mut held = self.take_indexed(id)?;
        let pool = held.task.spec.policy.pool.clone();
        let free = self.free(round, &pool)?;
        let mut progress = self.view(&held.progress)?;
        progress.open.retain(|open| {
            let rec = held.open(open.id);
            rec.is_some_and(|rec| rec.state == OpenState::Running || may_start(&held.task, rec))
        });
        let decision = self.planner.due(&held.task, &progress, free, self.now);
        let before = (held.progress.clone(), round.done.passed.len());
        let started = self.obey(&mut held, decision, round)?;
        round.slots.insert(pool, free.saturating_sub(started));

        let moved = before != (held.progress.clone(), round.done.passed.len());
        let still_due = |wake: i64| wake <= self.now_ms();
        if moved && held.progress.wake_at.is_some_and(still_due) {
            return self.put_back(held);
        }
        held.progress.examined = Some(self.now_ms());
        self.put_examined(held)
    }

    /// Carries a decision out; answers how many runs it started.
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
        round.done.cancel.extend(decision.cancel);
        let next = held
            .task
            .enabled
            .then_some((decision.next_due, decision.wake_at));
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
        self.put_row(row)
    }
}

/// The claim of a run of a task.
pub fn claim_of(held: &Held, row: Row) -> Claim {
    let last_success = held.progress.last_success;
    Claim {
        run: row.run,
        task: Some(held.task.clone()),
        previous_success: last_success.and_then(|at| instant(at).ok()),
    }
}

/// A run of a task before anything has become of it.
pub fn draft(task: &Task, trigger: Trigger, fire_at: Instant) -> Run {
    Run {
        id: RunId(0),
        task: Some(task.id),
        task_name: task.name.clone(),
        plugin: task.spec.plugin.clone(),
        action: task.spec.action.clone(),
        digest: Some(task.pin),
        trigger,
        dry_run: false,
        fire_at,
        fence: Fence(0),
        attempt: 0,
        state: RunState::Queued,
        reason: None,
        started_at: None,
        finished_at: None,
        report: None,
        receipt: None,
        error: None,
    }
}
