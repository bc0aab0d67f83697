//! What to work on, and how.

use std::time::Duration;

use mhost_sdk::Failure;
use mhost_sdk::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::before::Before;
use crate::zope::Site;

fn an_hour() -> Span {
    Span::new(Duration::from_secs(3600))
}

fn yes() -> bool {
    true
}

/// What to work on: `database`, `filestorage`, or `zope` with `database` and `login_secret`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A granted database, by its name; with `zope`, the name in the server's control panel.
    #[serde(default)]
    pub database: Option<String>,
    /// A FileStorage: the guest path of a `Data.fs`, such as `/data/Data.fs`.
    #[serde(default)]
    pub filestorage: Option<String>,
    /// A running Zope, which packs its database itself: its address, such as `https://zope.example.org`.
    #[serde(default)]
    pub zope: Option<String>,
    /// With `zope`: the secret that holds `user:password` of a Manager.
    #[serde(default)]
    pub login_secret: Option<String>,
}

/// The one thing that a target names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'t> {
    Database(&'t str),
    FileStorage(&'t str),
    Zope(Site<'t>),
}

impl Target {
    /// What it names, or what is wrong with it.
    pub fn named(&self) -> Result<Named<'_>, Failure> {
        match (
            &self.database,
            &self.filestorage,
            &self.zope,
            &self.login_secret,
        ) {
            (Some(name), None, None, None) => Ok(Named::Database(name)),
            (None, Some(path), None, None) => Ok(Named::FileStorage(path)),
            (Some(database), None, Some(url), Some(login)) => Ok(Named::Zope(Site {
                url,
                database,
                login,
            })),
            _ => Err(Failure::permanent(
                "`target` must name one thing: write `{ database = \"NAME\" }`, `{ filestorage = \"/DIR/Data.fs\" }`, or \
                 `{ zope = \"https://HOST\", database = \"main\", login_secret = \"NAME\" }`",
            )),
        }
    }
}

/// The configuration of `pack`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    pub target: Target,
    /// FileStorage: what is older than this is packed: `now`, `7 days`, an instant such as
    /// `2026-01-31T00:00:00Z`, or a transaction's id of 16 hexadecimal digits.
    #[serde(default)]
    pub before: Before,
    /// FileStorage: whether objects that nobody can reach go too, not only old revisions.
    #[serde(default = "yes")]
    pub gc: bool,
    /// What happens to the old file: `true` keeps it as `Data.fs.old` until the next pack, a
    /// length of time such as `7 days` keeps each so long, `false` removes it. When it is not given: `true` for
    /// a FileStorage, as with ZODB, and `false` for a database.
    #[serde(default)]
    pub keep_old: Option<KeepOld>,
    /// FileStorage: writes the packed file here, and leaves the original alone.
    #[serde(default)]
    pub output: Option<String>,
    /// FileStorage: the folder of its blobs, from which those go that the pack leaves
    /// without a record; with `output` it is only looked at.
    #[serde(default)]
    pub blobs: Option<String>,
    /// Zope: how long the server may take; it answers when it has packed.
    #[serde(default = "an_hour")]
    pub timeout: Span,
}

/// What happens to the old file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum KeepOld {
    Until(bool),
    For(Span),
}

/// The configuration of `verify`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    pub target: Target,
    /// FileStorage: how far to go; each level has those before it in it.
    #[serde(default)]
    pub level: Level,
}

/// How far to check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Transactions and records follow each other as they must.
    Structure,
    /// Previous records and back pointers lead where they must.
    Pointers,
    /// The data of every record can be read.
    Records,
    /// What reachable objects refer to exists.
    #[default]
    References,
}

/// The configuration of `recover`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// What is damaged, and is only read: the guest path of a `Data.fs`, or `{ database = "NAME" }`, a granted one.
    pub source: Source,
    /// Where to write what is sound. A database's must not exist yet.
    pub output: String,
    /// FileStorage: keep the good records of a transaction of which others are lost. Such a
    /// transaction is not what was committed.
    #[serde(default)]
    pub partial: bool,
    /// SQLite: also write what lies in unused pages, which are rows that were deleted once.
    #[serde(default)]
    pub deleted: bool,
}

/// What is damaged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Source {
    FileStorage(String),
    Other(Damaged),
}

/// What is damaged, by its kind.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Damaged {
    /// A granted database, by its name.
    #[serde(default)]
    pub database: Option<String>,
    /// A FileStorage: the guest path of a `Data.fs`.
    #[serde(default)]
    pub filestorage: Option<String>,
}

impl Recover {
    /// The one thing that the source names.
    pub fn named(&self) -> Result<Named<'_>, Failure> {
        match &self.source {
            Source::FileStorage(path) => Ok(Named::FileStorage(path)),
            Source::Other(Damaged {
                database: Some(name),
                filestorage: None,
            }) => Ok(Named::Database(name)),
            Source::Other(Damaged {
                database: None,
                filestorage: Some(path),
            }) => Ok(Named::FileStorage(path)),
            Source::Other(_) => Err(Failure::permanent(
                "`source` must name one thing: write `\"/DIR/Data.fs\"` or `{ database = \"NAME\" }`",
            )),
        }
    }
}

/// The configuration of `inspect`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inspect {
    pub target: Target,
    /// FileStorage: say what a pack to this time would free.
    #[serde(default)]
    pub before: Before,
    /// FileStorage: whether that pack would remove objects that nobody can reach.
    #[serde(default = "yes")]
    pub gc: bool,
}
