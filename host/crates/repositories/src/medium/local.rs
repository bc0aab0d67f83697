//! A folder of this machine.

use std::fs::{self, DirEntry, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{FOLDERS, Medium, is_unfinished};

/// See the module.
#[derive(Debug, Clone)]
pub struct Local {
    root: PathBuf,
}

impl Local {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn at(&self, file: &str) -> PathBuf {
        self.root.join(file)
    }
}

impl Medium for Local {
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        let folder = self.at(folder);
        for entry in read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                for inner in read_dir(&entry.path())? {
                    found.extend(sized(&inner?)?);
                }
            } else {
                found.extend(sized(&entry)?);
            }
        }
        Ok(found)
    }

    fn read(&self, file: &str) -> io::Result<Bytes> {
        let path = self.at(file);
        let read = fs::read(&path).map_err(|error| named(&path, &error))?;
        Ok(read.into())
    }

    fn read_range(&self, file: &str, offset: u64, length: u64) -> io::Result<Bytes> {
        let path = self.at(file);
        let failed = |error: io::Error| named(&path, &error);
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        let opened = File::open(&path).map_err(failed)?;
        opened.read_exact_at(&mut bytes, offset).map_err(failed)?;
        Ok(bytes.into())
    }

    fn write(&self, file: &str, content: &[Bytes]) -> io::Result<()> {
        let path = self.at(file);
        let folder = path.parent().unwrap_or(&self.root);
        let temporary = PathBuf::from(format!("{}-tmp-", path.display()));
        let written = write_synced(folder, &temporary, content)
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(folder)?.sync_all());
        if written.is_err() {
            // Nothing more can be done about it: it has no file's name.
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(|error| named(&path, &error))
    }

    fn remove(&self, file: &str) -> io::Result<()> {
        let path = self.at(file);
        fs::remove_file(&path).map_err(|error| named(&path, &error))
    }

    fn exists(&self, file: &str) -> io::Result<bool> {
        let path = self.at(file);
        match path.symlink_metadata() {
            Ok(_) => Ok(true),
            Err(error) if is_absence(&error) => Ok(false),
            Err(error) => Err(named(&path, &error)),
        }
    }

    fn prepare(&self) -> io::Result<Option<String>> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(&self.root)
            .map_err(|error| named(&self.root, &error))?;
        let foreign = first_file(&self.root, &self.root, 0)?;
        if foreign.is_none() {
            for folder in FOLDERS {
                builder.create(self.at(folder))?;
            }
            for packs in 0..=255 {
                builder.create(self.at(&format!("data/{packs:02x}")))?;
            }
        }
        Ok(foreign)
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }
}

fn read_dir(folder: &Path) -> io::Result<fs::ReadDir> {
    fs::read_dir(folder).map_err(|error| named(folder, &error))
}

/// Nothing for a file that was removed meanwhile.
fn sized(entry: &DirEntry) -> io::Result<Option<(String, u64)>> {
    let metadata = match entry.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(|error| named(&entry.path(), &error))?,
    };
    let name = entry.file_name().to_string_lossy().into_owned();
    Ok(metadata.is_file().then_some((name, metadata.len())))
}

fn write_synced(folder: &Path, path: &Path, content: &[Bytes]) -> io::Result<()> {
    let open = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(path)
    };
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(folder)?;
            open()?
        }
        opened => opened?,
    };
    content.iter().try_for_each(|bytes| file.write_all(bytes))?;
    file.sync_all()
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The first file below that does not belong to an empty repository.
fn first_file(root: &Path, folder: &Path, depth: u32) -> io::Result<Option<String>> {
    for entry in read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let below = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .into_owned();
        let known = depth > 0 || FOLDERS.contains(&below.as_str());
        if entry.file_type()?.is_dir() && depth < 2 && known {
            if let Some(file) = first_file(root, &path, depth + 1)? {
                return Ok(Some(file));
            }
        } else if !is_unfinished(&below) {
            return Ok(Some(path.display().to_string()));
        }
    }
    Ok(None)
}
