//! What version 0.1.1 of the contract adds to repositories: several at once, more to
//! choose, comparing, searching, keys and locks.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant as Moment;

use mhost_model::grant::{Access, RepositoryVerb};
use mhost_model::ports::repository as port;
use mhost_model::ports::run::ProgressState;
use mhost_model::resource::Engine;
use mhost_model::{Fault, FaultResult};
use wasmtime::component::Resource;

use super::{Handle, Held, hold, shapes, stand};
use crate::beneath::{self, Place};
use crate::bindings::mhost::plugin::faults;
use crate::bindings::mhost::plugin::repository::{
    BackupOptions, BackupResult, BackupRules, Comparison, Difference, FileVerdict, Found, Key,
    Lock, RestoreResult, RestoreRules, Share, Source, StoragePair, Verdict,
};
use crate::capabilities::secrets;
use crate::refusal::Answer;
use crate::state::{Call, Shared};

/// The most changes or finds of one answer.
const MOST: u32 = 100_000;

/// Hands the driver's progress to the run's, and the wish to end to the driver.
pub(super) struct Watcher(pub Arc<Shared>);

impl port::Watch for Watcher {
    fn at(&self, stage: &port::Stage) {
        if self.0.is_over() {
            return;
        }
        let of = stage.files_total.filter(|total| *total > 0);
        let files = match of {
            Some(total) => format!("{} of {total} files", stage.files),
            None => format!("{} files", stage.files),
        };
        let state = ProgressState {
            phase: format!("{}, {files}", stage.doing),
            done: stage.bytes,
            total: stage.bytes_total.filter(|total| *total > 0),
            unit: "bytes",
            at: self.0.clock.now(),
        };
        self.0.progress.update(state, Moment::now());
    }

    fn cancelled(&self) -> bool {
        self.0.cancel.is_cancelled() || self.0.is_over()
    }
}

impl Call<'_> {
    pub(super) fn back_up_to(
        &mut self,
        repositories: &[Resource<Handle>],
        sources: &[Source],
        options: BackupOptions,
        rules: BackupRules,
    ) -> Answer<Vec<Result<BackupResult, faults::Error>>> {
        let shared = Arc::clone(&self.shared);
        let mut drivers = Vec::new();
        for handle in repositories {
            let (driver, _) = self.repository(handle, RepositoryVerb::Append, true)?;
            drivers.push(driver);
        }
        if sources.is_empty() || drivers.is_empty() {
            let text = "a backup needs at least one source and one repository";
            return Err(Fault::Invalid(text.into()).into());
        }
        let held = sources.iter().map(|source| hold(&shared, source));
        let held: Vec<Held> = held.collect::<FaultResult<_>>()?;
        let sources: Vec<_> = held.iter().map(|held| held.source.clone()).collect();
        let storages = rules.storages.iter().map(|pair| storage(&shared, pair));
        let storages = storages.collect::<FaultResult<_>>()?;
        let options = shapes::backup_rules(options, rules, storages);
        let (now, watcher) = (shared.clock.now(), Watcher(Arc::clone(&shared)));
        let repositories = Arc::clone(&shared.repositories);
        let done = repositories.backup_all(&drivers, &sources, &options, now, &watcher)?;
        let read = done.iter().flatten().map(|summary| summary.bytes_processed);
        shared.meter.read(read.max().unwrap_or(0));
        let answers = done.into_iter().map(|one| match one {
            Ok(summary) => {
                shared.meter.wrote(summary.bytes_added);
                Ok(shapes::backup_result(summary))
            }
            Err(fault) => Err(shared.masked(fault).into()),
        });
        Ok(answers.collect())
    }

    pub(super) fn restore_by(
        &mut self,
        handle: &Resource<Handle>,
        snapshot: &str,
        target: &str,
        rules: RestoreRules,
    ) -> Answer<RestoreResult> {
        let shared = Arc::clone(&self.shared);
        let (repository, _) = self.repository(handle, RepositoryVerb::Read, false)?;
        let place = beneath::locate(&shared, target, Access::ReadWrite, "restore")?;
        let pinned = place.pinned("restore")?;
        shared.budget.room(0, place.directory("restore")?)?;
        let (options, watcher) = (shapes::restore_rules(rules), Watcher(Arc::clone(&shared)));
        let done = repository.restore_watched(snapshot, &pinned.path, &options, &watcher);
        let summary = self.noted(repository, done)?;
        shared.meter.wrote(summary.bytes);
        shared.meter.changed(summary.files);
        place.used();
        Ok(shapes::restore_result(summary))
    }

    pub(super) fn compare_with(
        &mut self,
        handle: &Resource<Handle>,
        snapshot: &str,
        target: &str,
        rules: RestoreRules,
    ) -> Answer<Comparison> {
        let shared = Arc::clone(&self.shared);
        let (repository, _) = self.repository(handle, RepositoryVerb::Read, false)?;
        let place = beneath::locate(&shared, target, Access::ReadOnly, "compare")?;
        let pinned = place.pinned("compare")?;
        let (options, watcher) = (shapes::restore_rules(rules), Watcher(Arc::clone(&shared)));
        let found = repository.compare(snapshot, &pinned.path, &options, &watcher);
        let found = self.noted(repository, found)?;
        shared.meter.read(found.bytes);
        place.used();
        Ok(shapes::comparison(found, target))
    }

    pub(super) fn check_a_share(
        &mut self,
        handle: &Resource<Handle>,
        share: Share,
    ) -> Answer<Verdict> {
        let shared = Arc::clone(&self.shared);
        let (repository, _) = self.repository(handle, RepositoryVerb::Check, false)?;
        let watcher = Watcher(Arc::clone(&shared));
        let verdict = repository.check_share(shapes::share(share), &watcher);
        let verdict = self.noted(repository, verdict)?;
        shared.meter.read(verdict.bytes_read);
        Ok(shapes::verdict(verdict))
    }

    pub(super) fn differences(
        &mut self,
        handle: &Resource<Handle>,
        before: &str,
        after: &str,
        limit: u32,
    ) -> Answer<Difference> {
        let (repository, _) = self.repository(handle, RepositoryVerb::Read, false)?;
        let found = repository.diff(before, after, limit.min(MOST));
        let found = self.noted(repository, found)?;
        Ok(shapes::difference(found))
    }

    pub(super) fn search(
        &mut self,
        handle: &Resource<Handle>,
        patterns: &[String],
        snapshots: &[String],
        limit: u32,
    ) -> Answer<Vec<Found>> {
        let (repository, _) = self.repository(handle, RepositoryVerb::Read, false)?;
        let found = repository.find(patterns, snapshots, limit.min(MOST));
        let found = self.noted(repository, found)?;
        Ok(found.into_iter().map(shapes::found).collect())
    }

    pub(super) fn all_keys(&mut self, handle: &Resource<Handle>) -> Answer<Vec<Key>> {
        let (repository, _) = self.repository(handle, RepositoryVerb::Keys, false)?;
        let keys = repository.keys()?;
        Ok(keys.into_iter().map(shapes::key).collect())
    }

    pub(super) fn new_key(&mut self, handle: &Resource<Handle>, secret: &str) -> Answer<String> {
        let (repository, _) = self.repository(handle, RepositoryVerb::Keys, true)?;
        let password = self.shared.granter.secret(secret)?;
        let password = secrets::read(&self.shared, &password)?;
        let id = repository.add_key(&password, self.shared.clock.now())?;
        Ok(id)
    }

    pub(super) fn drop_key(&mut self, handle: &Resource<Handle>, key: &str) -> Answer<String> {
        let (repository, _) = self.repository(handle, RepositoryVerb::Keys, true)?;
        let id = repository.remove_key(key)?;
        Ok(id)
    }

    pub(super) fn all_locks(&mut self, handle: &Resource<Handle>) -> Answer<Vec<Lock>> {
        let handle = self.table.get(handle)?;
        let permit = self.shared.granter.repository_open(&handle.name)?;
        permit.used();
        let locks = handle.repository.locks()?;
        Ok(locks.into_iter().map(shapes::lock).collect())
    }

    pub(super) fn remove_locks(
        &mut self,
        handle: &Resource<Handle>,
        all: bool,
    ) -> Answer<Vec<Lock>> {
        let verb = match all {
            true => RepositoryVerb::Prune,
            false => RepositoryVerb::Append,
        };
        let (repository, _) = self.repository(handle, verb, true)?;
        let locks = repository.unlock(all)?;
        Ok(locks.into_iter().map(shapes::lock).collect())
    }

    pub(super) fn place_of(&mut self, source: &Source) -> Answer<String> {
        let shared = &self.shared;
        let path = match source {
            Source::Path(path) => {
                let place = beneath::locate(shared, path, Access::ReadOnly, "backup")?;
                stand(shared, path, &place.pinned("backup")?)?
            }
            Source::Database(name) => {
                let permit = shared.granter.database_open(name)?;
                shared.databases.path(&permit.name)?
            }
        };
        Ok(path.to_string_lossy().into_owned())
    }

    pub(super) fn verify_a_file(&mut self, path: &str) -> Answer<FileVerdict> {
        let shared = Arc::clone(&self.shared);
        let place = beneath::locate(&shared, path, Access::ReadWrite, "verify")?;
        let verdict = verify(&shared, &place)?;
        place.used();
        Ok(verdict)
    }
}

/// Guest paths of a storage as they stand in the snapshot.
pub(super) fn storage(shared: &Shared, pair: &StoragePair) -> FaultResult<port::StoragePair> {
    let place = |path: &str| {
        let place = beneath::locate(shared, path, Access::ReadOnly, "backup")?;
        stand(shared, path, &place.pinned("backup")?)
    };
    Ok(port::StoragePair {
        file: place(&pair.file)?,
        blobs: pair.blobs.as_deref().map(place).transpose()?,
    })
}

fn verify(shared: &Shared, place: &Place) -> FaultResult<FileVerdict> {
    let pinned = place.pinned("verify")?;
    let engine = match first_bytes(&pinned.path)? {
        start if start.starts_with(b"SQLite format 3\0") => Engine::Sqlite,
        start if start.starts_with(b"redb\x1a\x0a") => Engine::Redb,
        _ => return verify_storage(shared, &pinned.path),
    };
    let named = place.pinned_by_name("verify")?;
    let verdict = shared.databases.verify_file(engine, &named.path)?;
    Ok(FileVerdict {
        engine: Some(engine.as_str().to_owned()),
        sound: verdict.sound,
        findings: verdict.findings,
    })
}

fn verify_storage(shared: &Shared, path: &Path) -> FaultResult<FileVerdict> {
    let (engine, sound, findings) = match shared.repositories.look_at_storage(path)? {
        port::StorageState::No => (None, true, Vec::new()),
        port::StorageState::Sound => (Some("filestorage"), true, Vec::new()),
        port::StorageState::Broken(at) => (
            Some("filestorage"),
            false,
            vec![format!("what begins at {at} is incomplete or damaged")],
        ),
    };
    Ok(FileVerdict {
        engine: engine.map(str::to_owned),
        sound,
        findings,
    })
}

fn first_bytes(path: &Path) -> FaultResult<Vec<u8>> {
    use std::io::Read as _;
    let mut start = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(16).read_to_end(&mut start))
        .map_err(|error| Fault::Failed(format!("cannot read the file to verify: {error}")))?;
    Ok(start)
}
