//! `wasi:keyvalue`: the plugin's own state, as one bucket (`""` or `"default"`) of
//! its task. What was committed is read through the host; changes stay in memory
//! and are handed back with the run's end, so that they commit with its outcome: all of
//! them with its success, else those that `keeping` marked. In a dry run they are
//! dropped with the run.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mhost_model::ports::run::{StateChanges, StateReader};
use mhost_model::{Fault, FaultResult};
use wasmtime::component::{Linker, Resource};

use crate::bindings::wasi::keyvalue::store::{self, Error, Host, HostBucket, KeyResponse};
use crate::state::{Call, Calls, RunState, enter};

/// The largest value, bytes.
const LARGEST_VALUE: usize = 1 << 20;
/// The longest key, bytes.
const LONGEST_KEY: usize = 1024;
/// What the changes of one run may add up to, keys and values, bytes.
const LARGEST_CHANGES: usize = 16 << 20;
/// Keys in one answer.
const PAGE: usize = 1000;

/// A handle of the one bucket.
pub struct Bucket;

/// The committed state and this run's changes over it.
pub(crate) struct Overlay {
    committed: Arc<dyn StateReader>,
    changes: Mutex<Changes>,
}

#[derive(Default)]
struct Changes {
    map: StateChanges,
    size: usize,
    /// As they were when they were last marked to be kept.
    kept: StateChanges,
}

impl Overlay {
    pub(crate) fn new(committed: Arc<dyn StateReader>) -> Self {
        Self {
            committed,
            changes: Mutex::default(),
        }
    }

    /// Takes the changes out.
    pub(crate) fn take(&self) -> StateChanges {
        std::mem::take(&mut *self.changes()).map
    }

    /// Takes out what was marked to be kept.
    pub(crate) fn take_kept(&self) -> StateChanges {
        std::mem::take(&mut *self.changes()).kept
    }

    /// Marks the changes made so far.
    pub(crate) fn keep(&self) {
        let mut changes = self.changes();
        changes.kept = changes.map.clone();
    }

    fn get(&self, key: &str) -> FaultResult<Option<Vec<u8>>> {
        if let Some(change) = self.changes().map.get(key) {
            return Ok(change.clone());
        }
        self.committed.get(key)
    }

    fn put(&self, key: String, value: Option<Vec<u8>>) -> FaultResult<()> {
        let size = value.as_ref().map_or(0, Vec::len);
        if key.len() > LONGEST_KEY || size > LARGEST_VALUE {
            return Err(Fault::Limit(format!(
                "a state's key may have {LONGEST_KEY} bytes and its value {LARGEST_VALUE}; these have {} and {size}",
                key.len()
            )));
        }
        let mut changes = self.changes();
        let weigh =
            |key: &str, value: &Option<Vec<u8>>| key.len() + value.as_ref().map_or(0, Vec::len);
        let before = changes.map.get(&key).map_or(0, |old| weigh(&key, old));
        let after = changes.size - before + weigh(&key, &value);
        if after > LARGEST_CHANGES {
            return Err(Fault::Limit(format!(
                "the changes of the state in one run may add up to {LARGEST_CHANGES} bytes; with `{key}` they would be {after}"
            )));
        }
        changes.size = after;
        changes.map.insert(key, value);
        Ok(())
    }

    /// Up to [`PAGE`] keys after `after`, and whether there may be more.
    fn keys(&self, after: Option<&str>) -> FaultResult<(Vec<String>, bool)> {
        // Deleted keys fall out of a page, so pages are read until one has something.
        let mut after = after.map(str::to_owned);
        loop {
            let committed = self.committed.keys(after.as_deref(), PAGE)?;
            let more = committed.len() >= PAGE;
            let last = committed.last().filter(|_| more).cloned();
            let merged = self.merge(committed, after.as_deref(), last.as_deref());
            if !merged.is_empty() || !more {
                return Ok((merged, more));
            }
            after = last;
        }
    }

    /// Committed keys of the range `(after, last]` with the changes in it.
    fn merge(
        &self,
        committed: Vec<String>,
        after: Option<&str>,
        last: Option<&str>,
    ) -> Vec<String> {
        let mut keys: BTreeMap<String, bool> =
            committed.into_iter().map(|key| (key, true)).collect();
        let lower = after.map_or(Bound::Unbounded, Bound::Excluded);
        let upper = last.map_or(Bound::Unbounded, Bound::Included);
        for (key, value) in self.changes().map.range::<str, _>((lower, upper)) {
            keys.insert(key.clone(), value.is_some());
        }
        let there = |(key, there): (String, bool)| there.then_some(key);
        keys.into_iter().filter_map(there).collect()
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, Calls>(linker, enter)
}

fn other(fault: Fault) -> Error {
    Error::Other(fault.to_string())
}

impl Host for Call<'_> {
    async fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Bucket>, Error>> {
        if !matches!(name.as_str(), "" | "default") {
            return Ok(Err(Error::NoSuchStore));
        }
        match self.table.push(Bucket) {
            Ok(bucket) => Ok(Ok(bucket)),
            Err(error) => Ok(Err(Error::Other(format!("limits.handles: {error}")))),
        }
    }
}

impl HostBucket for Call<'_> {
    async fn get(
        &mut self,
        _bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, Error>> {
        Ok(self.shared.overlay.get(&key).map_err(other))
    }

    async fn set(
        &mut self,
        _bucket: Resource<Bucket>,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.shared.overlay.put(key, Some(value)).map_err(other))
    }

    async fn delete(
        &mut self,
        _bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.shared.overlay.put(key, None).map_err(other))
    }

    async fn exists(
        &mut self,
        _bucket: Resource<Bucket>,
        key: String,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let found = self.shared.overlay.get(&key);
        Ok(found.map(|value| value.is_some()).map_err(other))
    }

    async fn list_keys(
        &mut self,
        _bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<KeyResponse, Error>> {
        let found = self.shared.overlay.keys(cursor.as_deref());
        let answer = found.map(|(keys, more)| KeyResponse {
            cursor: keys.last().filter(|_| more).cloned(),
            keys,
        });
        Ok(answer.map_err(other))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}
