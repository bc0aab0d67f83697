//! Free space, asked for before anything is written.

use std::io;
use std::path::Path;

use mhost_model::{ByteSize, Fault, FaultResult};

/// Bytes that this process may still write to the file system of `path`.
pub(crate) fn free(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// How to learn the free bytes of a path's file system; a parameter, so that a
/// full disk can be tested.
pub(crate) type Free<'a> = &'a dyn Fn(&Path) -> io::Result<u64>;

/// Refuses work that needs more room than there is.
pub(crate) fn check(folder: &Path, needed: u64, free: Free) -> FaultResult<()> {
    let there = free(folder).map_err(|error| {
        Fault::Failed(format!(
            "cannot ask for the free space of {}: {error}",
            folder.display()
        ))
    })?;
    if there < needed {
        return Err(Fault::Failed(format!(
            "{} has {} free and this needs up to {}: nothing was changed; free some space and try again",
            folder.display(),
            ByteSize(there),
            ByteSize(needed)
        )));
    }
    Ok(())
}
