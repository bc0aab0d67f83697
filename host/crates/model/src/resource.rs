//! Things that tasks can be granted by name: databases, repositories, remotes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A kind of managed database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    Redb,
    Sqlite,
}

impl Engine {
    /// As it stands in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sqlite => "sqlite",
        }
    }
}

/// `[databases.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseDef {
    pub engine: Engine,
    /// Absolute once stored; relative to the configuration file in it.
    pub path: PathBuf,
}

/// `[repositories.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepositoryDef {
    /// A directory's absolute path, or a URL.
    pub url: String,
}

/// `[remotes.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteDef {
    /// `file:///srv/files`, `memory:NAME` ….
    pub url: String,
}

/// `[pools.NAME]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolDef {
    /// Runs at one time.
    pub size: u32,
}
