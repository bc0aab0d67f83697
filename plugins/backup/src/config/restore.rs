//! Configurations of bringing something back.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{latest, main_repository};

/// What to restore, and whereto.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// The directory to restore into, as a guest path: `"/out"`.
    pub to: String,
    /// An id, an unambiguous start of one, or `latest`.
    #[serde(default = "latest")]
    pub snapshot: String,
    /// In the place of `snapshot`: the newest snapshot at or before this instant,
    /// such as `2026-03-01T12:00:00Z`.
    #[serde(default)]
    pub at: Option<String>,
    /// For `latest` and `at`: only snapshots of this host.
    #[serde(default)]
    pub host: Option<String>,
    /// For `latest` and `at`: only snapshots with all of these tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// A folder of the snapshot that comes to lie directly at the target; without
    /// it the target gets the snapshot's whole paths below it.
    #[serde(default)]
    pub folder: Option<String>,
    /// Only what lies below these paths of the snapshot; everything when empty.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Remove from the target what the snapshot does not hold.
    #[serde(default)]
    pub delete: bool,
    /// Replace files that differ; otherwise one that differs is an error, before
    /// anything was changed.
    #[serde(default)]
    pub overwrite: bool,
    /// In the place of `overwrite`, what becomes of a file that exists and differs.
    #[serde(default)]
    pub existing: Option<Existing>,
    /// Patterns in restic's syntax: only what one of them matches.
    #[serde(default)]
    pub include: Vec<String>,
    /// What matches is neither restored nor removed.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The folder of the snapshot is the one that `to` itself was backed up as.
    #[serde(default)]
    pub in_place: bool,
    /// Granted databases (verb `restore`): each is restored to a new file below `to`,
    /// verified, and takes the place of the database; the old one stays beside it.
    #[serde(default)]
    pub databases: Vec<String>,
}

/// What becomes of a file that exists and differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// The restore fails before it changes anything.
    Refuse,
    Replace,
    /// It is replaced, unless it is newer than the snapshot's.
    ReplaceOlder,
    Keep,
}

/// What to restore for a try, and what to compare it with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// A granted directory, read-write: a new folder in it takes the restored files and
    /// is removed afterwards.
    pub scratch: String,
    /// An id, an unambiguous start of one, or `latest`.
    #[serde(default = "latest")]
    pub snapshot: String,
    /// For `latest`: only snapshots of this host.
    #[serde(default)]
    pub host: Option<String>,
    /// For `latest`: only snapshots with all of these tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Only what lies below these paths of the snapshot; everything when empty.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Directories of the backup, as guest paths, to compare with as well: what changed
    /// since the snapshot is counted, and no failure.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Leave the restored files where they are.
    #[serde(default)]
    pub keep: bool,
}
