//! What goes wrong, as a person and a script see it: a message, a remedy, and an
//! exit code. Everything that ends in the command line or in the API becomes a
//! [`Problem`] here.

use std::fmt;

use mhost_model::{Fault, RunId};
use mhost_store::StoreError;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, Mistake, TOLD};

/// The documented exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// 1: the run failed, or the machine did not do what was asked.
    Failed,
    /// 1: the store is damaged; `mhost doctor` tells more.
    Damaged,
    /// 2: a mistake in usage or configuration.
    Usage,
    /// 3: no such thing.
    NotFound,
    /// 4: refused by a grant or a limit.
    Refused,
    /// 5: held by another process.
    Busy,
    /// 70: a bug of ours.
    Bug,
}

impl Kind {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Failed | Self::Damaged => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Refused => 4,
            Self::Busy => 5,
            Self::Bug => 70,
        }
    }
}

/// A failed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub kind: Kind,
    /// What failed and where; may have several lines.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Each thing that is wrong in what was written, where that is why; the message is then
    /// their sum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mistakes: Vec<Mistake>,
}

pub type Outcomes<T> = Result<T, Problem>;

impl Problem {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            mistakes: Vec::new(),
        }
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub fn damaged(message: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(Kind::Busy, message)
    }

    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// Adds the remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// "cannot OPERATION PATH: why", the form of every failure of the file system.
    pub fn io(operation: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::failed(format!("cannot {operation} {}: {error}", path.display()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.mistakes.iter().enumerate() {
            let parted = if at == 0 { "" } else { "\n\n" };
            write!(f, "{parted}{mistake}")?;
        }
        match self.mistakes.len() {
            0 => f.write_str(&self.message)?,
            // More than are told one by one.
            TOLD => write!(f, "\n\n{}", self.message)?,
            _ => {}
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// Mistakes in usage or configuration.
impl From<ConfigError> for Problem {
    fn from(error: ConfigError) -> Self {
        let message = match (error.count(), error.mistakes.as_slice()) {
            (1, [only]) => only.message.clone(),
            (count, mistakes) => {
                let file = mistakes.first().map_or("", |first| first.file.as_str());
                format!("there are {count} mistakes in {file}")
            }
        };
        Self {
            mistakes: error.mistakes,
            ..Self::usage(message)
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Busy { .. } => Self::busy(message),
            StoreError::NotFound { .. } => Self::not_found(message),
            StoreError::Conflict(_) => Self::usage(message),
            StoreError::Damaged { .. } => Self::damaged(message).hint("run `mhost doctor`"),
            StoreError::TooNew { .. } | StoreError::Stale(_) | StoreError::Failed { .. } => {
                Self::failed(message)
            }
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let kind = match &fault {
            Fault::Denied(_) | Fault::DryRun(_) | Fault::Limit(_) => Kind::Refused,
            Fault::NotFound(_) => Kind::NotFound,
            Fault::Busy(_) => Kind::Busy,
            Fault::Invalid(_) | Fault::Unsupported(_) | Fault::Exists(_) => Kind::Usage,
            Fault::TimedOut(_) | Fault::Damaged(_) | Fault::Failed(_) => Kind::Failed,
        };
        Self::new(kind, fault.to_string())
    }
}

/// The usual answer to an id that nobody has.
pub fn no_run(id: RunId) -> Problem {
    Problem::not_found(format!("there is no run {id} in the ledger"))
        .hint("`mhost runs list` shows the runs that there are")
}
