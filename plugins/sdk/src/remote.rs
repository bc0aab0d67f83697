//! Remote storage; see `wit/remote.wit`.

use crate::Result;
pub use crate::bindings::mhost::plugin::remote::{Entry, Metadata};

/// A file being written; dropped unfinished, the old one remains.
pub trait Writer {
    /// At most 256 KiB at a time.
    fn write(&self, data: &[u8]) -> Result<()>;
    /// Puts it in its place. Returns the bytes written.
    fn finish(self: Box<Self>) -> Result<u64>;
}

/// A granted remote, opened. Paths are relative to its root.
pub trait Remote {
    /// A page of at most `limit` (1 to 1000) entries after the path `after`.
    fn listing(
        &self,
        path: &str,
        recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Entry>>;
    fn stat(&self, path: &str) -> Result<Metadata>;
    /// At most 256 KiB; empty at the end.
    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Vec<u8>>;
    fn write(&self, path: &str) -> Result<Box<dyn Writer + '_>>;
    fn rename(&self, source: &str, target: &str) -> Result<()>;
    /// A file, or an empty folder. What is not there is no error.
    fn delete(&self, path: &str) -> Result<()>;
    fn create_directory(&self, path: &str) -> Result<()>;
}
