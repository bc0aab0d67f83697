//! Backup repositories in restic's format; see `wit/repository.wit`.

use crate::Result;
pub use crate::bindings::mhost::plugin::repository::{
    BackupOptions, BackupSummary, Judged, Keep, Node, PruneSummary, RestoreOptions, RestoreSummary,
    Snapshot, Source, Verdict,
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
}
