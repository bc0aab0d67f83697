//! Configurations of what keeps a repository sound and small, and answers questions.

use mhost_sdk::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{latest, main_repository};

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
    /// In the place of `data_percent`: read one of so many parts of the data, the next
    /// one with each run of the task, so that after so many runs everything was read.
    #[serde(default)]
    #[schemars(range(max = 256))]
    pub rotate: u32,
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
    /// All that are younger than this: `"14 days"`.
    #[serde(default)]
    pub keep_within: Option<Span>,
    /// All with one of these tags: `["snapshot"]`.
    #[serde(default)]
    pub keep_tags: Vec<String>,
    /// Prune afterwards, when something was removed.
    #[serde(default)]
    pub prune: bool,
}

/// Which repository's locks to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Locks {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
}

/// Which repository to prune.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
}

/// Two snapshots to compare.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// The older one: an id, the start of one, or `latest`; `ID:/PATH` for one folder of
    /// it. The one before `to` of the same host and paths when not given.
    #[serde(default)]
    pub from: Option<String>,
    /// The newer one.
    #[serde(default = "latest")]
    pub to: String,
}

/// What to find.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// Patterns in restic's syntax: `["*.html"]`.
    pub patterns: Vec<String>,
    /// Only in these snapshots; in all when empty.
    #[serde(default)]
    pub snapshots: Vec<String>,
}

/// Which key to add or remove; none lists them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// Add a key for the password in this granted secret.
    #[serde(default)]
    pub add: Option<String>,
    /// Remove the key of this id, or the start of it.
    #[serde(default)]
    pub remove: Option<String>,
}

/// Which locks to remove.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unlock {
    /// The granted repository.
    #[serde(default = "main_repository")]
    pub repository: String,
    /// Remove also locks that count. Only where it is certain that no program uses the
    /// repository: what it writes just then can be lost.
    #[serde(default)]
    pub all: bool,
}
