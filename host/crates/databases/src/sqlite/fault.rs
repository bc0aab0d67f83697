//! SQLite's errors as faults.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use mhost_model::Fault;
use rusqlite::{Error, ErrorCode};

use crate::file;

/// The fault for SQLite's answer to `operation` on the file at `path`.
pub(super) fn fault(operation: &str, path: &Path, error: Error) -> Fault {
    let text = format!("cannot {operation} {}: {error}", path.display());
    let code = error.sqlite_error_code();
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Fault::Busy(format!(
            "{text}: another process or run is using it; try again later"
        )),
        Some(ErrorCode::OperationInterrupted) => {
            Fault::Failed("the run was asked to end; nothing was changed".into())
        }
        Some(ErrorCode::NotADatabase) => not_a_database(path),
        Some(ErrorCode::DatabaseCorrupt) => Fault::Damaged(format!(
            "{text}: restore it from a snapshot, or recover what is sound in it"
        )),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => Fault::Invalid(text),
        Some(ErrorCode::TooBig) => Fault::Limit(text),
        Some(ErrorCode::DiskFull) => Fault::Failed(format!("{text}: free some space")),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            Fault::Failed(format!(
                "{text}: mhost needs to read and write the file and its folder"
            ))
        }
        _ if needs_the_application(&text) => Fault::Unsupported(format!(
            "{text}: it is defined by the application, and not known here"
        )),
        _ => Fault::Failed(text),
    }
}

/// Collations, functions and modules that an application adds to SQLite.
fn needs_the_application(text: &str) -> bool {
    [
        "no such collation",
        "no such function",
        "unknown function",
        "no such module",
    ]
    .iter()
    .any(|known| text.contains(known))
}

fn begins_as_one(file: &File) -> bool {
    let mut magic = [0; file::SQLITE_MAGIC.len()];
    file.read_exact_at(&mut magic, 0).is_ok() && magic == file::SQLITE_MAGIC
}

/// Says what the file is. Only for one that SQLite does not take for its own, on
/// which no connection of this process can hold a lock that closing it would lose.
pub(super) fn not_a_database(path: &Path) -> Fault {
    match file::open_regular(path, false) {
        Ok(file) if begins_as_one(&file) => Fault::Damaged(format!(
            "{} is a SQLite database, but its header is damaged: restore it from a snapshot, or recover what is sound in it \
             (`mhost exec pack recover`)",
            path.display()
        )),
        Ok(file) => Fault::Invalid(format!(
            "{} is no SQLite database, but {}",
            path.display(),
            file::describe(&file)
        )),
        Err(error) => error,
    }
}
