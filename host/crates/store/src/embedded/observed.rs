//! What tasks observe, kept for an hour, a day and a month. Every run adds to the newest
//! stretch of each; older ones stay as they are until they are forgotten.
//!
//! A watcher is `#` and the task's id, or a plugin's name for its runs without a task.

use std::collections::{BTreeMap, BTreeSet};

use mhost_model::run::Run;
use mhost_model::watch::{Counts, Lookback, Observation, Summary};
use mhost_model::{Instant, TaskId};
use redb::{ReadableTable, TableError};

use super::read::Snapshot;
use super::record::{StateValue, Stretch, decode, encode, get, instant, millis};
use super::tables::{MEMORIES, OBSERVED};
use super::trouble::{Res, Trouble};
use super::tx::Tx;
use crate::Watcher;

/// So many subjects of a watcher are kept.
const SUBJECTS: usize = 20_000;

/// The watcher as it stands in keys.
fn key(watcher: &Watcher) -> String {
    match watcher {
        Watcher::Task(task) => of_task(*task),
        Watcher::Exec(plugin) => plugin.to_string(),
    }
}

fn of_task(task: TaskId) -> String {
    format!("#{}", task.0)
}

/// The task behind a watcher's key.
pub(super) fn task_of(watcher: &str) -> Option<u64> {
    watcher.strip_prefix('#')?.parse().ok()
}

/// As it stands in keys; the numbers are for ever.
pub(super) fn code(span: Lookback) -> u8 {
    match span {
        Lookback::Hour => 0,
        Lookback::Day => 1,
        Lookback::Month => 2,
    }
}

impl Tx<'_> {
    /// Takes in what a run observed.
    pub fn observe(&mut self, run: &Run, observed: &[Observation]) -> Res<()> {
        if run.dry_run || observed.is_empty() {
            return Ok(());
        }
        let watcher = match run.task {
            // What was removed meanwhile stays gone.
            Some(task) if self.tables.tasks.get(task.0)?.is_none() => return Ok(()),
            Some(task) => of_task(task),
            None => run.plugin.name.to_string(),
        };
        for span in Lookback::ALL {
            self.add_to(&watcher, span, observed)?;
        }
        for one in observed.iter().take(SUBJECTS) {
            self.remember(&watcher, one)?;
        }
        Ok(())
    }

    fn add_to(&mut self, watcher: &str, span: Lookback, observed: &[Observation]) -> Res<()> {
        let now = self.now_ms();
        let row = (watcher, code(span), span.begin(now));
        let old: Option<Stretch> = get(&*self.tables.observed, row)?;
        let begins = old.is_none();
        let Stretch(mut subjects) = old.unwrap_or_default();
        for one in observed {
            if subjects.len() >= SUBJECTS && !subjects.contains_key(&one.subject) {
                continue;
            }
            let (seen, counts) = subjects.entry(one.subject.clone()).or_default();
            *seen = now;
            counts.add(one.condition, one.latency_us);
        }
        let bytes = encode(&Stretch(subjects))?;
        self.tables.observed.put(row, bytes.as_slice())?;
        if begins {
            self.forget_old(watcher, span, now)?;
        }
        Ok(())
    }

    fn remember(&mut self, watcher: &str, one: &Observation) -> Res<()> {
        let row = (watcher, one.subject.as_str());
        let bytes = encode(&StateValue(one.memory.clone()))?;
        let same = self
            .tables
            .memories
            .get(row)?
            .is_some_and(|old| old.value() == bytes);
        if !same {
            self.tables.memories.put(row, bytes.as_slice())?;
        }
        Ok(())
    }

    /// Forgets stretches beyond the horizon, and with a month's also the memories of what
    /// was not observed in it.
    fn forget_old(&mut self, watcher: &str, span: Lookback, now: i64) -> Res<()> {
        let horizon = span.horizon(now);
        for begin in self.begins(watcher, span)? {
            if begin < horizon {
                self.tables.observed.remove((watcher, code(span), begin))?;
            }
        }
        if span == Lookback::Month {
            let mut known = BTreeSet::new();
            for begin in self.begins(watcher, span)? {
                let row = (watcher, code(span), begin);
                let stretch: Option<Stretch> = get(&*self.tables.observed, row)?;
                known.extend(stretch.unwrap_or_default().0.into_keys());
            }
            self.forget_memories(watcher, |subject| known.contains(subject))?;
        }
        Ok(())
    }

    fn begins(&self, watcher: &str, span: Lookback) -> Res<Vec<i64>> {
        let range = (watcher, code(span), i64::MIN)..=(watcher, code(span), i64::MAX);
        let rows = self.tables.observed.range::<(&str, u8, i64)>(range)?;
        rows.map(|row| Ok(row?.0.value().2)).collect()
    }

    fn forget_memories(&mut self, watcher: &str, keep: impl Fn(&str) -> bool) -> Res<()> {
        let mut gone = Vec::new();
        for row in self
            .tables
            .memories
            .range::<(&str, &str)>((watcher, "")..)?
        {
            let (key, _) = row?;
            let (of, subject) = key.value();
            if of != watcher {
                break;
            }
            if !keep(subject) {
                gone.push(subject.to_owned());
            }
        }
        for subject in gone {
            self.tables.memories.remove((watcher, subject.as_str()))?;
        }
        Ok(())
    }

    /// Everything of a task that is removed.
    pub fn forget_observed(&mut self, task: u64) -> Res<()> {
        let watcher = of_task(TaskId(task));
        for span in Lookback::ALL {
            for begin in self.begins(&watcher, span)? {
                self.tables
                    .observed
                    .remove((watcher.as_str(), code(span), begin))?;
            }
        }
        self.forget_memories(&watcher, |_| false)
    }
}

impl Snapshot {
    pub fn memories(&self, watcher: &Watcher, subjects: &[String]) -> Res<Vec<Option<Vec<u8>>>> {
        let table = match self.txn().open_table(MEMORIES) {
            Ok(table) => table,
            // The file is of a time before there were any.
            Err(TableError::TableDoesNotExist(_)) => return Ok(vec![None; subjects.len()]),
            Err(error) => return Err(error.into()),
        };
        let watcher = key(watcher);
        let memories = subjects.iter().map(|subject| {
            let value: Option<StateValue> = get(&table, (watcher.as_str(), subject.as_str()))?;
            Ok(value.map(|StateValue(value)| value))
        });
        memories.collect()
    }

    pub fn observed(&self, watcher: &Watcher, now: Instant) -> Res<Vec<Summary>> {
        let table = match self.txn().open_table(OBSERVED) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let watcher = key(watcher);
        let mut all: BTreeMap<(String, Lookback), (i64, Counts)> = BTreeMap::new();
        for span in Lookback::ALL {
            let horizon = span.horizon(millis(now));
            let range =
                (watcher.as_str(), code(span), horizon)..=(watcher.as_str(), code(span), i64::MAX);
            for row in table.range::<(&str, u8, i64)>(range)? {
                let Stretch(subjects) = decode(row?.1.value())?;
                for (subject, (seen, counts)) in subjects {
                    let sum = all.entry((subject, span)).or_default();
                    sum.0 = sum.0.max(seen);
                    sum.1.merge(&counts);
                }
            }
        }
        let summaries = all.into_iter().map(|((subject, span), (seen, counts))| {
            Ok(Summary {
                task: String::new(),
                subject,
                span,
                counts,
                seen: instant(seen).map_err(Trouble::Damaged)?,
            })
        });
        summaries.collect()
    }
}
