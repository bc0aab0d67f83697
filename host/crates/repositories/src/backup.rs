//! Making a snapshot of several sources, in one or several repositories.
//!
//! The sources may stand elsewhere in the snapshot than they are read, may lie
//! within each other (a database's copy in the place of its file), and must not be
//! left through a symbolic link. This module says what is walked and what becomes of
//! it; [`crate::archive`] stores it.

pub mod exclude;
pub mod journal;
mod mounts;
mod node;
pub mod reader;
mod rules;
pub mod spot;
mod storages;
pub mod walk;

use std::sync::Arc;

use mhost_model::ports::repository::{BackupOptions, BackupPlan, BackupSummary, Source, Watch};
use mhost_model::{Clock, Fault, FaultResult, Instant, SystemClock};
use rustic_core::repofile::{SnapshotFile, SnapshotSummary, StringList};
use rustic_core::{FileType, SnapshotOptions};

use self::journal::Journal;
use self::mounts::Mount;
use self::rules::Rules;
use self::storages::Storages;
use self::walk::{Plan, Walk};
use crate::archive::{self, Depot, Ignore, Parents, Repo, Stored, Target};
use crate::fault;
use crate::lock::Lock;
use crate::pace::Pace;
use crate::session::Session;
use crate::snapshots::{self, Snapshots};

/// What to back up, checked before anything is locked: the sources are open.
pub struct Request {
    plan: Arc<Plan>,
    snapshot: SnapshotFile,
    options: BackupOptions,
}

impl Request {
    pub fn new(sources: &[Source], options: &BackupOptions, now: Instant) -> FaultResult<Self> {
        let plan = plan(sources, options)?;
        let mut snapshot = new_snapshot(options, now)?;
        let mut stands: Vec<_> = sources.iter().map(|source| &source.stand).collect();
        stands.sort_unstable();
        for stand in stands {
            snapshot.paths.add(stand.to_string_lossy().into_owned());
        }
        Ok(Self {
            plan: Arc::new(plan),
            snapshot,
            options: options.clone(),
        })
    }
}

/// What is walked, and how.
fn plan(sources: &[Source], options: &BackupOptions) -> FaultResult<Plan> {
    Ok(Plan {
        mounts: Arc::new(Mount::open(sources)?),
        rules: Rules::new(options)?,
        one_file_system: options.one_file_system,
    })
}

/// What would be stored, and what could not be read, by the rules of a backup: folders
/// are read, files are not.
pub fn foresee(sources: &[Source], options: &BackupOptions) -> FaultResult<BackupPlan> {
    let plan = plan(sources, options)?;
    let journal = Arc::new(Journal::default());
    let mut found = BackupPlan::default();
    for entry in Walk::scout(Arc::new(plan), Arc::clone(&journal)) {
        if entry.node.is_file() {
            found.files += 1;
            found.bytes += entry.node.meta.size;
        }
    }
    found.unread = journal.unread();
    Ok(found)
}

/// A repository that takes part.
struct Begun {
    repo: Arc<Repo>,
    depot: Arc<Depot>,
    parent: Option<SnapshotFile>,
    /// Snapshots that could not be read, and do not count as a parent.
    remarks: Vec<String>,
    /// Held to the end.
    _lock: Option<Lock>,
}

/// Reads everything once and stores a snapshot in each repository: one answer for
/// each session. What cannot be read is left out and told in the summary; a file
/// that is gone by the time it is its turn is left out silently.
pub fn run(
    sessions: Vec<FaultResult<Session>>,
    request: &Request,
    watch: &dyn Watch,
) -> FaultResult<Vec<FaultResult<BackupSummary>>> {
    let storages = Arc::new(Storages::find(&request.plan, &request.options)?);
    let begun = sessions.into_iter();
    let begun: Vec<_> = begun.map(|session| begin(session?, request)).collect();
    let started = SystemClock.now();
    let works = begun.iter().flatten();
    let targets: Vec<_> = works.map(|begun| begun.target(&request.options)).collect();
    if targets.is_empty() {
        return Ok(begun.into_iter().filter_map(Result::err).map(Err).collect());
    }
    let journal = Arc::new(Journal::default());
    let (plan, noted) = (Arc::clone(&request.plan), Arc::clone(&journal));
    let walk = Walk::new(plan, noted, Arc::clone(&storages));
    let pace = Pace::new(watch, "backing up", storages.files, storages.bytes);
    let stored = archive::run(targets, walk, &journal, &pace)?;
    let intact = storages.still_there();
    let mut stored = stored.into_iter();
    let finish = |begun: FaultResult<Begun>| {
        let begun = begun?;
        let missing = || Err(Fault::Failed("backing up: it was not begun".to_owned()));
        let stored = stored.next().unwrap_or_else(missing)?;
        intact.clone()?;
        begun.conclude(request, stored, started, &journal)
    };
    Ok(begun.into_iter().map(finish).collect())
}

fn begin(session: Session, request: &Request) -> FaultResult<Begun> {
    let (parent, mut remarks) = find_parent(&session, request)?;
    let Session {
        repo,
        store,
        lock,
        remarks: noticed,
    } = session;
    remarks.extend(noticed);
    let repo = repo
        .to_indexed()
        .map_err(|error| fault::rustic("reading the index", &error))?;
    let repo = Arc::new(repo);
    Ok(Begun {
        depot: Arc::new(Depot::new(Arc::clone(&repo), store)?),
        repo,
        parent,
        remarks,
        _lock: lock,
    })
}

/// The newest snapshot of the same host and paths that is not of later, unless one
/// was named or none is wanted.
fn find_parent(
    session: &Session,
    request: &Request,
) -> FaultResult<(Option<SnapshotFile>, Vec<String>)> {
    if request.options.force {
        return Ok((None, Vec::new()));
    }
    if let Some(wanted) = &request.options.parent {
        let parent = snapshots::find(&session.repo, wanted)?;
        return Ok((Some(parent), Vec::new()));
    }
    let new = &request.snapshot;
    let fits = |old: &SnapshotFile| {
        old.hostname == new.hostname && old.paths == new.paths && old.time <= new.time
    };
    let all = Snapshots::read(&session.repo)?;
    let remarks = all.remarks();
    Ok((all.found.into_iter().rfind(fits), remarks))
}

impl Begun {
    fn target(&self, options: &BackupOptions) -> Target {
        let known = self.parent.as_ref().map(|parent| parent.tree);
        let ignore = Ignore {
            inode: options.ignore_inode,
            ctime: options.ignore_ctime,
        };
        Target {
            depot: Arc::clone(&self.depot),
            parents: Parents::new(Arc::clone(&self.repo), known, ignore),
            known,
        }
    }

    /// Everything is stored: the snapshot is what makes it count.
    fn conclude(
        self,
        request: &Request,
        stored: Stored,
        started: Instant,
        journal: &Journal,
    ) -> FaultResult<BackupSummary> {
        let totals = timed(stored.summary, started)?;
        let unchanged = self
            .parent
            .as_ref()
            .filter(|parent| parent.tree == stored.tree);
        let (snapshot, made) = match unchanged {
            Some(parent) if request.options.skip_if_unchanged => (parent.clone(), false),
            _ => {
                let mut snapshot = request.snapshot.clone();
                snapshot.tree = stored.tree;
                snapshot.parent = self.parent.as_ref().map(|parent| parent.id);
                snapshot.summary = Some(totals.clone());
                snapshot.id = self.depot.write_file(FileType::Snapshot, &snapshot)?.into();
                (snapshot, true)
            }
        };
        Ok(BackupSummary {
            snapshot: snapshots::describe(&snapshot),
            made,
            parent: snapshot.parent.map(|id| id.to_hex().as_str().to_owned()),
            files_new: totals.files_new,
            files_changed: totals.files_changed,
            files_unmodified: totals.files_unmodified,
            bytes_processed: totals.total_bytes_processed,
            bytes_added: totals.data_added_packed,
            unread: journal.unread(),
            remarks: self.remarks.into_iter().chain(journal.remarks()).collect(),
        })
    }
}

fn timed(mut totals: SnapshotSummary, started: Instant) -> FaultResult<SnapshotSummary> {
    let ended = SystemClock.now();
    let seconds = (ended - started).as_seconds_f64();
    "mhost backup".clone_into(&mut totals.command);
    totals.backup_start = snapshots::zoned(started)?;
    totals.backup_end = snapshots::zoned(ended)?;
    totals.backup_duration = seconds;
    totals.total_duration = seconds;
    Ok(totals)
}

fn new_snapshot(options: &BackupOptions, now: Instant) -> FaultResult<SnapshotFile> {
    let mut wanted = SnapshotOptions::default();
    wanted.host.clone_from(&options.hostname);
    wanted.time = Some(snapshots::zoned(now)?);
    wanted.tags = vec![tags(&options.tags)?];
    wanted.command = Some("mhost".to_owned());
    let mut snapshot = wanted
        .to_snapshot()
        .map_err(|error| fault::rustic("backing up", &error))?;
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    snapshot.username = user.map(|user| user.name).unwrap_or_default();
    snapshot.uid = uid.as_raw();
    snapshot.gid = nix::unistd::getgid().as_raw();
    snapshot.program_version = concat!("mhost ", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(snapshot)
}

/// restic separates tags by commas, so none may contain one.
fn tags(wanted: &[String]) -> FaultResult<StringList> {
    let mut list = StringList::default();
    for tag in wanted {
        if tag.is_empty() || tag.contains(',') {
            return Err(Fault::Invalid(format!(
                "`{tag}` cannot be a tag: it must not be empty and not contain a comma"
            )));
        }
        list.add(tag.clone());
    }
    Ok(list)
}
