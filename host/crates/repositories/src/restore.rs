//! Restoring a snapshot into a folder, in three walks over it: [`survey`] checks
//! everything and changes nothing, [`write`] brings the contents, [`finish`] the
//! hard links, the folders' metadata and the deletions. A plan is the first alone.
//!
//! This is not left to `rustic_core`, which would write through a symbolic link
//! that stands in a file's place, deletes before it knows whether it can go on, and
//! only logs what went wrong. Each file is made whole under another name and then
//! takes its place at once.

mod apart;
mod clear;
mod compare;
mod content;
mod finish;
mod metadata;
mod packs;
mod problems;
mod survey;
mod write;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mhost_model::ports::repository::{
    Comparison, RestoreOptions, RestorePlan, RestoreSummary, Watch,
};
use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{Node, SnapshotFile};
use rustic_core::{IndexedFullStatus, Repository, TreeId};

use self::problems::Problems;
use self::survey::Survey;
use crate::backup::exclude::Excludes;
use crate::fault;
use crate::folder::Folder;
use crate::lock::process_lives;
use crate::medium::Medium;
use crate::pace::Pace;
use crate::session::Session;
use crate::snapshots::{self, Reference};
use crate::trees::{self, StepKind, Walk, Wanted};

type Repo = Repository<IndexedFullStatus>;

/// What is restored, and how.
pub struct Job {
    repo: Repo,
    tree: TreeId,
    /// Where the tree stands in the snapshot; it comes to lie at the target.
    base: PathBuf,
    /// The folder at `base`, unless that is the snapshot's root.
    base_node: Option<Node>,
    wanted: Wanted,
    /// What the snapshot was made of. Folders that merely lead there were never backed
    /// up, so that what is missing in them says nothing.
    own: Vec<PathBuf>,
    options: RestoreOptions,
}

impl Job {
    fn walk(&self) -> FaultResult<Walk<'_, IndexedFullStatus>> {
        Walk::new(&self.repo, self.tree, &self.base, &self.wanted)
    }

    /// Whether the target itself is to become a folder of the snapshot.
    fn takes_target(&self) -> bool {
        self.wanted.is_everything()
    }

    /// Whether a folder of the snapshot holds everything that its original held.
    fn owns(&self, folder: &Path) -> bool {
        self.own.iter().any(|own| folder.starts_with(own))
    }

    /// Where something of the snapshot comes to lie below the target.
    fn below<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.base).unwrap_or(path)
    }
}

/// See the module.
pub fn run(
    session: Session,
    medium: &dyn Medium,
    snapshot: &str,
    target: &Path,
    options: &RestoreOptions,
    watch: &dyn Watch,
) -> FaultResult<RestoreSummary> {
    let job = plan(session.repo, snapshot, options)?;
    let existing = open_target(target)?;
    let survey = look(&job, medium, target, existing.as_ref())?;
    survey.may_begin()?;
    survey.packs.are_there(&job, &survey, medium)?;
    enough_space(target, &survey)?;
    let pace = Pace::new(
        watch,
        "restoring",
        survey.summary.files,
        survey.summary.bytes,
    );
    let folder = match existing {
        Some(folder) => folder,
        None => make_target(target)?,
    };
    let problems = Problems::default();
    write::run(&job, &folder, &survey, &problems, &pace)?;
    finish::run(&job, &folder, &survey, &problems)?;
    make_durable(&folder, target)?;
    drop(session.lock);
    problems.into_result(survey.summary)
}

/// What [`run`] would do, into an empty folder where there is no target; changes nothing. What would make it refuse is an answer
/// where it lies in the target, and an error where the repository lacks something.
pub fn foresee(
    session: Session,
    medium: &dyn Medium,
    snapshot: &str,
    target: Option<&Path>,
    options: &RestoreOptions,
) -> FaultResult<RestorePlan> {
    let job = plan(session.repo, snapshot, options)?;
    let survey = match target {
        Some(target) => {
            let existing = open_target(target)?;
            let survey = look(&job, medium, target, existing.as_ref())?;
            enough_space(target, &survey)?;
            survey
        }
        None => survey::run(&job, None, None)?,
    };
    survey.packs.are_there(&job, &survey, medium)?;
    Ok(survey.into_plan())
}

fn look(
    job: &Job,
    medium: &dyn Medium,
    target: &Path,
    existing: Option<&Folder>,
) -> FaultResult<Survey> {
    if job.options.delete && job.wanted.is_everything() && target == Path::new("/") {
        return Err(Fault::Invalid(
            "restoring to `/` with `delete` would remove the whole system: name the paths to restore"
                .to_owned(),
        ));
    }
    let repository = apart::check(medium.folder(), target, job.options.delete)?;
    survey::run(job, existing, repository.as_deref())
}

/// How what lies at the target compares with the snapshot; changes nothing.
pub fn compare(
    session: Session,
    snapshot: &str,
    target: &Path,
    options: &RestoreOptions,
    watch: &dyn Watch,
) -> FaultResult<Comparison> {
    let job = plan(session.repo, snapshot, options)?;
    let folder = open_target(target)?.ok_or_else(|| {
        Fault::NotFound(format!(
            "there is no folder {} to compare with",
            apart::real(target).display()
        ))
    })?;
    compare::run(&job, &folder, watch)
}

fn plan(
    repo: Repository<rustic_core::OpenStatus>,
    snapshot: &str,
    options: &RestoreOptions,
) -> FaultResult<Job> {
    let reference = Reference::new(snapshot);
    let snapshot = snapshots::find(&repo, reference.snapshot)?;
    let repo = repo
        .to_indexed()
        .map_err(|error| fault::rustic("reading the index", &error))?;
    let base = match reference.folder {
        None => PathBuf::from("/"),
        Some(folder) => trees::absolute(folder)?,
    };
    let base_node = trees::find(&repo, snapshot.tree, &base)?;
    let tree = match &base_node {
        None => snapshot.tree,
        Some(node) if node.is_dir() => trees::subtree(node, &base)?,
        Some(_) => {
            return Err(Fault::Invalid(format!(
                "{} is no folder: take the folder that it lies in, and name the file in `paths`",
                base.display()
            )));
        }
    };
    let mut wanted = Vec::new();
    for path in &options.paths {
        let path = trees::absolute(path)?;
        trees::find(&repo, snapshot.tree, &path)?;
        if !path.starts_with(&base) {
            return Err(Fault::Invalid(format!(
                "{} does not lie below {}",
                path.display(),
                base.display()
            )));
        }
        wanted.push(path);
    }
    let own = own(
        &repo,
        &snapshot,
        base_node.is_some().then_some(&base),
        &wanted,
    );
    if options.delete && own.is_empty() {
        return Err(Fault::Invalid(
            "the snapshot does not say which of its folders were backed up as a whole: with `delete`, \
             name the folder in `folder`, or what to restore in `paths`"
                .to_owned(),
        ));
    }
    let mut wanted = match wanted[..] {
        [] => Wanted::everything(),
        _ => Wanted::only(wanted),
    };
    if !options.include.is_empty() {
        wanted = included(&repo, tree, &base, &wanted, &options.include)?;
    }
    if !options.exclude.is_empty() {
        wanted = wanted.but(Excludes::new(&options.exclude, false)?);
    }
    Ok(Job {
        repo,
        tree,
        base,
        base_node,
        wanted,
        own,
        options: options.clone(),
    })
}

/// The snapshot's own paths as far as it holds them. restic's snapshots of relative paths
/// hold them elsewhere: there it is what the request names.
fn own(
    repo: &Repo,
    snapshot: &SnapshotFile,
    folder: Option<&PathBuf>,
    paths: &[PathBuf],
) -> Vec<PathBuf> {
    let recorded = snapshot.paths.iter().filter_map(|path| {
        let path = trees::absolute(path).ok()?;
        trees::find(repo, snapshot.tree, &path)
            .is_ok()
            .then_some(path)
    });
    let recorded: Vec<_> = recorded.collect();
    match (recorded.is_empty(), paths) {
        (false, _) => recorded,
        (true, []) => folder.into_iter().cloned().collect(),
        (true, paths) => paths.to_vec(),
    }
}

/// What the patterns match, as paths: a folder that only leads to something that does
/// not match must not be made.
fn included(
    repo: &Repo,
    tree: TreeId,
    base: &Path,
    among: &Wanted,
    patterns: &[String],
) -> FaultResult<Wanted> {
    let patterns = Excludes::named("the include pattern", patterns, false)?;
    let mut paths = Vec::new();
    let mut below: Option<PathBuf> = None;
    for step in Walk::new(repo, tree, base, among)? {
        let step = step?;
        let covered = below
            .as_ref()
            .is_some_and(|below| step.path.starts_with(below));
        if step.wanted
            && !covered
            && !matches!(step.kind, StepKind::Leave(_))
            && patterns.matches(&step.path)
        {
            below = Some(step.path.clone());
            paths.push(step.path);
        }
    }
    if paths.is_empty() {
        return Err(Fault::NotFound(
            "the snapshot holds nothing that `include` matches".to_owned(),
        ));
    }
    Ok(Wanted::only(paths))
}

/// None where there is nothing yet.
fn open_target(target: &Path) -> FaultResult<Option<Folder>> {
    match Folder::open(target) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault::system("restoring to", &apart::real(target), &error)),
    }
}

fn make_target(target: &Path) -> FaultResult<Folder> {
    fs::create_dir_all(target)
        .and_then(|()| Folder::open(target))
        .map_err(|error| fault::system("restoring to", &apart::real(target), &error))
}

/// Looks at the next folder above the target that is there.
fn enough_space(target: &Path, survey: &Survey) -> FaultResult<()> {
    let free = target.ancestors().find_map(|path| {
        let stats = rustix::fs::statvfs(path).ok()?;
        Some(stats.f_bavail.saturating_mul(stats.f_frsize))
    });
    match free {
        Some(free) if free < survey.bytes_needed => Err(Fault::Failed(format!(
            "restoring to {}: {} bytes are needed and {free} are free there; nothing was changed",
            apart::real(target).display(),
            survey.bytes_needed
        ))),
        _ => Ok(()),
    }
}

/// A restore that is reported must survive a power cut.
fn make_durable(folder: &Folder, target: &Path) -> FaultResult<()> {
    rustix::fs::syncfs(folder.as_file())
        .map_err(|error| fault::system("making durable", &apart::real(target), &error.into()))
}

/// How files begin that are not yet whole: `.mhost-restore-PID-NUMBER`.
const TEMPORARY: &str = ".mhost-restore-";

/// A name of this run for a file that is not yet whole.
fn temporary_name() -> OsString {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    OsString::from(format!("{TEMPORARY}{}-{number}", std::process::id()))
}

/// Whether a restore that was cut off left this: its process is gone.
fn is_abandoned(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY));
    let parts = parts.and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(pid, number)| {
        let pid = pid.parse::<i32>();
        number.parse::<u64>().is_ok() && pid.is_ok_and(|pid| !process_lives(pid))
    })
}
