//! The third walk: further names of files, what the snapshot does not hold, and
//! the folders' metadata, which the work in them would change again.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

use mhost_model::FaultResult;
use rustic_core::repofile::Node;

use super::survey::{Leaf, LinkKey, Survey};
use super::write::{put, whole_file};
use super::{Job, Problems, metadata, temporary_name};
use crate::fault;
use crate::folder::Folder;
use crate::trees::{Step, StepKind};

pub fn run(job: &Job, target: &Folder, survey: &Survey, problems: &Problems) -> FaultResult<()> {
    let mut folders = vec![target.clone()];
    let mut leaves = survey.leaves.iter();
    let mut top = HashSet::new();
    for step in job.walk()? {
        let step = step?;
        let Some(folder) = folders.last() else { break };
        if folders.len() == 1 {
            top.insert(step.node.name().into_owned());
        }
        match &step.kind {
            StepKind::Enter => {
                let opened = folder.child(&step.node.name());
                let opened =
                    opened.map_err(|error| fault::system("opening", &step.path, &error))?;
                folders.push(opened);
            }
            StepKind::Leaf if leaves.next() == Some(&Leaf::SecondName) => {
                second_name(job, target, survey, folder, &step, problems)?;
            }
            StepKind::Leaf => {}
            StepKind::Leave(names) => {
                if let (Some(left), true) = (folders.pop(), step.wanted) {
                    tidy(job, &left, names, &step.path)?;
                    metadata::of_open(left.as_file(), &step.node, &step.path, problems);
                }
            }
        }
    }
    finish_target(job, target, &top, problems)
}

/// The target itself, where the whole tree was restored to it.
fn finish_target(
    job: &Job,
    target: &Folder,
    names: &HashSet<OsString>,
    problems: &Problems,
) -> FaultResult<()> {
    if !job.takes_target() {
        return Ok(());
    }
    tidy(job, target, names, &job.base)?;
    if let Some(node) = &job.base_node {
        metadata::of_open(target.as_file(), node, &job.base, problems);
    }
    Ok(())
}

/// Removes what the snapshot does not hold, if that was asked for.
fn tidy(job: &Job, folder: &Folder, names: &HashSet<OsString>, path: &Path) -> FaultResult<()> {
    if !job.options.delete {
        return Ok(());
    }
    let failed =
        |error: io::Error| fault::system("removing what is not in the snapshot from", path, &error);
    for name in folder.names().map_err(failed)? {
        if !names.contains(&name) {
            remove(folder, &name).map_err(failed)?;
        }
    }
    Ok(())
}

fn remove(folder: &Folder, name: &OsStr) -> io::Result<()> {
    let at = folder.at(name);
    if folder.metadata(name)?.is_dir() {
        fs::remove_dir_all(at)
    } else {
        fs::remove_file(at)
    }
}

/// Links to the first name. Where the file system cannot, the file comes twice.
fn second_name(
    job: &Job,
    target: &Folder,
    survey: &Survey,
    folder: &Folder,
    step: &Step,
    problems: &Problems,
) -> FaultResult<()> {
    let name = step.node.name();
    if link(job, target, survey, folder, &step.node, &name).is_ok() {
        return Ok(());
    }
    whole_file(job, folder, &name, &step.node, &step.path, problems)
}

fn link(
    job: &Job,
    target: &Folder,
    survey: &Survey,
    folder: &Folder,
    node: &Node,
    name: &OsStr,
) -> io::Result<()> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let key = LinkKey::of(node).ok_or_else(missing)?;
    let first = survey.first_names.get(&key).ok_or_else(missing)?;
    let relative = first.strip_prefix(&job.base).map_err(|_| missing())?;
    let mut at = target.clone();
    for part in relative.parent().into_iter().flat_map(Path::iter) {
        at = at.child(part)?;
    }
    let first = at.at(relative.file_name().ok_or_else(missing)?);
    let temporary = temporary_name();
    fs::hard_link(first, folder.at(&temporary))?;
    let put = put(folder, &temporary, name);
    // Renaming one name of a file over another of the same leaves both.
    let _ = fs::remove_file(folder.at(&temporary));
    put
}
