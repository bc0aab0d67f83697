//! Forgetting rows and logs that retention lets go.

use mhost_model::run::{Run, Trigger};
use mhost_model::{RunId, TaskId};
use redb::ReadableTable;

use super::record::{EraRec, decode, encode, millis};
use super::trouble::Res;
use super::tx::{Tx, fire_kind};
use crate::{Forget, Forgotten};

impl Tx<'_> {
    pub fn forget(&mut self, what: &[Forget]) -> Res<usize> {
        let mut done = 0;
        for one in what {
            done += usize::from(self.forget_one(one)?);
        }
        Ok(done)
    }

    fn forget_one(&mut self, Forget { run, what }: &Forget) -> Res<bool> {
        let Some(row) = self.row(*run)?.filter(|row| row.run.outcome().is_some()) else {
            return Ok(false);
        };
        let had_log = self.forget_log(*run)?;
        if *what == Forgotten::Log {
            return Ok(had_log);
        }
        self.forget_row(&row.run)?;
        Ok(true)
    }

    fn forget_log(&mut self, run: RunId) -> Res<bool> {
        let lines = self.tables.logs.range((run.0, 0)..=(run.0, u64::MAX))?;
        let keys = lines.map(|row| Ok(row?.0.value()));
        let keys = keys.collect::<Res<Vec<_>>>()?;
        for key in &keys {
            self.tables.logs.remove(*key)?;
        }
        Ok(!keys.is_empty())
    }

    fn forget_row(&mut self, run: &Run) -> Res<()> {
        let id = run.id.0;
        self.tables.runs.remove(id)?;
        self.tables
            .runs_by_name
            .remove((run.task_name.as_str(), id))?;
        let Some(task) = run.task else { return Ok(()) };
        self.tables.runs_by_task.remove((task.0, id))?;
        let fire = (task.0, millis(run.fire_at), fire_kind(run.trigger));
        self.tables.fires.remove(fire)?;
        match run.trigger {
            Trigger::Timer => self.raise(task, millis(run.fire_at)),
            _ => Ok(()),
        }
    }

    /// The proof of the task's chain begins after `floor` from now on.
    fn raise(&mut self, task: TaskId, floor: i64) -> Res<()> {
        let eras = self.tables.eras.range((task.0, 0)..=(task.0, u64::MAX))?;
        let mut lower = Vec::new();
        for row in eras {
            let (key, era) = row?;
            let era: EraRec = decode(era.value())?;
            // Where the clock was set back, a later era may begin before an earlier one.
            if era.from < floor {
                lower.push((key.value(), era));
            }
        }
        for (key, mut era) in lower {
            // The last one tells where the task was paused.
            era.from = floor.min(era.until);
            if era.until <= floor && !self.is_last_era(key)? {
                self.tables.eras.remove(key)?;
            } else {
                self.tables.eras.put(key, encode(&era)?.as_slice())?;
            }
        }
        self.raise_open(task, floor)
    }

    fn is_last_era(&self, (task, number): (u64, u64)) -> Res<bool> {
        let mut newer = self
            .tables
            .eras
            .range((task, number + 1)..=(task, u64::MAX))?;
        Ok(newer.next().is_none())
    }

    fn raise_open(&mut self, task: TaskId, floor: i64) -> Res<()> {
        let Some(mut held) = self.take(task)? else {
            return Ok(());
        };
        if held.progress.since.is_some_and(|since| since < floor) {
            held.progress.since = Some(floor);
            self.put_examined(held)?;
        }
        Ok(())
    }
}
