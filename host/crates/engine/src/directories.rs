//! The directories that a run was granted, opened once at its start. Everything
//! below them is reached through these handles, never through a path again.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mhost_model::grant::{Access, DirGrant};
use mhost_model::{Fault, FaultResult, Name};

use crate::permits::{DirectoryUse, Granter, Permit};

mod protected;

pub use protected::{Protected, Reach, check_grants, real_path};

/// One granted directory.
#[derive(Debug)]
pub struct Directory {
    /// The directory itself.
    handle: File,
    /// Read-only in a dry run, whatever the grant says.
    pub access: Access,
}

impl Directory {
    /// A path to this very directory that is good for this process only.
    pub fn proc_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// All of a run's directories; opened when the run begins, on its own thread.
#[derive(Debug)]
pub struct Directories {
    protected: Vec<PathBuf>,
    opened: OnceLock<BTreeMap<Name, Directory>>,
}

impl Directories {
    pub(crate) fn new(protected: &[PathBuf]) -> Self {
        Self {
            protected: protected.to_vec(),
            opened: OnceLock::new(),
        }
    }

    /// Opens every granted directory. Fails when one is missing, is no directory, or
    /// covers what is protected.
    pub(crate) fn open(&self, granter: &Granter) -> Result<(), Vec<Fault>> {
        let dirs = &granter.grants().dirs;
        if dirs.is_empty() {
            return Ok(());
        }
        let guard = Protected::new(&self.protected);
        let (mut opened, mut faults) = (BTreeMap::new(), Vec::new());
        for (name, grant) in dirs {
            match open(name, grant, granter.dry_run(), &guard) {
                Ok(directory) => drop(opened.insert(name.clone(), directory)),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        self.opened.get_or_init(|| opened);
        Ok(())
    }

    /// The directory that a permit is for.
    pub fn get(&self, permit: &Permit<DirectoryUse>) -> FaultResult<&Directory> {
        let opened = self
            .opened
            .get()
            .and_then(|opened| opened.get(&permit.name));
        opened.ok_or_else(|| Fault::Failed(format!("directory {} is not open", permit.name)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &Directory)> {
        self.opened.get().into_iter().flatten()
    }
}

fn open(name: &Name, grant: &DirGrant, dry_run: bool, guard: &Protected) -> FaultResult<Directory> {
    let handle = open_handle(name, &grant.path)?;
    let real = std::fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd()))
        .map_err(|error| fault(name, &grant.path, &error.to_string()))?;
    guard.check(name, &grant.path, &real)?;
    let access = if dry_run {
        Access::ReadOnly
    } else {
        grant.access
    };
    Ok(Directory { handle, access })
}

/// Opens the directory itself, and nothing that would block.
fn open_handle(name: &Name, path: &Path) -> FaultResult<File> {
    use rustix::fs::{Mode, OFlags};
    if !path.is_absolute() {
        return Err(fault(name, path, "the path is not absolute"));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(handle) => Ok(File::from(handle)),
        Err(rustix::io::Errno::NOENT) => Err(Fault::NotFound(format!(
            "dirs.{name}: there is no directory {}; make it, or correct the grant",
            path.display()
        ))),
        Err(rustix::io::Errno::NOTDIR) => Err(fault(name, path, "it is not a directory")),
        Err(error) => Err(fault(name, path, &error.to_string())),
    }
}

fn fault(name: &Name, path: &Path, why: &str) -> Fault {
    Fault::Invalid(format!(
        "dirs.{name}: cannot open {}: {why}; correct the grant",
        path.display()
    ))
}
