//! The configurations of the actions.

use mhost_sdk::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

fn main_repository() -> String {
    "main".to_owned()
}

fn yes() -> bool {
    true
}

fn latest() -> String {
    "latest".to_owned()
}

/// What to back up, and how.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// Directories or files, as guest paths: `["/src"]`.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Granted databases, each as a consistent copy in the same snapshot.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Tags of the snapshot.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Patterns in restic's syntax; what matches is left out.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Stay on the file system of each source.
    #[serde(default)]
    pub one_file_system: bool,
    /// The host's name in the snapshot; the machine's when not given.
    #[serde(default)]
    pub host: Option<String>,
    /// Create the repository when there is none yet.
    #[serde(default = "yes")]
    pub create: bool,
    /// Succeed although something could not be read. Otherwise the run fails, with
    /// the snapshot of everything else kept.
    #[serde(default)]
    pub tolerate_unread: bool,
}

/// Which snapshots to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshots {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// Only those of this host.
    #[serde(default)]
    pub host: Option<String>,
    /// Only those with all of these tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

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
}

/// What to check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// How many percent of the data to read and compare; 0 checks the structure only.
    #[serde(default)]
    #[schemars(range(max = 100))]
    pub data_percent: u32,
}

/// What to keep; a snapshot that no rule keeps is removed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// The newest so many.
    #[serde(default)]
    pub keep_last: u32,
    /// The newest of each of so many hours that have one.
    #[serde(default)]
    pub keep_hourly: u32,
    /// The newest of each of so many days that have one.
    #[serde(default)]
    pub keep_daily: u32,
    /// The newest of each of so many weeks that have one.
    #[serde(default)]
    pub keep_weekly: u32,
    /// The newest of each of so many months that have one.
    #[serde(default)]
    pub keep_monthly: u32,
    /// The newest of each of so many years that have one.
    #[serde(default)]
    pub keep_yearly: u32,
    /// All that are younger than this.
    #[serde(default)]
    pub keep_within: Option<Span>,
    /// All with one of these tags.
    #[serde(default)]
    pub keep_tags: Vec<String>,
    /// Prune afterwards, when something was removed.
    #[serde(default)]
    pub prune: bool,
}

/// Nothing to choose but the repository.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
}
