//! What to work on, and how.

mod kinds;
mod target;

use std::time::Duration;

use mhost_filestorage::verify::Level;
use mhost_sdk::Failure;
use mhost_sdk::units::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::before::Before;
use kinds::{Given, Kind, only_for};
pub use target::{Held, Named, Source, Target};

const AN_HOUR: Duration = Duration::from_secs(3600);

fn yes() -> bool {
    true
}

/// The configuration of `pack`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    pub target: Target,
    /// FileStorage and Zope: what is older than this is packed: `now` (when it is not given), `7 days`, an instant
    /// such as `2026-01-31T00:00:00Z`, or, of a FileStorage, a transaction's id of 16 hexadecimal digits.
    #[serde(default)]
    pub before: Option<Before>,
    /// FileStorage: whether objects that nobody can reach go too, not only old revisions.
    #[serde(default = "yes")]
    pub gc: bool,
    /// FileStorage and database: what happens to the old file: `true` keeps it as `Data.fs.old` until the next pack,
    /// a length of time such as `7 days` keeps each so long, `false` removes it. When it is not given: `true` for
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
    /// Zope: how long the server may take, one hour when it is not given; it answers when it has packed.
    #[serde(default)]
    pub timeout: Option<Span>,
}

impl Pack {
    /// What it names, with nothing set that is for something else.
    pub fn named(&self) -> Result<Named<'_>, Failure> {
        let named = self.target.named()?;
        only_for(
            named.kind(),
            &[
                Given::new(
                    "before",
                    self.before.is_some(),
                    &[Kind::FileStorage, Kind::Zope],
                ),
                Given::new("gc = false", !self.gc, &[Kind::FileStorage]),
                Given::new(
                    "keep_old",
                    self.keep_old.is_some(),
                    &[Kind::FileStorage, Kind::Database],
                ),
                Given::new("output", self.output.is_some(), &[Kind::FileStorage]),
                Given::new("blobs", self.blobs.is_some(), &[Kind::FileStorage]),
                Given::new("timeout", self.timeout.is_some(), &[Kind::Zope]),
            ],
        )?;
        if self.output.is_some() && self.keep_old.is_some() {
            return Err(Failure::misconfigured(
                "`keep_old` means nothing beside `output`, which leaves the original as it is: leave out one of them",
            ));
        }
        Ok(named)
    }

    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(AN_HOUR, Span::duration)
    }
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
    /// FileStorage: how far to go, `structure`, `pointers`, `records` or `references` (when it is not given); each has
    /// those before it in it.
    #[serde(default)]
    #[schemars(schema_with = "levels")]
    pub level: Option<Level>,
}

impl Verify {
    pub fn held(&self) -> Result<Held<'_>, Failure> {
        let held = self.target.named()?.held()?;
        only_for(
            held.kind(),
            &[Given::new(
                "level",
                self.level.is_some(),
                &[Kind::FileStorage],
            )],
        )?;
        Ok(held)
    }
}

fn levels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Level::ALL.map(Level::name) })
}

/// The configuration of `recover`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recover {
    /// What is damaged, and is only read: the guest path of a `Data.fs`, or `{ database = "NAME" }`, a granted one.
    pub source: Source,
    /// Where to write what is sound. It must not exist yet.
    pub output: String,
    /// FileStorage: keep the good records of a transaction of which others are lost. Such a
    /// transaction is not what was committed.
    #[serde(default)]
    pub partial: bool,
    /// SQLite: also write what lies in unused pages, which are rows that were deleted once.
    #[serde(default)]
    pub deleted: bool,
}

impl Recover {
    /// The one thing that the source names, with nothing set that is for something else.
    pub fn held(&self) -> Result<Held<'_>, Failure> {
        let held = self.source.held()?;
        only_for(
            held.kind(),
            &[
                Given::new("partial", self.partial, &[Kind::FileStorage]),
                Given::new("deleted", self.deleted, &[Kind::Database]),
            ],
        )?;
        Ok(held)
    }
}

/// The configuration of `inspect`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inspect {
    pub target: Target,
    /// FileStorage: say what a pack to this time would free, `now` when it is not given.
    #[serde(default)]
    pub before: Option<Before>,
    /// FileStorage: whether that pack would remove objects that nobody can reach.
    #[serde(default = "yes")]
    pub gc: bool,
}

impl Inspect {
    pub fn held(&self) -> Result<Held<'_>, Failure> {
        let held = self.target.named()?.held()?;
        only_for(
            held.kind(),
            &[
                Given::new("before", self.before.is_some(), &[Kind::FileStorage]),
                Given::new("gc = false", !self.gc, &[Kind::FileStorage]),
            ],
        )?;
        Ok(held)
    }
}
