//! A root, and the folders beneath it. The last name of a path is never resolved;
//! what lies before it is, beneath the root and through no link.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use mhost_model::{Fault, FaultResult};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::{attributes, file_fault};

/// The directory that everything lies beneath.
#[derive(Debug)]
pub struct Root {
    handle: OwnedFd,
    text: String,
}

/// What can be kept beneath a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// This process may give files to others.
    pub owners: bool,
    /// The file system has extended attributes.
    pub attributes: bool,
}

/// An opened folder, and a name in it.
#[derive(Debug)]
pub(crate) struct Leaf<'f> {
    pub folder: &'f OwnedFd,
    pub name: CString,
}

impl Root {
    /// `text` is the directory's path for messages.
    pub fn new(handle: OwnedFd, text: &str) -> Self {
        let text = text.trim_end_matches('/').to_owned();
        Self { handle, text }
    }

    /// See [`Facts`].
    pub fn facts(&self) -> Facts {
        Facts {
            owners: rustix::process::geteuid().is_root(),
            attributes: attributes::supported(&self.handle),
        }
    }

    /// A path beneath the root, for messages.
    pub fn shown(&self, path: &[u8]) -> String {
        if path.is_empty() {
            return self.text.clone();
        }
        format!("{}/{}", self.text, String::from_utf8_lossy(path))
    }

    pub(crate) fn fault(&self, verb: &str, path: &[u8], error: impl Into<std::io::Error>) -> Fault {
        file_fault(verb, &self.shown(path), error)
    }
}

/// The folders of a root, of which the newest stays open: steps come in the order of
/// a walk.
#[derive(Debug)]
pub(crate) struct Folders<'r> {
    pub root: &'r Root,
    newest: Option<(Vec<u8>, OwnedFd)>,
}

impl<'r> Folders<'r> {
    pub(crate) fn new(root: &'r Root) -> Self {
        let newest = None;
        Self { root, newest }
    }

    /// Forgets what was open: a directory went or moved.
    pub(crate) fn forget(&mut self) {
        self.newest = None;
    }

    /// The folder of a path, opened, and its last name; the root itself is `.`.
    pub(crate) fn leaf(&mut self, path: &[u8], verb: &str) -> FaultResult<Leaf<'_>> {
        check(path).map_err(|why| {
            let shown = self.root.shown(path);
            Fault::Invalid(format!("cannot {verb} `{shown}`: {why}"))
        })?;
        let (parent, name) = split(path);
        let known = matches!(&self.newest, Some((known, _)) if known == parent);
        if !known {
            let folder = open_folder(&self.root.handle, parent)
                .map_err(|error| self.root.fault(verb, path, error))?;
            self.newest = Some((parent.to_vec(), folder));
        }
        match &self.newest {
            Some((_, folder)) => Ok(Leaf {
                folder,
                name: c_name(name),
            }),
            None => Err(self.root.fault(verb, path, Errno::NOENT)),
        }
    }
}

fn c_name(name: &[u8]) -> CString {
    let name = if name.is_empty() { b"." } else { name };
    // Checked: no NUL.
    CString::new(name).unwrap_or_default()
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

fn check(path: &[u8]) -> Result<(), &'static str> {
    if path.is_empty() {
        return Ok(());
    }
    if path.contains(&0) {
        return Err("it contains a NUL");
    }
    let bad = |name: &[u8]| matches!(name, b"" | b"." | b"..");
    if path.split(|byte| *byte == b'/').any(bad) {
        return Err("write it relative to the root, without `.` and `..`");
    }
    Ok(())
}

/// Opens a folder beneath a root, through no link.
fn open_folder(root: &OwnedFd, path: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if path.is_empty() {
        return rustix::fs::openat(root, ".", flags, Mode::empty());
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOSYS | Errno::PERM | Errno::NAMETOOLONG | Errno::AGAIN) => {
            step_by_step(root, path, flags)
        }
        opened => opened,
    }
}

/// The same for kernels without `openat2`, and for paths longer than one call takes.
fn step_by_step(root: &OwnedFd, path: &[u8], flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let mut folder = rustix::fs::openat(root, ".", flags, Mode::empty())?;
    for name in path.split(|byte| *byte == b'/') {
        folder = rustix::fs::openat(folder.as_fd(), name, flags, Mode::empty())?;
    }
    Ok(folder)
}
