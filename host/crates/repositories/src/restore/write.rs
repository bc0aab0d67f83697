//! The second walk: folders, contents, and what is neither.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::num::NonZero;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{Node, NodeType};
use rustix::fs::{CWD, FileType, Mode};

use super::content::Trouble;
use super::survey::{Leaf, Survey};
use super::{Job, Problems, clear, content, metadata, temporary_name};
use crate::fault;
use crate::folder::Folder;
use crate::pace::Pace;
use crate::trees::{Step, StepKind};

/// A file for one of the writing threads.
struct Task {
    folder: Folder,
    name: OsString,
    node: Node,
    path: PathBuf,
    leaf: Leaf,
}

/// The walk makes folders and hands the files to as many threads as there are
/// processors. A file that cannot be restored is noted, and what stands in its place
/// stays; what would stop every other file too ends it.
pub fn run(
    job: &Job,
    target: &Folder,
    survey: &Survey,
    problems: &Problems,
    pace: &Pace<'_>,
) -> FaultResult<()> {
    let (sender, receiver) = sync_channel::<Task>(64);
    let receiver = Mutex::new(Some(receiver));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let worker = || work(job, &receiver, problems, pace);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let walked = walk(job, target, survey, problems, sender);
        let mut done = Ok(());
        for worker in workers {
            done = done.and(worker.join().unwrap_or_else(|_| Err(panicked())));
        }
        // Where a worker ended, the walk only knows that nobody takes its files.
        done.and(walked)
    })
}

fn panicked() -> Fault {
    Fault::Damaged("restoring: stopped at something unexpected in the repository".to_owned())
}

/// Takes files until there are none, or until nothing can go on: then all stop, since
/// the channel closes.
fn work(
    job: &Job,
    receiver: &Mutex<Option<Receiver<Task>>>,
    problems: &Problems,
    pace: &Pace<'_>,
) -> FaultResult<()> {
    loop {
        let next = {
            let receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
            receiver.as_ref().and_then(|receiver| receiver.recv().ok())
        };
        let Some(task) = next else { return Ok(()) };
        let done = fault::guarded("restoring", || {
            match file(job, &task, problems, pace) {
                Err(Trouble::File(fault)) => problems.lost(&task.path, &fault),
                Err(Trouble::All(fault)) => return Err(fault),
                Ok(()) => {}
            }
            match pace.may_go_on() {
                true => Ok(()),
                false => Err(Fault::Failed(
                    "restoring: the run was asked to end; what is there is whole, and the same restore goes on from it"
                        .to_owned(),
                )),
            }
        });
        if let Err(fault) = done {
            receiver
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            return Err(fault);
        }
    }
}

fn walk(
    job: &Job,
    target: &Folder,
    survey: &Survey,
    problems: &Problems,
    files: SyncSender<Task>,
) -> FaultResult<()> {
    let mut folders = vec![target.clone()];
    let mut leaves = survey.leaves.iter();
    for step in job.walk()? {
        let step = step?;
        let Some(folder) = folders.last() else { break };
        match step.kind {
            StepKind::Enter => folders.push(make_folder(folder, &step)?),
            StepKind::Leave(_) => drop(folders.pop()),
            StepKind::Leaf => {
                let leaf = *leaves.next().ok_or_else(panicked)?;
                if !step.node.is_file() {
                    special(job, folder, &step, leaf, problems)?;
                } else if !matches!(leaf, Leaf::SecondName | Leaf::Kept) {
                    let sent = files.send(task(folder, step, leaf));
                    sent.map_err(|_| Fault::Failed("restoring: stopped".to_owned()))?;
                }
            }
        }
    }
    Ok(())
}

fn task(folder: &Folder, step: Step, leaf: Leaf) -> Task {
    Task {
        folder: folder.clone(),
        name: step.node.name().into_owned(),
        node: step.node,
        path: step.path,
        leaf,
    }
}

/// For its owner alone until the last walk sets its mode.
fn make_folder(parent: &Folder, step: &Step) -> FaultResult<Folder> {
    let name = step.node.name();
    let failed = |error: io::Error| fault::system("making the folder", &step.path, &error);
    let there = parent.metadata(&name).ok();
    if there.as_ref().is_some_and(|there| !there.is_dir()) {
        fs::remove_file(parent.at(&name)).map_err(failed)?;
    }
    if !there.is_some_and(|there| there.is_dir()) {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(parent.at(&name))
            .map_err(failed)?;
    }
    parent.child(&name).map_err(failed)
}

fn file(job: &Job, task: &Task, problems: &Problems, pace: &Pace<'_>) -> Result<(), Trouble> {
    if task.leaf == Leaf::Right {
        let opened = task.folder.file(&task.name);
        let file = opened.map_err(|error| Trouble::system("opening", &task.path, &error))?;
        metadata::of_open(&file, &task.node, &task.path, problems);
        return Ok(());
    }
    whole_file(
        job,
        &task.folder,
        &task.name,
        &task.node,
        &task.path,
        problems,
    )?;
    pace.file();
    pace.bytes(task.node.meta.size);
    Ok(())
}

/// Makes a file under another name, and lets it take its place.
pub fn whole_file(
    job: &Job,
    folder: &Folder,
    name: &OsStr,
    node: &Node,
    path: &Path,
    problems: &Problems,
) -> Result<(), Trouble> {
    let temporary = temporary_name();
    let pieces = content::pieces(&job.repo, node, path).map_err(Trouble::of)?;
    let made = create(folder, &temporary)
        .map_err(|error| Trouble::system("making", path, &error))
        .and_then(|file| {
            content::fill(&job.repo, &file, &pieces, path)?;
            metadata::of_open(&file, node, path, problems);
            put(job, folder, &temporary, name, path)
                .map_err(|error| Trouble::system("replacing", path, &error))
        });
    if made.is_err() {
        // It has no file's name; the next restore clears it away.
        let _ = fs::remove_file(folder.at(&temporary));
    }
    made
}

fn create(folder: &Folder, name: &OsStr) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.at(name))
}

/// Renames over what stands there. The survey has seen that even a folder may go; what
/// is protected and has come into it since stays, and is in the way.
pub fn put(job: &Job, folder: &Folder, from: &OsStr, to: &OsStr, path: &Path) -> io::Result<()> {
    let is_folder = folder.metadata(to).is_ok_and(|there| there.is_dir());
    if is_folder && !clear::remove(job, folder, to, path)? {
        return Err(io::ErrorKind::DirectoryNotEmpty.into());
    }
    fs::rename(folder.at(from), folder.at(to))
}

/// Symbolic links, pipes, devices. Sockets are made by those who listen.
fn special(
    job: &Job,
    folder: &Folder,
    step: &Step,
    leaf: Leaf,
    problems: &Problems,
) -> FaultResult<()> {
    let (node, path) = (&step.node, &step.path);
    if matches!(node.node_type, NodeType::Socket) || leaf == Leaf::Kept {
        return Ok(());
    }
    let name = node.name();
    if leaf == Leaf::ToWrite {
        let temporary = temporary_name();
        let at = folder.at(&temporary);
        let made = make_special(&at, &node.node_type);
        // A device can be made by root alone; that must not stop the rest.
        if let (Err(error), true) = (&made, is_device(node)) {
            problems.note(path, "device", error);
            return Ok(());
        }
        made.and_then(|()| put(job, folder, &temporary, &name, path))
            .map_err(|error| fault::system("making", path, &error))?;
    }
    metadata::of_entry(folder, &name, node, path, problems);
    Ok(())
}

fn is_device(node: &Node) -> bool {
    matches!(
        node.node_type,
        NodeType::Dev { .. } | NodeType::Chardev { .. }
    )
}

fn make_special(at: &Path, kind: &NodeType) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    let made = match kind {
        NodeType::Symlink { .. } => return symlink(kind.to_link(), at),
        NodeType::Fifo => rustix::fs::mknodat(CWD, at, FileType::Fifo, mode, 0),
        NodeType::Dev { device } => {
            rustix::fs::mknodat(CWD, at, FileType::BlockDevice, mode, *device)
        }
        NodeType::Chardev { device } => {
            rustix::fs::mknodat(CWD, at, FileType::CharacterDevice, mode, *device)
        }
        NodeType::Socket | NodeType::File | NodeType::Dir => Ok(()),
    };
    made.map_err(io::Error::from)
}
