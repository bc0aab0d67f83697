//! Named remote storage; shapes and units are those of `wit/remote.wit`.

use bytes::Bytes;

use crate::resource::Endpoint;
use crate::{Fault, FaultResult, Instant, Name};

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
    /// Storage that no name stands for, for the host's own use: a repository's.
    fn open_endpoint(&self, _endpoint: &Endpoint) -> FaultResult<Box<dyn Remote>> {
        Err(Fault::Unsupported(
            "this driver opens remotes by name alone".to_owned(),
        ))
    }
}

/// Entries of one page, and bytes of one read, of which longer answers are made.
const PAGE: u32 = 1000;
const PART: u32 = 256 << 10;

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

    /// Everything below a folder, however much it is.
    fn list_all(&self, path: &str) -> FaultResult<Vec<Entry>> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.path.clone());
            let page = self.list(path, true, after.as_deref(), PAGE)?;
            let last = page.len() < PAGE as usize;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }

    /// A part of a file, fewer bytes at its end.
    fn read_range(&self, path: &str, offset: u64, length: u64) -> FaultResult<Vec<u8>> {
        let mut all = Vec::new();
        while (all.len() as u64) < length {
            let left = length - all.len() as u64;
            let part = u32::try_from(left).unwrap_or(PART).min(PART);
            let read = self.read(path, offset + all.len() as u64, part)?;
            if read.is_empty() {
                break;
            }
            all.extend(read);
        }
        Ok(all)
    }

    /// Puts a file of these bytes in its place. Unlike one that is written piece by piece, it
    /// is sent again where the connection breaks.
    fn write_all(&self, path: &str, content: &[Bytes]) -> FaultResult<()> {
        let mut writer = self.write(path)?;
        for part in content.iter().flat_map(|bytes| bytes.chunks(PART as usize)) {
            writer.write(part)?;
        }
        let written = writer.finish()?;
        let wanted: usize = content.iter().map(Bytes::len).sum();
        match written == wanted as u64 {
            true => Ok(()),
            false => Err(Fault::Failed(format!(
                "`{path}`: {written} bytes were stored instead of {wanted}"
            ))),
        }
    }

    /// A whole file.
    fn read_all(&self, path: &str) -> FaultResult<Vec<u8>> {
        self.read_range(path, 0, u64::MAX)
    }
}

/// A file being written; dropping it unfinished leaves the old one.
pub trait Writer: Send {
    fn write(&mut self, data: &[u8]) -> FaultResult<()>;
    fn finish(self: Box<Self>) -> FaultResult<u64>;
}
