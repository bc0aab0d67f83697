//! An open repository: each call of the port under the lock that it needs.

use std::any::Any;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mhost_model::ports::repository::{
    BackupOptions, BackupSummary, Comparison, Difference, Found, Judged, Keep, KeyInfo, LockInfo,
    Node, PruneSummary, Repository, RestoreOptions, RestorePlan, RestoreSummary, Share, Snapshot,
    Source, Unwatched, Verdict, Watch,
};
use mhost_model::{Clock, Fault, FaultResult, Instant, SystemClock};
use rustic_core::repofile::MasterKey;
use rustic_core::{ConfigOptions, Credentials, KeyOptions, OpenStatus, RusticError};

use crate::fault::{self, guarded};
use crate::lock::{self, Need};
use crate::place::Place;
use crate::session::{Access, Session, connect};
use crate::snapshots::Snapshots;
use crate::store::Store;
use crate::{backup, check, difference, find, forget, keys, listing, prune, restore, snapshots};

/// See the module.
pub struct ManagedRepository {
    access: Access,
    id: String,
    /// The key that the password opened.
    key_id: Option<String>,
    /// What nobody has asked for yet.
    remarks: Mutex<Vec<String>>,
}

impl ManagedRepository {
    pub fn open(place: Place, cache: Option<PathBuf>, password: &str) -> FaultResult<Self> {
        if !exists(&place)? {
            return Err(Fault::NotFound(format!(
                "there is no {place} yet: let a task that may append create it, or run `restic -r {} init`",
                place.shown()
            )));
        }
        keys::are_reasonable(&place)?;
        guarded("opening a repository", || {
            let opened = connect(&place, cache.as_ref())
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
        prepare(&place)?;
        let failed = |error: Box<_>| fault::rustic(format!("creating {place}"), &error);
        let key = MasterKey::new();
        let store = Store::new(&place, None);
        let key_id = keys::add(&store, &key, password, SystemClock.now())?;
        let created = connect(&place, cache.as_ref())
            .and_then(|repo| {
                let credentials = Credentials::Masterkey(key);
                repo.init(
                    &credentials,
                    &KeyOptions::default(),
                    &ConfigOptions::default(),
                )
            })
            .map_err(failed)?;
        let mut created = Self::new(place, cache, &created);
        created.key_id = Some(key_id.to_hex().as_str().to_owned());
        Ok(created)
    }

    fn new(
        place: Place,
        cache: Option<PathBuf>,
        repo: &rustic_core::Repository<OpenStatus>,
    ) -> Self {
        let id = repo.config().id.to_hex().as_str().to_owned();
        let key = repo.key();
        let key_id = repo.key_id().map(|id| id.to_hex().as_str().to_owned());
        let access = Access { place, cache, key };
        Self {
            access,
            id,
            key_id,
            remarks: Mutex::default(),
        }
    }

    /// Under a lock; what is noticed on the way is kept for [`Repository::remarks`].
    fn locked(&self, need: Need) -> FaultResult<Session> {
        let mut session = self.access.locked(need)?;
        self.remark(mem::take(&mut session.remarks));
        Ok(session)
    }

    /// The same thing is told once.
    fn remark(&self, all: Vec<String>) {
        let mut kept = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        for one in all {
            if !kept.contains(&one) {
                kept.push(one);
            }
        }
    }
}

impl Repository for ManagedRepository {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn snapshots(&self) -> FaultResult<Vec<Snapshot>> {
        let session = self.access.glance()?;
        let all = Snapshots::read(&session.repo)?;
        self.remark(all.remarks());
        Ok(all.found.iter().map(snapshots::describe).collect())
    }

    fn backup(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        now: Instant,
    ) -> FaultResult<BackupSummary> {
        self.backup_watched(sources, options, now, &Unwatched)
    }

    fn backup_watched(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        now: Instant,
        watch: &dyn Watch,
    ) -> FaultResult<BackupSummary> {
        let mut done = back_up(&[self], sources, options, now, watch)?;
        done.pop()
            .unwrap_or_else(|| Err(Fault::Failed("backing up: nothing was done".to_owned())))
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn restore(
        &self,
        snapshot: &str,
        target: &Path,
        options: &RestoreOptions,
    ) -> FaultResult<RestoreSummary> {
        self.restore_watched(snapshot, target, options, &Unwatched)
    }

    fn restore_watched(
        &self,
        snapshot: &str,
        target: &Path,
        options: &RestoreOptions,
        watch: &dyn Watch,
    ) -> FaultResult<RestoreSummary> {
        guarded("restoring", || {
            let session = self.locked(Need::Reading)?;
            let medium = self.access.place.medium.as_ref();
            restore::run(session, medium, snapshot, target, options, watch)
        })
    }

    fn plan_restore(
        &self,
        snapshot: &str,
        target: Option<&Path>,
        options: &RestoreOptions,
    ) -> FaultResult<RestorePlan> {
        guarded("planning a restore", || {
            let session = self.locked(Need::Reading)?;
            let medium = self.access.place.medium.as_ref();
            restore::foresee(session, medium, snapshot, target, options)
        })
    }

    fn plan_prune(&self) -> FaultResult<PruneSummary> {
        guarded("planning a prune", || {
            prune::foresee(&self.locked(Need::Reading)?)
        })
    }

    fn remarks(&self) -> Vec<String> {
        let mut kept = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut *kept)
    }

    fn compare(
        &self,
        snapshot: &str,
        target: &Path,
        options: &RestoreOptions,
        watch: &dyn Watch,
    ) -> FaultResult<Comparison> {
        guarded("comparing", || {
            let session = self.locked(Need::Reading)?;
            restore::compare(session, snapshot, target, options, watch)
        })
    }

    fn diff(&self, before: &str, after: &str, limit: u32) -> FaultResult<Difference> {
        guarded("comparing two snapshots", || {
            difference::run(self.locked(Need::Reading)?, before, after, limit)
        })
    }

    fn find(
        &self,
        patterns: &[String],
        snapshots: &[String],
        limit: u32,
    ) -> FaultResult<Vec<Found>> {
        guarded("searching", || {
            let session = self.locked(Need::Reading)?;
            let mut remarks = Vec::new();
            let found = find::run(session, patterns, snapshots, limit, &mut remarks);
            self.remark(remarks);
            found
        })
    }

    fn keys(&self) -> FaultResult<Vec<KeyInfo>> {
        keys::all(&self.access.store(), self.key_id.as_deref())
    }

    fn add_key(&self, password: &str, now: Instant) -> FaultResult<String> {
        let session = self.locked(Need::Shared)?;
        let id = keys::add(&session.store, &self.access.key, password, now)?;
        Ok(id.to_hex().as_str().to_owned())
    }

    fn remove_key(&self, key: &str) -> FaultResult<String> {
        let session = self.locked(Need::Exclusive)?;
        keys::remove(&session.store, key, self.key_id.as_deref())
    }

    fn locks(&self) -> FaultResult<Vec<LockInfo>> {
        lock::all(&self.access.lock_folder())
    }

    fn unlock(&self, all: bool) -> FaultResult<Vec<LockInfo>> {
        lock::remove(&self.access.lock_folder(), all)
    }

    fn listing(&self, snapshot: &str, path: &str, limit: u32) -> FaultResult<Vec<Node>> {
        guarded("listing a snapshot", || {
            listing::run(self.locked(Need::Reading)?, snapshot, path, limit)
        })
    }

    fn forget(&self, policy: &Keep, apply: bool, now: Instant) -> FaultResult<Vec<Judged>> {
        guarded("forgetting snapshots", || {
            if apply {
                forget::apply(&self.locked(Need::Exclusive)?, policy, now)
            } else {
                forget::judge(&self.access.glance()?, policy, now)
            }
        })
    }

    fn prune(&self) -> FaultResult<PruneSummary> {
        guarded("pruning", || {
            let folder = self.access.place.medium.folder();
            prune::run(self.locked(Need::Exclusive)?, folder)
        })
    }

    fn check(&self, percent: u32) -> FaultResult<Verdict> {
        self.check_share(Share::Percent(percent), &Unwatched)
    }

    fn check_share(&self, share: Share, watch: &dyn Watch) -> FaultResult<Verdict> {
        guarded("checking", || {
            let session = self.locked(Need::Reading)?;
            check::run(&session, &self.access.place, share, watch)
        })
    }
}

/// One snapshot in each of several repositories, of one reading of the sources.
pub fn back_up(
    repositories: &[&ManagedRepository],
    sources: &[Source],
    options: &BackupOptions,
    now: Instant,
    watch: &dyn Watch,
) -> FaultResult<Vec<FaultResult<BackupSummary>>> {
    guarded("backing up", || {
        let request = backup::Request::new(sources, options, now)?;
        let sessions = repositories
            .iter()
            .map(|repository| repository.access.locked(Need::Shared));
        backup::run(sessions.collect(), &request, watch)
    })
}

/// Whether the repository's `config` file is there.
fn exists(place: &Place) -> FaultResult<bool> {
    place
        .medium
        .exists("config")
        .map_err(|error| Fault::Failed(format!("opening {place}: {error}")))
}

fn unopened(place: &Place, error: &RusticError) -> Fault {
    if error.is_incorrect_password() {
        return Fault::Invalid(format!(
            "the password given for {place} opens none of its keys: check the secret that the \
             grant names as the repository's `password`"
        ));
    }
    fault::of(format!("opening {place}"), error)
}

/// Never another's files, and never a repository that lost its `config`.
fn prepare(place: &Place) -> FaultResult<()> {
    let foreign = place
        .medium
        .prepare()
        .map_err(|error| Fault::Failed(format!("creating {place}: {error}")))?;
    foreign.map_or(Ok(()), |file| {
        Err(Fault::Invalid(format!(
            "creating {place}: the folder holds something already ({file}): name an empty one"
        )))
    })
}
