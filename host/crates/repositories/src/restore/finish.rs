//! The third walk: further names of files, what the snapshot does not hold, and
//! the folders' metadata, which the work in them would change again.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use mhost_model::{Fault, FaultResult};

use super::content::Trouble;
use super::survey::{Leaf, LinkKey, Survey};
use super::write::{put, whole_file};
use super::{Job, Problems, clear, metadata, temporary_name};
use crate::fault;
use crate::folder::Folder;
use crate::trees::{Step, StepKind};

pub fn run(job: &Job, target: &Folder, survey: &Survey, problems: &Problems) -> FaultResult<()> {
    let mut folders = vec![target.clone()];
    let mut leaves = survey.leaves.iter();
    let walk = job.walk()?;
    let top = walk.names();
    for step in walk {
        let step = step?;
        let Some(folder) = folders.last() else { break };
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
                    tidy(job, &left, names, &step.path, problems)?;
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
    tidy(job, target, names, &job.base, problems)?;
    if let Some(node) = &job.base_node {
        metadata::of_open(target.as_file(), node, &job.base, problems);
    }
    Ok(())
}

/// Removes what the snapshot does not hold, if that was asked for and everything that
/// it holds is there.
fn tidy(
    job: &Job,
    folder: &Folder,
    names: &HashSet<OsString>,
    path: &Path,
    problems: &Problems,
) -> FaultResult<()> {
    clear::abandoned(folder, names);
    if !job.options.delete || !job.owns(path) || problems.has_losses() {
        return Ok(());
    }
    let failed =
        |error: io::Error| fault::system("removing what is not in the snapshot from", path, &error);
    for name in clear::spare(job, folder, names, path).map_err(failed)? {
        clear::remove(job, folder, &name, &path.join(&name)).map_err(failed)?;
    }
    Ok(())
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
    let first = LinkKey::of(&step.node).and_then(|key| survey.first_names.get(&key));
    if let Some(first) = first.filter(|first| problems.is_lost(first)) {
        let text = format!(
            "{}: it is the same file as {}",
            step.path.display(),
            first.display()
        );
        problems.lost(&step.path, &Fault::Damaged(text));
        return Ok(());
    }
    if first.is_some_and(|first| link(job, target, first, folder, step).is_ok()) {
        return Ok(());
    }
    match whole_file(job, folder, &name, &step.node, &step.path, problems) {
        Err(Trouble::All(fault)) => Err(fault),
        Err(Trouble::File(fault)) => {
            problems.lost(&step.path, &fault);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn link(job: &Job, target: &Folder, first: &Path, folder: &Folder, step: &Step) -> io::Result<()> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let relative = first.strip_prefix(&job.base).map_err(|_| missing())?;
    let mut at = target.clone();
    for part in relative.parent().into_iter().flat_map(Path::iter) {
        at = at.child(part)?;
    }
    let first = at.at(relative.file_name().ok_or_else(missing)?);
    let temporary = temporary_name();
    fs::hard_link(first, folder.at(&temporary))?;
    let put = put(job, folder, &temporary, &step.node.name(), &step.path);
    // Renaming one name of a file over another of the same leaves both.
    let _ = fs::remove_file(folder.at(&temporary));
    put
}
