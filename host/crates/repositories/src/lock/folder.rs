//! The `locks` folder of a repository.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mhost_model::{Fault, FaultResult};
use rustic_core::Id;
use sha2::{Digest, Sha256};

use super::record::Record;
use crate::crypto::Sealer;
use crate::fault;
use crate::place::Place;

/// Reads and writes lock files.
#[derive(Debug, Clone)]
pub struct LockFolder {
    place: Place,
    sealer: Sealer,
}

/// A lock file: its id, and what stands in it if it can be read.
pub struct Found {
    pub id: String,
    pub record: FaultResult<Record>,
}

impl LockFolder {
    pub fn new(place: Place, sealer: Sealer) -> Self {
        Self { place, sealer }
    }

    /// How messages call the repository.
    pub fn label(&self) -> String {
        self.place.to_string()
    }

    pub fn repository(&self) -> &Path {
        &self.place.path
    }

    fn path(&self) -> PathBuf {
        self.place.path.join("locks")
    }

    /// All locks. Files that are empty, have another name, or vanish meanwhile are
    /// none; one that cannot be read may be somebody's, and is told.
    pub fn read_all(&self) -> FaultResult<Vec<Found>> {
        let entries = match fs::read_dir(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.unlisted(&error))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.unlisted(&error))?;
            found.extend(self.read(entry.file_name().to_str().unwrap_or_default()));
        }
        Ok(found)
    }

    fn read(&self, id: &str) -> Option<Found> {
        id.parse::<Id>().ok()?;
        let record = match fs::read(self.path().join(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Ok(bytes) if bytes.is_empty() => return None,
            Ok(bytes) => self.decode(&bytes).ok_or_else(|| self.unreadable(id)),
            Err(_) => Err(self.unreadable(id)),
        };
        Some(Found {
            id: id.to_owned(),
            record,
        })
    }

    fn decode(&self, bytes: &[u8]) -> Option<Record> {
        serde_json::from_slice(&self.sealer.open(bytes)?).ok()
    }

    /// Puts a lock into the folder, whole or not at all; returns its id.
    pub fn write(&self, record: &Record) -> io::Result<String> {
        let text = serde_json::to_vec(record)?;
        let sealed = self
            .sealer
            .seal(&text)
            .ok_or_else(|| io::Error::other("sealing failed"))?;
        let id = hex::encode(Sha256::digest(&sealed));
        let folder = self.path();
        create_private(&folder)?;
        let temporary = folder.join(format!("{id}-tmp-"));
        let written = write_synced(&temporary, &sealed)
            .and_then(|()| fs::rename(&temporary, folder.join(&id)));
        if written.is_err() {
            // Nothing more can be done about it: it has no lock's name.
            let _ = fs::remove_file(&temporary);
        }
        written.map(|()| id)
    }

    /// Whether the lock file is still there.
    pub fn holds(&self, id: &str) -> bool {
        self.path().join(id).exists()
    }

    /// What cannot be removed dies after thirty minutes.
    pub fn remove(&self, id: &str) {
        let _ = fs::remove_file(self.path().join(id));
    }

    /// The fault, and whether the reason is that nothing can be written there.
    pub fn unwritten(&self, error: &io::Error) -> (Fault, bool) {
        let readonly = matches!(
            error.kind(),
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
        );
        let fault = fault::system(
            format!("locking {}: writing to", self.place),
            &self.path(),
            error,
        );
        (fault, readonly)
    }

    fn unlisted(&self, error: &io::Error) -> Fault {
        fault::system(
            format!("locking {}: listing", self.place),
            &self.path(),
            error,
        )
    }

    fn unreadable(&self, id: &str) -> Fault {
        Fault::Busy(format!(
            "{} has a lock that cannot be read (locks/{id}): if no other program uses the \
             repository, remove it with `restic -r {} unlock --remove-all`",
            self.place,
            self.place.path.display()
        ))
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
