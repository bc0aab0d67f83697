//! The repository's folder as `rustic_core` sees it: rustic's local backend, with
//! two changes. A listing that cannot be whole is an error: to overlook a snapshot
//! would make `prune` remove its data. And nothing is written or removed once the
//! lock is lost.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustic_backend::local::LocalBackend;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::lock::Lease;
use crate::place::Place;

/// See the module.
#[derive(Debug)]
pub struct Store {
    inner: LocalBackend,
    root: PathBuf,
    lease: Option<Arc<Lease>>,
}

impl Store {
    /// Writes only while the lease holds; without one, nothing can be written but a
    /// new repository.
    pub fn new(place: &Place, lease: Option<Arc<Lease>>) -> RusticResult<Self> {
        let inner = LocalBackend::new(place.path.to_string_lossy(), [])?;
        let root = place.path.clone();
        Ok(Self { inner, root, lease })
    }

    fn may_write(&self) -> RusticResult<()> {
        match &self.lease {
            Some(lease) => lease
                .check()
                .map_err(|why| RusticError::new(ErrorKind::Repository, why)),
            None => Ok(()),
        }
    }

    fn files(&self, kind: FileType) -> io::Result<Vec<(Id, u32)>> {
        let folder = self.root.join(kind.dirname());
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|error| named(&folder, &error))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                collect(&entry.path(), kind, &mut found)?;
            } else {
                found.extend(identify(&entry, kind)?);
            }
        }
        Ok(found)
    }
}

fn collect(folder: &Path, kind: FileType, found: &mut Vec<(Id, u32)>) -> io::Result<()> {
    for entry in fs::read_dir(folder).map_err(|error| named(folder, &error))? {
        found.extend(identify(&entry?, kind)?);
    }
    Ok(())
}

/// Nothing for other files, such as those that a killed writer left, and for one
/// that was removed meanwhile.
fn identify(entry: &DirEntry, kind: FileType) -> io::Result<Option<(Id, u32)>> {
    let name = entry.file_name();
    let Some(id) = Id::parse_some(&name.to_string_lossy(), kind) else {
        return Ok(None);
    };
    let size = match entry.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata
            .map_err(|error| named(&entry.path(), &error))?
            .len(),
    };
    let size = u32::try_from(size).map_err(io::Error::other)?;
    Ok(Some((id, size)))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl ReadBackend for Store {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if kind == FileType::Config {
            return self.inner.list_with_size(kind);
        }
        self.files(kind).map_err(|error| {
            RusticError::with_source(ErrorKind::Backend, "Listing the repository failed.", error)
        })
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        self.inner.read_full(kind, id)
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.inner.read_partial(kind, id, cacheable, offset, length)
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.inner.warmup_path(kind, id)
    }
}

impl WriteBackend for Store {
    fn create(&self) -> RusticResult<()> {
        self.inner.create()
    }

    fn write_bytes(
        &self,
        kind: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        self.may_write()?;
        self.inner.write_bytes(kind, id, cacheable, content)
    }

    fn remove(&self, kind: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.may_write()?;
        self.inner.remove(kind, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Sealer;
    use crate::lock::{self, LockFolder, Need};
    use mhost_test_support::scratch;
    use rustic_core::repofile::MasterKey;

    fn place(path: &Path) -> Place {
        Place::new("x".parse().unwrap(), path.to_str().unwrap()).unwrap()
    }

    fn store(path: &Path) -> Store {
        Store::new(&place(path), None).unwrap()
    }

    #[test]
    fn nothing_is_written_or_removed_without_the_lock() {
        let dir = scratch("store");
        let sealer = Sealer::new(&MasterKey::new());
        let folder = LockFolder::new(place(dir.path()), sealer);
        let lock = lock::acquire(folder, Need::Shared).unwrap().unwrap();
        let store = Store::new(&place(dir.path()), Some(lock.lease())).unwrap();
        let (id, kind) = (Id::random(), FileType::Snapshot);
        let write = |id| store.write_bytes(kind, id, false, vec![1].into());
        write(&id).unwrap();
        fs::remove_dir_all(dir.path().join("locks")).unwrap();
        assert!(store.remove(kind, &id, false).is_err());
        assert!(write(&Id::random()).is_err());
        assert_eq!(store.list(kind).unwrap(), [id]);
    }

    #[test]
    fn a_missing_folder_is_no_empty_listing() {
        let dir = scratch("store");
        let error = store(dir.path()).list(FileType::Snapshot).unwrap_err();
        assert!(error.display_log().contains("snapshots"), "{error}");
    }

    #[test]
    fn only_what_has_an_id_is_listed() {
        let dir = scratch("store");
        let packs = dir.path().join("data/00");
        fs::create_dir_all(&packs).unwrap();
        let id = "00".repeat(32);
        fs::write(packs.join(&id), "12345").unwrap();
        fs::write(packs.join(format!("{id}-tmp-")), "left over").unwrap();
        fs::write(packs.join("README"), "").unwrap();
        let listed = store(dir.path()).list_with_size(FileType::Pack).unwrap();
        assert_eq!(listed, [(id.parse().unwrap(), 5)]);
    }
}
