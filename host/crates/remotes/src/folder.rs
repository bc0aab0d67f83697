//! A directory of this machine as a remote.
//!
//! Every path is resolved beneath the root's handle by the system itself
//! (`openat2` through cap-std): a symbolic link is followed as long as it stays
//! inside. A link itself is replaced, renamed and deleted, never what it points to.

mod writing;

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, MetadataExt, OpenOptions, OpenOptionsExt};
use mhost_model::ports::remote::{Entry, Metadata, Remote, Writer};
use mhost_model::{Fault, FaultResult, Instant};
use rustix::fs::OFlags;

use crate::listing::{self, Child, Tree};
use crate::path::{check, check_folder, is_aside, split};
use crate::{CHUNK, check_limit};

/// A remote that is a directory.
#[derive(Debug)]
pub(crate) struct Folder {
    root: Arc<Dir>,
}

impl Folder {
    /// The directory must exist: an empty one in the place of a file system that is
    /// not mounted would look as if everything were gone.
    pub fn open(path: &Path) -> FaultResult<Self> {
        let root = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| {
            let text = format!(
                "cannot open the remote's folder {}: {error}",
                path.display()
            );
            match error.kind() {
                io::ErrorKind::NotFound => {
                    Fault::NotFound(format!("{text}: create it, or mount what belongs there"))
                }
                _ => Fault::Failed(text),
            }
        })?;
        Ok(Self {
            root: Arc::new(root),
        })
    }

    /// Makes a folder's entries durable.
    fn sync(&self, folder: &str) -> FaultResult<()> {
        open_folder(&self.root, folder)
            .and_then(|dir| sync_dir(&dir))
            .map_err(|error| fault("sync the folder of", folder, &error))
    }

    /// Creates the folders that a new file needs, as an object store does.
    fn make_folder(&self, folder: &str) -> FaultResult<()> {
        if folder.is_empty() {
            return Ok(());
        }
        let made = match self.root.create_dir_all(folder) {
            // What is in the way is no folder, or a link: opening it says which.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.root.open_dir(folder).map(drop)
            }
            made => made,
        };
        made.map_err(|error| fault("create the folder", folder, &error))
    }
}

/// A folder by its checked path; empty for the root.
fn open_folder(root: &Dir, folder: &str) -> io::Result<Dir> {
    root.open_dir(if folder.is_empty() { "." } else { folder })
}

fn sync_dir(dir: &Dir) -> io::Result<()> {
    // The handle itself may be good for paths alone.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let readable = rustix::fs::openat(dir, ".", flags, rustix::fs::Mode::empty())?;
    Ok(rustix::fs::fsync(readable)?)
}

/// The fault for an answer of the operating system about a path of the remote.
fn fault(operation: &str, path: &str, error: &io::Error) -> Fault {
    // cap-std's own refusal is the one without a code of the system.
    if error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none() {
        return Fault::Invalid(format!(
            "cannot {operation} `{path}`: a symbolic link leads out of the remote"
        ));
    }
    let text = format!("cannot {operation} `{path}`: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => Fault::NotFound(text),
        io::ErrorKind::AlreadyExists => Fault::Exists(text),
        io::ErrorKind::StorageFull => Fault::Failed(format!("{text}: free some space")),
        io::ErrorKind::PermissionDenied => Fault::Failed(format!(
            "{text}: run mhost as a user that may, or change the mode"
        )),
        io::ErrorKind::DirectoryNotEmpty
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => Fault::Invalid(text),
        _ => Fault::Failed(text),
    }
}

fn metadata(found: &cap_std::fs::Metadata) -> Metadata {
    let millis = found
        .mtime()
        .checked_mul(1000)
        .and_then(|seconds| seconds.checked_add(found.mtime_nsec() / 1_000_000));
    Metadata {
        directory: found.is_dir(),
        size: if found.is_file() { found.len() } else { 0 },
        modified: millis.and_then(Instant::from_timestamp_millis),
        etag: None,
    }
}

impl Tree for Folder {
    fn children(&self, folder: &str) -> FaultResult<Vec<Child>> {
        let failed = |error: io::Error| fault("list", folder, &error);
        let dir = open_folder(&self.root, folder).map_err(failed)?;
        let mut children = Vec::new();
        for entry in dir.entries().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string().map_err(|name| {
                Fault::Unsupported(format!(
                    "{name:?} in the folder `{folder}` is not UTF-8: rename it"
                ))
            })?;
            if !is_aside(&name) {
                children.push(Child {
                    name,
                    folder: entry.file_type().is_ok_and(|kind| kind.is_dir()),
                    metadata: None,
                });
            }
        }
        Ok(children)
    }

    fn look(&self, path: &str) -> FaultResult<Metadata> {
        let failed = |error: io::Error| fault("look at", path, &error);
        let own = self.root.symlink_metadata(path).map_err(failed)?;
        if !own.is_symlink() {
            return Ok(metadata(&own));
        }
        let target = self.root.metadata(path);
        Ok(metadata(&target.unwrap_or(own)))
    }
}

impl Remote for Folder {
    fn list(
        &self,
        path: &str,
        recursive: bool,
        after: Option<&str>,
        limit: u32,
    ) -> FaultResult<Vec<Entry>> {
        let limit = check_limit(limit)?;
        let folder = check_folder(path)?;
        listing::list(self, folder, recursive, after, limit)
    }

    fn stat(&self, path: &str) -> FaultResult<Metadata> {
        let path = check_folder(path)?;
        let found = if path.is_empty() {
            self.root.dir_metadata()
        } else {
            self.root.metadata(path)
        };
        found
            .map(|found| metadata(&found))
            .map_err(|error| fault("look at", path, &error))
    }

    fn read(&self, path: &str, offset: u64, length: u32) -> FaultResult<Vec<u8>> {
        let path = check(path)?;
        let failed = |error: io::Error| fault("read", path, &error);
        // Not to wait for the other end of a FIFO.
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = self.root.open_with(path, &options).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(Fault::Invalid(format!("`{path}` is not a regular file")));
        }
        read_at(&file.into_std(), offset, length.min(CHUNK) as usize).map_err(failed)
    }

    fn write(&self, path: &str) -> FaultResult<Box<dyn Writer>> {
        let path = check(path)?;
        let (folder, name) = split(path);
        self.make_folder(folder)?;
        let dir = open_folder(&self.root, folder).map_err(|error| fault("write", path, &error))?;
        Ok(Box::new(writing::Aside::create(dir, name, path)?))
    }

    fn rename(&self, source: &str, target: &str) -> FaultResult<()> {
        let (source, target) = (check(source)?, check(target)?);
        let (from, to) = (split(source).0, split(target).0);
        let failed = |error: io::Error| fault("rename", source, &error);
        // Looked for first, so that a mistake makes no folder.
        self.root.symlink_metadata(source).map_err(failed)?;
        self.make_folder(to)?;
        self.root
            .rename(source, &self.root, target)
            .map_err(failed)?;
        self.sync(to)?;
        if from == to { Ok(()) } else { self.sync(from) }
    }

    fn delete(&self, path: &str) -> FaultResult<()> {
        let path = check(path)?;
        let deleted = match self.root.symlink_metadata(path) {
            Ok(found) if found.is_dir() => self.root.remove_dir(path),
            Ok(_) => self.root.remove_file(path),
            Err(error) => Err(error),
        };
        match deleted {
            Ok(()) => self.sync(split(path).0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(fault("delete", path, &error)),
        }
    }

    fn create_directory(&self, path: &str) -> FaultResult<()> {
        let path = check(check_folder(path)?)?;
        self.make_folder(path)?;
        self.sync(split(path).0)
    }
}

fn read_at(file: &std::fs::File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    // No file reaches there, and the system would call it a mistake.
    let end = offset.checked_add(length as u64);
    if end.is_none_or(|end| i64::try_from(end).is_err()) {
        return Ok(Vec::new());
    }
    let mut data = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut data[filled..], offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    data.truncate(filled);
    Ok(data)
}
