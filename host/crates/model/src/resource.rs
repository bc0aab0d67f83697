//! Things that tasks can be granted by name: databases, repositories, remotes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::grant::SecretSource;

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

/// Where storage is kept, and how it is reached. Which keys go with which URL is said by
/// the driver that reaches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// A directory's absolute path, or a URL such as `s3:https://HOST/BUCKET`; never with a
    /// password in it.
    pub url: String,
    /// Who logs in over HTTP; for S3, the access key's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The user's password; for S3, the secret access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretSource>,
    /// S3's region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A PEM file with authorities to trust beside the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The program that connects to an SFTP server, and its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<Vec<String>>,
}

impl Endpoint {
    /// One that needs nothing but its URL.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            user: None,
            secret: None,
            region: None,
            ca: None,
            ssh: None,
        }
    }
}

/// `[repositories.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RepositoryDef {
    pub endpoint: Endpoint,
}

/// `[remotes.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RemoteDef {
    pub endpoint: Endpoint,
}

impl From<Endpoint> for RepositoryDef {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }
}

impl From<Endpoint> for RemoteDef {
    fn from(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }
}

/// `[pools.NAME]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolDef {
    /// Runs at one time.
    pub size: u32,
}
