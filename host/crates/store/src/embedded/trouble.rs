//! What can go wrong inside the embedded store, before the operation and the path
//! are known; [`Trouble::during`] adds them.

use std::path::Path;

use redb::{CommitError, CompactionError, StorageError, TableError, TransactionError};

use crate::StoreError;

/// An error on its way out of a transaction.
#[derive(Debug)]
pub enum Trouble {
    /// An answer that the caller is meant to see as it is.
    Told(StoreError),
    /// The database or the operating system answered.
    Database(String),
    /// A record or a page is not what it should be.
    Damaged(String),
}

pub type Res<T> = Result<T, Trouble>;

impl Trouble {
    /// As the caller sees it.
    pub fn during(self, operation: &'static str, path: &Path) -> StoreError {
        match self {
            Self::Told(error) => error,
            Self::Database(why) => StoreError::Failed { operation, why },
            Self::Damaged(why) => StoreError::Damaged {
                path: path.display().to_string(),
                why,
            },
        }
    }

    /// A change that contradicts what is there.
    pub fn conflict(text: impl Into<String>) -> Self {
        Self::Told(StoreError::Conflict(text.into()))
    }

    /// Nothing of this kind and name.
    pub fn not_found(kind: &'static str, name: impl ToString) -> Self {
        Self::Told(StoreError::NotFound {
            kind,
            name: name.to_string(),
        })
    }

    /// An index that names what is not there.
    pub fn dangling(what: &str, id: impl std::fmt::Display) -> Self {
        Self::Damaged(format!("an index names {what} {id}, which is missing"))
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Told(error)
    }
}

impl From<StorageError> for Trouble {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupted(why) => Self::Damaged(why),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<TableError> for Trouble {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<TransactionError> for Trouble {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<CommitError> for Trouble {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            other => Self::Database(other.to_string()),
        }
    }
}

impl From<CompactionError> for Trouble {
    fn from(error: CompactionError) -> Self {
        match error {
            CompactionError::Storage(error) => error.into(),
            other => Self::Database(other.to_string()),
        }
    }
}
