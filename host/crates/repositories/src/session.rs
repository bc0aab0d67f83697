//! One operation's view of a repository: opened with the key at hand, under the
//! lock that the operation needs.

use std::path::PathBuf;
use std::sync::Arc;

use mhost_model::FaultResult;
use rustic_core::repofile::MasterKey;
use rustic_core::{
    Credentials, OpenStatus, Repository, RepositoryBackends, RepositoryOptions, RusticResult,
};

use crate::crypto::Sealer;
use crate::fault;
use crate::lock::{self, Lease, Lock, LockFolder, Need};
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
    /// Held to the operation's end.
    pub lock: Option<Lock>,
}

impl Access {
    /// Without a lock: for what reads single files that are there or not.
    pub fn glance(&self) -> FaultResult<Session> {
        self.session(None)
    }

    pub fn locked(&self, need: Need) -> FaultResult<Session> {
        let folder = LockFolder::new(self.place.clone(), Sealer::new(&self.key));
        self.session(lock::acquire(folder, need)?)
    }

    fn session(&self, lock: Option<Lock>) -> FaultResult<Session> {
        let lease = lock.as_ref().map(Lock::lease);
        let repo = connect(&self.place, self.cache.as_ref(), lease)
            .and_then(|repo| repo.open(&Credentials::Masterkey(self.key.clone())))
            .map_err(|error| fault::rustic(format!("opening {}", self.place), &error))?;
        Ok(Session { repo, lock })
    }
}

/// The repository before a key is known.
pub fn connect(
    place: &Place,
    cache: Option<&PathBuf>,
    lease: Option<Arc<Lease>>,
) -> RusticResult<Repository<()>> {
    let mut options = RepositoryOptions::default().no_cache(cache.is_none());
    options.cache_dir = cache.cloned();
    let backends = RepositoryBackends::new(Arc::new(Store::new(place, lease)?), None);
    Repository::new(&options, &backends)
}
