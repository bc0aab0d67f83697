//! An open repository: each call of the port under the lock that it needs.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use mhost_model::ports::repository::{
    BackupOptions, BackupSummary, Judged, Keep, Node, PruneSummary, Repository, RestoreOptions,
    RestoreSummary, Snapshot, Source, Verdict,
};
use mhost_model::{Fault, FaultResult, Instant};
use rustic_core::{ConfigOptions, Credentials, KeyOptions, OpenStatus, RusticError};

use crate::fault::{self, guarded};
use crate::lock::Need;
use crate::place::Place;
use crate::session::{Access, connect};
use crate::{backup, check, forget, keys, listing, prune, restore, snapshots};

/// See the module.
pub struct ManagedRepository {
    access: Access,
    id: String,
}

impl ManagedRepository {
    pub fn open(place: Place, cache: Option<PathBuf>, password: &str) -> FaultResult<Self> {
        if !exists(&place)? {
            return Err(Fault::NotFound(format!(
                "there is no {place} yet: let a task that may append create it, or run `restic -r {} init`",
                place.path.display()
            )));
        }
        keys::are_reasonable(&place)?;
        guarded("opening a repository", || {
            let opened = connect(&place, cache.as_ref(), None)
                .and_then(|repo| repo.open(&Credentials::password(password)))
                .map_err(|error| unopened(&place, &error))?;
            Ok(Self::new(place.clone(), cache.clone(), &opened))
        })
    }

    /// In restic's newest format (version 2), in a folder for its owner alone.
    pub fn create(place: Place, cache: Option<PathBuf>, password: &str) -> FaultResult<Self> {
        if exists(&place)? {
            return Err(Fault::Exists(format!("{place} exists already")));
        }
        if password.is_empty() {
            return Err(Fault::Invalid(format!(
                "{place} needs a password that is not empty"
            )));
        }
        make_folder(&place)?;
        let created = connect(&place, cache.as_ref(), None)
            .and_then(|repo| {
                let credentials = Credentials::password(password);
                repo.init(
                    &credentials,
                    &KeyOptions::default(),
                    &ConfigOptions::default(),
                )
            })
            .map_err(|error| fault::rustic(format!("creating {place}"), &error))?;
        Ok(Self::new(place, cache, &created))
    }

    fn new(
        place: Place,
        cache: Option<PathBuf>,
        repo: &rustic_core::Repository<OpenStatus>,
    ) -> Self {
        let id = repo.config().id.to_hex().as_str().to_owned();
        let key = repo.key();
        let access = Access { place, cache, key };
        Self { access, id }
    }
}

impl Repository for ManagedRepository {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn snapshots(&self) -> FaultResult<Vec<Snapshot>> {
        let session = self.access.glance()?;
        let found = snapshots::all(&session.repo)?;
        Ok(found.iter().map(snapshots::describe).collect())
    }

    fn backup(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        now: Instant,
    ) -> FaultResult<BackupSummary> {
        guarded("backing up", || {
            let request = backup::Request::new(sources, options, now)?;
            backup::run(self.access.locked(Need::Shared)?, request)
        })
    }

    fn restore(
        &self,
        snapshot: &str,
        target: &Path,
        options: &RestoreOptions,
    ) -> FaultResult<RestoreSummary> {
        guarded("restoring", || {
            restore::run(
                self.access.locked(Need::Reading)?,
                snapshot,
                target,
                options,
            )
        })
    }

    fn listing(&self, snapshot: &str, path: &str, limit: u32) -> FaultResult<Vec<Node>> {
        guarded("listing a snapshot", || {
            listing::run(self.access.locked(Need::Reading)?, snapshot, path, limit)
        })
    }

    fn forget(&self, policy: &Keep, apply: bool, now: Instant) -> FaultResult<Vec<Judged>> {
        guarded("forgetting snapshots", || {
            if apply {
                forget::apply(&self.access.locked(Need::Exclusive)?, policy, now)
            } else {
                forget::judge(&self.access.glance()?, policy, now)
            }
        })
    }

    fn prune(&self) -> FaultResult<PruneSummary> {
        guarded("pruning", || {
            prune::run(
                self.access.locked(Need::Exclusive)?,
                &self.access.place.path,
            )
        })
    }

    fn check(&self, percent: u32) -> FaultResult<Verdict> {
        guarded("checking", || {
            let session = self.access.locked(Need::Reading)?;
            check::run(&session, &self.access.place, percent)
        })
    }
}

/// Whether the repository's `config` file is there.
fn exists(place: &Place) -> FaultResult<bool> {
    let config = place.path.join("config");
    match config.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(fault::system(
            format!("opening {place}: looking at"),
            &config,
            &error,
        )),
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unopened(place: &Place, error: &RusticError) -> Fault {
    if error.is_incorrect_password() {
        return Fault::Invalid(format!(
            "the password given for {place} opens none of its keys: check the secret that the \
             grant names as the repository's `password`"
        ));
    }
    fault::rustic(format!("opening {place}"), error)
}

/// What lies there must be nothing, or what an interrupted creation left: never
/// another's files, and never a repository that lost its `config`.
fn make_folder(place: &Place) -> FaultResult<()> {
    let failed =
        |error: &io::Error| fault::system(format!("creating {place}: making"), &place.path, error);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(&place.path)
        .map_err(|error| failed(&error))?;
    let foreign = first_file(&place.path, 0).map_err(|error| failed(&error))?;
    if let Some(file) = foreign {
        return Err(Fault::Invalid(format!(
            "creating {place}: the folder holds something already ({}): name an empty one",
            file.display()
        )));
    }
    let locks = place.path.join("locks");
    builder.create(&locks).map_err(|error| failed(&error))
}

/// The first file below, but for keys: a creation that was cut short left them.
fn first_file(folder: &Path, depth: u32) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let known = ["data", "index", "snapshots", "locks"]
            .iter()
            .any(|dir| name == *dir);
        if depth == 0 && name == "keys" {
            continue;
        }
        if !entry.file_type()?.is_dir() || depth > 1 || (depth == 0 && !known) {
            return Ok(Some(path));
        }
        if let Some(file) = first_file(&path, depth + 1)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}
