//! Drivers of managed databases: redb and SQLite behind the port
//! [`mhost_model::ports::database`].
//!
//! Rows, tables, consistent snapshots, packing, verifying, restoring and recovering; for each
//! verb that touches the whole file, the old or the new file stands there whole,
//! whatever crashes. Who may ask for what is the engine's to decide; no grant and no
//! SQL of a guest is seen here.
//!
//! A missing or damaged file can be opened, so that it can be restored: the verbs
//! that need its content answer with the reason. A path that is no regular file is
//! refused at once, and a database that is held elsewhere is busy at once.

mod file;
mod live;
mod page;
mod place;
mod redb;
mod space;
mod sqlite;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod traffic;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mhost_model::ports::database::{Around, Database, Databases, Verdict};
use mhost_model::resource::{DatabaseDef, Engine};
use mhost_model::{ByteSize, Fault, FaultResult, Instant, Name};

/// For work that nobody can end.
fn unattended() -> Around {
    Around {
        now: Instant::default(),
        cancelled: Arc::new(|| false),
        keep_free: ByteSize(0),
        progress: Arc::new(|_, _, _| {}),
    }
}

/// How long SQLite waits for another process's lock before it is busy.
const WAIT: Duration = Duration::from_secs(5);

/// The configured databases.
#[derive(Debug, Clone)]
pub struct ManagedDatabases {
    defs: BTreeMap<Name, DatabaseDef>,
    wait: Duration,
}

impl ManagedDatabases {
    /// The databases of the configuration, by name. Opens nothing.
    pub fn new(defs: BTreeMap<Name, DatabaseDef>) -> Self {
        Self { defs, wait: WAIT }
    }

    /// Waits so long for another process's lock instead of five seconds. redb's
    /// locks are never waited for: their holder keeps them for as long as it lives.
    #[must_use]
    pub fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }
}

impl ManagedDatabases {
    fn def(&self, name: &Name) -> FaultResult<&DatabaseDef> {
        self.defs.get(name).ok_or_else(|| {
            Fault::NotFound(format!(
                "no database `{name}` is configured: add `[databases.{name}]`"
            ))
        })
    }

    fn open_file(&self, engine: Engine, path: &Path) -> FaultResult<Box<dyn Database>> {
        Ok(match engine {
            Engine::Redb => Box::new(redb::RedbDatabase::open(path)?),
            Engine::Sqlite => Box::new(sqlite::SqliteDatabase::open(path, self.wait)?),
        })
    }
}

impl Databases for ManagedDatabases {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Database>> {
        let def = self.def(name)?;
        self.open_file(def.engine, &def.path)
    }

    fn path(&self, name: &Name) -> FaultResult<PathBuf> {
        Ok(self.def(name)?.path.clone())
    }

    fn verify_file(&self, engine: Engine, path: &Path) -> FaultResult<Verdict> {
        self.open_file(engine, path)?.verify()
    }
}
