//! The tables of the file, and how a transaction holds them.
//!
//! Keys are redb's own types, so that their order is the database's; values are
//! records (see [`super::record`]) or nothing. Instants in keys are milliseconds
//! since 1970, UTC.

use std::borrow::Borrow;
use std::cell::Cell;
use std::ops::Deref;

use redb::{Key, Table, TableDefinition, Value, WriteTransaction};

use super::trouble::Res;

type Bytes = &'static [u8];

/// `format` (4 bytes, little-endian, for ever), `node`, `counters`, `zone_data`.
pub const META: TableDefinition<&str, Bytes> = TableDefinition::new("meta");
/// Task id → task.
pub const TASKS: TableDefinition<u64, Bytes> = TableDefinition::new("tasks");
/// Task name → task id.
pub const NAMES: TableDefinition<&str, u64> = TableDefinition::new("names");
/// Task id → progress.
pub const PROGRESS: TableDefinition<u64, Bytes> = TableDefinition::new("progress");
/// (when, task): what the clock will have to do with the task.
pub const DUE: TableDefinition<(i64, u64), ()> = TableDefinition::new("due");
/// (pool, since, task): what a completion will have to do with the task.
pub const WAITING: TableDefinition<(&str, i64, u64), ()> = TableDefinition::new("waiting");
/// (name of the task that is waited for, task).
pub const DEPENDENTS: TableDefinition<(&str, u64), ()> = TableDefinition::new("dependents");
/// Run id → run.
pub const RUNS: TableDefinition<u64, Bytes> = TableDefinition::new("runs");
/// (task, run).
pub const RUNS_BY_TASK: TableDefinition<(u64, u64), ()> = TableDefinition::new("runs_by_task");
/// (name when it ran, run).
pub const RUNS_BY_NAME: TableDefinition<(&str, u64), ()> = TableDefinition::new("runs_by_name");
/// (task, fire time, 0 timer | 1 asked for) → run: no fire has two rows.
pub const FIRES: TableDefinition<(u64, i64, u8), u64> = TableDefinition::new("fires");
/// Run id → node, fence, lease and pool of a run that is on.
pub const RUNNING: TableDefinition<u64, Bytes> = TableDefinition::new("running");
/// (run, number of the first line) → lines.
pub const LOGS: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("logs");
/// (task, key) → value.
pub const STATE: TableDefinition<(u64, &str), Bytes> = TableDefinition::new("state");
/// (task, number) → closed era; see [`super::era`].
pub const ERAS: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("eras");
/// (task, number) → due times of a closed era that are still to be settled.
pub const ARREARS: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("arrears");
/// (zone, release of the data) → its changes, as that release has them.
pub const ZONES: TableDefinition<(&str, &str), Bytes> = TableDefinition::new("zones");
/// Tasks that run when files change.
pub const WATCHERS: TableDefinition<u64, ()> = TableDefinition::new("watchers");
/// Task → what the watched directory looked like when its change was last obeyed.
pub const MARKS: TableDefinition<u64, Bytes> = TableDefinition::new("marks");
/// (watcher, subject) → what it remembers of it. Watchers: see [`super::observed`].
pub const MEMORIES: TableDefinition<(&str, &str), Bytes> = TableDefinition::new("memories");
/// (watcher, length of time, begin of a stretch of it) → what was observed in it.
pub const OBSERVED: TableDefinition<(&str, u8, i64), Bytes> = TableDefinition::new("observed");
/// (kind, name) → definition.
pub const DEFINITIONS: TableDefinition<(&str, &str), Bytes> = TableDefinition::new("definitions");
/// (name, version) → plugin.
pub const PLUGINS: TableDefinition<(&str, &str), Bytes> = TableDefinition::new("plugins");

/// (task, alert) → what stands. The alert's name begins with whose it is: `host:` or
/// `plugin:`.
pub const ALERTS: TableDefinition<(u64, &str), Bytes> = TableDefinition::new("alerts");
/// Letter id → letter: what people are told, before and after it was delivered.
pub const LETTERS: TableDefinition<u64, Bytes> = TableDefinition::new("letters");
/// Letters that wait to be delivered.
pub const OUTBOX: TableDefinition<u64, ()> = TableDefinition::new("outbox");
/// (letter, number) → a file that goes with it; gone once it was delivered.
pub const ENCLOSURES: TableDefinition<(u64, u64), Bytes> = TableDefinition::new("enclosures");
/// (task, channel, the message's own id) → when it was posted: it is not posted twice.
pub const POSTED: TableDefinition<(u64, &str, &str), i64> = TableDefinition::new("posted");
/// (when, task): the time to look whether the task does as is expected of it. An entry may
/// be too early, never too late.
pub const LOOKS: TableDefinition<(i64, u64), ()> = TableDefinition::new("looks");
/// Task id → its place in the table above.
pub const WATCHED: TableDefinition<u64, Bytes> = TableDefinition::new("watched");

/// A table that remembers whether the present message wrote anything, so that a
/// message that fails before its first write costs the others of its group nothing.
pub struct Sheet<'t, K: Key + 'static, V: Value + 'static> {
    table: Table<'t, K, V>,
    wrote: &'t Cell<bool>,
}

impl<'t, K: Key + 'static, V: Value + 'static> Sheet<'t, K, V> {
    fn open(
        txn: &'t WriteTransaction,
        wrote: &'t Cell<bool>,
        definition: TableDefinition<'static, K, V>,
    ) -> Res<Self> {
        let table = txn.open_table(definition)?;
        Ok(Self { table, wrote })
    }

    pub fn put<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Res<()> {
        self.wrote.set(true);
        self.table.insert(key, value)?;
        Ok(())
    }

    /// Whether it was there.
    pub fn remove<'k>(&mut self, key: impl Borrow<K::SelfType<'k>>) -> Res<bool> {
        self.wrote.set(true);
        Ok(self.table.remove(key)?.is_some())
    }
}

impl<'t, K: Key + 'static, V: Value + 'static> Deref for Sheet<'t, K, V> {
    type Target = Table<'t, K, V>;
    fn deref(&self) -> &Self::Target {
        &self.table
    }
}

/// Every table, open for writing.
pub struct Tables<'t> {
    pub meta: Sheet<'t, &'static str, Bytes>,
    pub tasks: Sheet<'t, u64, Bytes>,
    pub names: Sheet<'t, &'static str, u64>,
    pub progress: Sheet<'t, u64, Bytes>,
    pub due: Sheet<'t, (i64, u64), ()>,
    pub waiting: Sheet<'t, (&'static str, i64, u64), ()>,
    pub dependents: Sheet<'t, (&'static str, u64), ()>,
    pub runs: Sheet<'t, u64, Bytes>,
    pub runs_by_task: Sheet<'t, (u64, u64), ()>,
    pub runs_by_name: Sheet<'t, (&'static str, u64), ()>,
    pub fires: Sheet<'t, (u64, i64, u8), u64>,
    pub running: Sheet<'t, u64, Bytes>,
    pub logs: Sheet<'t, (u64, u64), Bytes>,
    pub state: Sheet<'t, (u64, &'static str), Bytes>,
    pub eras: Sheet<'t, (u64, u64), Bytes>,
    pub arrears: Sheet<'t, (u64, u64), Bytes>,
    pub zones: Sheet<'t, (&'static str, &'static str), Bytes>,
    pub watchers: Sheet<'t, u64, ()>,
    pub marks: Sheet<'t, u64, Bytes>,
    pub memories: Sheet<'t, (&'static str, &'static str), Bytes>,
    pub observed: Sheet<'t, (&'static str, u8, i64), Bytes>,
    pub definitions: Sheet<'t, (&'static str, &'static str), Bytes>,
    pub plugins: Sheet<'t, (&'static str, &'static str), Bytes>,
    pub alerts: Sheet<'t, (u64, &'static str), Bytes>,
    pub letters: Sheet<'t, u64, Bytes>,
    pub outbox: Sheet<'t, u64, ()>,
    pub enclosures: Sheet<'t, (u64, u64), Bytes>,
    pub posted: Sheet<'t, (u64, &'static str, &'static str), i64>,
    pub looks: Sheet<'t, (i64, u64), ()>,
    pub watched: Sheet<'t, u64, Bytes>,
}

impl<'t> Tables<'t> {
    /// Opens all, making those that are missing.
    pub fn open(txn: &'t WriteTransaction, wrote: &'t Cell<bool>) -> Res<Self> {
        Ok(Self {
            meta: Sheet::open(txn, wrote, META)?,
            tasks: Sheet::open(txn, wrote, TASKS)?,
            names: Sheet::open(txn, wrote, NAMES)?,
            progress: Sheet::open(txn, wrote, PROGRESS)?,
            due: Sheet::open(txn, wrote, DUE)?,
            waiting: Sheet::open(txn, wrote, WAITING)?,
            dependents: Sheet::open(txn, wrote, DEPENDENTS)?,
            runs: Sheet::open(txn, wrote, RUNS)?,
            runs_by_task: Sheet::open(txn, wrote, RUNS_BY_TASK)?,
            runs_by_name: Sheet::open(txn, wrote, RUNS_BY_NAME)?,
            fires: Sheet::open(txn, wrote, FIRES)?,
            running: Sheet::open(txn, wrote, RUNNING)?,
            logs: Sheet::open(txn, wrote, LOGS)?,
            state: Sheet::open(txn, wrote, STATE)?,
            eras: Sheet::open(txn, wrote, ERAS)?,
            arrears: Sheet::open(txn, wrote, ARREARS)?,
            zones: Sheet::open(txn, wrote, ZONES)?,
            watchers: Sheet::open(txn, wrote, WATCHERS)?,
            marks: Sheet::open(txn, wrote, MARKS)?,
            memories: Sheet::open(txn, wrote, MEMORIES)?,
            observed: Sheet::open(txn, wrote, OBSERVED)?,
            definitions: Sheet::open(txn, wrote, DEFINITIONS)?,
            plugins: Sheet::open(txn, wrote, PLUGINS)?,
            alerts: Sheet::open(txn, wrote, ALERTS)?,
            letters: Sheet::open(txn, wrote, LETTERS)?,
            outbox: Sheet::open(txn, wrote, OUTBOX)?,
            enclosures: Sheet::open(txn, wrote, ENCLOSURES)?,
            posted: Sheet::open(txn, wrote, POSTED)?,
            looks: Sheet::open(txn, wrote, LOOKS)?,
            watched: Sheet::open(txn, wrote, WATCHED)?,
        })
    }
}
