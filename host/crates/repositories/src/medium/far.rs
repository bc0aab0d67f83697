//! Remote storage, through the host's driver of remotes.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use mhost_model::Fault;
use mhost_model::ports::remote::Remote;

use super::{FOLDERS, Medium, is_unfinished};

/// See the module.
#[derive(Clone)]
pub struct Far {
    remote: Arc<dyn Remote>,
}

impl Far {
    pub fn new(remote: Box<dyn Remote>) -> Self {
        Self {
            remote: remote.into(),
        }
    }
}

impl fmt::Debug for Far {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Far")
    }
}

impl Medium for Far {
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        let entries = self.remote.list_all(folder).map_err(error)?;
        let files = entries
            .into_iter()
            .filter(|entry| !entry.metadata.directory);
        let named = files.map(|entry| {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            (name.to_owned(), entry.metadata.size)
        });
        Ok(named.collect())
    }

    fn read(&self, file: &str) -> io::Result<Bytes> {
        self.remote.read_all(file).map(Bytes::from).map_err(error)
    }

    fn read_range(&self, file: &str, offset: u64, length: u64) -> io::Result<Bytes> {
        let bytes = self
            .remote
            .read_range(file, offset, length)
            .map_err(error)?;
        if bytes.len() as u64 != length {
            let text = format!("{file}: {} bytes came instead of {length}", bytes.len());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        Ok(bytes.into())
    }

    fn write(&self, file: &str, content: &[Bytes]) -> io::Result<()> {
        self.remote.write_all(file, content).map_err(error)
    }

    fn remove(&self, file: &str) -> io::Result<()> {
        self.remote.delete(file).map_err(error)
    }

    fn exists(&self, file: &str) -> io::Result<bool> {
        match self.remote.stat(file) {
            Ok(_) => Ok(true),
            Err(Fault::NotFound(_)) => Ok(false),
            Err(fault) => Err(error(fault)),
        }
    }

    fn prepare(&self) -> io::Result<Option<String>> {
        let there = match self.remote.list_all("") {
            Err(Fault::NotFound(_)) => Vec::new(),
            listed => listed.map_err(error)?,
        };
        let files = there.into_iter().filter(|entry| !entry.metadata.directory);
        let foreign = files
            .map(|entry| entry.path)
            .find(|path| !is_unfinished(path));
        if foreign.is_none() {
            for folder in FOLDERS {
                self.remote.create_directory(folder).map_err(error)?;
            }
        }
        Ok(foreign)
    }
}

fn error(fault: Fault) -> io::Error {
    let kind = match &fault {
        Fault::NotFound(_) => io::ErrorKind::NotFound,
        Fault::Exists(_) => io::ErrorKind::AlreadyExists,
        Fault::TimedOut(_) => io::ErrorKind::TimedOut,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, fault.to_string())
}
