//! The errors that every capability answers with, and what they mean where something may be
//! missing.

pub use mhost_model::{Denial, Fault as Error, FaultResult as Result};

/// What an answer means where something may be missing.
pub trait Optional<T> {
    /// `None` for [`Error::NotFound`].
    fn optional(self) -> Result<Option<T>>;
    /// `None` for [`Error::DryRun`]: asked for, stands on the receipt, not done.
    fn unless_dry_run(self) -> Result<Option<T>>;
}

impl<T> Optional<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn unless_dry_run(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(Error::DryRun(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
