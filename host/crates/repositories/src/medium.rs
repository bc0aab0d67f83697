//! Where a repository's files lie: a folder of this machine, or remote storage. Names
//! are relative to its root, as restic lays it out: `config`, `keys/…`, `data/ab/ab…`.

mod far;
mod local;

use std::fmt::Debug;
use std::io;
use std::path::Path;

use bytes::Bytes;
use rustic_core::{FileType, Id};

pub use far::Far;
pub use local::Local;

/// The folders of a repository, without those of its packs.
pub const FOLDERS: [&str; 5] = ["data", "index", "keys", "locks", "snapshots"];

/// See the module. All calls block.
pub trait Medium: Debug + Send + Sync {
    /// The names and sizes of a folder's files, those in its folders included. Whole,
    /// or an error: to overlook a snapshot would make `prune` remove its data.
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>>;
    fn read(&self, file: &str) -> io::Result<Bytes>;
    fn read_range(&self, file: &str, offset: u64, length: u64) -> io::Result<Bytes>;
    /// The file appears whole or not at all, and outlives a power cut.
    fn write(&self, file: &str, content: &[Bytes]) -> io::Result<()>;
    fn remove(&self, file: &str) -> io::Result<()>;
    fn exists(&self, file: &str) -> io::Result<bool>;
    /// Makes an empty place for a repository. What lies there already must be nothing,
    /// or what an interrupted creation left; else the first other file is answered.
    fn prepare(&self) -> io::Result<Option<String>>;
    /// The folder, where it is one of this machine.
    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// The name of a repository's file.
pub fn name_of(kind: FileType, id: &Id) -> String {
    let hex = id.to_hex();
    let hex = hex.as_str();
    match kind {
        FileType::Config => "config".to_owned(),
        FileType::Pack => format!("data/{}/{hex}", &hex[..2]),
        _ => format!("{}/{hex}", kind.dirname()),
    }
}

/// Whether a file belongs to a creation that was cut short.
fn is_unfinished(file: &str) -> bool {
    file.starts_with("keys/")
}
