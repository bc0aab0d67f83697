//! Who holds what: the living runs whose tasks declare targets as held. Few runs live at
//! a time, so they are looked through; there is no index to keep in step.

use mhost_model::RunId;
use mhost_model::task::Task;
use redb::ReadableTable;

use super::read::Snapshot;
use super::record::{Row, get};
use super::tables::{RUNNING, RUNS, TASKS};
use super::trouble::Res;
use crate::Holding;

impl Snapshot {
    pub fn holdings(&self) -> Res<Vec<Holding>> {
        let running = self.txn().open_table(RUNNING)?;
        let rows = self.txn().open_table(RUNS)?;
        let tasks = self.txn().open_table(TASKS)?;
        holdings(&running, &rows, &tasks)
    }
}

type Bytes = &'static [u8];

/// The same from any tables: a transaction asks too. A dry run holds nothing, for it
/// changes nothing.
pub fn holdings(
    running: &impl ReadableTable<u64, Bytes>,
    rows: &impl ReadableTable<u64, Bytes>,
    tasks: &impl ReadableTable<u64, Bytes>,
) -> Res<Vec<Holding>> {
    let mut found = Vec::new();
    for claim in running.iter()? {
        let id = claim?.0.value();
        let Some(row) = get::<Row, _>(rows, id)?.filter(|row| !row.run.dry_run) else {
            continue;
        };
        let Some(task) = row.run.task else {
            continue;
        };
        let task = get::<Task, _>(tasks, task.0)?.filter(|task| !task.spec.holds.is_empty());
        found.extend(task.map(|task| Holding {
            task: task.name,
            run: RunId(id),
            since: row.run.started_at.unwrap_or(row.run.fire_at),
            holds: task.spec.holds,
        }));
    }
    Ok(found)
}
