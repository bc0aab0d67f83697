//! Stores for tests.

use std::path::Path;
use std::sync::Arc;

use mhost_conformance::{IntervalPlanner, Subject, at};
use mhost_model::FixedClock;
use mhost_store::{OpenOptions, RedbStore};

pub fn options(path: &Path, clock: &FixedClock, create: bool) -> OpenOptions {
    OpenOptions {
        path: path.to_owned(),
        clock: Arc::new(clock.clone()),
        planner: Arc::new(IntervalPlanner),
        create,
    }
}

/// An empty store in memory.
pub fn in_memory() -> Subject {
    let clock = FixedClock::new(at(0));
    let options = options(Path::new("memory"), &clock, true);
    let backend = redb::backends::InMemoryBackend::new();
    let store = RedbStore::open_with_backend(options, backend).unwrap();
    Subject {
        store: Arc::new(store),
        clock,
    }
}
