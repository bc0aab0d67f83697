//! Backup repositories; shapes and units are those of `wit/repository.wit`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{FaultResult, Instant, Name};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub id: String,
    pub time: Instant,
    pub hostname: String,
    pub paths: Vec<String>,
    pub tags: Vec<String>,
    pub files: u64,
    pub size: u64,
}

/// Something to put into a snapshot, as the host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where to read. It may be a path that is only good for this process (below
    /// `/proc/self/fd`), so that nobody can exchange a folder on the way.
    pub read: PathBuf,
    /// Where it stands in the snapshot.
    pub stand: PathBuf,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupOptions {
    pub tags: Vec<String>,
    pub hostname: Option<String>,
    pub exclude: Vec<String>,
    pub one_file_system: bool,
    pub parent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    pub snapshot: Snapshot,
    pub files_new: u64,
    pub files_changed: u64,
    pub files_unmodified: u64,
    pub bytes_processed: u64,
    pub bytes_added: u64,
    /// What is missing from the snapshot because it could not be read, each with
    /// the reason.
    pub unread: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    pub paths: Vec<String>,
    pub delete: bool,
    pub overwrite: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSummary {
    pub files: u64,
    pub bytes: u64,
    pub unchanged: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub path: String,
    pub kind: String,
    pub size: u64,
    pub modified: Option<Instant>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    pub last: u32,
    pub hourly: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
    pub within_seconds: u64,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    pub snapshot: Snapshot,
    pub keep: bool,
    pub reasons: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneSummary {
    pub bytes_removed: u64,
    pub bytes_repacked: u64,
    pub bytes_unused_left: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub sound: bool,
    pub findings: Vec<String>,
    pub bytes_read: u64,
}

/// Opens repositories by the name they have in the configuration.
pub trait Repositories: Send + Sync {
    fn open(&self, name: &Name, password: &str) -> FaultResult<Box<dyn Repository>>;
    fn create(&self, name: &Name, password: &str) -> FaultResult<Box<dyn Repository>>;
}

/// One open repository.
pub trait Repository: Send + Sync {
    fn id(&self) -> String;
    fn snapshots(&self) -> FaultResult<Vec<Snapshot>>;
    /// `now` is the snapshot's time.
    fn backup(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        now: Instant,
    ) -> FaultResult<BackupSummary>;
    /// `snapshot` may end with `:/PATH`, which puts that folder directly at the target.
    fn restore(
        &self,
        snapshot: &str,
        target: &Path,
        options: &RestoreOptions,
    ) -> FaultResult<RestoreSummary>;
    fn listing(&self, snapshot: &str, path: &str, limit: u32) -> FaultResult<Vec<Node>>;
    fn forget(&self, policy: &Keep, apply: bool, now: Instant) -> FaultResult<Vec<Judged>>;
    fn prune(&self) -> FaultResult<PruneSummary>;
    fn check(&self, percent: u32) -> FaultResult<Verdict>;
}
