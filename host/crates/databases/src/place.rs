//! Puts a finished file in its place: written aside as `.NAME.mhost-tmp` in the
//! same folder, made durable, then renamed, so that a reader finds the old file or
//! the new one, whole, at every moment.
//!
//! The writer of a file aside holds a `flock` on it. One without a lock is what a
//! crash left behind, and is removed by the next attempt.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::{NaiveDateTime, TimeDelta};
use mhost_model::ports::database::KeepOld;
use mhost_model::{Fault, FaultResult, Instant};
use rustix::fs::{Gid, Uid};

use crate::file::{check_regular, fault, folder};

/// What a crash may interrupt; told to a [`Hook`] when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) enum Step {
    /// The file aside exists, empty.
    Begun,
    /// It has the content.
    Copied,
    /// It is compacted.
    Packed,
    /// It is found sound.
    Verified,
    /// It is durable, with mode and owner.
    Synced,
    /// The old file has its second name.
    Kept,
    /// The new file has taken its place.
    Placed,
}

/// Is told each step; the tests end the process there.
pub(crate) type Hook<'a> = &'a mut dyn FnMut(Step);

/// Files that SQLite keeps beside a database, by suffix.
pub(crate) const COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// The path with something appended to its name.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn aside_path(target: &Path) -> FaultResult<PathBuf> {
    let name = target
        .file_name()
        .ok_or_else(|| Fault::Invalid(format!("{} does not end with a name", target.display())))?;
    let mut aside = OsString::from(".");
    aside.push(name);
    aside.push(".mhost-tmp");
    Ok(folder(target).join(aside))
}

/// A file in the making; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Aside {
    path: PathBuf,
    file: File,
}

impl Aside {
    /// Creates it, empty and for its owner alone, after removing what a crash left.
    pub fn beside(target: &Path) -> FaultResult<Self> {
        let path = aside_path(target)?;
        let file = match create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_leftover(&path)?;
                create(&path)
            }
            made => made,
        }
        .map_err(|error| fault("create", &path, &error))?;
        lock(&file, &path)?;
        Ok(Self { path, file })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Another handle of the file.
    pub fn file_again(&self, about: &Path) -> FaultResult<File> {
        self.file
            .try_clone()
            .map_err(|error| fault("open a copy of", about, &error))
    }

    /// Bytes so far.
    pub fn size(&self) -> FaultResult<u64> {
        self.file
            .metadata()
            .map(|m| m.len())
            .map_err(|error| fault("look at", &self.path, &error))
    }

    /// Takes over mode and owner.
    pub fn dress(&self, like: &Metadata) -> FaultResult<()> {
        let failed = |error: io::Error| fault("set the mode or owner of", &self.path, &error);
        let mine = self.file.metadata().map_err(failed)?;
        if (mine.uid(), mine.gid()) != (like.uid(), like.gid()) {
            rustix::fs::fchown(
                self.file.as_fd(),
                Some(Uid::from_raw(like.uid())),
                Some(Gid::from_raw(like.gid())),
            )
            .map_err(|error| failed(error.into()))?;
        }
        self.file
            .set_permissions(Permissions::from_mode(like.mode() & 0o7777))
            .map_err(failed)
    }

    /// Takes over who may read and write, but not the owner: a copy belongs to who
    /// made it.
    pub fn dress_as_copy(&self, like: &Metadata) -> FaultResult<()> {
        self.file
            .set_permissions(Permissions::from_mode(like.mode() & 0o666))
            .map_err(|error| fault("set the mode of", &self.path, &error))
    }

    /// Makes the content durable.
    pub fn sync(&self) -> FaultResult<()> {
        self.file
            .sync_all()
            .map_err(|error| fault("sync", &self.path, &error))
    }

    /// Takes a place where nothing stands yet, and makes that durable.
    pub fn place_new(self, target: &Path) -> FaultResult<()> {
        rename_new(&self.path, target).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(target),
            _ => fault("create", target, &error),
        })?;
        sync_folder(target)
    }

    /// Takes the place of the file that stands there, and makes that durable.
    pub fn place_over(self, target: &Path, hook: Hook) -> FaultResult<()> {
        std::fs::rename(&self.path, target).map_err(|error| fault("replace", target, &error))?;
        hook(Step::Placed);
        sync_folder(target)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // After a rename nothing stands there any more.
        remove_with_companions(&self.path);
    }
}

/// Refuses a target that exists, before any work is done.
pub(crate) fn check_free(target: &Path) -> FaultResult<()> {
    match target.symlink_metadata() {
        Ok(_) => Err(exists(target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fault("look at", target, &error)),
    }
}

fn exists(target: &Path) -> Fault {
    Fault::Exists(format!(
        "{} exists: choose another name, or remove it",
        target.display()
    ))
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn lock(file: &File, path: &Path) -> FaultResult<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Fault::Busy(format!(
            "{} is being written by another run: try again when that has ended",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(fault("lock", path, &error)),
    }
}

fn remove_leftover(path: &Path) -> FaultResult<()> {
    if check_regular(path)?.is_some() {
        let file = crate::file::open_regular(path, false)?;
        lock(&file, path)?;
        remove_with_companions(path);
    }
    Ok(())
}

fn remove_with_companions(path: &Path) {
    // A failure shows at the next creation.
    let _ = std::fs::remove_file(path);
    for suffix in COMPANIONS {
        let _ = std::fs::remove_file(suffixed(path, suffix));
    }
}

/// Renames without overwriting; by a hard link where the file system has no such
/// rename.
fn rename_new(source: &Path, target: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, source, CWD, target, RenameFlags::NOREPLACE) {
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            std::fs::hard_link(source, target)
        }
        other => other.map_err(Into::into),
    }
}

/// How the time stands in the name of an old file that is kept for days.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// The name under which a pack keeps the old file, if it does; with a time, one that nothing has yet: a pack
/// within the same second takes the next one's.
pub(crate) fn old_path(path: &Path, keep: KeepOld, now: Instant) -> Option<PathBuf> {
    match keep {
        KeepOld::No => None,
        KeepOld::UntilNext => Some(suffixed(path, ".old")),
        KeepOld::For(_) => (0..)
            .map(|later| now + TimeDelta::seconds(later))
            .map(|made| suffixed(path, &format!(".old-{}", made.format(STAMP))))
            .find(|old| old.symlink_metadata().is_err()),
    }
}

/// Gives the file a second name, instead of whatever has that name.
pub(crate) fn second_name(path: &Path, name: &Path) -> FaultResult<()> {
    let failed = |error: io::Error| fault("keep a second name for", path, &error);
    let aside = aside_path(name)?;
    remove_leftover(&aside)?;
    std::fs::hard_link(path, &aside).map_err(failed)?;
    std::fs::rename(&aside, name).map_err(failed)?;
    // Renaming a file to another name of its own does nothing, and leaves both.
    match std::fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => sync_folder(path),
    }
}

/// Removes old files that were kept long enough. Answers which.
pub(crate) fn forget_old(path: &Path, keep: KeepOld, now: Instant) -> FaultResult<Vec<PathBuf>> {
    let KeepOld::For(span) = keep else {
        return Ok(Vec::new());
    };
    let folder = folder(path);
    let failed = |error: io::Error| fault("list", &folder, &error);
    let mut prefix = OsString::from(path.file_name().unwrap_or_default());
    prefix.push(".old-");
    let mut forgotten = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let stamp = name
            .as_encoded_bytes()
            .strip_prefix(prefix.as_encoded_bytes());
        let made = stamp
            .and_then(|stamp| std::str::from_utf8(stamp).ok())
            .and_then(|stamp| NaiveDateTime::parse_from_str(stamp, STAMP).ok());
        let age = made.and_then(|made| (now - made.and_utc()).to_std().ok());
        if age.is_some_and(|age| age > span) {
            let old = entry.path();
            if check_regular(&old)?.is_some() {
                std::fs::remove_file(&old).map_err(|error| fault("remove", &old, &error))?;
                forgotten.push(old);
            }
        }
    }
    forgotten.sort();
    Ok(forgotten)
}

/// Makes the entries of a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> FaultResult<()> {
    let folder = folder(path);
    File::open(&folder)
        .and_then(|file| file.sync_all())
        .map_err(|error| fault("sync", &folder, &error))
}

/// Gives the file a second name, `NAME.before-restore-N`, with the first N that is
/// free; `None` where there is no file. A second name, so that the first is never
/// without a file.
pub(crate) fn keep_old(path: &Path) -> FaultResult<Option<PathBuf>> {
    for number in 1_u32.. {
        let kept = suffixed(path, &format!(".before-restore-{number}"));
        match std::fs::hard_link(path, &kept) {
            Ok(()) => return Ok(Some(kept)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(fault("keep a second name for", path, &error));
            }
        }
    }
    Err(Fault::Failed(format!(
        "there are too many old files beside {}: remove some",
        path.display()
    )))
}
