//! The configuration of a backup.

use mhost_sdk::units::Size;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{main_repository, yes};

/// What to back up, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// Several granted repositories in the place of one: each gets a snapshot, from one
    /// reading of the sources. One that fails does not stop the others.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// Directories or files, as guest paths: `["/src"]`.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Granted databases, each as a consistent copy in the same snapshot.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Tags of the snapshot: `["nightly"]`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Patterns in restic's syntax; what matches is left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Files of patterns (guest paths), one a line, `#` begins a comment.
    #[serde(default)]
    pub exclude_file: Vec<String>,
    /// As `exclude`, where small and capital letters are the same.
    #[serde(default)]
    pub iexclude: Vec<String>,
    /// As `exclude_file`, for `iexclude`.
    #[serde(default)]
    pub iexclude_file: Vec<String>,
    /// `NAME` or `NAME:BEGINNING`: a folder that holds a file of this name, which begins
    /// so, keeps nothing but that file.
    #[serde(default)]
    pub exclude_if_present: Vec<String>,
    /// Leave out what lies in folders with a `CACHEDIR.TAG`.
    #[serde(default)]
    pub exclude_caches: bool,
    /// Leave out larger files: `"2 GiB"`.
    #[serde(default)]
    pub exclude_larger_than: Option<Size>,
    /// Files of further sources (guest paths), one a line; `#` begins a comment.
    #[serde(default)]
    pub files_from: Vec<String>,
    /// Stay on the file system of each source.
    #[serde(default)]
    pub one_file_system: bool,
    /// The host's name in the snapshot; the machine's when not given.
    #[serde(default)]
    pub host: Option<String>,
    /// The snapshot to compare with; the newest of the same host and paths when not given.
    #[serde(default)]
    pub parent: Option<String>,
    /// Read everything again, whatever an earlier snapshot says.
    #[serde(default)]
    pub force: bool,
    /// A file counts as unchanged although its inode's number differs.
    #[serde(default)]
    pub ignore_inode: bool,
    /// A file counts as unchanged although the time of its inode's change differs.
    #[serde(default)]
    pub ignore_ctime: bool,
    /// Make no snapshot when nothing changed.
    #[serde(default)]
    pub skip_if_unchanged: bool,
    /// File storages of ZODB (`Data.fs`) that must fit their blobs; all lie in sources.
    #[serde(default)]
    pub storages: Vec<Storage>,
    /// Granted commands that run first; one that fails stops the backup.
    #[serde(default)]
    pub before: Vec<String>,
    /// Granted commands that run afterwards, also when the backup failed.
    #[serde(default)]
    pub after: Vec<String>,
    /// Create the repository when there is none yet.
    #[serde(default = "yes")]
    pub create: bool,
    /// Succeed although something could not be read. Otherwise the run fails, with
    /// the snapshot of everything else kept.
    #[serde(default)]
    pub tolerate_unread: bool,
}

/// A file storage and its blobs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// As a guest path: `"/site/filestorage/Data.fs"`.
    pub file: String,
    /// The folder of its blobs, as a guest path: `"/site/blobstorage"`.
    #[serde(default)]
    pub blobs: Option<String>,
}
