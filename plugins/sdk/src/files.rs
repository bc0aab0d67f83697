//! Files below the granted directories, by guest path (`/logs/access.log` in
//! the grant `logs`): the host's verbs, and the ordinary ones of WASI.

use std::io;

pub use crate::bindings::mhost::plugin::files::{
    Changes, Compressed, Compression, CopyOptions, Drained, Entry, HashAlgorithm, Kind, Metadata,
    Moment, Space, WalkOptions,
};
use crate::faults::Optional as _;
use crate::{Error, Result};

/// An advisory lock; dropping it releases it.
pub trait Lock {}

/// A walk in progress; see `wit/files.wit` for the order.
pub trait Walk {
    /// The next entries, at most `max` (1 to 4096); an empty list is the end.
    /// After an error the walk goes on with the next call.
    fn next(&self, max: u32) -> Result<Vec<Entry>>;
}

/// A file that is being read.
pub trait Reading: io::Read + io::Seek {}

impl<T: io::Read + io::Seek> Reading for T {}

/// A file that is being written.
pub trait Writing: io::Write + io::Seek {}

impl<T: io::Write + io::Seek> Writing for T {}

/// File work; the functions mean what `wit/files.wit` says of their namesakes.
pub trait Files {
    fn stat(&self, path: &str) -> Result<Metadata>;
    fn walk(&self, root: &str, options: WalkOptions) -> Result<Box<dyn Walk + '_>>;
    fn set_metadata(&self, path: &str, changes: Changes) -> Result<()>;
    fn copy(&self, source: &str, target: &str, options: CopyOptions) -> Result<u64>;
    /// `length` bytes from `offset` (to the end where `None`) into an existing file.
    fn copy_range(
        &self,
        source: &str,
        offset: u64,
        length: Option<u64>,
        target: &str,
        target_offset: u64,
    ) -> Result<u64>;
    fn replace(&self, source: &str, target: &str) -> Result<()>;
    /// Never overwrites.
    fn rename(&self, source: &str, target: &str) -> Result<()>;
    fn truncate(&self, path: &str, size: u64) -> Result<()>;
    fn sync(&self, path: &str) -> Result<()>;
    fn hard_link(&self, source: &str, target: &str) -> Result<()>;
    fn symbolic_link(&self, target_text: &str, path: &str) -> Result<()>;
    fn free_space(&self, path: &str) -> Result<Space>;
    /// Bytes that must stay free on every file system that is written to.
    fn kept_free(&self) -> u64 {
        0
    }
    fn lock(&self, path: &str, exclusive: bool) -> Result<Box<dyn Lock + '_>>;
    fn hash(
        &self,
        path: &str,
        algorithm: HashAlgorithm,
        offset: u64,
        length: Option<u64>,
    ) -> Result<Vec<u8>>;
    fn compress(
        &self,
        source: &str,
        target: &str,
        format: Compression,
        level: Option<u32>,
    ) -> Result<Compressed>;
    fn verify_compressed(&self, path: &str, format: Compression) -> Result<u64>;
    fn compress_xz(&self, source: &str, target: &str, level: Option<u32>) -> Result<Compressed>;
    fn verify_xz(&self, path: &str) -> Result<u64>;
    fn make_file(&self, path: &str, mode: u32, uid: Option<u32>, gid: Option<u32>) -> Result<()>;
    fn drain(&self, source: &str, copied: u64, target: &str) -> Result<Drained>;
    fn shred(&self, path: &str, passes: u32) -> Result<()>;
    fn user_id(&self, path: &str, name: &str) -> Result<u32>;
    fn group_id(&self, path: &str, name: &str) -> Result<u32>;

    /// What a gzip, zstd or xz file expands to, from `offset` bytes on; pieces of at most 1 MiB.
    fn open_compressed(&self, path: &str, offset: u64) -> Result<Box<dyn io::Read + '_>>;

    /// A file to be read piece by piece, as long as it is wanted; pieces of 64 KiB and more are fastest.
    fn open(&self, path: &str) -> Result<Box<dyn Reading + '_>>;
    /// Makes a file, which must not exist, to be written piece by piece. What was written is durable
    /// after [`Files::sync`].
    fn create_open(&self, path: &str) -> Result<Box<dyn Writing + '_>>;
    /// A whole small file; `limit` where it holds more than `most` bytes.
    fn read(&self, path: &str, most: u64) -> Result<Vec<u8>>;
    /// At most `most` bytes from `offset`; fewer only at the end.
    fn read_range(&self, path: &str, offset: u64, most: u64) -> Result<Vec<u8>>;
    /// Makes a file, which must not exist.
    fn create(&self, path: &str, content: &[u8]) -> Result<()>;
    /// Makes a directory, which must not exist, below one that does.
    fn create_directory(&self, path: &str) -> Result<()>;
    /// Removes anything but a directory.
    fn remove_file(&self, path: &str) -> Result<()>;
    /// Removes an empty directory.
    fn remove_directory(&self, path: &str) -> Result<()>;
}

impl dyn Files + '_ {
    /// The metadata, `None` where there is nothing.
    pub fn stat_optional(&self, path: &str) -> Result<Option<Metadata>> {
        self.stat(path).optional()
    }

    /// The first bytes of a file, at most `most`.
    pub fn read_start(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        self.read_range(path, 0, most)
    }

    /// The whole walk. What cannot be read stands among the errors.
    pub fn walk_all(&self, root: &str, options: WalkOptions) -> Result<(Vec<Entry>, Vec<Error>)> {
        let walk = self.walk(root, options)?;
        let (mut entries, mut errors) = (Vec::new(), Vec::new());
        loop {
            match walk.next(4096) {
                Ok(page) if page.is_empty() => return Ok((entries, errors)),
                Ok(page) => entries.extend(page),
                Err(error) => errors.push(error),
            }
        }
    }
}

impl Moment {
    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub fn from_millis(millis: u64) -> Self {
        Self {
            seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
            nanoseconds: u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000,
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; 0 for what is earlier.
    pub fn millis(&self) -> u64 {
        let seconds = u64::try_from(self.seconds).unwrap_or(0);
        let millis = u64::from(self.nanoseconds / 1_000_000);
        seconds.saturating_mul(1000).saturating_add(millis)
    }
}

/// `/logs/archive/a.log` → `/logs/archive` and `a.log`.
pub fn split(path: &str) -> (&str, &str) {
    match path.rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some(parts) => parts,
        None => ("", path),
    }
}

/// A name below a directory.
pub fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}
