//! Whether a folder holds what a snapshot holds: content, kinds, modes, owners,
//! times, links and attributes. Reads only.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mhost_model::ports::repository::{Comparison, Watch};
use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::Node;

use super::content::{self, length};
use super::metadata::{is_label, unix_mode};
use super::survey::is_same;
use super::{Job, clear};
use crate::backup::spot::Spot;
use crate::fault;
use crate::folder::Folder;
use crate::pace::Pace;
use crate::trees::{Step, StepKind};

const LINES: usize = 1000;
/// How files of databases begin.
const DATABASES: [&[u8]; 4] = [
    b"SQLite format 3\0",
    b"redb\x1a\x0a\xa9\x0d\x0a",
    b"FS30",
    b"FS21",
];

/// See the module.
pub fn run(job: &Job, target: &Folder, watch: &dyn Watch) -> FaultResult<Comparison> {
    let pace = Pace::new(watch, "comparing", 0, 0);
    let mut comparison = Comparison::default();
    let mut folders = vec![Some(target.clone())];
    let walk = job.walk()?;
    let top = walk.names();
    for step in walk {
        let step = step?;
        if !pace.may_go_on() {
            return Err(Fault::Failed(
                "comparing: the run was asked to end".to_owned(),
            ));
        }
        let folder = folders.last().cloned().flatten();
        match &step.kind {
            StepKind::Enter => folders.push(enter(&mut comparison, &step, folder.as_ref())),
            StepKind::Leaf => leaf(job, &mut comparison, &step, folder.as_ref(), &pace)?,
            StepKind::Leave(names) => {
                if let (Some(Some(left)), true) = (folders.pop(), step.wanted) {
                    spare(job, &mut comparison, &left, names, &step.path)?;
                }
            }
        }
    }
    if job.takes_target() {
        spare(job, &mut comparison, target, &top, &job.base)?;
    }
    Ok(comparison)
}

fn enter(comparison: &mut Comparison, step: &Step, parent: Option<&Folder>) -> Option<Folder> {
    let name = step.node.name();
    let there = parent.and_then(|parent| Some((parent, parent.metadata(&name).ok()?)));
    let Some((parent, there)) = there.filter(|(_, there)| there.is_dir()) else {
        comparison.tell(&step.path, "the folder is missing");
        return None;
    };
    if step.wanted {
        metadata(comparison, step, parent, &name, &there);
    }
    parent.child(&name).ok()
}

fn leaf(
    job: &Job,
    comparison: &mut Comparison,
    step: &Step,
    parent: Option<&Folder>,
    pace: &Pace<'_>,
) -> FaultResult<()> {
    let name = step.node.name();
    comparison.files += 1;
    pace.file();
    let there = parent.and_then(|parent| Some((parent, parent.metadata(&name).ok()?)));
    let Some((parent, there)) = there else {
        comparison.tell(&step.path, "it is missing");
        return Ok(());
    };
    if !step.node.is_file() {
        match is_same(&step.node, &there, parent, &name) {
            true => metadata(comparison, step, parent, &name, &there),
            false => comparison.tell(&step.path, "its kind, or where it leads, differs"),
        }
        return Ok(());
    }
    let pieces = content::pieces(&job.repo, &step.node, &step.path)?;
    let bytes = length(&pieces);
    comparison.bytes += bytes;
    pace.bytes(bytes);
    if !there.is_file() {
        comparison.tell(&step.path, "it is no file");
    } else if there.len() != bytes {
        comparison.tell(
            &step.path,
            &format!("it has {} bytes instead of {bytes}", there.len()),
        );
    } else if !parent
        .file(&name)
        .is_ok_and(|file| content::holds(&file, &pieces))
    {
        comparison.tell(&step.path, "its content differs");
    } else {
        metadata(comparison, step, parent, &name, &there);
        if is_database(parent, &name) {
            let path = Path::new("/").join(job.below(&step.path));
            comparison
                .databases
                .push(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// What restoring sets. Owners are compared where they can be set.
fn metadata(
    comparison: &mut Comparison,
    step: &Step,
    parent: &Folder,
    name: &OsStr,
    there: &Metadata,
) {
    let meta = &step.node.meta;
    let root = rustix::process::geteuid().is_root();
    let mode = meta.mode.map(unix_mode).filter(|_| !step.node.is_symlink());
    if mode.is_some_and(|mode| mode != there.mode() & 0o7777) {
        comparison.tell(&step.path, "its mode differs");
    }
    let owners = (
        meta.uid.unwrap_or(there.uid()),
        meta.gid.unwrap_or(there.gid()),
    );
    if root && owners != (there.uid(), there.gid()) {
        comparison.tell(&step.path, "its owner differs");
    }
    let time = meta.mtime.map(|time| time.as_nanosecond());
    let now = i128::from(there.mtime()) * 1_000_000_000 + i128::from(there.mtime_nsec());
    if time.is_some_and(|time| time != now) {
        comparison.tell(&step.path, "its time of change differs");
    }
    if attributes(&step.node) != found_attributes(parent, name, &step.node) {
        comparison.tell(&step.path, "its extended attributes differ");
    }
}

type Attributes = Vec<(OsString, Vec<u8>)>;

fn attributes(node: &Node) -> Attributes {
    let all = node.meta.extended_attributes.iter();
    let mut all: Attributes = all
        .map(|one| {
            (
                OsString::from(&one.name),
                one.value.clone().unwrap_or_default(),
            )
        })
        .collect();
    all.sort_unstable();
    all
}

/// Without labels that the snapshot does not know: a restore leaves them.
fn found_attributes(parent: &Folder, name: &OsStr, node: &Node) -> Attributes {
    let known = &node.meta.extended_attributes;
    let mut all = Spot::entry(parent, name).attributes();
    all.retain(|(name, _)| {
        !is_label(name) || known.iter().any(|one| OsStr::new(&one.name) == name)
    });
    all.sort_unstable();
    all
}

fn is_database(parent: &Folder, name: &OsStr) -> bool {
    let mut start = Vec::new();
    let read = parent
        .file(name)
        .and_then(|file| file.take(16).read_to_end(&mut start));
    read.is_ok() && DATABASES.iter().any(|magic| start.starts_with(magic))
}

/// What is there, but not in the snapshot. Where the snapshot does not hold a folder as
/// a whole, that says nothing.
fn spare(
    job: &Job,
    comparison: &mut Comparison,
    folder: &Folder,
    names: &HashSet<OsString>,
    path: &Path,
) -> FaultResult<()> {
    if !job.owns(path) {
        return Ok(());
    }
    let there = clear::spare(job, folder, names, path)
        .map_err(|error| fault::system("looking into", path, &error))?;
    for name in &there {
        comparison.tell(&path.join(name), "the snapshot does not hold it");
    }
    Ok(())
}

trait Tell {
    fn tell(&mut self, path: &Path, what: &str);
}

impl Tell for Comparison {
    fn tell(&mut self, path: &Path, what: &str) {
        self.differing += 1;
        if self.differences.len() < LINES {
            self.differences.push(format!("{}: {what}", path.display()));
        }
    }
}
