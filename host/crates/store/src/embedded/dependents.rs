//! Tasks that run after another one: when it settles, their runs are asked for in
//! the same transaction, so that no crash comes between.

use mhost_model::run::{Outcome, Trigger};
use mhost_model::schedule::{AfterOn, Schedule};
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
            if !held.task.enabled || !waits_for(&held.task.spec.schedule, outcome) {
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
}

/// The key of the index, for a task that runs after another one.
pub fn dependency(task: &Task) -> Option<(&str, u64)> {
    match &task.spec.schedule {
        Schedule::After { after, .. } => Some((after.as_str(), task.id.0)),
        _ => None,
    }
}

/// A fire that did not run sets nothing off.
fn waits_for(schedule: &Schedule, outcome: Outcome) -> bool {
    let Schedule::After { on, .. } = schedule else {
        return false;
    };
    match outcome {
        Outcome::Succeeded => *on != AfterOn::Failed,
        Outcome::Failed | Outcome::TimedOut | Outcome::Lost => *on != AfterOn::Succeeded,
        Outcome::Cancelled => *on == AfterOn::Any,
        Outcome::Skipped | Outcome::Coalesced => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sets_a_dependent_off() {
        use AfterOn::{Any, Failed, Succeeded};
        let cases: [(Outcome, &[AfterOn]); 7] = [
            (Outcome::Succeeded, &[Succeeded, Any]),
            (Outcome::Failed, &[Failed, Any]),
            (Outcome::TimedOut, &[Failed, Any]),
            (Outcome::Lost, &[Failed, Any]),
            (Outcome::Cancelled, &[Any]),
            (Outcome::Skipped, &[]),
            (Outcome::Coalesced, &[]),
        ];
        for (outcome, expected) in cases {
            for on in [Succeeded, Failed, Any] {
                let after = "a".parse().unwrap();
                let schedule = Schedule::After { after, on };
                assert_eq!(
                    waits_for(&schedule, outcome),
                    expected.contains(&on),
                    "{outcome} {on:?}"
                );
            }
        }
    }
}
