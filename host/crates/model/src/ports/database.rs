//! Managed databases; shapes and units are those of `wit/database.wit`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::resource::Engine;
use crate::{Fault, FaultResult, Name};

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
}

/// A transaction; dropping it without a commit undoes it.
pub trait Transaction: Send {
    fn get(&mut self, table: &str, key: &[Value]) -> FaultResult<Option<Row>>;
    fn scan(&mut self, table: &str, after: Option<&[Value]>, limit: u32) -> FaultResult<Page>;
    fn put(&mut self, table: &str, key: &[Value], columns: &[Value]) -> FaultResult<()>;
    fn delete(&mut self, table: &str, key: &[Value]) -> FaultResult<bool>;
    fn commit(self: Box<Self>) -> FaultResult<()>;
}
