//! What to work on.

use mhost_sdk::database::Database;
use mhost_sdk::{Context, Doing as _, Failure};
use schemars::JsonSchema;
use serde::Deserialize;

/// The configuration of every action.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What to work on, such as `{ database = "site" }`.
    pub target: Target,
}

/// Exactly one thing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A granted database, by its name.
    Database(String),
}

impl Target {
    /// For messages: `the database `site``.
    pub fn label(&self) -> String {
        match self {
            Self::Database(name) => format!("the database `{name}`"),
        }
    }

    /// Opens it.
    pub fn open<'h>(&self, context: &'h Context) -> Result<Box<dyn Database + 'h>, Failure> {
        match self {
            Self::Database(name) => context
                .database(name)
                .doing(|| format!("open {}", self.label())),
        }
    }
}
