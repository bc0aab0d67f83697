//! Backup repositories in restic's format; see `wit/repository.wit`.

use crate::Result;
use crate::bindings::mhost::plugin::repository::Handle;
pub use crate::bindings::mhost::plugin::repository::{
    BackupOptions, BackupPlan, BackupResult, BackupRules, BackupSummary, Change, Comparison,
    Difference, Existing, FileVerdict, Found, Judged, Keep, Key, Lock, Node, Power, PruneSummary,
    RestoreOptions, RestorePlan, RestoreResult, RestoreRules, RestoreSummary, Share, Snapshot,
    Source, StoragePair, Verdict,
};

/// A granted repository, opened.
pub trait Repository {
    /// The repository's id.
    fn id(&self) -> String;
    fn snapshots(&self) -> Result<Vec<Snapshot>>;
    fn backup(&self, sources: &[Source], options: &BackupOptions) -> Result<BackupSummary>;
    /// `snapshot` is an id, an unambiguous start of one, or `latest`; with `:/PATH`
    /// after it, that folder comes to lie directly at the target.
    fn restore(
        &self,
        snapshot: &str,
        target: &str,
        options: &RestoreOptions,
    ) -> Result<RestoreSummary>;
    fn listing(&self, snapshot: &str, path: &str, limit: u32) -> Result<Vec<Node>>;
    /// What a policy keeps and why; removes the rest where `apply`.
    fn forget(&self, policy: &Keep, apply: bool) -> Result<Vec<Judged>>;
    fn prune(&self) -> Result<PruneSummary>;
    /// Checks the structure, and the data of `percent` of the pack files.
    fn check(&self, percent: u32) -> Result<Verdict>;

    /// A snapshot here and in other repositories, from one reading of the sources: an
    /// answer for each, this one first.
    fn backup_with(
        &self,
        others: &[&dyn Repository],
        sources: &[Source],
        options: &BackupOptions,
        rules: &BackupRules,
    ) -> Result<Vec<Result<BackupResult>>>;
    fn restore_with(
        &self,
        snapshot: &str,
        target: &str,
        rules: &RestoreRules,
    ) -> Result<RestoreResult>;
    /// What a restore would do; into an empty folder where there is no target.
    fn plan_restore(
        &self,
        snapshot: &str,
        target: Option<&str>,
        rules: &RestoreRules,
    ) -> Result<RestorePlan>;
    /// What a prune would do.
    fn plan_prune(&self) -> Result<PruneSummary>;
    /// Compares what lies at `target` with a snapshot.
    fn compare(&self, snapshot: &str, target: &str, rules: &RestoreRules) -> Result<Comparison>;
    fn check_share(&self, share: Share) -> Result<Verdict>;
    fn diff(&self, before: &str, after: &str, limit: u32) -> Result<Difference>;
    fn find(&self, patterns: &[String], snapshots: &[String], limit: u32) -> Result<Vec<Found>>;
    fn keys(&self) -> Result<Vec<Key>>;
    /// Adds a key for the password that a granted secret holds; its id.
    fn add_key(&self, secret: &str) -> Result<String>;
    fn remove_key(&self, key: &str) -> Result<String>;
    fn locks(&self) -> Result<Vec<Lock>>;
    /// Removes the stale locks, or all.
    fn unlock(&self, all: bool) -> Result<Vec<Lock>>;

    /// The contract's own handle, where there is one.
    #[doc(hidden)]
    fn handle(&self) -> Option<&Handle> {
        None
    }
}
