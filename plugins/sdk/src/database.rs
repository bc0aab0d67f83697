//! Managed databases; see `wit/database.wit`.

use crate::Result;
pub use crate::bindings::mhost::plugin::database::{
    Info, KeepOld, PackResult, Packed, Page, RecoverOptions, Recovered, Row, Table, Value, Verdict,
};

/// A view of one state of the database; dropped without a commit, nothing of it remains.
pub trait Transaction {
    fn get(&self, table: &str, key: &[Value]) -> Result<Option<Row>>;
    /// Up to `limit` (1 to 10,000) rows in key order after `after`.
    fn scan(&self, table: &str, after: Option<&[Value]>, limit: u32) -> Result<Page>;
    /// Inserts or replaces.
    fn put(&self, table: &str, key: &[Value], columns: &[Value]) -> Result<()>;
    /// Whether there was such a row.
    fn delete(&self, table: &str, key: &[Value]) -> Result<bool>;
    /// Makes all changes durable at once.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// A granted database, opened.
pub trait Database {
    fn info(&self) -> Result<Info>;
    fn tables(&self) -> Result<Vec<Table>>;
    fn begin_read(&self) -> Result<Box<dyn Transaction + '_>>;
    fn begin_write(&self) -> Result<Box<dyn Transaction + '_>>;
    /// A consistent copy at a guest path that must not exist. Returns bytes.
    fn snapshot(&self, target: &str) -> Result<u64>;
    /// Gives unused space back to the file system.
    fn pack(&self) -> Result<Packed>;
    /// Checks the structure and every row.
    fn verify(&self) -> Result<Verdict>;
    /// Replaces the database by the one at a guest path; the old file's new name.
    fn restore(&self, source: &str) -> Result<String>;
    /// Packs, and says what becomes of the old file.
    fn pack_keeping(&self, keep: KeepOld) -> Result<PackResult>;
    /// Writes what is sound in a damaged database to a guest path that must not exist.
    fn recover(&self, target: &str, options: RecoverOptions) -> Result<Recovered>;
}
