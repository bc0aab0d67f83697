//! Managed databases; shapes and units are those of `wit/database.wit`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::resource::Engine;
use crate::{ByteSize, Fault, FaultResult, Instant, Name};

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// A row: key and columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub key: Vec<Value>,
    pub columns: Vec<Value>,
}

/// Some rows, and whether more follow.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub rows: Vec<Row>,
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableInfo {
    pub name: String,
    pub rows: u64,
    pub shape: String,
    pub columns: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseInfo {
    pub engine: String,
    pub version: String,
    pub size: u64,
    pub reclaimable: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    pub before: u64,
    pub after: u64,
}

/// What becomes of the old file of a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepOld {
    No,
    /// As `NAME.old`.
    UntilNext,
    /// As `NAME.old-20260131T040000Z`; what was kept longer than this goes.
    For(Duration),
}

/// What came of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackResult {
    pub packed: Packed,
    /// Where the old file stays.
    pub old: Option<PathBuf>,
    /// Older ones that are gone.
    pub forgotten: Vec<PathBuf>,
}

/// What to recover.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecoverOptions {
    /// Also rows that were deleted and still lie in unused pages.
    pub deleted: bool,
}

/// What was recovered and what was lost; see the contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    pub before: u64,
    pub after: u64,
    pub tables: u64,
    pub rows: u64,
    pub orphans: u64,
    pub rows_lost: u64,
    pub pages_lost: u64,
    pub findings: Vec<String>,
}

/// Is told how far long work is: what is being done (`copying`), how many bytes of it are done, and of how many.
pub type Progress = Arc<dyn Fn(&str, u64, Option<u64>) + Send + Sync>;

/// What long work on a whole file is told of the run: the time, whether it is to end, how many bytes it must leave
/// free on a file system; and whom to tell how far it is.
#[derive(Clone)]
pub struct Around {
    pub now: Instant,
    pub cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
    pub keep_free: ByteSize,
    pub progress: Progress,
}

impl Around {
    /// An error where the run is to end.
    pub fn go_on(&self) -> FaultResult<()> {
        match (self.cancelled)() {
            true => Err(Fault::Failed(
                "the run was asked to end; nothing was changed".into(),
            )),
            false => Ok(()),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub sound: bool,
    pub findings: Vec<String>,
}

/// Opens databases by the name they have in the configuration.
pub trait Databases: Send + Sync {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Database>>;
    /// Where it lies on this machine, absolute: a backup keeps it under this path.
    fn path(&self, name: &Name) -> FaultResult<PathBuf> {
        Ok(Path::new("/databases").join(name.as_str()))
    }
    /// Verifies a file that is no managed database, such as a restored copy.
    fn verify_file(&self, _engine: Engine, _path: &Path) -> FaultResult<Verdict> {
        Err(Fault::Unsupported(
            "this driver cannot verify files".to_owned(),
        ))
    }
}

/// One open database.
pub trait Database: Send {
    fn info(&mut self) -> FaultResult<DatabaseInfo>;
    fn tables(&mut self) -> FaultResult<Vec<TableInfo>>;
    fn begin_read(&mut self) -> FaultResult<Box<dyn Transaction>>;
    fn begin_write(&mut self) -> FaultResult<Box<dyn Transaction>>;
    /// `target` is a host path in a directory that the caller has checked; it must
    /// not exist.
    fn snapshot(&mut self, target: &Path) -> FaultResult<u64>;
    fn pack(&mut self) -> FaultResult<Packed>;
    fn verify(&mut self) -> FaultResult<Verdict>;
    /// Returns the path of the old file.
    fn restore(&mut self, source: &Path) -> FaultResult<String>;
    /// Packs, and keeps the old file.
    fn pack_keeping(&mut self, keep: KeepOld, around: &Around) -> FaultResult<PackResult>;
    /// Writes what is sound to `target`, which must not exist.
    fn recover(
        &mut self,
        target: &Path,
        options: RecoverOptions,
        around: &Around,
    ) -> FaultResult<Recovered>;
}

/// A transaction; dropping it without a commit undoes it.
pub trait Transaction: Send {
    fn get(&mut self, table: &str, key: &[Value]) -> FaultResult<Option<Row>>;
    fn scan(&mut self, table: &str, after: Option<&[Value]>, limit: u32) -> FaultResult<Page>;
    fn put(&mut self, table: &str, key: &[Value], columns: &[Value]) -> FaultResult<()>;
    fn delete(&mut self, table: &str, key: &[Value]) -> FaultResult<bool>;
    fn commit(self: Box<Self>) -> FaultResult<()>;
}
