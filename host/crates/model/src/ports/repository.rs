//! Backup repositories; shapes and units are those of `wit/repository.wit`.

use std::any::Any;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Fault, FaultResult, Instant, Name};

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
    /// As `exclude`, where small and capital letters are the same.
    pub iexclude: Vec<String>,
    /// `NAME` or `NAME:BEGINNING` of a file that marks a folder as left out.
    pub exclude_if_present: Vec<String>,
    /// Leave out what lies in folders with a `CACHEDIR.TAG`.
    pub exclude_caches: bool,
    /// Bytes.
    pub exclude_larger_than: Option<u64>,
    pub one_file_system: bool,
    pub parent: Option<String>,
    /// Read everything again, whatever an earlier snapshot says.
    pub force: bool,
    pub ignore_inode: bool,
    pub ignore_ctime: bool,
    /// No snapshot where it would be the same as its parent.
    pub skip_if_unchanged: bool,
    /// File storages of ZODB that must fit their blobs.
    pub storages: Vec<StoragePair>,
}

/// A `Data.fs` and its folder of blobs, as they stand in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoragePair {
    pub file: PathBuf,
    pub blobs: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSummary {
    /// The new one, or the parent where nothing changed and none was wanted.
    pub snapshot: Snapshot,
    /// Whether the snapshot is new.
    pub made: bool,
    pub parent: Option<String>,
    pub files_new: u64,
    pub files_changed: u64,
    pub files_unmodified: u64,
    pub bytes_processed: u64,
    pub bytes_added: u64,
    /// What is missing from the snapshot because it could not be read, each with
    /// the reason.
    pub unread: Vec<String>,
    /// What is worth knowing about what is in it.
    pub remarks: Vec<String>,
}

/// A password's key of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    pub id: String,
    pub username: String,
    pub hostname: String,
    pub created: Option<Instant>,
    /// Whether it is the one that opened the repository.
    pub current: bool,
}

/// A lock that some program holds or left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    pub id: String,
    pub exclusive: bool,
    pub hostname: String,
    pub username: String,
    pub pid: i32,
    /// When it was renewed last.
    pub time: Instant,
    /// Whether its holder is gone.
    pub stale: bool,
    /// What that is known from, or why it counts.
    pub explanation: String,
}

/// How a part of a repository's data is chosen for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Packs by chance, of so many percent of the bytes.
    Percent(u32),
    /// The packs of one of so many parts, which together are all: `part` from 1.
    Part { part: u32, of: u32 },
}

/// What became of something between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub path: String,
    /// `added`, `removed`, `changed` (content), `metadata`, `kind`.
    pub change: String,
    pub size_before: u64,
    pub size_after: u64,
}

/// Changes, and how many of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub changes: Vec<Change>,
    /// Changes that are not listed.
    pub omitted: u64,
    pub added: u64,
    pub removed: u64,
    pub changed: u64,
    pub metadata: u64,
    pub bytes_added: u64,
    pub bytes_removed: u64,
}

/// Something that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub snapshot: String,
    pub time: Instant,
    pub node: Node,
}

/// How a folder compares with a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    pub files: u64,
    pub bytes: u64,
    /// What differs, one a line, at most 1,000.
    pub differences: Vec<String>,
    /// How many there are.
    pub differing: u64,
    /// Files that look like databases, by their beginnings.
    pub databases: Vec<String>,
}

/// How far something long is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub doing: &'static str,
    pub files: u64,
    pub files_total: Option<u64>,
    pub bytes: u64,
    pub bytes_total: Option<u64>,
}

/// Sees how far something is, and can ask for its end.
pub trait Watch: Send + Sync {
    fn at(&self, stage: &Stage);
    fn cancelled(&self) -> bool;
}

/// Nobody looks.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn at(&self, _stage: &Stage) {}

    fn cancelled(&self) -> bool {
        false
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreOptions {
    pub paths: Vec<String>,
    pub delete: bool,
    pub overwrite: bool,
    /// Patterns as for a backup; only files that one of them matches, where there is
    /// any.
    pub include: Vec<String>,
    /// What one of them matches is not restored, and not deleted.
    pub exclude: Vec<String>,
    /// What exists and is newer than in the snapshot stays.
    pub keep_newer: bool,
    /// What exists stays, whatever it is.
    pub keep_existing: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSummary {
    pub files: u64,
    pub bytes: u64,
    pub unchanged: u64,
    /// Files that exist, differ, and were left alone as asked.
    pub kept: u64,
}

/// What a restore would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestorePlan {
    pub summary: RestoreSummary,
    /// What `delete` would remove, as paths of the snapshot, at most 1,000.
    pub removals: Vec<String>,
    /// How many there are.
    pub removed: u64,
    /// What exists, differs and may not be replaced, with the reason, at most 1,000:
    /// the restore would refuse.
    pub conflicts: Vec<String>,
    /// How many there are.
    pub conflicting: u64,
}

/// What a backup would put into a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlan {
    /// Regular files, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// What cannot be listed or looked at, each with the reason.
    pub unread: Vec<String>,
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
    /// A snapshot in each of several repositories, from one reading of the sources
    /// where the driver can: an answer for each.
    fn backup_all(
        &self,
        repositories: &[&dyn Repository],
        sources: &[Source],
        options: &BackupOptions,
        now: Instant,
        watch: &dyn Watch,
    ) -> FaultResult<Vec<FaultResult<BackupSummary>>> {
        let each = repositories
            .iter()
            .map(|repository| repository.backup_watched(sources, options, now, watch));
        Ok(each.collect())
    }
    /// What [`backup_all`](Self::backup_all) would store, by the same rules; reads
    /// folders alone.
    fn plan_backup(
        &self,
        _sources: &[Source],
        _options: &BackupOptions,
    ) -> FaultResult<BackupPlan> {
        unsupported()
    }
    /// Follows the transactions of a file.
    fn look_at_storage(&self, _file: &Path) -> FaultResult<StorageState> {
        unsupported()
    }
}

/// What a look at a file says that may be a file storage of ZODB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageState {
    /// It is none.
    No,
    /// All its transactions are complete.
    Sound,
    /// What begins at this position is incomplete or damaged.
    Broken(u64),
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
    fn backup_watched(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        now: Instant,
        _watch: &dyn Watch,
    ) -> FaultResult<BackupSummary> {
        self.backup(sources, options, now)
    }
    /// The driver's own type, for what it does with several at once.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }
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
    /// Part of the data, or a share by chance.
    fn check_share(&self, share: Share, _watch: &dyn Watch) -> FaultResult<Verdict> {
        match share {
            Share::Percent(percent) => self.check(percent),
            Share::Part { .. } => unsupported(),
        }
    }
    fn restore_watched(
        &self,
        snapshot: &str,
        target: &Path,
        options: &RestoreOptions,
        _watch: &dyn Watch,
    ) -> FaultResult<RestoreSummary> {
        self.restore(snapshot, target, options)
    }
    /// What [`restore`](Self::restore) would do, to an empty folder where there is no
    /// target; changes nothing.
    fn plan_restore(
        &self,
        _snapshot: &str,
        _target: Option<&Path>,
        _options: &RestoreOptions,
    ) -> FaultResult<RestorePlan> {
        unsupported()
    }
    /// What [`prune`](Self::prune) would do; changes nothing.
    fn plan_prune(&self) -> FaultResult<PruneSummary> {
        unsupported()
    }
    /// What was noticed since the last question and does not keep anything from being
    /// done, for people.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
    /// Reads everything below `target` that the snapshot holds; changes nothing.
    fn compare(
        &self,
        _snapshot: &str,
        _target: &Path,
        _options: &RestoreOptions,
        _watch: &dyn Watch,
    ) -> FaultResult<Comparison> {
        unsupported()
    }
    /// At most `limit` changes are listed; all are counted.
    fn diff(&self, _before: &str, _after: &str, _limit: u32) -> FaultResult<Difference> {
        unsupported()
    }
    /// What patterns match in the snapshots of these ids, or in all; newest snapshots
    /// first, at most `limit`.
    fn find(
        &self,
        _patterns: &[String],
        _snapshots: &[String],
        _limit: u32,
    ) -> FaultResult<Vec<Found>> {
        unsupported()
    }
    fn keys(&self) -> FaultResult<Vec<KeyInfo>> {
        unsupported()
    }
    /// The new key's id.
    fn add_key(&self, _password: &str, _now: Instant) -> FaultResult<String> {
        unsupported()
    }
    /// By its id or the start of it; its id.
    fn remove_key(&self, _key: &str) -> FaultResult<String> {
        unsupported()
    }
    fn locks(&self) -> FaultResult<Vec<LockInfo>> {
        unsupported()
    }
    /// Removes the stale ones, or all; what was removed.
    fn unlock(&self, _all: bool) -> FaultResult<Vec<LockInfo>> {
        unsupported()
    }
}

fn unsupported<T>() -> FaultResult<T> {
    Err(Fault::Unsupported(
        "this driver of repositories cannot do that".to_owned(),
    ))
}
