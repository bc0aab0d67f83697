//! A folder held open, and its entries by their names alone: whoever renames or
//! links folders on the way to it changes nothing any more.
//!
//! An entry is addressed as `/proc/self/fd/N/NAME`; with a name of one component,
//! and calls that do not follow a last symbolic link, nothing outside of the
//! folder can be reached.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

/// Clones share the descriptor.
#[derive(Debug, Clone)]
pub struct Folder(Arc<File>);

impl Folder {
    /// The folder at a path; a symbolic link at its end is followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags(OFlags::DIRECTORY))
            .open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// As [`open`](Self::open) for a folder that may be passed through but not
    /// listed: only entries can be reached.
    pub fn pin(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags(OFlags::DIRECTORY | OFlags::PATH))
            .open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// A folder in this one; a symbolic link is an error.
    pub fn child(&self, name: &OsStr) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags(OFlags::DIRECTORY | OFlags::NOFOLLOW))
            .open(self.at(name))?;
        Ok(Self(Arc::new(file)))
    }

    /// A file in this folder, for reading; a symbolic link is an error, and a pipe
    /// does not block.
    pub fn file(&self, name: &OsStr) -> io::Result<File> {
        open_quietly(&self.at(name), OFlags::NOFOLLOW)
    }

    /// The path of an entry, good for this process while the folder is held.
    pub fn at(&self, name: &OsStr) -> PathBuf {
        self.path().join(name)
    }

    /// The path of the folder itself.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }

    /// Of an entry itself, not of what a symbolic link points to.
    pub fn metadata(&self, name: &OsStr) -> io::Result<Metadata> {
        self.at(name).symlink_metadata()
    }

    /// Names in byte order.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = fs::read_dir(self.path())?
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    pub fn as_file(&self) -> &File {
        &self.0
    }
}

/// Opens for reading without waiting for a pipe's other end.
pub fn open_quietly(path: &Path, extra: OFlags) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(flags(OFlags::NONBLOCK | OFlags::NOCTTY | extra))
        .open(path)
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_test_support::scratch;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_not_followed_out_of_it() {
        let dir = scratch("folder");
        fs::create_dir_all(dir.path().join("in")).unwrap();
        fs::write(dir.path().join("secret"), "").unwrap();
        symlink("..", dir.path().join("in/up")).unwrap();
        symlink("../secret", dir.path().join("in/link")).unwrap();
        let folder = Folder::open(&dir.path().join("in")).unwrap();
        assert!(folder.child(OsStr::new("up")).is_err());
        assert!(folder.file(OsStr::new("link")).is_err());
        assert!(folder.metadata(OsStr::new("link")).unwrap().is_symlink());
    }

    #[test]
    fn it_stays_the_same_when_the_path_changes() {
        let dir = scratch("folder");
        fs::create_dir(dir.path().join("a")).unwrap();
        fs::write(dir.path().join("a/b"), "1").unwrap();
        fs::write(dir.path().join("a/a"), "2").unwrap();
        let folder = Folder::open(&dir.path().join("a")).unwrap();
        fs::rename(dir.path().join("a"), dir.path().join("elsewhere")).unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        assert_eq!(folder.names().unwrap(), ["a", "b"]);
        assert_eq!(fs::read(folder.at(OsStr::new("b"))).unwrap(), b"1");
    }
}
