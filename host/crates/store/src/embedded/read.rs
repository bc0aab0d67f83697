//! Reading, from a snapshot of what is committed.

mod history;
mod runs;

use std::collections::BTreeMap;

use mhost_model::run::LogLine;
use mhost_model::task::Task;
use mhost_model::{Name, RunId, TaskId};
use redb::{Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable};

use super::edit::{CHANNEL, DATABASE, NOTIFY, POOL, REMOTE, REPOSITORY, SOURCE};
use super::held::view;
use super::record::{LogChunk, ProgressRec, Record, StateValue, decode, get};
use super::tables::{DEFINITIONS, LOGS, NAMES, PLUGINS, PROGRESS, RUNNING, STATE, TASKS};
use super::trouble::{Res, Trouble};
use crate::{Definitions, TaskStatus};
pub use runs::Ledger;

pub struct Snapshot {
    txn: ReadTransaction,
}

impl Snapshot {
    pub fn of(database: &Database) -> Res<Self> {
        let txn = database.begin_read()?;
        Ok(Self { txn })
    }

    pub fn definitions(&self) -> Res<Definitions> {
        let plugins = self.txn.open_table(PLUGINS)?;
        let plugins = plugins.iter()?.map(|row| decode(row?.1.value()));
        Ok(Definitions {
            databases: self.defined(DATABASE)?,
            repositories: self.defined(REPOSITORY)?,
            remotes: self.defined(REMOTE)?,
            pools: self.defined(POOL)?,
            channels: self.defined(CHANNEL)?,
            notify: self.defined(NOTIFY)?.into_values().next(),
            source: self.defined(SOURCE)?.into_values().next(),
            plugins: plugins.collect::<Res<_>>()?,
        })
    }

    fn defined<R: Record>(&self, kind: &str) -> Res<BTreeMap<Name, R>> {
        let table = self.txn.open_table(DEFINITIONS)?;
        let mut found = BTreeMap::new();
        for row in table.range::<(&str, &str)>((kind, "")..)? {
            let (key, value) = row?;
            let (of, name) = key.value();
            if of != kind {
                break;
            }
            found.insert(parse_name(name)?, decode(value.value())?);
        }
        Ok(found)
    }

    pub fn task(&self, name: &Name) -> Res<Option<TaskStatus>> {
        let names = self.txn.open_table(NAMES)?;
        match names.get(name.as_str())? {
            Some(id) => self.task_by_id(TaskId(id.value())),
            None => Ok(None),
        }
    }

    pub fn task_by_id(&self, id: TaskId) -> Res<Option<TaskStatus>> {
        Tasks::of(self)?.status(id)
    }

    pub fn tasks(&self, after: Option<&Name>, limit: usize) -> Res<Vec<TaskStatus>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let tasks = Tasks::of(self)?;
        let names = self.txn.open_table(NAMES)?;
        let from = after.map_or(Unbounded, |after| Excluded(after.as_str()));
        let rows = names.range::<&str>((from, Unbounded))?;
        let statuses = rows.take(limit).map(|row| {
            let id = TaskId(row?.1.value());
            let status = tasks.status(id)?;
            status.ok_or_else(|| Trouble::dangling("task", id))
        });
        statuses.collect()
    }

    pub fn log(&self, run: RunId, from: u64, limit: usize) -> Res<Vec<LogLine>> {
        let table = self.txn.open_table(LOGS)?;
        let mut before = table.range((run.0, 0)..=(run.0, from))?;
        let Some((key, _)) = before.next_back().transpose()? else {
            return Ok(Vec::new());
        };
        let first = key.value().1;
        let mut lines = Vec::new();
        let mut skip = usize::try_from(from - first).unwrap_or(usize::MAX);
        for row in table.range((run.0, first)..=(run.0, u64::MAX))? {
            let LogChunk(chunk) = decode(row?.1.value())?;
            let room = limit - lines.len();
            lines.extend(chunk.into_iter().skip(skip).take(room));
            skip = 0;
            if lines.len() == limit {
                break;
            }
        }
        Ok(lines)
    }

    pub fn state(&self, task: TaskId, key: &str) -> Res<Option<Vec<u8>>> {
        let table = self.txn.open_table(STATE)?;
        let value: Option<StateValue> = get(&table, (task.0, key))?;
        Ok(value.map(|StateValue(value)| value))
    }

    pub fn state_keys(&self, task: TaskId, after: Option<&str>, limit: usize) -> Res<Vec<String>> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let table = self.txn.open_table(STATE)?;
        let from = match after {
            Some(after) => Excluded((task.0, after)),
            None => Included((task.0, "")),
        };
        let mut keys = Vec::new();
        for row in table.range::<(u64, &str)>((from, Unbounded))? {
            let (key, _) = row?;
            let (of, key) = key.value();
            if of != task.0 || keys.len() >= limit {
                break;
            }
            keys.push(key.to_owned());
        }
        Ok(keys)
    }

    pub(super) fn txn(&self) -> &ReadTransaction {
        &self.txn
    }
}

/// The tasks within a snapshot.
struct Tasks {
    tasks: ReadOnlyTable<u64, &'static [u8]>,
    progress: ReadOnlyTable<u64, &'static [u8]>,
    running: ReadOnlyTable<u64, &'static [u8]>,
}

impl Tasks {
    fn of(snapshot: &Snapshot) -> Res<Self> {
        Ok(Self {
            tasks: snapshot.txn.open_table(TASKS)?,
            progress: snapshot.txn.open_table(PROGRESS)?,
            running: snapshot.txn.open_table(RUNNING)?,
        })
    }

    fn status(&self, id: TaskId) -> Res<Option<TaskStatus>> {
        let Some(task) = get::<Task, _>(&self.tasks, id.0)? else {
            return Ok(None);
        };
        let progress: Option<ProgressRec> = get(&self.progress, id.0)?;
        let progress = progress.ok_or_else(|| Trouble::dangling("the progress of task", id))?;
        let progress = view(&progress, &self.running)?;
        Ok(Some(TaskStatus { task, progress }))
    }
}

/// A name as it stands in a key.
pub fn parse_name(text: &str) -> Res<Name> {
    text.parse()
        .map_err(|error: mhost_model::NameError| Trouble::Damaged(error.to_string()))
}
