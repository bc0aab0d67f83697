//! One transaction as the operations see it: the tables, the instant, the planner,
//! and the rows that several operations write.

use std::cell::Cell;
use std::sync::Arc;

use mhost_model::plan::Planner;
use mhost_model::run::{Run, RunState, Trigger};
use mhost_model::{Instant, NodeId, RunId, Span, TaskId};

use super::known::Known;
use super::notice::Routes;
use super::record::{Counters, Row, RunningRec, encode, get, instant, millis};
use super::tables::Tables;
use super::trouble::{Res, Trouble};

/// What the writing thread knows and no crash needs to bring back.
#[derive(Debug, Clone)]
pub struct Memory {
    /// Something ended or was edited since all waiting tasks were looked at.
    pub stirred: bool,
    /// No claim was made since the store was opened.
    pub fresh: bool,
    /// Living runs to cancel, for the next claim to hand out.
    pub cancel: Vec<RunId>,
    /// Who is told of what, as it is defined; read when it is needed.
    pub routes: Option<Arc<Routes>>,
}

impl Default for Memory {
    /// After an opening every pool is free, and nobody has looked at any task.
    fn default() -> Self {
        Self {
            stirred: true,
            fresh: true,
            cancel: Vec::new(),
            routes: None,
        }
    }
}

pub struct Tx<'t> {
    pub tables: Tables<'t>,
    /// Set by every write; see [`super::worker`].
    pub wrote: &'t Cell<bool>,
    /// The store's clock when the transaction began.
    pub now: Instant,
    pub node: NodeId,
    pub planner: &'t dyn Planner,
    pub known: &'t Known,
    pub counters: Counters,
    pub memory: Memory,
}

/// Who claims, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Claimant {
    pub node: NodeId,
    pub lease: Span,
}

impl Tx<'_> {
    pub fn now_ms(&self) -> i64 {
        millis(self.now)
    }

    /// A row by id.
    pub fn row(&self, id: RunId) -> Res<Option<Row>> {
        let Some(mut row) = get::<Row, _>(&*self.tables.runs, id.0)? else {
            return Ok(None);
        };
        row.run.id = id;
        if matches!(row.run.state, RunState::Running { .. }) {
            let claim = self.claim(id)?;
            row.run.state = claim.state().map_err(Trouble::Damaged)?;
        }
        Ok(Some(row))
    }

    /// The claim of a run that is on.
    pub fn claim(&self, id: RunId) -> Res<RunningRec> {
        get(&*self.tables.running, id.0)?
            .ok_or_else(|| Trouble::Damaged(format!("run {id} is on, but has no claim")))
    }

    /// Gives a new run its id and indexes it. The caller writes the row.
    pub fn enrol(&mut self, mut run: Run) -> Res<Row> {
        let counters = &mut self.counters;
        counters.run += 1;
        run.id = RunId(counters.run);
        let latest = millis(self.now).max(millis(run.fire_at));
        counters.recorded_at = counters.recorded_at.max(latest);
        let row = Row {
            recorded_at: counters.recorded_at,
            run,
        };
        self.index(&row.run)?;
        Ok(row)
    }

    fn index(&mut self, run: &Run) -> Res<()> {
        let id = run.id.0;
        let name = run.task_name.as_str();
        self.tables.runs_by_name.put((name, id), ())?;
        if let Some(task) = run.task {
            self.tables.runs_by_task.put((task.0, id), ())?;
            let fire = (task.0, millis(run.fire_at), fire_kind(run.trigger));
            self.tables.fires.put(fire, id)?;
        }
        Ok(())
    }

    pub fn put_row(&mut self, row: &Row) -> Res<()> {
        let bytes = encode(row)?;
        self.tables.runs.put(row.run.id.0, bytes.as_slice())
    }

    /// Whether this fire has a row of this kind.
    pub fn has_fire(&self, task: TaskId, fire_at: i64, trigger: Trigger) -> Res<bool> {
        let key = (task.0, fire_at, fire_kind(trigger));
        Ok(redb::ReadableTable::get(&*self.tables.fires, key)?.is_some())
    }

    /// Makes a row running: the next attempt, in a slot of the pool. The caller has set
    /// the fence, and writes the row.
    pub fn occupy(&mut self, run: &mut Run, by: Claimant, pool: &str) -> Res<()> {
        let lease_until = self.lease_end(by.lease);
        let claim = RunningRec {
            node: by.node.0,
            fence: run.fence.0,
            lease_until: millis(lease_until),
            pool: pool.to_owned(),
        };
        self.tables
            .running
            .put(run.id.0, encode(&claim)?.as_slice())?;
        run.attempt += 1;
        run.state = RunState::Running {
            node: by.node,
            lease_until,
        };
        run.started_at = Some(self.now);
        run.finished_at = None;
        run.reason = None;
        run.report = None;
        run.receipt = None;
        run.error = None;
        Ok(())
    }

    /// When a lease ends that is given now.
    pub fn lease_end(&self, lease: Span) -> Instant {
        let end = self.now.checked_add_signed(lease.delta());
        let end = end.and_then(|end| instant(millis(end)).ok());
        end.unwrap_or(Instant::MAX_UTC)
    }
}

/// A fire of the clock and a run that was asked for may share an instant.
pub fn fire_kind(trigger: Trigger) -> u8 {
    u8::from(trigger != Trigger::Timer)
}
