//! Opens redb files, and closes them.

use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use mhost_model::{Fault, FaultResult};
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::backend::Overlay;
use super::fault::{fault, guarded};
use crate::file::{self, open_regular};

/// redb's own default is a gibibyte.
const CACHE: usize = 32 << 20;

/// An open database. redb writes when it closes, and may panic there on a file that
/// is damaged, where no caller could answer with a fault.
pub(super) struct Open(Option<redb::Database>);

impl Deref for Open {
    type Target = redb::Database;
    fn deref(&self) -> &redb::Database {
        let open = self.0.as_ref();
        open.unwrap_or_else(|| unreachable!("closed only when it is dropped"))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // What was not committed is lost, as after a crash; the file stays whole.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(self.0.take())));
    }
}

/// Opens what a backend reaches; `repairing` is told if redb has to repair it, and how far that is.
pub(super) fn database(
    path: &Path,
    operation: &str,
    backend: impl StorageBackend,
    repairing: impl Fn(&mut redb::RepairSession) + 'static,
) -> FaultResult<redb::Database> {
    let mut builder = redb::Database::builder();
    builder.set_cache_size(CACHE);
    builder
        .set_repair_callback(repairing)
        .create_with_backend(backend)
        .map_err(|error| fault(operation, path, error))
}

/// Refuses what does not begin as redb's files do: redb would make a new database
/// of an empty file.
pub(super) fn check_magic(file: &File, path: &Path) -> FaultResult<()> {
    let mut magic = [0; file::REDB_MAGIC.len()];
    let read = file.read_exact_at(&mut magic, 0);
    if read.is_err() || magic != *file::REDB_MAGIC {
        return Err(Fault::Invalid(format!(
            "{} is no redb database, but {}",
            path.display(),
            file::describe(file)
        )));
    }
    Ok(())
}

/// Opens for reading, beside other readers; the file stays as it is.
pub(super) fn open_shared(path: &Path, operation: &str) -> FaultResult<Open> {
    patiently(|| {
        let file = open_regular(path, false)?;
        check_magic(&file, path)?;
        let overlay =
            Overlay::shared(file).map_err(|error| file::fault(operation, path, &error))?;
        open_backend(path, operation, overlay)
    })
}

/// Opens for writing, alone.
pub(super) fn open_writable(path: &Path) -> FaultResult<Open> {
    patiently(|| {
        let file = open_regular(path, true)?;
        check_magic(&file, path)?;
        let backend = FileBackend::new(file).map_err(|error| fault("open", path, error))?;
        open_backend(path, "write to", backend)
    })
}

/// A command that this process starts holds copies of its open files, and with them their locks,
/// until it has become another program: for that instant a file that was just closed is busy.
#[expect(
    clippy::disallowed_methods,
    reason = "nobody tells when a lock is free"
)]
fn patiently(open: impl Fn() -> FaultResult<Open>) -> FaultResult<Open> {
    const TRIES: u32 = 20;
    const BETWEEN: Duration = Duration::from_millis(5);
    for _ in 1..TRIES {
        match open() {
            Err(Fault::Busy(_)) => std::thread::sleep(BETWEEN),
            opened => return opened,
        }
    }
    open()
}

fn open_backend(path: &Path, operation: &str, backend: impl StorageBackend) -> FaultResult<Open> {
    guarded(operation, path, || {
        database(path, operation, backend, |_| {}).map(|db| Open(Some(db)))
    })
}
