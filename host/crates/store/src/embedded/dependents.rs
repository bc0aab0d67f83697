//! Tasks that run after another one: when it settles, their runs are asked for in
//! the same transaction, so that no crash comes between.

use mhost_model::run::Trigger;
use mhost_model::schedule::Schedule;
use mhost_model::task::Task;
use redb::ReadableTable;

use super::ask::Wanted;
use super::end::End;
use super::trouble::Res;
use super::tx::Tx;
use crate::Answer;

impl Tx<'_> {
    /// Asks for the runs that wait for this end.
    pub fn set_off(&mut self, end: Option<End>) -> Res<()> {
        let Some(End {
            task: name,
            outcome,
        }) = end
        else {
            return Ok(());
        };
        for task in self.dependents(name.as_str())? {
            let held = self.take_indexed(mhost_model::TaskId(task))?;
            let Schedule::After { on, .. } = held.task.spec.schedule else {
                continue;
            };
            if !held.task.enabled || !on.is_set_off_by(outcome) {
                continue;
            }
            let answer = self.want(&Wanted {
                task: held.task.id,
                trigger: Trigger::Dependency,
                force: false,
                by: None,
            })?;
            if let Answer::CancelThen { cancel, .. } = answer {
                self.memory.cancel.extend(cancel);
            }
        }
        Ok(())
    }

    fn dependents(&self, name: &str) -> Res<Vec<u64>> {
        let range = (name, 0)..=(name, u64::MAX);
        let rows = self.tables.dependents.range::<(&str, u64)>(range)?;
        rows.map(|row| Ok(row?.0.value().1)).collect()
    }

    /// Keeps the index in step with a task that was created, changed or removed.
    pub fn index_dependency(&mut self, old: Option<&Task>, new: Option<&Task>) -> Res<()> {
        let (before, after) = (old.and_then(dependency), new.and_then(dependency));
        if before == after {
            return Ok(());
        }
        if let Some(key) = before {
            self.tables.dependents.remove(key)?;
        }
        if let Some(key) = after {
            self.tables.dependents.put(key, ())?;
        }
        Ok(())
    }

    /// As [`Self::index_dependency`], for tasks that run when files change.
    pub fn index_watcher(&mut self, old: Option<&Task>, new: Option<&Task>) -> Res<()> {
        let (before, after) = (
            old.filter(|old| watches(old)),
            new.filter(|new| watches(new)),
        );
        match (before, after) {
            (None, Some(new)) => self.tables.watchers.put(new.id.0, ()),
            (Some(old), None) => self.tables.watchers.remove(old.id.0).map(drop),
            _ => Ok(()),
        }
    }
}

/// Whether a change of files sets the task off.
pub fn watches(task: &Task) -> bool {
    matches!(task.spec.schedule, Schedule::OnChange { .. })
}

/// The key of the index, for a task that runs after another one.
pub fn dependency(task: &Task) -> Option<(&str, u64)> {
    match &task.spec.schedule {
        Schedule::After { after, .. } => Some((after.as_str(), task.id.0)),
        _ => None,
    }
}
