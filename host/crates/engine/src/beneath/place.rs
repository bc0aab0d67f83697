//! A place beneath a grant, and the ways to open it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use mhost_model::{Denial, Fault, FaultResult};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::guest_path::{GuestPath, shown};
use crate::permits::{DirectoryUse, Permit};
use mhost_trees::file_fault;

/// A permitted guest path; resolved anew by each opening.
#[derive(Debug)]
pub(crate) struct Place {
    dir: Dir,
    permit: Permit<DirectoryUse>,
    path: GuestPath,
    text: String,
}

/// What a regular file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Read,
    /// Neither created nor cut.
    Write,
}

/// A name in an opened folder; the name itself is not resolved.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub folder: OwnedFd,
    pub name: String,
    /// The guest path, for messages.
    pub text: String,
    /// The path demanded a directory by a trailing slash.
    directory: bool,
}

/// Something that a driver opens by a path, held by a handle: the path goes through
/// this process's own handle, so it cannot be led elsewhere while this lives.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// `/proc/self/fd/N`, perhaps with a last name.
    pub path: PathBuf,
    _handle: OwnedFd,
}

impl Place {
    /// `directory` is the permit's, and the grant of `path` is the permit's too.
    pub(crate) fn new(
        directory: impl AsFd,
        permit: Permit<DirectoryUse>,
        path: GuestPath,
        text: &str,
    ) -> FaultResult<Self> {
        let handle = directory.as_fd().try_clone_to_owned();
        let handle = handle.map_err(|error| file_fault("open", text, error))?;
        Ok(Self {
            dir: Dir::from_std_file(handle.into()),
            permit,
            path,
            text: text.to_owned(),
        })
    }

    /// Puts the use of the grant on the receipt.
    pub(crate) fn used(&self) {
        self.permit.used();
    }

    /// The guest path as it was given.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// An error where the other place is of another grant: names must not wander
    /// between grants, even on one file system.
    pub(crate) fn same_grant(&self, other: &Self, operation: &str) -> FaultResult<()> {
        if self.permit.name == other.permit.name {
            return Ok(());
        }
        Err(Fault::Invalid(format!(
            "cannot {operation} `{}` to `{}`: both must lie below the same grant; copy instead",
            self.text, other.text
        )))
    }

    /// A regular file's content. Links within the grant are followed; a FIFO,
    /// device or socket is refused before it is opened, so nothing blocks.
    pub(crate) fn content(&self, content: Content) -> FaultResult<(File, Stat)> {
        let verb = match content {
            Content::Read => "read",
            Content::Write => "write",
        };
        let handle = self.open(self.path.rest(), OFlags::PATH, false, verb)?;
        self.demand_regular(&handle, verb)?;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.open(self.path.rest(), flags, content == Content::Write, verb)?;
        // Again, on what is really open: the name may have been exchanged meanwhile.
        let stat = self.demand_regular(&file, verb)?;
        Ok((file, stat))
    }

    fn demand_regular(&self, file: &File, verb: &str) -> FaultResult<Stat> {
        let stat = rustix::fs::fstat(file).map_err(|error| self.fault(verb, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if !self.path.directory => Ok(stat),
            kind => Err(Fault::Invalid(format!(
                "cannot {verb} `{}`: it is {}, not a regular file",
                self.text,
                kind_name(kind)
            ))),
        }
    }

    /// A directory, to list it or to make it durable. Links within the grant are
    /// followed.
    pub(crate) fn directory(&self, verb: &str) -> FaultResult<OwnedFd> {
        let flags = OFlags::DIRECTORY | OFlags::NONBLOCK;
        self.open(self.path.rest(), flags, false, verb)
            .map(OwnedFd::from)
    }

    /// A handle without content on what the path leads to.
    pub(crate) fn handle(&self, verb: &str) -> FaultResult<OwnedFd> {
        self.open(self.path.rest(), OFlags::PATH, false, verb)
            .map(OwnedFd::from)
    }

    /// A handle without content on the thing itself, even where that is a link.
    pub(crate) fn itself(&self, verb: &str) -> FaultResult<OwnedFd> {
        if self.path.is_grant() {
            return self.handle(verb);
        }
        let leaf = self.leaf(verb)?;
        leaf.demand_directory(verb)?;
        leaf.open(verb)
    }

    /// The folder, opened, and the last name.
    pub(crate) fn leaf(&self, verb: &str) -> FaultResult<Leaf> {
        let Some((parent, name)) = self.path.parent_and_name() else {
            return Err(Fault::Invalid(format!(
                "cannot {verb} `{}`: it names no entry of a granted directory",
                self.text
            )));
        };
        let folder = self.open(parent, OFlags::DIRECTORY | OFlags::PATH, false, verb)?;
        Ok(Leaf {
            folder: folder.into(),
            name: name.to_owned(),
            text: self.text.clone(),
            directory: self.path.directory,
        })
    }

    /// An existing file or directory, for a driver that takes a path.
    pub(crate) fn pinned(&self, verb: &str) -> FaultResult<Pinned> {
        let handle = self.handle(verb)?;
        let stat = rustix::fs::fstat(&handle).map_err(|error| self.fault(verb, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile | FileType::Directory => {}
            kind => {
                return Err(Fault::Invalid(format!(
                    "cannot {verb} `{}`: it is {}",
                    self.text,
                    kind_name(kind)
                )));
            }
        }
        let path = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        Ok(Pinned {
            path,
            _handle: handle,
        })
    }

    /// An existing regular file by its name in the opened folder, for a driver that looks
    /// for companions beside it, and refuses a link in the file's place.
    pub(crate) fn pinned_by_name(&self, verb: &str) -> FaultResult<Pinned> {
        let leaf = self.leaf(verb)?;
        leaf.demand_file_name(verb)?;
        match FileType::from_raw_mode(leaf.stat(verb)?.st_mode) {
            FileType::RegularFile => Ok(leaf.pin()),
            FileType::Symlink => Err(Fault::Invalid(format!(
                "cannot {verb} `{}`: it is a symbolic link; name the file that it points to",
                self.text
            ))),
            kind => Err(Fault::Invalid(format!(
                "cannot {verb} `{}`: it is {}, not a regular file",
                self.text,
                kind_name(kind)
            ))),
        }
    }

    /// A file that is to be made, for a driver that takes a path: nothing may stand
    /// there yet, not even a link.
    pub(crate) fn pinned_new(&self, verb: &str) -> FaultResult<Pinned> {
        let leaf = self.leaf(verb)?;
        if leaf.exists()? {
            return Err(Fault::Exists(format!(
                "cannot {verb} `{}`: it exists already",
                self.text
            )));
        }
        Ok(leaf.pin())
    }

    /// Opens beneath the grant's handle. The kernel (or cap-std) refuses to leave it.
    fn open(&self, rest: &Path, flags: OFlags, write: bool, verb: &str) -> FaultResult<File> {
        let mut options = OpenOptions::new();
        options
            .read(!write)
            .write(write)
            .custom_flags(flags.bits().cast_signed());
        match self.dir.open_with(rest, &options) {
            Ok(file) => Ok(file.into_std()),
            Err(error) if led_out(&error) => Err(self.leads_out(verb)),
            Err(error) => Err(self.fault(verb, error)),
        }
    }

    fn leads_out(&self, verb: &str) -> Fault {
        Fault::Denied(Denial {
            capability: "directory".to_owned(),
            target: shown(&self.text),
            verb: verb.to_owned(),
            remedy: format!(
                "it leads out of dirs.{}; grant the directory that it leads to by a name of its own: dirs.NAME = {{ path = \"/…\" }}",
                self.permit.name
            ),
        })
    }

    pub(crate) fn fault(&self, verb: &str, error: impl Into<io::Error>) -> Fault {
        file_fault(verb, &self.text, error)
    }
}

impl Leaf {
    /// The name below this process's own handle of the folder.
    fn pin(self) -> Pinned {
        let path = format!("/proc/self/fd/{}/{}", self.folder.as_raw_fd(), self.name);
        Pinned {
            path: PathBuf::from(path),
            _handle: self.folder,
        }
    }

    /// A handle without content on the thing itself, even where that is a link.
    fn open(&self, verb: &str) -> FaultResult<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty())
            .map_err(|error| self.fault(verb, error))
    }

    /// Metadata of the thing itself.
    pub(crate) fn stat(&self, verb: &str) -> FaultResult<Stat> {
        rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| self.fault(verb, error))
    }

    /// Whether anything stands there, a dangling link included.
    pub(crate) fn exists(&self) -> FaultResult<bool> {
        match rustix::fs::statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(self.fault("look at", error)),
        }
    }

    /// Makes the folder's entries durable.
    pub(crate) fn sync_folder(&self, verb: &str) -> FaultResult<()> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.folder, ".", flags, Mode::empty())
            .and_then(rustix::fs::fsync)
            .map_err(|error| self.fault(verb, error))
    }

    /// An error where a trailing slash asked for a directory and this is none.
    pub(crate) fn demand_directory(&self, verb: &str) -> FaultResult<()> {
        if !self.directory {
            return Ok(());
        }
        match FileType::from_raw_mode(self.stat(verb)?.st_mode) {
            FileType::Directory => Ok(()),
            _ => Err(self.fault(verb, Errno::NOTDIR)),
        }
    }

    /// An error where a trailing slash stands behind what is to be a file's name.
    pub(crate) fn demand_file_name(&self, verb: &str) -> FaultResult<()> {
        if self.directory {
            return Err(self.fault(verb, Errno::NOTDIR));
        }
        Ok(())
    }

    pub(crate) fn fault(&self, verb: &str, error: impl Into<io::Error>) -> Fault {
        file_fault(verb, &self.text, error)
    }
}

/// cap-std's answer to a path that leaves the directory carries no number of the
/// operating system, other than a missing permission.
fn led_out(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    }
}
