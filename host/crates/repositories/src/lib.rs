//! Managed backup repositories in restic's format, on top of `rustic_core`:
//! what restic writes can be read here, and the reverse.
//!
//! Beyond `rustic_core` this crate adds what a machine shared with restic needs:
//! restic's locks ([`lock`]), sources that stand elsewhere than they are read
//! ([`backup`]), a restore that checks everything before it changes anything and
//! never follows a symbolic link ([`restore`]), and listings that fail instead
//! of overlooking ([`store`]).
//!
//! Who may do what is decided before; taking a database's snapshot is the
//! caller's, who hands it in as a source.

mod backup;
mod check;
mod crypto;
mod fault;
mod folder;
mod forget;
mod keys;
mod listing;
mod lock;
mod place;
mod prune;
mod repository;
mod restore;
mod session;
mod snapshots;
mod store;
mod trees;

use std::collections::BTreeMap;
use std::path::PathBuf;

use mhost_model::ports::repository::{Repositories, Repository};
use mhost_model::resource::RepositoryDef;
use mhost_model::{Fault, FaultResult, Name};

use crate::place::Place;
use crate::repository::ManagedRepository;

/// The repositories of the configuration, opened by their names.
#[derive(Debug, Clone)]
pub struct ManagedRepositories {
    defs: BTreeMap<Name, RepositoryDef>,
    cache: Option<PathBuf>,
}

impl ManagedRepositories {
    /// `cache` is a folder for what is often read of remote repositories; none
    /// keeps nothing.
    pub fn new(defs: BTreeMap<Name, RepositoryDef>, cache: Option<PathBuf>) -> Self {
        Self { defs, cache }
    }

    fn place(&self, name: &Name) -> FaultResult<Place> {
        let def = self.defs.get(name).ok_or_else(|| {
            Fault::NotFound(format!(
                "there is no repository `{name}`: add [repositories.{name}] with its `url` to the configuration"
            ))
        })?;
        Place::new(name.clone(), &def.url)
    }
}

impl Repositories for ManagedRepositories {
    fn open(&self, name: &Name, password: &str) -> FaultResult<Box<dyn Repository>> {
        let place = self.place(name)?;
        let opened = ManagedRepository::open(place, self.cache.clone(), password)?;
        Ok(Box::new(opened))
    }

    fn create(&self, name: &Name, password: &str) -> FaultResult<Box<dyn Repository>> {
        let place = self.place(name)?;
        let created = ManagedRepository::create(place, self.cache.clone(), password)?;
        Ok(Box::new(created))
    }
}
