//! The chain of a task's due times over its changes (rules 1 and 2): from when to when it was
//! due under which schedule. The open era stands in the task's progress; closed ones in a
//! table of their own. When an era is closed, due times that have no row yet get one: skipped,
//! with the reason. Where they are many, some at a time; what is left waits as arrears.

use mhost_model::run::{Outcome, RunState, Trigger};
use mhost_model::schedule::{Fields, Schedule};
use mhost_model::task::Task;
use redb::ReadableTable;

use super::claim::draft;
use super::held::Held;
use super::record::{ArrearsRec, EraRec, ZoneRec, decode, encode, get, instant, millis};
use super::trouble::{Res, Trouble};
use super::tx::Tx;

/// So many arrears are settled in one go.
pub const BATCH: usize = 1000;

/// What becomes of due times that have not started when a task's schedule changes or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overdue<'r> {
    /// They end as skipped, for this reason.
    Pass(&'r str),
    /// They are missed fires of what comes next.
    CatchUp,
}

impl Tx<'_> {
    /// Closes the open era of a task, which is still as it was. Answers where the next one
    /// begins.
    pub fn close_era(&mut self, held: &mut Held, overdue: Overdue) -> Res<i64> {
        let now = held.progress.last_fire.max(Some(self.now_ms()));
        let now = now.unwrap_or_else(|| self.now_ms());
        let Some(from) = held.progress.since.take() else {
            return self.before_pause(held, overdue, now);
        };
        let due = held.progress.next_due.filter(|due| *due <= now);
        let until = match (due, overdue) {
            (Some(due), Overdue::CatchUp) => due - 1,
            _ => now,
        };
        self.write_era(&held.task, from, until)?;
        if let (Some(next), Overdue::Pass(reason)) = (due, overdue) {
            let number = self.next_era(held.task.id.0)?;
            let arrears = ArrearsRec {
                task: (*held.task).clone(),
                next,
                until,
                reason: reason.to_owned(),
            };
            let settled = self.settle_arrears((held.task.id.0, number), arrears, BATCH)?;
            held.progress.last_fire = held.progress.last_fire.max(Some(settled));
        }
        Ok(until)
    }

    /// A task that was paused goes on from now, or from where it was paused.
    fn before_pause(&self, held: &Held, overdue: Overdue, now: i64) -> Res<i64> {
        if overdue != Overdue::CatchUp || held.task.enabled {
            return Ok(now);
        }
        let last = self.last_era(held.task.id.0)?;
        let created = millis(held.task.created_at);
        let since = last.map_or(created, |(_, era)| era.until);
        Ok(since.max(held.progress.last_fire.unwrap_or(since)))
    }

    /// The end lies before the beginning where the clock was set back; nothing was due then.
    pub fn write_era(&mut self, task: &Task, from: i64, until: i64) -> Res<()> {
        if !has_due_times(&task.spec.schedule) {
            return Ok(());
        }
        let until = until.max(from);
        let zone_data = self.zone_data()?.unwrap_or_default();
        let era = EraRec {
            from,
            until,
            schedule: task.spec.schedule.clone(),
            anchor: millis(task.created_at),
            zone_data,
        };
        let key = (task.id.0, self.next_era(task.id.0)?);
        self.tables.eras.put(key, encode(&era)?.as_slice())
    }

    fn last_era(&self, task: u64) -> Res<Option<(u64, EraRec)>> {
        let mut eras = self.tables.eras.range((task, 0)..=(task, u64::MAX))?;
        let Some(last) = eras.next_back().transpose()? else {
            return Ok(None);
        };
        Ok(Some((last.0.value().1, decode(last.1.value())?)))
    }

    /// A number that no era and no arrears of the task have.
    fn next_era(&self, task: u64) -> Res<u64> {
        let all = (task, 0)..=(task, u64::MAX);
        let era = self.tables.eras.range(all.clone())?.next_back();
        let arrears = self.tables.arrears.range(all)?.next_back();
        let mut next = 0;
        for last in [era, arrears].into_iter().flatten() {
            next = next.max(last?.0.value().1 + 1);
        }
        Ok(next)
    }

    /// Forgets the eras of a task that is gone.
    pub fn forget_eras(&mut self, task: u64) -> Res<()> {
        while let Some((number, _)) = self.last_era(task)? {
            self.tables.eras.remove((task, number))?;
        }
        Ok(())
    }

    /// Whether a closed era has due times without a row.
    pub fn has_arrears(&self) -> Res<bool> {
        Ok(self.tables.arrears.first()?.is_some())
    }

    /// Settles some of what closed eras left.
    pub fn settle_some_arrears(&mut self, most: usize) -> Res<()> {
        let Some((key, arrears)) = self.first_arrears()? else {
            return Ok(());
        };
        self.settle_arrears(key, arrears, most).map(drop)
    }

    fn first_arrears(&self) -> Res<Option<((u64, u64), ArrearsRec)>> {
        let Some((key, bytes)) = self.tables.arrears.first()? else {
            return Ok(None);
        };
        Ok(Some((key.value(), decode(bytes.value())?)))
    }

    /// Answers the newest fire that has its row now; where some are left, as if they had.
    fn settle_arrears(
        &mut self,
        key: (u64, u64),
        mut arrears: ArrearsRec,
        most: usize,
    ) -> Res<i64> {
        let (mut settled, mut newest) = (0, arrears.next);
        while arrears.next <= arrears.until {
            if settled == most {
                let bytes = encode(&arrears)?;
                self.tables.arrears.put(key, bytes.as_slice())?;
                return Ok(arrears.until);
            }
            newest = arrears.next;
            let fire = instant(arrears.next).map_err(Trouble::Damaged)?;
            self.pass_overdue(&arrears, fire)?;
            settled += 1;
            let mut task = arrears.task.clone();
            task.enabled = true;
            match self.planner.arm(&task, fire).0 {
                Some(next) if millis(next) > arrears.next => arrears.next = millis(next),
                _ => break,
            }
        }
        self.tables.arrears.remove(key)?;
        Ok(newest)
    }

    fn pass_overdue(&mut self, arrears: &ArrearsRec, fire: mhost_model::Instant) -> Res<()> {
        let task = &arrears.task;
        if self.has_fire(task.id, millis(fire), Trigger::Timer)? {
            return Ok(());
        }
        let mut row = self.enrol(draft(task, Trigger::Timer, fire))?;
        row.run.state = RunState::Settled {
            outcome: Outcome::Skipped,
        };
        row.run.reason = Some(arrears.reason.clone());
        row.run.finished_at = Some(self.now);
        self.put_row(&row)
    }

    /// The release of the zones' data that open eras go by; none in a file that knows none.
    pub fn zone_data(&self) -> Res<Option<String>> {
        let bytes = self.tables.meta.get("zone_data")?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes.value()).into_owned()))
    }

    /// Keeps the zone that a schedule hangs on as the present data have it, so that the proof
    /// of what was due by them outlives them.
    pub fn record_zone(&mut self, schedule: &Schedule) -> Res<()> {
        let Some(zone) = self.planner.zone(schedule) else {
            return Ok(());
        };
        let key = (zone.as_str(), self.planner.zone_data());
        if self.tables.zones.get(key)?.is_none() {
            let changes = ZoneRec(self.planner.zone_changes(&zone));
            let bytes = encode(&changes)?;
            self.tables.zones.put(key, bytes.as_slice())?;
        }
        Ok(())
    }

    /// A zone as a release of the data had it.
    pub fn zone_then(&self, zone: &str, data: &str) -> Res<Option<ZoneRec>> {
        get(&*self.tables.zones, (zone, data))
    }
}

/// Whether the clock makes a schedule due.
pub fn has_due_times(schedule: &Schedule) -> bool {
    match schedule {
        Schedule::Cron { .. }
        | Schedule::Every { .. }
        | Schedule::Fields(Fields { .. })
        | Schedule::Once { .. } => true,
        Schedule::After { .. } | Schedule::OnChange { .. } | Schedule::Manual => false,
    }
}
