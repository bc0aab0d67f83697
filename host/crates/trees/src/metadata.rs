//! Metadata: changed, and carried from one file to another.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{AtFlags, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

/// A point in time as file systems keep it: seconds since the epoch, nanoseconds.
pub type Moment = (i64, u32);

/// What to change; `None` stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub modified: Option<Moment>,
    pub accessed: Option<Moment>,
}

/// Through a handle without content (`O_PATH`), so even a file without any
/// permission can be changed. The owner goes first, as changing it clears bits of the mode.
pub fn apply_changes(handle: BorrowedFd<'_>, changes: &Changes) -> rustix::io::Result<()> {
    set_owner(handle, changes)?;
    set_mode_and_times(handle, changes)
}

pub(crate) fn set_owner(handle: BorrowedFd<'_>, changes: &Changes) -> rustix::io::Result<()> {
    if changes.uid.is_some() || changes.gid.is_some() {
        let uid = changes.uid.map(Uid::from_raw);
        let gid = changes.gid.map(Gid::from_raw);
        rustix::fs::chownat(handle, "", uid, gid, AtFlags::EMPTY_PATH)?;
    }
    Ok(())
}

pub(crate) fn set_mode_and_times(
    handle: BorrowedFd<'_>,
    changes: &Changes,
) -> rustix::io::Result<()> {
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
pub fn carry_over(from: &Stat, to: impl AsFd) -> rustix::io::Result<()> {
    let to = to.as_fd();
    let mode = carry_owner(from, to)?;
    rustix::fs::fchmod(to, mode)?;
    rustix::fs::futimens(to, &times(from))
}

/// Gives a new file the owner of another, where this process may, and says which mode
/// it may then have.
pub(crate) fn carry_owner(from: &Stat, to: BorrowedFd<'_>) -> rustix::io::Result<Mode> {
    let (uid, gid) = (Uid::from_raw(from.st_uid), Gid::from_raw(from.st_gid));
    let mode = Mode::from_raw_mode(from.st_mode & 0o7777);
    match rustix::fs::fchown(to, Some(uid), Some(gid)) {
        Ok(()) => Ok(mode),
        // Not the owner's rights for somebody else: drop what depends on the owner.
        Err(Errno::PERM | Errno::INVAL) => Ok(mode & Mode::from_raw_mode(0o1777)),
        Err(error) => Err(error),
    }
}

pub(crate) fn times(from: &Stat) -> Timestamps {
    Timestamps {
        last_access: moment(from.st_atime, from.st_atime_nsec),
        last_modification: moment(from.st_mtime, from.st_mtime_nsec),
    }
}

#[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion)] // The types differ between architectures.
fn moment(seconds: i64, nanoseconds: impl TryInto<i64>) -> Timespec {
    Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.try_into().unwrap_or(0),
    }
}
