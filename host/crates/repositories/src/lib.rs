//! Managed backup repositories in restic's format, on top of `rustic_core`:
//! what restic writes can be read here, and the reverse.
//!
//! Beyond `rustic_core` this crate adds what a machine shared with restic needs:
//! restic's locks ([`lock`]), sources that stand elsewhere than they are read
//! ([`backup`]), a restore that checks everything before it changes anything and
//! never follows a symbolic link ([`restore`]), and files that are listed
//! as a whole or not at all ([`medium`]).
//!
//! Who may do what is decided before; taking a database's snapshot is the
//! caller's, who hands it in as a source.

mod archive;
mod backup;
mod check;
mod crypto;
mod difference;
mod fault;
mod filestorage;
mod find;
mod folder;
mod forget;
mod keys;
mod listing;
mod lock;
mod medium;
mod pace;
mod place;
mod prune;
mod repository;
mod restore;
mod session;
mod snapshots;
mod store;
mod trees;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::remote::Remotes;
use mhost_model::ports::repository::{
    BackupOptions, BackupPlan, BackupSummary, Repositories, Repository, Source, StorageState, Watch,
};
use mhost_model::resource::RepositoryDef;
use mhost_model::{Fault, FaultResult, Instant, Name};

use crate::place::Place;
use crate::repository::ManagedRepository;

/// The repositories of the configuration, opened by their names.
#[derive(Clone)]
pub struct ManagedRepositories {
    defs: BTreeMap<Name, RepositoryDef>,
    cache: Option<PathBuf>,
    remotes: Arc<dyn Remotes>,
}

impl ManagedRepositories {
    /// `cache` is a folder for what is often read of remote repositories; none
    /// keeps nothing.
    /// Those that are not folders are reached through `remotes`.
    pub fn new(
        defs: BTreeMap<Name, RepositoryDef>,
        cache: Option<PathBuf>,
        remotes: Arc<dyn Remotes>,
    ) -> Self {
        Self {
            defs,
            cache,
            remotes,
        }
    }

    fn place(&self, name: &Name) -> FaultResult<Place> {
        let def = self.defs.get(name).ok_or_else(|| {
            Fault::NotFound(format!(
                "there is no repository `{name}`: add [repositories.{name}] with its `url` to the configuration"
            ))
        })?;
        Place::new(name.clone(), &def.endpoint, self.remotes.as_ref())
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

    fn backup_all(
        &self,
        repositories: &[&dyn Repository],
        sources: &[Source],
        options: &BackupOptions,
        now: Instant,
        watch: &dyn Watch,
    ) -> FaultResult<Vec<FaultResult<BackupSummary>>> {
        let ours = repositories.iter().map(|one| one.as_any()?.downcast_ref());
        let ours: Option<Vec<&ManagedRepository>> = ours.collect();
        let ours =
            ours.ok_or_else(|| Fault::Invalid("not a repository of this host".to_owned()))?;
        repository::back_up(&ours, sources, options, now, watch)
    }

    fn plan_backup(&self, sources: &[Source], options: &BackupOptions) -> FaultResult<BackupPlan> {
        fault::guarded("planning a backup", || backup::foresee(sources, options))
    }

    fn look_at_storage(&self, file: &Path) -> FaultResult<StorageState> {
        filestorage::state(file).map_err(|error| fault::system("looking at", file, &error))
    }
}
