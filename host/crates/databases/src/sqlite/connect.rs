//! Opens connections.
//!
//! SQLite holds POSIX locks, which the system drops when *any* handle of the file in
//! this process is closed. So files are never opened beside SQLite here, except
//! through [`without_connections`], which makes sure that none is connected.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use mhost_model::{Fault, FaultResult};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Error, OpenFlags, ffi};

use super::Site;
use super::fault::{fault, not_a_database};
use crate::file::{self, check_regular, folder};
use crate::place::{COMPANIONS, suffixed};

/// What the path in a URI may hold as it is.
const IN_URIS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Changes nothing, not even to roll a crashed writer's transaction back.
    Look,
    /// Changes no row.
    Read,
    Write,
}

/// Bytes of SQLite's smallest page.
const SMALLEST: u64 = 512;

type FileId = (u64, u64);

/// How many connections of this process each file has.
static CONNECTED: Mutex<Option<HashMap<FileId, usize>>> = Mutex::new(None);

fn connected() -> MutexGuard<'static, Option<HashMap<FileId, usize>>> {
    CONNECTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts one connection.
#[derive(Debug)]
struct Counted(FileId);

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(count) = connected().as_mut().and_then(|c| c.get_mut(&self.0)) {
            *count -= 1;
        }
    }
}

/// A connection of SQLite's, counted.
#[derive(Debug)]
pub(super) struct Held {
    // Closed before it is no longer counted.
    connection: Connection,
    _counted: Counted,
}

impl Deref for Held {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// Runs work that opens the file itself, while this process has no connection to it
/// and can make none.
pub(super) fn without_connections<T>(
    path: &Path,
    work: impl FnOnce() -> FaultResult<T>,
) -> FaultResult<T> {
    let metadata = check_regular(path)?.ok_or_else(|| file::missing(path))?;
    let connected = connected();
    let count = connected
        .as_ref()
        .and_then(|c| c.get(&(metadata.dev(), metadata.ino())));
    if count.is_some_and(|count| *count > 0) {
        return Err(Fault::Busy(format!(
            "another run of this mhost is using {}: try again later",
            path.display()
        )));
    }
    work()
}

/// Connects to the file and reads its schema, so that what is wrong shows here.
pub(super) fn connect(site: &Site, access: Access) -> FaultResult<Held> {
    let failed = |error| fault("open", &site.path, error);
    match open(site, access == Access::Write)? {
        Ok(connection) => Ok(connection),
        Err(error) if access == Access::Read && needs_writing(&error) => {
            let connection = open(site, true)?.map_err(failed)?;
            connection
                .execute_batch("PRAGMA query_only = ON")
                .map_err(failed)?;
            Ok(connection)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Whether a read-only connection failed because SQLite must first roll back or
/// recover what a crashed writer left.
fn needs_writing(error: &Error) -> bool {
    matches!(
        extended(error),
        Some(
            ffi::SQLITE_READONLY_ROLLBACK
                | ffi::SQLITE_READONLY_RECOVERY
                | ffi::SQLITE_READONLY_CANTINIT
                | ffi::SQLITE_CANTOPEN
        )
    )
}

/// Whether a crashed writer left a journal that must be rolled back.
pub(super) fn is_hot(site: &Site) -> FaultResult<bool> {
    Ok(match open(site, false)? {
        Ok(_) => false,
        Err(error) => extended(&error) == Some(ffi::SQLITE_READONLY_ROLLBACK),
    })
}

fn extended(error: &Error) -> Option<i32> {
    match error {
        Error::SqliteFailure(failure, _) => Some(failure.extended_code),
        _ => None,
    }
}

fn open(site: &Site, write: bool) -> FaultResult<Result<Held, Error>> {
    let metadata = check_regular(&site.path)?.ok_or_else(|| file::missing(&site.path))?;
    for suffix in COMPANIONS {
        check_regular(&suffixed(&site.path, suffix))?;
    }
    check_size(&site.path, metadata.len())?;
    let path = real(&site.path)?;
    let counted = count((metadata.dev(), metadata.ino()));
    let flags = if write {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let opened = Connection::open_with_flags(
        path,
        flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    );
    Ok(opened.and_then(|connection| {
        connection.busy_timeout(site.wait)?;
        harden(&connection)?;
        Ok(Held {
            connection,
            _counted: counted,
        })
    }))
}

/// Keeps a file that was cut short from SQLite: it would take it for a new database,
/// and delete the log beside it.
fn check_size(path: &Path, len: u64) -> FaultResult<()> {
    let log = check_regular(&suffixed(path, "-wal"))?.map_or(0, |m| m.len());
    match len {
        0 if log > 0 => Err(Fault::Damaged(format!(
            "{} is empty, but has a log beside it: restore it from a snapshot",
            path.display()
        ))),
        1..SMALLEST => Err(not_a_database(path)),
        _ => Ok(()),
    }
}

fn count(id: FileId) -> Counted {
    *connected()
        .get_or_insert_with(HashMap::new)
        .entry(id)
        .or_default() += 1;
    Counted(id)
}

/// Takes the schema for data: it may come from anybody.
fn harden(connection: &Connection) -> Result<(), Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch("PRAGMA synchronous = FULL; SELECT count(*) FROM sqlite_schema")
}

/// Opens a file that nobody else has: a copy in the making, to write to.
pub(super) fn open_copy(path: &Path) -> FaultResult<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(real(path)?, flags).map_err(|error| fault("open", path, error))
}

/// Opens a file that nobody changes, without locks and without companions.
pub(super) fn open_still(path: &Path) -> FaultResult<Connection> {
    let place = real(path)?;
    let place = percent_encode(place.as_os_str().as_bytes(), IN_URIS);
    let uri = format!("file:{place}?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let failed = |error| fault("open", path, error);
    let connection = Connection::open_with_flags(uri, flags).map_err(failed)?;
    harden(&connection).map_err(failed)?;
    Ok(connection)
}

/// The path with its folder's links resolved: SQLite refuses a link anywhere in the
/// path, mhost only one in the file's own place.
fn real(path: &Path) -> FaultResult<PathBuf> {
    let parent = folder(path)
        .canonicalize()
        .map_err(|error| file::fault("open the folder of", path, &error))?;
    Ok(parent.join(path.file_name().unwrap_or_default()))
}
