//! Opens database files so that a link, a FIFO or a device in their place is
//! refused instead of followed or waited for, and says what a foreign file is.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mhost_model::{Fault, FaultResult};
use rustix::fs::OFlags;

/// Refuses what is not a regular file; `None` where nothing stands at the path.
/// Opens nothing: closing a file would release the POSIX locks that SQLite holds on
/// it elsewhere in this process.
pub(crate) fn check_regular(path: &Path) -> FaultResult<Option<Metadata>> {
    match path.symlink_metadata() {
        Ok(metadata) => match kind(&metadata) {
            None => Ok(Some(metadata)),
            Some((what, advice)) => Err(Fault::Invalid(format!(
                "{} is {what}, not a database file: {advice}",
                path.display()
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault("look at", path, &error)),
    }
}

fn kind(metadata: &Metadata) -> Option<(&'static str, &'static str)> {
    let kind = metadata.file_type();
    let other = "name a regular file";
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some(("a symbolic link", "name the file that it points to"))
    } else if kind.is_dir() {
        Some(("a directory", "name the file in it"))
    } else if kind.is_fifo() {
        Some(("a FIFO", other))
    } else if kind.is_socket() {
        Some(("a socket", other))
    } else {
        Some(("a device", other))
    }
}

/// Opens a regular file to read, or to read and write.
pub(crate) fn open_regular(path: &Path, write: bool) -> FaultResult<File> {
    if check_regular(path)?.is_none() {
        return Err(missing(path));
    }
    // What was checked may have been exchanged since: no link is followed, no FIFO
    // waited for, and what was opened is looked at again.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags(flags.bits() as i32)
        .open(path)
        .map_err(|error| fault("open", path, &error))?;
    let metadata = file
        .metadata()
        .map_err(|error| fault("look at", path, &error))?;
    match kind(&metadata) {
        None => Ok(file),
        Some((what, advice)) => Err(Fault::Invalid(format!(
            "{} is {what}, not a database file: {advice}",
            path.display()
        ))),
    }
}

/// The answer for a path where nothing stands.
pub(crate) fn missing(path: &Path) -> Fault {
    Fault::NotFound(format!(
        "there is no file {}: correct the path, or restore the database",
        path.display()
    ))
}

/// The fault for an answer of the operating system.
pub(crate) fn fault(operation: &str, path: &Path, error: &io::Error) -> Fault {
    let text = format!("cannot {operation} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NotFound(text),
        io::ErrorKind::PermissionDenied => Fault::Failed(format!(
            "{text}: run mhost as a user that may, or change the file's mode"
        )),
        io::ErrorKind::StorageFull => Fault::Failed(format!("{text}: free some space")),
        _ => Fault::Failed(text),
    }
}

/// The folder of a file; `.` for a bare name.
pub(crate) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// What redb writes at the start of a file.
pub(crate) const REDB_MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";
/// What SQLite writes there.
pub(crate) const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
const KNOWN: [(&[u8], &str); 8] = [
    (REDB_MAGIC, "a redb database (`engine = \"redb\"`)"),
    (SQLITE_MAGIC, "a SQLite database (`engine = \"sqlite\"`)"),
    (b"FS21", "a ZODB FileStorage"),
    (b"FS30", "a ZODB FileStorage"),
    (b"\x1f\x8b", "a gzip file: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file: unpack it first"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x7fELF", "a program"),
];

/// In words, what kind of file it is.
pub(crate) fn describe(file: &File) -> String {
    let mut head = Vec::new();
    if let Err(error) = file.take(64).read_to_end(&mut head) {
        return format!("a file that cannot be read ({error})");
    }
    if head.is_empty() {
        return "an empty file".into();
    }
    match KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        Some((_, what)) => (*what).into(),
        None if std::str::from_utf8(&head).is_ok() => "a text file".into(),
        None => "a file of an unknown kind".into(),
    }
}
