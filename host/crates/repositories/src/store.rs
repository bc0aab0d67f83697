//! The repository's files as `rustic_core` sees them. Nothing is written or removed
//! once the lock is lost.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::lock::Lease;
use crate::medium::{Medium, name_of};
use crate::place::Place;

/// See the module.
#[derive(Debug)]
pub struct Store {
    medium: Arc<dyn Medium>,
    shown: String,
    lease: Option<Arc<Lease>>,
}

impl Store {
    /// Writes only while the lease holds; without one, nothing can be written but a
    /// new repository.
    pub fn new(place: &Place, lease: Option<Arc<Lease>>) -> Self {
        Self {
            medium: Arc::clone(&place.medium),
            shown: place.shown().to_owned(),
            lease,
        }
    }

    fn may_write(&self) -> RusticResult<()> {
        match &self.lease {
            Some(lease) => lease
                .check()
                .map_err(|why| RusticError::new(ErrorKind::Repository, why)),
            None => Ok(()),
        }
    }
}

/// Other files, such as those that a killed writer left, are none.
fn identified(kind: FileType, (name, size): (String, u64)) -> io::Result<Option<(Id, u32)>> {
    let Some(id) = Id::parse_some(&name, kind) else {
        return Ok(None);
    };
    let size = u32::try_from(size).map_err(io::Error::other)?;
    Ok(Some((id, size)))
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Box<RusticError> {
    move |error| RusticError::with_source(ErrorKind::Backend, what, error)
}

impl ReadBackend for Store {
    fn location(&self) -> String {
        self.shown.clone()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let failed = failed("Listing the repository failed.");
        if kind == FileType::Config {
            let there = self.medium.exists("config").map_err(failed)?;
            return Ok(there.then(|| (Id::default(), 0)).into_iter().collect());
        }
        let listed = self.medium.list(kind.dirname()).map_err(&failed)?;
        let found = listed
            .into_iter()
            .filter_map(|file| identified(kind, file).transpose());
        found.collect::<io::Result<_>>().map_err(failed)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        self.medium
            .read(&name_of(kind, id))
            .map_err(failed("Reading a file of the repository failed."))
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.medium
            .read_range(&name_of(kind, id), offset.into(), length.into())
            .map_err(failed("Reading a part of a file of the repository failed."))
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        name_of(kind, id)
    }
}

impl WriteBackend for Store {
    fn create(&self) -> RusticResult<()> {
        Ok(())
    }

    fn write_bytes(
        &self,
        kind: FileType,
        id: &Id,
        _cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        self.may_write()?;
        self.medium
            .write(&name_of(kind, id), content.slice())
            .map_err(failed("Writing a file of the repository failed."))
    }

    fn remove(&self, kind: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        self.may_write()?;
        self.medium
            .remove(&name_of(kind, id))
            .map_err(failed("Removing a file of the repository failed."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Sealer;
    use crate::lock::{self, LockFolder, Need};
    use mhost_test_support::scratch;
    use rustic_core::repofile::MasterKey;
    use std::fs;
    use std::path::Path;

    fn place(path: &Path) -> Place {
        Place::at("x".parse().unwrap(), path.to_path_buf())
    }

    fn store(path: &Path) -> Store {
        Store::new(&place(path), None)
    }

    #[test]
    fn nothing_is_written_or_removed_without_the_lock() {
        let dir = scratch("store");
        let sealer = Sealer::new(&MasterKey::new());
        let folder = LockFolder::new(place(dir.path()), sealer);
        let lock = lock::acquire(folder, Need::Shared, &mut Vec::new())
            .unwrap()
            .unwrap();
        let store = Store::new(&place(dir.path()), Some(lock.lease()));
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
