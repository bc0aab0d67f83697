//! A file that is written beside its target and appears under its name whole or not
//! at all. Its name follows from the target's, so that a copy that was cut off is found
//! again; a lock tells one that is being written from one that is left over.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// See the module; dropping one that was not committed removes it, unless it is kept.
#[derive(Debug)]
pub(crate) struct Partial<'f> {
    folder: &'f OwnedFd,
    name: CString,
    keep: bool,
    pub file: File,
    /// It has content of an earlier copy.
    pub resumed: bool,
}

/// The name beside a target's.
pub(crate) fn name_beside(name: &CStr) -> CString {
    let hash = blake3::hash(name.to_bytes());
    let text = format!(".mhost-{}.partial", &hash.to_hex()[..16]);
    CString::new(text).unwrap_or_default()
}

impl<'f> Partial<'f> {
    /// Makes the file, or takes over the one that is left; `busy` where another
    /// process writes it.
    pub(crate) fn open(
        folder: &'f OwnedFd,
        target: &CStr,
        resume: bool,
    ) -> rustix::io::Result<Self> {
        let name = name_beside(target);
        for _ in 0..16 {
            let made = create(folder, &name);
            let (file, resumed) = match made {
                Ok(file) => (file, false),
                Err(Errno::EXIST) => match take_over(folder, &name)? {
                    Some(file) => (file, true),
                    None => continue,
                },
                Err(error) => return Err(error),
            };
            if resumed && !resume {
                rustix::fs::ftruncate(&file, 0)?;
            }
            return Ok(Self {
                folder,
                name,
                keep: false,
                file: File::from(file),
                resumed: resumed && resume,
            });
        }
        Err(Errno::BUSY)
    }

    /// What is there when this is dropped may serve a later copy.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }

    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    /// Gives it its name.
    pub(crate) fn commit(mut self, target: &CStr) -> rustix::io::Result<()> {
        rustix::fs::renameat(self.folder, &self.name, self.folder, target)?;
        self.keep = true;
        Ok(())
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if !self.keep {
            // Nobody is left to tell; the next run finds and removes it.
            let _ = rustix::fs::unlinkat(self.folder, &self.name, AtFlags::empty());
        }
    }
}

fn create(folder: &OwnedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o600))?;
    lock(&file)?;
    Ok(file)
}

fn lock(file: &OwnedFd) -> rustix::io::Result<()> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Err(Errno::BUSY),
        // A file system without locks has nobody who could tell.
        Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        answer => answer,
    }
}

/// The file that is left, if it is one of ours that nobody else has a name for; what
/// is not gives way.
fn take_over(folder: &OwnedFd, name: &CStr) -> rustix::io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let opened = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP | Errno::NXIO | Errno::ISDIR | Errno::ACCESS) => {
            return give_way(folder, name);
        }
        Err(error) => return Err(error),
    };
    let stat = rustix::fs::fstat(&opened)?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let mine = stat.st_uid == rustix::process::geteuid().as_raw();
    if !regular || !mine || stat.st_nlink != 1 {
        return give_way(folder, name);
    }
    lock(&opened)?;
    // Locked after its writer renamed it, it is the finished file.
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) if (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino) => Ok(Some(opened)),
        Ok(_) | Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn give_way(folder: &OwnedFd, name: &CStr) -> rustix::io::Result<Option<OwnedFd>> {
    match rustix::fs::unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes one that is left over; one that is being written stays.
pub(crate) fn remove(folder: &OwnedFd, name: &CStr) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    if let Ok(file) = rustix::fs::openat(folder, name, flags, Mode::empty()) {
        lock(&file)?;
        return rustix::fs::unlinkat(folder, name, AtFlags::empty());
    }
    rustix::fs::unlinkat(folder, name, AtFlags::empty())
}

/// Makes something that is not a regular file under the name beside, and moves it over
/// the target.
pub(crate) fn put(
    folder: &OwnedFd,
    target: &CStr,
    make: impl Fn(&CStr) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    let name = name_beside(target);
    match make(&name) {
        Err(Errno::EXIST) => {
            give_way(folder, &name)?;
            make(&name)?;
        }
        made => made?,
    }
    let moved = rustix::fs::renameat(folder, &name, folder, target);
    // Two names of one file: the rename leaves both.
    let _ = rustix::fs::unlinkat(folder, &name, AtFlags::empty());
    moved
}
