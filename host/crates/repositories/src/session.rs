//! One operation's view of a repository: opened with the key at hand, under the
//! lock that the operation needs.

use std::path::PathBuf;
use std::sync::Arc;

use mhost_model::FaultResult;
use rustic_core::repofile::MasterKey;
use rustic_core::{
    Credentials, IndexedIdsStatus, OpenStatus, Repository, RepositoryBackends, RepositoryOptions,
    RusticResult,
};

use crate::crypto::Sealer;
use crate::fault;
use crate::lock::{self, Lock, LockFolder, Need};
use crate::place::Place;
use crate::store::Store;

/// What is needed to open the repository again and again.
#[derive(Debug, Clone)]
pub struct Access {
    pub place: Place,
    pub cache: Option<PathBuf>,
    pub key: MasterKey,
}

/// The repository during one operation.
pub struct Session {
    pub repo: Repository<OpenStatus>,
    /// The same files, for what this crate writes itself.
    pub store: Arc<Store>,
    /// Held to the operation's end.
    pub lock: Option<Lock>,
    /// What was noticed on the way, for people.
    pub remarks: Vec<String>,
}

impl Access {
    /// Without a lock: for what reads single files that are there or not.
    pub fn glance(&self) -> FaultResult<Session> {
        self.session(None, Vec::new())
    }

    pub fn locked(&self, need: Need) -> FaultResult<Session> {
        let mut remarks = Vec::new();
        let lock = lock::acquire(self.lock_folder(), need, &mut remarks)?;
        self.session(lock, remarks)
    }

    pub fn lock_folder(&self) -> LockFolder {
        LockFolder::new(self.place.clone(), Sealer::new(&self.key))
    }

    /// The files, without a lock.
    pub fn store(&self) -> Store {
        Store::new(&self.place, None)
    }

    fn session(&self, lock: Option<Lock>, remarks: Vec<String>) -> FaultResult<Session> {
        let lease = lock.as_ref().map(Lock::lease);
        let store = Arc::new(Store::new(&self.place, lease));
        let repo = connect_to(&store, self.cache.as_ref())
            .and_then(|repo| repo.open(&Credentials::Masterkey(self.key.clone())))
            .map_err(|error| fault::of(format!("opening {}", self.place), &error))?;
        Ok(Session {
            repo,
            store,
            lock,
            remarks,
        })
    }
}

/// The repository with the index of what is stored where.
pub fn indexed(repo: Repository<OpenStatus>) -> FaultResult<Repository<IndexedIdsStatus>> {
    repo.to_indexed_ids()
        .map_err(|error| fault::rustic("reading the index", &error))
}

/// The repository before a key is known.
pub fn connect(place: &Place, cache: Option<&PathBuf>) -> RusticResult<Repository<()>> {
    connect_to(&Arc::new(Store::new(place, None)), cache)
}

fn connect_to(store: &Arc<Store>, cache: Option<&PathBuf>) -> RusticResult<Repository<()>> {
    let mut options = RepositoryOptions::default().no_cache(cache.is_none());
    options.cache_dir = cache.cloned();
    let backends = RepositoryBackends::new(Arc::clone(store) as Arc<_>, None);
    Repository::new(&options, &backends)
}
