//! New data of the time zones (rule 5): due times that are still to come are computed anew.

use mhost_model::TaskId;
use redb::ReadableTable;

use super::held::Held;
use super::record::millis;
use super::trouble::Res;
use super::tx::Tx;
use crate::{Moved, RenewedZones};

impl Tx<'_> {
    /// None where the data are those that the due times were computed with.
    pub fn renew_zones(&mut self) -> Res<Option<RenewedZones>> {
        let (former, present) = (self.zone_data()?, self.planner.zone_data().to_owned());
        if former.as_deref() == Some(present.as_str()) {
            return Ok(None);
        }
        let mut moved = Vec::new();
        if let Some(former) = &former {
            for task in self.all_tasks()? {
                moved.extend(self.renew_zone(task, former)?);
            }
        }
        self.tables.meta.put("zone_data", present.as_bytes())?;
        self.memory.stirred = true;
        let renewed = |former| RenewedZones {
            former,
            present,
            moved,
        };
        Ok(former.map(renewed))
    }

    fn all_tasks(&self) -> Res<Vec<TaskId>> {
        let tasks = self.tables.tasks.iter()?;
        tasks.map(|row| Ok(TaskId(row?.0.value()))).collect()
    }

    fn renew_zone(&mut self, id: TaskId, former: &str) -> Res<Option<Moved>> {
        let mut held = self.take_indexed(id)?;
        let Some(zone) = self.planner.zone(&held.task.spec.schedule) else {
            return Ok(None);
        };
        self.record_zone(&held.task.spec.schedule)?;
        let then = self.zone_then(&zone, former)?;
        let now = self.zone_then(&zone, self.planner.zone_data())?;
        let same = matches!((&then, &now), (Some(then), Some(now)) if then.0 == now.0);
        let Some(since) = held.progress.since.filter(|_| !same) else {
            return Ok(None);
        };
        let last = held.progress.last_fire.max(Some(self.now_ms()));
        let last = last.unwrap_or_else(|| self.now_ms());
        let due = held.progress.next_due.filter(|due| *due <= last);
        let boundary = due.unwrap_or(last);
        self.write_era(&held.task, since, boundary)?;
        held.progress.since = Some(boundary.max(since));
        let moved = self.realign(&mut held)?;
        self.put_back(held)?;
        Ok(moved)
    }

    fn realign(&self, held: &mut Held) -> Res<Option<Moved>> {
        let view = self.view(&held.progress)?;
        let Some((next_due, wake_at)) = self.planner.realigned(&held.task, &view, self.now) else {
            return Ok(None);
        };
        held.progress.next_due = next_due.map(millis);
        held.progress.wake_at = wake_at.map(millis);
        Ok(Some(Moved {
            task: held.task.name.clone(),
            was: view.next_due,
            is: next_due,
        }))
    }
}
