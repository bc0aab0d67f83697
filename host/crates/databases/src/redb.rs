//! The redb driver: one connection to one file.
//!
//! Reading shares the file with other readers and never changes it, not even to
//! repair it after a crash: see [`backend::Overlay`]. The first write transaction
//! closes that and opens the file for writing, which redb allows to one handle at a time, within
//! this process too; so it is busy while a read transaction from before is open.
//! From then on reads and writes go side by side.

mod backend;
mod fault;
mod kind;
mod open;
mod recover;
mod rows;
mod salvage;
#[cfg(test)]
mod tests;
mod whole;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::database::{
    Around, Database, DatabaseInfo, KeepOld, PackResult, Packed, RecoverOptions, Recovered,
    TableInfo, Transaction, Verdict,
};
use mhost_model::{Fault, FaultResult};
use redb::ReadableDatabase;

use self::fault::{fault, guarded};
use self::open::{Open, open_shared, open_writable};
use crate::file::{self, open_regular};
use crate::live::Live;
use crate::place::Step;
use crate::{space, unattended};

/// Where the first commit slot says its format.
const FORMAT_AT: u64 = 64;

/// A connection to a redb file.
pub(crate) struct RedbDatabase {
    path: PathBuf,
    state: State,
    live: Live,
}

enum State {
    Closed,
    /// Below an overlay; other readers are welcome.
    Reading(Arc<Open>),
    /// Alone.
    Writing(Arc<Open>),
}

impl RedbDatabase {
    /// Opens the file for reading. One that is missing or damaged is an error of
    /// the verbs that need it, so that it can be restored.
    pub fn open(path: &Path) -> FaultResult<Self> {
        file::check_regular(path)?;
        let mut this = Self {
            path: path.to_path_buf(),
            state: State::Closed,
            live: Live::default(),
        };
        match this.reader("open") {
            Err(busy @ Fault::Busy(_)) => Err(busy),
            _ => Ok(this),
        }
    }

    /// The open database, opened for reading if it is closed.
    fn reader(&mut self, operation: &str) -> FaultResult<Arc<Open>> {
        match &self.state {
            State::Reading(db) | State::Writing(db) => Ok(db.clone()),
            State::Closed => {
                let db = Arc::new(open_shared(&self.path, operation)?);
                self.state = State::Reading(db.clone());
                Ok(db)
            }
        }
    }

    /// The database, opened for writing.
    fn writer(&mut self) -> FaultResult<Arc<Open>> {
        if let State::Writing(db) = &self.state {
            return Ok(db.clone());
        }
        if self.live.reading() {
            return Err(Fault::Busy(format!(
                "cannot write to {} while a read transaction from before the first write is open: end it first",
                self.path.display()
            )));
        }
        self.state = State::Closed;
        let db = Arc::new(open_writable(&self.path)?);
        self.state = State::Writing(db.clone());
        Ok(db)
    }

    /// Lets go of the file for work on the whole of it.
    fn close(&mut self, verb: &str) -> FaultResult<()> {
        self.live.none(verb)?;
        self.state = State::Closed;
        Ok(())
    }

    fn size(&self) -> FaultResult<u64> {
        let metadata = file::check_regular(&self.path)?;
        metadata
            .map(|m| m.len())
            .ok_or_else(|| file::missing(&self.path))
    }

    /// Bytes that no table and no structure of redb uses; unknown while a write
    /// transaction is open.
    fn reclaimable(&self, db: &redb::Database, size: u64) -> FaultResult<Option<u64>> {
        if self.live.writing() {
            return Ok(None);
        }
        let failed = |error: redb::Error| fault("inspect", &self.path, error);
        let transaction = db.begin_write().map_err(|error| failed(error.into()))?;
        let stats = transaction.stats().map_err(|error| failed(error.into()))?;
        transaction.abort().map_err(|error| failed(error.into()))?;
        let used = stats.allocated_pages() * stats.page_size() as u64;
        Ok(Some(size.saturating_sub(used)))
    }
}

impl Database for RedbDatabase {
    fn info(&mut self) -> FaultResult<DatabaseInfo> {
        let db = self.reader("open")?;
        let size = self.size()?;
        let mut format = [0];
        open_regular(&self.path, false)?
            .read_exact_at(&mut format, FORMAT_AT)
            .map_err(|error| file::fault("read", &self.path, &error))?;
        Ok(DatabaseInfo {
            engine: "redb".into(),
            version: format!("file format {}", format[0]),
            size,
            reclaimable: guarded("inspect", &self.path, || self.reclaimable(&db, size))?,
        })
    }

    fn tables(&mut self) -> FaultResult<Vec<TableInfo>> {
        let db = self.reader("open")?;
        guarded("list the tables of", &self.path, || {
            rows::tables(&db, &self.path)
        })
    }

    fn begin_read(&mut self) -> FaultResult<Box<dyn Transaction>> {
        let db = self.reader("open")?;
        let transaction = db
            .begin_read()
            .map_err(|error| fault("read", &self.path, error))?;
        Ok(Box::new(rows::Read::new(
            transaction,
            db,
            self.live.read(),
            &self.path,
        )))
    }

    fn begin_write(&mut self) -> FaultResult<Box<dyn Transaction>> {
        let guard = self.live.write()?;
        let db = self.writer()?;
        let transaction = db
            .begin_write()
            .map_err(|error| fault("write to", &self.path, error))?;
        Ok(Box::new(rows::Write::new(
            transaction,
            db,
            guard,
            &self.path,
        )))
    }

    fn snapshot(&mut self, target: &Path) -> FaultResult<u64> {
        // Readers keep their lock: only a writer's handle is in the way.
        if matches!(self.state, State::Writing(_)) {
            self.close("take a snapshot")?;
        }
        whole::snapshot(&self.path, target, &mut |_| {})
    }

    fn pack(&mut self) -> FaultResult<Packed> {
        self.pack_keeping(KeepOld::No, &unattended())
            .map(|result| result.packed)
    }

    fn verify(&mut self) -> FaultResult<Verdict> {
        if matches!(self.state, State::Writing(_)) {
            self.close("verify")?;
        }
        whole::verify(&self.path)
    }

    fn restore(&mut self, source: &Path) -> FaultResult<String> {
        self.close("restore")?;
        whole::restore(&self.path, source, &mut |_: Step| {})
    }

    fn pack_keeping(&mut self, keep: KeepOld, around: &Around) -> FaultResult<PackResult> {
        self.close("pack")?;
        whole::pack(&self.path, keep, around, &space::free, &mut |_: Step| {})
    }

    fn recover(
        &mut self,
        target: &Path,
        _: RecoverOptions,
        around: &Around,
    ) -> FaultResult<Recovered> {
        self.close("recover")?;
        recover::recover(&self.path, target, around, &space::free, &mut |_: Step| {})
    }
}
