//! Named remote storage; shapes and units are those of `wit/remote.wit`.

use crate::{FaultResult, Instant, Name};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    pub directory: bool,
    pub size: u64,
    pub modified: Option<Instant>,
    pub etag: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    pub metadata: Metadata,
}

/// Opens remotes by the name they have in the configuration.
pub trait Remotes: Send + Sync {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Remote>>;
}

/// One remote.
pub trait Remote: Send + Sync {
    fn list(
        &self,
        path: &str,
        recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> FaultResult<Vec<Entry>>;
    fn stat(&self, path: &str) -> FaultResult<Metadata>;
    fn read(&self, path: &str, offset: u64, length: u32) -> FaultResult<Vec<u8>>;
    fn write(&self, path: &str) -> FaultResult<Box<dyn Writer>>;
    fn rename(&self, source: &str, target: &str) -> FaultResult<()>;
    fn delete(&self, path: &str) -> FaultResult<()>;
    fn create_directory(&self, path: &str) -> FaultResult<()>;
}

/// A file being written; dropping it unfinished leaves the old one.
pub trait Writer: Send {
    fn write(&mut self, data: &[u8]) -> FaultResult<()>;
    fn finish(self: Box<Self>) -> FaultResult<u64>;
}
