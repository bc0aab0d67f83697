//! Tasks, their names, progress, places in the agenda, dependencies and state.

use mhost_model::task::Task;
use redb::{ReadOnlyTable, ReadableTable};

use super::super::agenda::{Place, place};
use super::super::dependents::{dependency, watches};
use super::super::read::Ledger;
use super::super::read::Snapshot;
use super::super::record::{
    ArrearsRec, EraRec, OpenState, ProgressRec, RunningRec, StateValue, decode, get,
};
use super::super::tables::{
    ARREARS, DEPENDENTS, DUE, ERAS, MARKS, NAMES, PROGRESS, RUNNING, STATE, TASKS, WAITING,
    WATCHERS,
};
use super::super::trouble::Res;
use super::super::verify::ledger::open_state;
use super::{Findings, counters};

type Table = ReadOnlyTable<u64, &'static [u8]>;

struct Tasks {
    tasks: Table,
    progress: Table,
    running: Table,
    names: ReadOnlyTable<&'static str, u64>,
    due: ReadOnlyTable<(i64, u64), ()>,
    waiting: ReadOnlyTable<(&'static str, i64, u64), ()>,
    dependents: ReadOnlyTable<(&'static str, u64), ()>,
    ledger: Ledger,
}

/// Every task against its indexes, then every index against its tasks.
pub fn check(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    let txn = snapshot.txn();
    let tasks = Tasks {
        tasks: txn.open_table(TASKS)?,
        progress: txn.open_table(PROGRESS)?,
        running: txn.open_table(RUNNING)?,
        names: txn.open_table(NAMES)?,
        due: txn.open_table(DUE)?,
        waiting: txn.open_table(WAITING)?,
        dependents: txn.open_table(DEPENDENTS)?,
        ledger: Ledger::of(snapshot)?,
    };
    let newest = counters(snapshot)?.task;
    for row in tasks.tasks.iter()? {
        let (id, bytes) = row?;
        let id = id.value();
        findings.unless(id <= newest, || {
            format!("task {id} has an id that was not given")
        });
        if let Some(task) = findings.readable(format!("task {id}"), decode(bytes.value())) {
            tasks.one(id, &task, findings)?;
        }
    }
    tasks.names(findings)?;
    tasks.agenda(findings)?;
    tasks.dependencies(findings)?;
    tasks.orphans(snapshot, findings)?;
    tasks.chain(snapshot, findings)
}

impl Tasks {
    fn one(&self, id: u64, task: &Task, findings: &mut Findings) -> Res<()> {
        findings.unless(task.id.0 == id, || {
            format!("task {id} says that it is {}", task.id)
        });
        let named = self
            .names
            .get(task.name.as_str())?
            .map(|named| named.value());
        findings.unless(named == Some(id), || {
            format!("task {id} is not found by its name")
        });
        if let Some(key) = dependency(task) {
            let there = self.dependents.get(key)?.is_some();
            findings.unless(there, || format!("task {id} would not be set off"));
        }
        match findings.readable(
            format!("the progress of task {id}"),
            get(&self.progress, id),
        ) {
            Some(Some(progress)) => self.progress(id, task, &progress, findings),
            Some(None) => {
                findings.add(format!("task {id} has no progress"));
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn progress(
        &self,
        id: u64,
        task: &Task,
        progress: &ProgressRec,
        findings: &mut Findings,
    ) -> Res<()> {
        let Place { due, waiting } = place(task, progress);
        let pool = task.spec.policy.pool.as_str();
        if let Some(at) = due {
            let there = self.due.get((at, id))?.is_some();
            findings.unless(there, || format!("task {id} would not be woken"));
        }
        if let Some(since) = waiting {
            let there = self.waiting.get((pool, since, id))?.is_some();
            findings.unless(there, || format!("task {id} would wait for ever"));
        }
        for open in &progress.open {
            let row = self.ledger.row(mhost_model::RunId(open.id))?;
            let same = row.is_some_and(|row| open_state(&row.run) == Some(open.state));
            findings.unless(same, || {
                format!("task {id} is wrong about its run {}", open.id)
            });
            if open.state == OpenState::Running {
                let claim: Option<RunningRec> = get(&self.running, open.id)?;
                let fence = claim.is_some_and(|claim| claim.fence == open.fence);
                findings.unless(fence, || format!("run {} has another fence", open.id));
            }
        }
        Ok(())
    }

    fn names(&self, findings: &mut Findings) -> Res<()> {
        for row in self.names.iter()? {
            let (name, id) = row?;
            let task = self.task(id.value());
            let same = task.is_some_and(|(task, _)| task.name.as_str() == name.value());
            findings.unless(same, || {
                format!("the name `{}` leads to no task", name.value())
            });
        }
        Ok(())
    }

    fn agenda(&self, findings: &mut Findings) -> Res<()> {
        for row in self.due.iter()? {
            let (at, id) = row?.0.value();
            let place = self
                .task(id)
                .map(|(task, progress)| place(&task, &progress));
            let same = place.is_some_and(|place| place.due == Some(at));
            findings.unless(same, || format!("task {id} would be woken for nothing"));
        }
        for row in self.waiting.iter()? {
            let (key, _) = row?;
            let (pool, since, id) = key.value();
            let same = self.task(id).is_some_and(|(task, progress)| {
                task.spec.policy.pool.as_str() == pool
                    && place(&task, &progress).waiting == Some(since)
            });
            findings.unless(same, || format!("task {id} does not wait in pool `{pool}`"));
        }
        Ok(())
    }

    fn dependencies(&self, findings: &mut Findings) -> Res<()> {
        for row in self.dependents.iter()? {
            let (key, _) = row?;
            let key = key.value();
            let same = self
                .task(key.1)
                .is_some_and(|(task, _)| dependency(&task) == Some(key));
            findings.unless(same, || {
                format!("task {} does not run after `{}`", key.1, key.0)
            });
        }
        Ok(())
    }

    /// Progress and state without a task.
    fn orphans(&self, snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
        for row in self.progress.iter()? {
            let id = row?.0.value();
            let there = self.tasks.get(id)?.is_some();
            findings.unless(there, || {
                format!("there is progress of task {id}, which is gone")
            });
        }
        for row in snapshot.txn().open_table(STATE)?.iter()? {
            let (key, value) = row?;
            let (id, name) = key.value();
            let there = self.tasks.get(id)?.is_some();
            findings.unless(there, || {
                format!("there is state of task {id}, which is gone")
            });
            let what = format!("the state `{name}` of task {id}");
            findings.readable(what, decode::<StateValue>(value.value()));
        }
        Ok(())
    }

    /// Closed eras and marks belong to tasks; arrears may outlive theirs.
    fn chain(&self, snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
        let gone = |what: &str, id: u64| format!("there is {what} of task {id}, which is gone");
        for row in snapshot.txn().open_table(ERAS)?.iter()? {
            let (key, era) = row?;
            let (id, number) = key.value();
            let there = self.tasks.get(id)?.is_some();
            findings.unless(there, || gone("an era", id));
            let what = format!("era {number} of task {id}");
            findings.readable(what, decode::<EraRec>(era.value()));
        }
        for row in snapshot.txn().open_table(ARREARS)?.iter()? {
            let (key, arrears) = row?;
            let what = format!("the arrears of task {}", key.value().0);
            findings.readable(what, decode::<ArrearsRec>(arrears.value()));
        }
        let watchers = snapshot.txn().open_table(WATCHERS)?;
        for row in self.tasks.iter()? {
            let id = row?.0.value();
            let task = self.task(id);
            let indexed = watchers.get(id)?.is_some();
            let same = task.is_none_or(|(task, _)| watches(&task) == indexed);
            findings.unless(same, || {
                format!("changes of files would not set task {id} off, or for nothing")
            });
        }
        for row in watchers.iter()? {
            let id = row?.0.value();
            let there = self.tasks.get(id)?.is_some();
            findings.unless(there, || gone("a watcher", id));
        }
        for row in snapshot.txn().open_table(MARKS)?.iter()? {
            let (id, mark) = row?;
            let there = self.tasks.get(id.value())?.is_some();
            findings.unless(there, || gone("a mark", id.value()));
            let what = format!("the mark of task {}", id.value());
            findings.readable(what, decode::<StateValue>(mark.value()));
        }
        Ok(())
    }

    /// What can be read of a task; what cannot was found before.
    fn task(&self, id: u64) -> Option<(Task, ProgressRec)> {
        let task = get(&self.tasks, id).ok()??;
        let progress = get(&self.progress, id).ok()??;
        Some((task, progress))
    }
}
