//! A file that is written aside and appears under its name whole or not at all.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use mhost_model::FaultResult;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::beneath::Leaf;

/// The hidden file beside its target; dropping it before [`Aside::commit`] leaves nothing.
#[derive(Debug)]
pub(super) struct Aside {
    target: Leaf,
    name: Option<String>,
    pub file: File,
}

/// Whether an existing file gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Replace,
    Keep,
}

impl Aside {
    /// Makes the hidden file in the target's folder; `mode` is subject to the umask.
    /// Fails early where `existing` will not give way.
    pub(super) fn create(
        target: Leaf,
        mode: Mode,
        existing: Existing,
        verb: &str,
    ) -> FaultResult<Self> {
        target.demand_file_name(verb)?;
        if existing == Existing::Keep && target.exists()? {
            return Err(target.fault(verb, Errno::EXIST));
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        loop {
            let name = hidden_name();
            let made = rustix::fs::openat(
                &target.folder,
                &name,
                flags | OFlags::NOFOLLOW | OFlags::CLOEXEC,
                mode,
            );
            match made {
                Ok(file) => return Ok(Self::new(target, name, file)),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(target.fault(verb, error)),
            }
        }
    }

    fn new(target: Leaf, name: String, file: OwnedFd) -> Self {
        Self {
            target,
            name: Some(name),
            file: file.into(),
        }
    }

    /// Makes the content durable, then gives it its name.
    pub(super) fn commit(self, existing: Existing, verb: &str) -> FaultResult<()> {
        let synced = rustix::fs::fsync(&self.file);
        synced.map_err(|error| self.target.fault(verb, error))?;
        self.name(existing, verb)
    }

    /// Gives it its name; for a file without content.
    pub(super) fn name(mut self, existing: Existing, verb: &str) -> FaultResult<()> {
        let fault = |error| self.target.fault(verb, error);
        let Some(name) = &self.name else {
            return Ok(());
        };
        let folder = &self.target.folder;
        let renamed = match existing {
            Existing::Replace => rustix::fs::renameat(folder, name, folder, &self.target.name),
            Existing::Keep => rename_new(folder, name, folder, &self.target.name),
        };
        renamed.map_err(fault)?;
        self.name = None;
        Ok(())
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Nobody is left to tell; the name says whose it is.
            let _ = rustix::fs::unlinkat(&self.target.folder, name, AtFlags::empty());
        }
    }
}

/// Renames where the new name must not exist. File systems without
/// `RENAME_NOREPLACE` get a second name and lose the first, which works for files.
pub(super) fn rename_new(
    from: &OwnedFd,
    old: &str,
    to: &OwnedFd,
    new: &str,
) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            rustix::fs::linkat(from, old, to, new, AtFlags::empty())?;
            rustix::fs::unlinkat(from, old, AtFlags::empty())
        }
        answer => answer,
    }
}

/// Unique in this process; the process's id and `O_EXCL` do the rest.
fn hidden_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(".mhost-{}-{count}.partial", std::process::id())
}
