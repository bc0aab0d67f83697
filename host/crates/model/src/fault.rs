//! The error that every capability answers with; the twin of `faults.error` in
//! the WIT package.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What was refused, and the grant that would allow it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Error)]
#[error("{verb} on {capability} `{target}` is not granted: {remedy}")]
pub struct Denial {
    /// `directory`, `database`, `network` ….
    pub capability: String,
    /// The name or target asked for.
    pub target: String,
    /// The verb asked for.
    pub verb: String,
    /// The grant to add, as it would stand in `mhost.toml` or, for `mhost exec`, among
    /// the options.
    pub remedy: String,
}

/// See `wit/faults.wit`, which says when each is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "about")]
pub enum Fault {
    #[error(transparent)]
    Denied(Denial),
    #[error("not done in a dry run: {0}")]
    DryRun(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Exists(String),
    #[error("{0}")]
    Busy(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Unsupported(String),
    #[error("{0}")]
    Limit(String),
    #[error("{0}")]
    TimedOut(String),
    #[error("{0}")]
    Damaged(String),
    #[error("{0}")]
    Failed(String),
}

/// What a port returns.
pub type FaultResult<T> = Result<T, Fault>;
