//! The `locks` folder of a repository.

use std::io;

use bytes::Bytes;
use mhost_model::{Fault, FaultResult};
use rustic_core::Id;
use sha2::{Digest, Sha256};

use super::record::Record;
use crate::crypto::Sealer;
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

    /// As `--repo` takes it, before the verbs.
    pub fn named(&self) -> String {
        format!("{}={}", self.place.name, self.place.shown())
    }

    /// All locks. Files that are empty, have another name, or vanish meanwhile are
    /// none; one that cannot be read may be somebody's, and is told.
    pub fn read_all(&self) -> FaultResult<Vec<Found>> {
        let files = match self.place.medium.list("locks") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            files => files.map_err(|error| self.unlisted(&error))?,
        };
        let names = files.into_iter().map(|(name, _)| name);
        Ok(names.filter_map(|name| self.read(&name)).collect())
    }

    fn read(&self, id: &str) -> Option<Found> {
        id.parse::<Id>().ok()?;
        let record = match self.place.medium.read(&file(id)) {
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
        self.place
            .medium
            .write(&file(&id), &[Bytes::from(sealed)])?;
        Ok(id)
    }

    /// Whether the lock file is still there; what cannot be found out counts as gone.
    pub fn holds(&self, id: &str) -> bool {
        self.place.medium.exists(&file(id)).unwrap_or(false)
    }

    /// What cannot be removed dies after thirty minutes.
    pub fn remove(&self, id: &str) {
        let _ = self.place.medium.remove(&file(id));
    }

    pub fn unwritten(&self, error: &io::Error) -> Fault {
        Fault::Failed(format!("locking {}: writing a lock: {error}", self.place))
    }

    fn unlisted(&self, error: &io::Error) -> Fault {
        Fault::Failed(format!(
            "locking {}: listing its locks: {error}",
            self.place
        ))
    }

    fn unreadable(&self, id: &str) -> Fault {
        Fault::Busy(format!(
            "{} has a lock that cannot be read (locks/{id}): if no other program uses the \
             repository, remove it with `mhost exec backup unlock --repo {}:append,prune --set all=true`",
            self.place,
            self.named()
        ))
    }
}

fn file(id: &str) -> String {
    format!("locks/{id}")
}
