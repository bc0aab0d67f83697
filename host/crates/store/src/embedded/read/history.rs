//! What the proof of a task's chain of due times stands on: its eras, and the fires that
//! have rows.

use mhost_model::plan::{Era, Planner};
use mhost_model::task::Task;
use mhost_model::{Instant, TaskId};
use redb::ReadableTable;

use super::super::era::has_due_times;
use super::super::record::{
    ArrearsRec, EraRec, ProgressRec, StateValue, ZoneRec, decode, get, instant, millis,
};
use super::super::tables::{ARREARS, ERAS, FIRES, MARKS, PROGRESS, TASKS, WATCHERS, ZONES};
use super::super::trouble::{Res, Trouble};
use super::Snapshot;
use crate::{History, TaskStatus};

impl Snapshot {
    pub fn history(&self, task: TaskId, planner: &dyn Planner) -> Res<History> {
        let mut history = History::default();
        let table = self.txn.open_table(ERAS)?;
        for row in table.range((task.0, 0)..=(task.0, u64::MAX))? {
            let era: EraRec = decode(row?.1.value())?;
            history.eras.push(self.closed(era, planner)?);
        }
        history.eras.extend(self.open_era(task)?);
        let table = self.txn.open_table(ARREARS)?;
        for row in table.range((task.0, 0)..=(task.0, u64::MAX))? {
            let arrears: ArrearsRec = decode(row?.1.value())?;
            history
                .arrears
                .push((at(arrears.next)?, at(arrears.until)?));
        }
        Ok(history)
    }

    fn closed(&self, era: EraRec, planner: &dyn Planner) -> Res<Era> {
        let present = era.zone_data == planner.zone_data();
        let zone = match planner.zone(&era.schedule).filter(|_| !present) {
            Some(zone) => {
                let table = self.txn.open_table(ZONES)?;
                let then: Option<ZoneRec> = get(&table, (zone.as_str(), era.zone_data.as_str()))?;
                then.map(|ZoneRec(changes)| changes)
            }
            None => None,
        };
        Ok(Era {
            from: at(era.from)?,
            until: Some(at(era.until)?),
            schedule: era.schedule,
            anchor: at(era.anchor)?,
            zone,
        })
    }

    fn open_era(&self, task: TaskId) -> Res<Option<Era>> {
        let progress: Option<ProgressRec> = get(&self.txn.open_table(PROGRESS)?, task.0)?;
        let from = progress.and_then(|progress| progress.since);
        let task: Option<Task> = get(&self.txn.open_table(TASKS)?, task.0)?;
        let (Some(from), Some(task)) = (from, task) else {
            return Ok(None);
        };
        if !has_due_times(&task.spec.schedule) {
            return Ok(None);
        }
        Ok(Some(Era {
            from: at(from)?,
            until: None,
            schedule: task.spec.schedule,
            anchor: task.created_at,
            zone: None,
        }))
    }

    /// The fires of the clock that have rows, in order.
    pub fn fires(
        &self,
        task: TaskId,
        since: Instant,
        until: Instant,
        limit: usize,
    ) -> Res<Vec<Instant>> {
        let table = self.txn.open_table(FIRES)?;
        let range = (task.0, millis(since), 0)..(task.0, millis(until), 0);
        let mut found = Vec::new();
        if since >= until {
            return Ok(found);
        }
        for row in table.range(range)? {
            let (_, fire, kind) = row?.0.value();
            if kind == 0 {
                found.push(at(fire)?);
            }
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    pub fn watchers(&self) -> Res<Vec<TaskStatus>> {
        let mut found = Vec::new();
        for row in self.txn.open_table(WATCHERS)?.iter()? {
            let id = TaskId(row?.0.value());
            let status = self.task_by_id(id)?;
            found.push(status.ok_or_else(|| Trouble::dangling("task", id))?);
        }
        Ok(found)
    }

    pub fn mark(&self, task: TaskId) -> Res<Option<Vec<u8>>> {
        let mark: Option<StateValue> = get(&self.txn.open_table(MARKS)?, task.0)?;
        Ok(mark.map(|StateValue(mark)| mark))
    }
}

fn at(millis: i64) -> Res<Instant> {
    instant(millis).map_err(Trouble::Damaged)
}
