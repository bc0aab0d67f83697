//! A file of a directory remote in the making: beside its place, as
//! `.NAME.mhost-tmp`, with a lock that tells it from what a crash left behind.

use std::io::{self, Write};

use cap_std::fs::{Dir, OpenOptions, PermissionsExt};
use mhost_model::ports::remote::Writer;
use mhost_model::{Fault, FaultResult};
use rustix::fs::{FlockOperation, flock};

use super::{fault, sync_dir};
use crate::path::{aside_name, refuse_aside};

/// A file in the making; dropping it removes it.
#[derive(Debug)]
pub(super) struct Aside {
    dir: Dir,
    file: cap_std::fs::File,
    aside: String,
    name: String,
    /// For messages.
    path: String,
    written: u64,
}

impl Aside {
    /// `name` is to appear in `dir`; `path` is what it is called in messages.
    pub fn create(dir: Dir, name: &str, path: &str) -> FaultResult<Self> {
        refuse_aside(name, path)?;
        let aside = aside_name(name);
        let failed = |error: io::Error| fault("write", path, &error);
        let file = match create(&dir, &aside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove_leftover(&dir, &aside, path)?;
                create(&dir, &aside)
            }
            made => made,
        }
        .map_err(failed)?;
        lock(&file, path)?;
        Ok(Self {
            dir,
            file,
            aside,
            name: name.to_owned(),
            path: path.to_owned(),
            written: 0,
        })
    }

    /// Takes over the mode of the file that is about to be replaced.
    fn dress(&self) -> io::Result<()> {
        match self.dir.symlink_metadata(&self.name) {
            Ok(old) if old.is_file() => {
                let mode = old.permissions().mode() & 0o777;
                let mode = cap_std::fs::Permissions::from_mode(mode);
                self.file.set_permissions(mode)
            }
            _ => Ok(()),
        }
    }

    fn place(&self) -> io::Result<()> {
        self.dress()?;
        self.file.sync_all()?;
        self.dir.rename(&self.aside, &self.dir, &self.name)?;
        sync_dir(&self.dir)
    }
}

fn create(dir: &Dir, aside: &str) -> io::Result<cap_std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    dir.open_with(aside, &options)
}

fn lock(file: &cap_std::fs::File, path: &str) -> FaultResult<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Fault::Busy(format!(
            "`{path}` is being written by another run: try again when that has ended"
        ))),
        Err(error) => Err(fault("lock", path, &error.into())),
    }
}

fn remove_leftover(dir: &Dir, aside: &str, path: &str) -> FaultResult<()> {
    let failed = |error: io::Error| fault("replace what a crash left of", path, &error);
    let found = dir.symlink_metadata(aside).map_err(failed)?;
    if found.is_file() {
        lock(&dir.open(aside).map_err(failed)?, path)?;
    }
    // Also a link or a FIFO that somebody planted there; it is not opened.
    dir.remove_file(aside).map_err(failed)
}

impl Writer for Aside {
    fn write(&mut self, data: &[u8]) -> FaultResult<()> {
        self.file
            .write_all(data)
            .map_err(|error| fault("write", &self.path, &error))?;
        self.written += data.len() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> FaultResult<u64> {
        self.place()
            .map_err(|error| fault("write", &self.path, &error))?;
        Ok(self.written)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // After a rename nothing stands there any more.
        let _ = self.dir.remove_file(&self.aside);
    }
}
