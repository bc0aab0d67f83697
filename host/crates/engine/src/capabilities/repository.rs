//! `mhost:plugin/repository`: backup repositories through the host's driver. Which
//! verb is granted is asked at each call.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use mhost_model::grant::{Access, DatabaseVerb, RepositoryVerb};
use mhost_model::ports::repository as port;
use mhost_model::run::LogLevel;
use mhost_model::{Fault, FaultResult};
use tempfile::TempDir;
use wasmtime::component::{Linker, Resource};

use crate::beneath::{self, GuestPath, Pinned};
use crate::bindings::mhost::plugin::faults;
use crate::bindings::mhost::plugin::repository::{
    self, BackupOptions, BackupPlan, BackupResult, BackupRules, BackupSummary, Comparison,
    Difference, FileVerdict, Found, Host, HostHandle, Judged, Keep, Key, Lock, Node, Power,
    PruneSummary, RestoreOptions, RestorePlan, RestoreResult, RestoreRules, RestoreSummary, Share,
    Snapshot, Source, Verdict,
};
use crate::capabilities::{database, secrets};
use crate::permits::{Permit, RepositoryUse};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, Shared, enter};

mod extended;
mod plans;
mod shapes;

use extended::Watcher;

/// The most nodes of one listing.
const NODES: u32 = 100_000;

/// An open repository.
pub struct Handle {
    name: String,
    repository: Box<dyn port::Repository>,
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    repository::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn open(&mut self, name: String) -> Answer<Resource<Handle>> {
        let permit = self.shared.granter.repository_open(&name)?;
        let password = self.shared.granter.password(&permit)?;
        let password = secrets::read(&self.shared, &password)?;
        let opened = self.shared.repositories.open(&permit.name, &password);
        let repository = opened.inspect_err(|_| permit.tried())?;
        Ok(self.table.push(Handle { name, repository })?)
    }

    async fn create(&mut self, name: String) -> Answer<Resource<Handle>> {
        let granter = &self.shared.granter;
        let permit = granter.repository(&name, RepositoryVerb::Append, true)?;
        let password = secrets::read(&self.shared, &granter.password(&permit)?)?;
        permit.used();
        let repository = self.shared.repositories.create(&permit.name, &password)?;
        Ok(self.table.push(Handle { name, repository })?)
    }

    async fn backup_to(
        &mut self,
        repositories: Vec<Resource<Handle>>,
        sources: Vec<Source>,
        options: BackupOptions,
        rules: BackupRules,
    ) -> Answer<Vec<Result<BackupResult, faults::Error>>> {
        self.back_up_to(&repositories, &sources, options, rules)
    }

    async fn restore_with(
        &mut self,
        repository: Resource<Handle>,
        snapshot: String,
        target: String,
        rules: RestoreRules,
    ) -> Answer<RestoreResult> {
        self.restore_by(&repository, &snapshot, &target, rules)
    }

    async fn compare(
        &mut self,
        repository: Resource<Handle>,
        snapshot: String,
        target: String,
        rules: RestoreRules,
    ) -> Answer<Comparison> {
        self.compare_with(&repository, &snapshot, &target, rules)
    }

    async fn check_share(&mut self, repository: Resource<Handle>, share: Share) -> Answer<Verdict> {
        self.check_a_share(&repository, share)
    }

    async fn diff(
        &mut self,
        repository: Resource<Handle>,
        before: String,
        after: String,
        limit: u32,
    ) -> Answer<Difference> {
        self.differences(&repository, &before, &after, limit)
    }

    async fn find(
        &mut self,
        repository: Resource<Handle>,
        patterns: Vec<String>,
        snapshots: Vec<String>,
        limit: u32,
    ) -> Answer<Vec<Found>> {
        self.search(&repository, &patterns, &snapshots, limit)
    }

    async fn keys(&mut self, repository: Resource<Handle>) -> Answer<Vec<Key>> {
        self.all_keys(&repository)
    }

    async fn add_key(&mut self, repository: Resource<Handle>, secret: String) -> Answer<String> {
        self.new_key(&repository, &secret)
    }

    async fn remove_key(&mut self, repository: Resource<Handle>, key: String) -> Answer<String> {
        self.drop_key(&repository, &key)
    }

    async fn locks(&mut self, repository: Resource<Handle>) -> Answer<Vec<Lock>> {
        self.all_locks(&repository)
    }

    async fn unlock(&mut self, repository: Resource<Handle>, all: bool) -> Answer<Vec<Lock>> {
        self.remove_locks(&repository, all)
    }

    async fn verify_file(&mut self, path: String) -> Answer<FileVerdict> {
        self.verify_a_file(&path)
    }

    async fn stands_at(&mut self, source: Source) -> Answer<String> {
        self.place_of(&source)
    }

    async fn require(&mut self, powers: Vec<Power>) -> Answer<()> {
        powers.iter().try_for_each(|power| self.is_granted(power))
    }

    async fn plan_backup(
        &mut self,
        sources: Vec<Source>,
        options: BackupOptions,
        rules: BackupRules,
    ) -> Answer<BackupPlan> {
        self.foresee_backup(&sources, options, rules)
    }

    async fn plan_restore(
        &mut self,
        repository: Resource<Handle>,
        snapshot: String,
        target: Option<String>,
        rules: RestoreRules,
    ) -> Answer<RestorePlan> {
        self.foresee_restore(&repository, &snapshot, target.as_deref(), rules)
    }

    async fn plan_prune(&mut self, repository: Resource<Handle>) -> Answer<PruneSummary> {
        self.foresee_prune(&repository)
    }
}

impl Call<'_> {
    /// The repository, and the proof that this verb is granted on it. The use is on the
    /// receipt: whatever comes of the verb, the repository was asked.
    fn repository(
        &self,
        handle: &Resource<Handle>,
        verb: RepositoryVerb,
        changes: bool,
    ) -> Answer<(&dyn port::Repository, Permit<RepositoryUse>)> {
        let handle = self.table.get(handle)?;
        let permit = self
            .shared
            .granter
            .repository(&handle.name, verb, changes)?;
        permit.used();
        Ok((handle.repository.as_ref(), permit))
    }

    /// An answer, after what the driver noticed on the way went to the run's log.
    fn noted<T>(
        &self,
        repository: &dyn port::Repository,
        answer: FaultResult<T>,
    ) -> FaultResult<T> {
        for remark in repository.remarks() {
            self.shared.log.message(LogLevel::Warn, "host", &remark);
        }
        answer
    }
}

impl HostHandle for Call<'_> {
    async fn id(&mut self, handle: Resource<Handle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&handle)?.repository.id())
    }

    async fn snapshots(&mut self, handle: Resource<Handle>) -> Answer<Vec<Snapshot>> {
        let (repository, _) = self.repository(&handle, RepositoryVerb::Read, false)?;
        let snapshots = self.noted(repository, repository.snapshots())?;
        Ok(snapshots.into_iter().map(shapes::snapshot).collect())
    }

    async fn backup(
        &mut self,
        handle: Resource<Handle>,
        sources: Vec<Source>,
        options: BackupOptions,
    ) -> Answer<BackupSummary> {
        let shared = Arc::clone(&self.shared);
        let (repository, _) = self.repository(&handle, RepositoryVerb::Append, true)?;
        if sources.is_empty() {
            return Err(Fault::Invalid("a backup needs at least one source".into()).into());
        }
        let held: FaultResult<Vec<Held>> =
            sources.iter().map(|source| hold(&shared, source)).collect();
        let held = held?;
        let sources: Vec<port::Source> = held.iter().map(|held| held.source.clone()).collect();
        let now = shared.clock.now();
        let (options, watcher) = (
            shapes::backup_options(options),
            Watcher(Arc::clone(&shared)),
        );
        let summary = repository.backup_watched(&sources, &options, now, &watcher)?;
        shared.meter.read(summary.bytes_processed);
        shared.meter.wrote(summary.bytes_added);
        Ok(shapes::backup_summary(summary))
    }

    async fn restore(
        &mut self,
        handle: Resource<Handle>,
        snapshot: String,
        target: String,
        options: RestoreOptions,
    ) -> Answer<RestoreSummary> {
        let shared = Arc::clone(&self.shared);
        let (repository, _) = self.repository(&handle, RepositoryVerb::Read, false)?;
        let place = beneath::locate(&shared, &target, Access::ReadWrite, "restore")?;
        let pinned = place.pinned("restore")?;
        shared.budget.room(0, place.directory("restore")?)?;
        let (options, watcher) = (
            shapes::restore_options(options),
            Watcher(Arc::clone(&shared)),
        );
        let done = repository.restore_watched(&snapshot, &pinned.path, &options, &watcher);
        let summary = self.noted(repository, done)?;
        shared.meter.wrote(summary.bytes);
        shared.meter.changed(summary.files);
        place.used();
        Ok(shapes::restore_summary(summary))
    }

    async fn listing(
        &mut self,
        handle: Resource<Handle>,
        snapshot: String,
        path: String,
        limit: u32,
    ) -> Answer<Vec<Node>> {
        let (repository, _) = self.repository(&handle, RepositoryVerb::Read, false)?;
        let nodes = repository.listing(&snapshot, &path, limit.min(NODES));
        let nodes = self.noted(repository, nodes)?;
        Ok(nodes.into_iter().map(shapes::node).collect())
    }

    async fn forget(
        &mut self,
        handle: Resource<Handle>,
        policy: Keep,
        apply: bool,
    ) -> Answer<Vec<Judged>> {
        let now = self.shared.clock.now();
        let handle = self.table.get(&handle)?;
        let granter = &self.shared.granter;
        let permit = if apply {
            granter.repository(&handle.name, RepositoryVerb::Forget, true)?
        } else {
            granter.repository_judge(&handle.name)?
        };
        permit.used();
        let judged = handle
            .repository
            .forget(&shapes::keep(policy), apply, now)?;
        Ok(judged.into_iter().map(shapes::judged).collect())
    }

    async fn prune(&mut self, handle: Resource<Handle>) -> Answer<PruneSummary> {
        let (repository, _) = self.repository(&handle, RepositoryVerb::Prune, true)?;
        let summary = repository.prune()?;
        Ok(shapes::prune_summary(summary))
    }

    async fn check(&mut self, handle: Resource<Handle>, percent: u32) -> Answer<Verdict> {
        let (repository, _) = self.repository(&handle, RepositoryVerb::Check, false)?;
        if percent > 100 {
            return Err(Fault::Invalid(format!("{percent} percent are more than all")).into());
        }
        let verdict = self.noted(repository, repository.check(percent))?;
        self.shared.meter.read(verdict.bytes_read);
        Ok(shapes::verdict(verdict))
    }

    async fn drop(&mut self, handle: Resource<Handle>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

/// A source, and what must live until it was read.
struct Held {
    source: port::Source,
    _pinned: Option<Pinned>,
    _folder: Option<TempDir>,
}

fn hold(shared: &Shared, source: &Source) -> FaultResult<Held> {
    match source {
        Source::Path(path) => hold_path(shared, path),
        Source::Database(name) => hold_database(shared, name),
    }
}

/// A tree beneath a grant: read through its handle, standing under the host's path.
fn hold_path(shared: &Shared, path: &str) -> FaultResult<Held> {
    let place = beneath::locate(shared, path, Access::ReadOnly, "backup")?;
    let pinned = place.pinned("backup")?;
    place.used();
    Ok(Held {
        source: port::Source {
            read: pinned.path.clone(),
            stand: stand(shared, path, &pinned)?,
        },
        _pinned: Some(pinned),
        _folder: None,
    })
}

/// The host's path of a guest path; where that goes up, the path it really leads to.
fn stand(shared: &Shared, path: &str, pinned: &Pinned) -> FaultResult<PathBuf> {
    let guest = GuestPath::parse(path)?;
    let grant = shared.granter.grants().dirs.get(guest.grant.as_str());
    let root = grant.map(|grant| grant.path.clone()).unwrap_or_default();
    let below = guest.rest();
    if below.components().any(|part| part == Component::ParentDir) {
        return std::fs::read_link(&pinned.path)
            .map_err(|error| Fault::Failed(format!("cannot tell where `{path}` lies: {error}")));
    }
    let at_root = below.as_os_str().is_empty() || below == Path::new(".");
    Ok(if at_root { root } else { root.join(below) })
}

/// A consistent copy of a database in a folder of the host's own, standing under the
/// database's path.
fn hold_database(shared: &Shared, name: &str) -> FaultResult<Held> {
    let permit = shared.granter.database(name, DatabaseVerb::Snapshot)?;
    let failed = |error: std::io::Error| {
        Fault::Failed(format!(
            "cannot make a folder for the snapshot of {name}: {error}"
        ))
    };
    let folder = tempfile::Builder::new()
        .prefix("mhost-")
        .tempdir()
        .map_err(failed)?;
    let read: PathBuf = folder.path().join("database");
    permit.used();
    let mut open = shared.databases.open(&permit.name)?;
    database::snapshot(shared, open.as_mut(), &read)?;
    Ok(Held {
        source: port::Source {
            read,
            stand: shared.databases.path(&permit.name)?,
        },
        _pinned: None,
        _folder: Some(folder),
    })
}
