//! Making a snapshot of several sources.
//!
//! The sources are walked by this crate, because they stand elsewhere in the
//! snapshot than they are read, may lie within each other (a database's copy in
//! the place of its file), and must not be left through a symbolic link.
//! `rustic_core` chunks, packs and compares with the parent.

mod exclude;
mod journal;
mod mounts;
mod node;
mod reader;
mod spot;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;

use mhost_model::ports::repository::{BackupOptions, BackupSummary, Source};
use mhost_model::{Fault, FaultResult, Instant};
use rustic_core::repofile::{SnapshotFile, SnapshotSummary, StringList};
use rustic_core::{BackupOptions as ArchiveOptions, Open, Repository, SnapshotOptions};

use self::exclude::Excludes;
use self::journal::Journal;
use self::mounts::Mount;
use self::walk::{Plan, Sources};
use crate::fault;
use crate::session::Session;
use crate::snapshots;

/// What to back up, checked before anything is locked: the sources are open.
pub struct Request {
    plan: Arc<Plan>,
    stands: Vec<PathBuf>,
    snapshot: SnapshotFile,
    parent: Option<String>,
}

impl Request {
    pub fn new(sources: &[Source], options: &BackupOptions, now: Instant) -> FaultResult<Self> {
        let plan = Plan {
            mounts: Arc::new(Mount::open(sources)?),
            excludes: Excludes::new(&options.exclude)?,
            one_file_system: options.one_file_system,
        };
        Ok(Self {
            plan: Arc::new(plan),
            stands: sources.iter().map(|source| source.stand.clone()).collect(),
            snapshot: new_snapshot(options, now)?,
            parent: options.parent.clone(),
        })
    }
}

/// Reads everything and stores the snapshot. What cannot be read is left out and
/// told in the summary; a file that is gone by the time it is its turn is left out
/// silently.
pub fn run(session: Session, request: Request) -> FaultResult<BackupSummary> {
    let failed = |error: Box<_>| fault::rustic("backing up", &error);
    let parents = match &request.parent {
        None => Vec::new(),
        Some(wanted) => {
            let parent = snapshots::find(&session.repo, wanted)?;
            vec![parent.id.to_hex().as_str().to_owned()]
        }
    };
    let mut options = ArchiveOptions::default();
    options.no_scan = true;
    options.parent_opts.parents = parents;
    let journal = Arc::new(Journal::default());
    let sources = Sources::new(request.plan, Arc::clone(&journal));
    let repo = session.repo.to_indexed_ids().map_err(failed)?;
    let stored = repo
        .archive(&options, &sources, request.snapshot, &request.stands)
        .map_err(failed)?;
    let totals = stored.summary.clone().unwrap_or_default();
    if let Some(lost) = journal.unexplained(totals.total_files_processed) {
        discard(&repo, &stored)?;
        return Err(Fault::Failed(format!(
            "backing up: {lost} files were read but not stored; the snapshot was discarded"
        )));
    }
    Ok(summary(&stored, &totals, journal.unread()))
}

/// A snapshot that lacks files for no known reason must not pass for a whole one.
fn discard<S: Open>(repo: &Repository<S>, stored: &SnapshotFile) -> FaultResult<()> {
    repo.delete_snapshots(&[stored.id])
        .map_err(|error| fault::rustic("discarding an incomplete snapshot", &error))
}

fn summary(stored: &SnapshotFile, totals: &SnapshotSummary, unread: Vec<String>) -> BackupSummary {
    BackupSummary {
        snapshot: snapshots::describe(stored),
        files_new: totals.files_new,
        files_changed: totals.files_changed,
        files_unmodified: totals.files_unmodified,
        bytes_processed: totals.total_bytes_processed,
        bytes_added: totals.data_added_packed,
        unread,
    }
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
