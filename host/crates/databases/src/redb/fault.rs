//! redb's errors as faults, and its panics on damaged files.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mhost_model::{Fault, FaultResult};

/// The fault for an answer of redb to `operation` on the file at `path`.
pub(super) fn fault(operation: &str, path: &Path, error: impl Into<redb::Error>) -> Fault {
    let error = error.into();
    let path = path.display();
    let text = format!("cannot {operation} {path}: {error}");
    match error {
        redb::Error::DatabaseAlreadyOpen => busy(operation, &path),
        redb::Error::TransactionInProgress => Fault::Busy(text),
        redb::Error::Corrupted(why) if newer_format(&why) => Fault::Unsupported(format!(
            "{path} has a newer file format of redb than this mhost knows, or its header is damaged ({why}): use a newer \
                 mhost, or restore it from a snapshot"
        )),
        redb::Error::Corrupted(_) | redb::Error::RepairAborted => damaged(text),
        redb::Error::UpgradeRequired(version) => Fault::Unsupported(format!(
            "{path} has redb's file format {version}: open it once with redb 2.6 and call `upgrade`"
        )),
        redb::Error::PersistentSavepointExists | redb::Error::EphemeralSavepointExists => {
            Fault::Unsupported(format!(
                "{text}: delete the savepoints in the application that made them"
            ))
        }
        redb::Error::TableIsMultimap(table) => Fault::Unsupported(format!(
            "table `{table}` is a multimap table; rows of those can only be counted"
        )),
        redb::Error::TableDoesNotExist(table) => no_table(&table),
        redb::Error::ValueTooLarge(_) => Fault::Invalid(text),
        redb::Error::Io(error) => io_fault(text, &error),
        _ => Fault::Failed(text),
    }
}

/// redb calls a file of a later version corrupted. Its versions are counted one by one, so that a byte far above is damage.
fn newer_format(why: &str) -> bool {
    let found = why.strip_prefix("Expected file format version <= ");
    let versions = found.and_then(|found| found.split_once(", found "));
    let parsed = versions
        .and_then(|(known, found)| Some((known.parse::<u8>().ok()?, found.parse::<u8>().ok()?)));
    parsed.is_some_and(|(known, found)| found > known && found - known <= 16)
}

fn io_fault(text: String, error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => damaged(text),
        io::ErrorKind::StorageFull => Fault::Failed(format!("{text}: free some space")),
        _ => Fault::Failed(text),
    }
}

fn damaged(text: String) -> Fault {
    Fault::Damaged(format!("{text}: restore it from a snapshot"))
}

/// The answer for a file whose lock another holds.
pub(super) fn busy(operation: &str, path: &dyn std::fmt::Display) -> Fault {
    Fault::Busy(format!(
        "cannot {operation} {path}: another process or run has it open, and a redb file has one user at a time; stop that, or try again later"
    ))
}

/// The answer for a table that is not there.
pub(super) fn no_table(table: &str) -> Fault {
    Fault::NotFound(format!("there is no table `{table}`"))
}

/// Runs work on bytes that may be damaged: redb answers some damage with a panic,
/// which is a fault here.
pub(super) fn guarded<T>(
    operation: &str,
    path: &Path,
    work: impl FnOnce() -> FaultResult<T>,
) -> FaultResult<T> {
    // Nothing of the unwound state is used again: the caller drops its handles.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(damaged(format!(
            "cannot {operation} {}: its structure makes no sense to redb",
            path.display()
        )))
    })
}
