//! Reading the ledger, newest first: through the index that fits the filter best.

use mhost_model::RunId;
use mhost_model::run::{Run, RunState};
use redb::ReadOnlyTable;

use super::super::record::{Row, RunningRec, decode, get, millis};
use super::super::tables::{RUNNING, RUNS, RUNS_BY_NAME, RUNS_BY_TASK};
use super::super::trouble::{Res, Trouble};
use super::Snapshot;
use crate::RunFilter;

/// The ledger within a snapshot.
pub struct Ledger {
    runs: ReadOnlyTable<u64, &'static [u8]>,
    running: ReadOnlyTable<u64, &'static [u8]>,
}

impl Ledger {
    pub fn of(snapshot: &Snapshot) -> Res<Self> {
        Ok(Self {
            runs: snapshot.txn().open_table(RUNS)?,
            running: snapshot.txn().open_table(RUNNING)?,
        })
    }

    pub fn row(&self, id: RunId) -> Res<Option<Row>> {
        let row = get(&self.runs, id.0)?;
        row.map(|row| self.complete(id, row)).transpose()
    }

    /// Adds what stands beside the row.
    fn complete(&self, id: RunId, mut row: Row) -> Res<Row> {
        row.run.id = id;
        if matches!(row.run.state, RunState::Running { .. }) {
            let claim: Option<RunningRec> = get(&self.running, id.0)?;
            let claim = claim.ok_or_else(|| Trouble::dangling("the claim of run", id))?;
            row.run.state = claim.state().map_err(Trouble::Damaged)?;
        }
        Ok(row)
    }

    fn indexed(&self, id: u64) -> Res<Row> {
        let row = self.row(RunId(id))?;
        row.ok_or_else(|| Trouble::dangling("run", id))
    }
}

impl Snapshot {
    pub fn run(&self, id: RunId) -> Res<Option<Run>> {
        let row = Ledger::of(self)?.row(id)?;
        Ok(row.map(|row| row.run))
    }

    pub fn runs(&self, filter: &RunFilter) -> Res<Vec<Run>> {
        let ledger = Ledger::of(self)?;
        // Ids begin with 1.
        let last = filter
            .before
            .map_or(u64::MAX, |before| before.0.saturating_sub(1));
        if let Some(task) = filter.task {
            let index = self.txn().open_table(RUNS_BY_TASK)?;
            let rows = index.range((task.0, 0)..=(task.0, last))?.rev();
            let ids = rows.map(|row| Ok(row?.0.value().1));
            return select(filter, ids.map(|id: Res<u64>| ledger.indexed(id?)));
        }
        if let Some(name) = &filter.task_name {
            let index = self.txn().open_table(RUNS_BY_NAME)?;
            let range = (name.as_str(), 0)..=(name.as_str(), last);
            let rows = index.range::<(&str, u64)>(range)?.rev();
            let ids = rows.map(|row| Ok(row?.0.value().1));
            return select(filter, ids.map(|id: Res<u64>| ledger.indexed(id?)));
        }
        let rows = ledger.runs.range(0..=last)?.rev();
        select(
            filter,
            rows.map(|row| {
                let (id, bytes) = row?;
                ledger.complete(RunId(id.value()), decode(bytes.value())?)
            }),
        )
    }
}

/// The first rows that pass. No row was recorded before its fire time, and rows were
/// recorded in order: one recorded before `since` has only older ones behind it.
fn select(filter: &RunFilter, rows: impl Iterator<Item = Res<Row>>) -> Res<Vec<Run>> {
    let mut found = Vec::new();
    let since = filter.since.map(millis);
    for row in rows {
        if found.len() >= filter.limit {
            break;
        }
        let row = row?;
        if since.is_some_and(|since| row.recorded_at < since) {
            break;
        }
        if passes(filter, &row.run) {
            found.push(row.run);
        }
    }
    Ok(found)
}

fn passes(filter: &RunFilter, run: &Run) -> bool {
    let outcome = filter.outcomes.is_empty()
        || run
            .outcome()
            .is_some_and(|outcome| filter.outcomes.contains(&outcome));
    outcome
        && filter
            .task_name
            .as_ref()
            .is_none_or(|name| *name == run.task_name)
        && filter.since.is_none_or(|since| run.fire_at >= since)
        && filter.until.is_none_or(|until| run.fire_at < until)
}
