//! Metadata: looked at, changed, carried from one file to another.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use mhost_model::{Fault, FaultResult};
use rustix::fs::{AtFlags, FileType, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::work::Work;
use crate::beneath::Place;

/// A point in time as file systems keep it: seconds since the epoch, nanoseconds.
pub(crate) type Moment = (i64, u32);

/// What to change; `None` stays.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Changes {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub modified: Option<Moment>,
    pub accessed: Option<Moment>,
}

/// Metadata of the thing itself.
pub(crate) fn stat(place: &Place) -> FaultResult<Stat> {
    let handle = place.itself("stat")?;
    rustix::fs::fstat(handle).map_err(|error| place.fault("stat", error))
}

/// Changes metadata of the thing itself. A symbolic link has no mode of its own.
pub(crate) fn set(work: Work<'_>, place: &Place, changes: Changes) -> FaultResult<()> {
    const VERB: &str = "set the metadata of";
    check(&changes)?;
    let handle = place.itself(VERB)?;
    let stat = rustix::fs::fstat(&handle).map_err(|error| place.fault(VERB, error))?;
    let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    if link && changes.mode.is_some() {
        return Err(Fault::Unsupported(format!(
            "cannot set the mode of `{}`: a symbolic link has none",
            place.text()
        )));
    }
    work.change()?;
    apply(handle.as_fd(), &changes).map_err(|error| place.fault(VERB, error))?;
    work.meter.changed(1);
    Ok(())
}

fn check(changes: &Changes) -> FaultResult<()> {
    if changes.mode.is_some_and(|mode| mode > 0o7777) {
        return Err(Fault::Invalid(
            "the mode is none: write permission bits from 0 to 0o7777".to_owned(),
        ));
    }
    let moments = [changes.modified, changes.accessed];
    if moments
        .iter()
        .flatten()
        .any(|moment| moment.1 >= 1_000_000_000)
    {
        return Err(Fault::Invalid(
            "the time is none: its nanoseconds reach a second".to_owned(),
        ));
    }
    // -1 means "leave it" to the system call.
    if [changes.uid, changes.gid].contains(&Some(u32::MAX)) {
        return Err(Fault::Invalid("the owner is none: 4294967295".to_owned()));
    }
    Ok(())
}

/// Through a handle without content (`O_PATH`), so even a file without any
/// permission can be changed. The owner goes first, as changing it clears bits of the mode.
fn apply(handle: BorrowedFd<'_>, changes: &Changes) -> rustix::io::Result<()> {
    if changes.uid.is_some() || changes.gid.is_some() {
        let uid = changes.uid.map(Uid::from_raw);
        let gid = changes.gid.map(Gid::from_raw);
        rustix::fs::chownat(handle, "", uid, gid, AtFlags::EMPTY_PATH)?;
    }
    if let Some(mode) = changes.mode {
        rustix::fs::chmod(own_path(handle), Mode::from_raw_mode(mode))?;
    }
    if changes.modified.is_some() || changes.accessed.is_some() {
        let times = Timestamps {
            last_access: timespec(changes.accessed),
            last_modification: timespec(changes.modified),
        };
        set_times(handle, &times)?;
    }
    Ok(())
}

/// Linux before 5.8 knows no empty path here; there it goes by way of `/proc`, which
/// follows to what the handle holds.
fn set_times(handle: BorrowedFd<'_>, times: &Timestamps) -> rustix::io::Result<()> {
    match rustix::fs::utimensat(handle, "", times, AtFlags::EMPTY_PATH) {
        Err(Errno::INVAL | Errno::NOENT) => {
            rustix::fs::utimensat(rustix::fs::CWD, own_path(handle), times, AtFlags::empty())
        }
        answer => answer,
    }
}

fn own_path(handle: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", handle.as_raw_fd())
}

fn timespec(moment: Option<Moment>) -> Timespec {
    let (tv_sec, tv_nsec) = match moment {
        Some((seconds, nanoseconds)) => (seconds, i64::from(nanoseconds)),
        None => (0, UTIME_OMIT),
    };
    Timespec { tv_sec, tv_nsec }
}

/// Gives a new file the mode, the times and, where this process may, the owner of
/// another.
pub(super) fn carry_over(from: &Stat, to: impl AsFd) -> rustix::io::Result<()> {
    let to = to.as_fd();
    let (uid, gid) = (Uid::from_raw(from.st_uid), Gid::from_raw(from.st_gid));
    match rustix::fs::fchown(to, Some(uid), Some(gid)) {
        Ok(()) => rustix::fs::fchmod(to, permissions(from))?,
        // Not the owner's rights for somebody else: drop what depends on the owner.
        Err(Errno::PERM | Errno::INVAL) => {
            rustix::fs::fchmod(to, permissions(from) & Mode::from_raw_mode(0o1777))?;
        }
        Err(error) => return Err(error),
    }
    let times = Timestamps {
        last_access: moment(from.st_atime, from.st_atime_nsec),
        last_modification: moment(from.st_mtime, from.st_mtime_nsec),
    };
    rustix::fs::futimens(to, &times)
}

fn permissions(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode & 0o7777)
}

#[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion)] // The types differ between architectures.
fn moment(seconds: i64, nanoseconds: impl TryInto<i64>) -> Timespec {
    Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.try_into().unwrap_or(0),
    }
}
