//! What tasks observed, and what they remember of it.

use mhost_model::watch::Lookback;
use redb::{ReadableTable, TableError};

use super::super::observed::{code, task_of};
use super::super::read::Snapshot;
use super::super::record::{StateValue, Stretch, decode};
use super::super::tables::{MEMORIES, OBSERVED, TASKS};
use super::super::trouble::Res;
use super::Findings;

/// A file of a time before there were observations has neither table.
pub fn check(snapshot: &Snapshot, findings: &mut Findings) -> Res<()> {
    match snapshot.txn().open_table(MEMORIES) {
        Ok(memories) => {
            for row in memories.iter()? {
                let (key, value) = row?;
                let (watcher, subject) = key.value();
                let what = format!("what is remembered of `{subject}` for {}", whose(watcher));
                watched(snapshot, findings, &what, watcher)?;
                findings.readable(what, decode::<StateValue>(value.value()));
            }
        }
        Err(TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    match snapshot.txn().open_table(OBSERVED) {
        Ok(observed) => {
            for row in observed.iter()? {
                let (key, value) = row?;
                let (watcher, span, begin) = key.value();
                let what = format!("what was observed from {begin} on for {}", whose(watcher));
                watched(snapshot, findings, &what, watcher)?;
                let known = Lookback::ALL.into_iter().find(|one| code(*one) == span);
                let begins = known.is_some_and(|span| span.begin(begin) == begin);
                findings.unless(begins, || format!("{what} is of no stretch of time"));
                findings.readable(what, decode::<Stretch>(value.value()));
            }
        }
        Err(TableError::TableDoesNotExist(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// A watcher in words.
fn whose(watcher: &str) -> String {
    match task_of(watcher) {
        Some(task) => format!("task {task}"),
        None => format!("runs of `{watcher}`"),
    }
}

fn watched(snapshot: &Snapshot, findings: &mut Findings, what: &str, watcher: &str) -> Res<()> {
    if let Some(task) = task_of(watcher) {
        let there = snapshot.txn().open_table(TASKS)?.get(task)?.is_some();
        findings.unless(there, || format!("{what}, which is gone"));
    }
    Ok(())
}
