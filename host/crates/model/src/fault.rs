//! The error that every capability answers with; the twin of `faults.error` in
//! the WIT package.

use std::io;

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

/// See `wit/faults.wit`, which says when each is answered. The texts are whole
/// sentences that name the operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "about")]
pub enum Fault {
    /// Not granted.
    #[error(transparent)]
    Denied(Denial),
    /// A dry run lets nothing change.
    #[error("not done in a dry run: {0}")]
    DryRun(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// It exists already.
    #[error("{0}")]
    Exists(String),
    /// Another process holds it.
    #[error("{0}")]
    Busy(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The engine, the file system or the host cannot do this.
    #[error("{0}")]
    Unsupported(String),
    /// A limit or a budget of the run was reached.
    #[error("{0}")]
    Limit(String),
    /// A deadline passed.
    #[error("{0}")]
    TimedOut(String),
    /// What was read is damaged.
    #[error("{0}")]
    Damaged(String),
    /// Anything else that the operating system or a peer answered.
    #[error("{0}")]
    Failed(String),
}

/// What a port returns.
pub type FaultResult<T> = Result<T, Fault>;

impl Fault {
    /// Whether the same request may succeed later without anybody's help.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::TimedOut(_) | Self::Failed(_))
    }

    /// From the operating system's answer to `operation` (`remove `/logs/a``).
    pub fn from_io(operation: &str, error: &io::Error) -> Self {
        // What a stream of the host answered, on its way through `Read`.
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        if let Some(inner) = inner {
            return Self::clone(inner);
        }
        let text = format!("cannot {operation}: {}", words(error));
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound(text),
            io::ErrorKind::AlreadyExists => Self::Exists(text),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => Self::Invalid(text),
            io::ErrorKind::Unsupported => Self::Unsupported(text),
            _ => Self::Failed(text),
        }
    }
}

/// What the system says, without the number behind it: a component's libc numbers errors in
/// another way than the machine that it runs on.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error
        .raw_os_error()
        .map(|number| format!(" (os error {number})"));
    match number.and_then(|number| text.strip_suffix(&number)) {
        Some(words) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sandboxs_numbers_are_not_told() {
        let denied = io::Error::from_raw_os_error(1);
        let error = Fault::from_io("make `/a`", &denied).to_string();
        assert!(error.starts_with("cannot make `/a`: "), "{error}");
        assert!(!error.contains("os error"), "{error}");
        let words = io::Error::other("what stands (os error 7) here");
        let error = Fault::from_io("read", &words).to_string();
        assert!(error.contains("(os error 7)"), "{error}");
    }
}
