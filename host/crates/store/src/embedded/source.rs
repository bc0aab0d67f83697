//! Where the database comes from, and where it is while the store is open.
//!
//! After a failed write (a full disk) the database refuses everything until it is
//! opened anew; a service should not have to be restarted for that. The writing thread
//! opens it again with the next change, and goes on if nobody came between; a read that comes
//! first asks for that by a change that changes nothing.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};

use redb::{Database, StorageBackend};

use super::open;
use super::trouble::{Res, Trouble};
use crate::{StoreError, StoreResult};

/// Opens the database, once or again.
pub struct Source(Box<dyn FnMut() -> StoreResult<Database> + Send>);

impl Source {
    /// A file, which is made the first time only.
    pub fn file(path: &Path, create: bool) -> Self {
        let path = path.to_owned();
        let mut create = create;
        Self(Box::new(move || {
            open::file(&path, std::mem::replace(&mut create, false))
        }))
    }

    /// Backends, for as long as there are any.
    pub fn backends<B: StorageBackend>(
        path: &Path,
        mut next: impl FnMut() -> Option<B> + Send + 'static,
    ) -> Self {
        let path = path.to_owned();
        Self(Box::new(move || match next() {
            Some(backend) => open::backend(&path, backend),
            None => Err(StoreError::Failed {
                operation: "open the store again",
                why: "it was opened over one backend only".into(),
            }),
        }))
    }

    pub fn open(&mut self) -> StoreResult<Database> {
        (self.0)()
    }
}

/// The open database, shared by all threads. Only a check of the whole file and an
/// opening take it alone; there is none between a failure and the next opening.
pub struct Shared {
    database: RwLock<Option<Database>>,
    /// It refuses everything until it is opened again.
    failed: AtomicBool,
}

impl Shared {
    pub fn new(database: Database) -> Self {
        Self {
            database: RwLock::new(Some(database)),
            failed: AtomicBool::new(false),
        }
    }

    /// To be called when a commit has failed.
    pub fn fail(&self) {
        self.failed.store(true, Relaxed);
    }

    /// Whether it must be opened again.
    pub fn failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// Uses it beside others.
    pub fn with<T>(&self, using: impl FnOnce(&Database) -> Res<T>) -> Res<T> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        using(database.as_ref().ok_or_else(closed)?)
    }

    /// Uses it alone.
    pub fn alone<T>(&self, using: impl FnOnce(&mut Database) -> Res<T>) -> Res<T> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        using(database.as_mut().ok_or_else(closed)?)
    }

    /// Closes it, so that its lock is free, and keeps what `open` gives instead.
    pub fn replace<T>(&self, open: impl FnOnce() -> StoreResult<(Database, T)>) -> StoreResult<T> {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *database = None;
        let (opened, rest) = open()?;
        *database = Some(opened);
        self.failed.store(false, Relaxed);
        Ok(rest)
    }
}

fn closed() -> Trouble {
    Trouble::Database("the file was closed after a failure, and could not be opened again".into())
}
