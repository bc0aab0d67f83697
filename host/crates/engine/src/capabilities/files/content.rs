//! One file or directory as it lies there: cut, made durable, locked; and the room
//! on its file system.

use std::fs::File;

use mhost_model::{Fault, FaultResult};
use rustix::fs::{FileType, FlockOperation, StatVfs};
use rustix::io::Errno;

use super::work::Work;
use crate::beneath::{Content, Place};

/// Cuts, or extends with zeroes. An extension is a hole: it takes no room.
pub(crate) fn truncate(work: Work<'_>, place: &Place, size: u64) -> FaultResult<()> {
    let (file, _) = place.content(Content::Write)?;
    work.meter.opened();
    work.change()?;
    rustix::fs::ftruncate(&file, size).map_err(|error| place.fault("truncate", error))?;
    work.meter.changed(1);
    Ok(())
}

/// Makes a file's data, or a directory's entries, durable.
pub(crate) fn sync(work: Work<'_>, place: &Place) -> FaultResult<()> {
    const VERB: &str = "sync";
    let fault = |error| place.fault(VERB, error);
    let stat = rustix::fs::fstat(place.handle(VERB)?).map_err(fault)?;
    work.meter.opened();
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => rustix::fs::fsync(place.directory(VERB)?).map_err(fault),
        _ => rustix::fs::fsync(place.content(Content::Read)?.0).map_err(fault),
    }
}

/// The room on the file system that the path lies on.
pub(crate) fn free_space(place: &Place) -> FaultResult<StatVfs> {
    const VERB: &str = "ask for the free space of";
    rustix::fs::fstatvfs(place.handle(VERB)?).map_err(|error| place.fault(VERB, error))
}

/// Locks an existing file without waiting; dropping the answer releases it.
pub(crate) fn lock(work: Work<'_>, place: &Place, exclusive: bool) -> FaultResult<File> {
    let (file, _) = place.content(Content::Read)?;
    work.meter.opened();
    let operation = match exclusive {
        true => FlockOperation::NonBlockingLockExclusive,
        false => FlockOperation::NonBlockingLockShared,
    };
    match rustix::fs::flock(&file, operation) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(Fault::Busy(format!(
            "`{}` is locked by another process; try again later",
            place.text()
        ))),
        Err(error) => Err(place.fault("lock", error)),
    }
}
