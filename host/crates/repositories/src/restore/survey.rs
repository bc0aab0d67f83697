//! The first walk: can everything be restored, and what is right already? Reads
//! only.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::mem;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mhost_model::ports::repository::{RestorePlan, RestoreSummary};
use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{Node, NodeType};

use super::content::{self, Piece};
use super::packs::Packs;
use super::{Job, clear};
use crate::fault;
use crate::folder::Folder;
use crate::trees::{Step, StepKind};

/// So many conflicts and removals are told by name.
const TOLD: usize = 1000;

/// What the other walks need to know.
#[derive(Debug, Default)]
pub struct Survey {
    pub summary: RestoreSummary,
    /// Bytes of disk that the new files take at most.
    pub bytes_needed: u64,
    /// For each leaf of the walk, in its order.
    pub leaves: Vec<Leaf>,
    /// The first path of each file with several names.
    pub first_names: HashMap<LinkKey, PathBuf>,
    pub packs: Packs,
    conflicts: Vec<String>,
    conflicting: u64,
    /// What `delete` will remove.
    removals: Vec<String>,
    removed: u64,
    /// Right files with several names in the target, by device and inode.
    linked: HashMap<(u64, u64), Linked>,
}

/// A file of the target with several names. To set its metadata right, or to leave it,
/// is only right where all its names are names of one file in the snapshot: else it
/// would change where nobody asked for it.
#[derive(Debug, Default)]
struct Linked {
    /// Of the first name that was seen.
    key: Option<LinkKey>,
    /// Names that it has, and those of them that the snapshot gives it.
    names: u64,
    seen: u64,
    /// Places in `leaves`, with the pieces.
    right: Vec<(usize, Vec<Piece>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaf {
    /// Its content is there already.
    Right,
    ToWrite,
    /// Another name of a file that came before.
    SecondName,
    /// What exists stays as it is.
    Kept,
}

/// Names of the same file: by the numbers they had, and their content, since
/// numbers come from whoever wrote the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkKey {
    device: u64,
    inode: u64,
    content: u64,
}

impl LinkKey {
    pub fn of(node: &Node) -> Option<Self> {
        let several = node.is_file() && node.meta.links > 1;
        let mut content = DefaultHasher::new();
        node.content.hash(&mut content);
        several.then(|| Self {
            device: node.meta.device_id,
            inode: node.meta.inode,
            content: content.finish(),
        })
    }
}

/// Fails where anything is missing in the index, or something would come to lie in the
/// repository, which lies at `repository` below the target.
pub fn run(job: &Job, target: Option<&Folder>, repository: Option<&Path>) -> FaultResult<Survey> {
    let mut survey = Survey::default();
    let mut folders = vec![target.cloned()];
    let walk = job.walk()?;
    let top = walk.names();
    for step in walk {
        let step = step?;
        let folder = folders.last().cloned().flatten();
        match &step.kind {
            StepKind::Enter => folders.push(survey.folder(job, &step, folder.as_ref())?),
            StepKind::Leave(names) => {
                let left = folders.pop().flatten();
                if let (Some(left), true) = (left, step.wanted) {
                    survey.removals(job, &left, names, &step.path)?;
                }
            }
            StepKind::Leaf => {
                stays_apart(job, repository, &step.path)?;
                survey.leaf(job, &step, folder.as_ref())?;
            }
        }
    }
    if let (Some(target), true) = (target, job.takes_target()) {
        survey.removals(job, target, &top, &job.base)?;
    }
    survey.part_from_strangers();
    Ok(survey)
}

fn stays_apart(job: &Job, repository: Option<&Path>, path: &Path) -> FaultResult<()> {
    let below = job.below(path);
    match repository {
        Some(repository) if below.starts_with(repository) || repository.starts_with(below) => {
            Err(Fault::Invalid(format!(
                "nothing was restored: {} would come to lie in the repository itself: leave it out with \
                 `exclude`, or restore to another folder",
                path.display()
            )))
        }
        _ => Ok(()),
    }
}

impl Survey {
    /// The existing folder of this name, if there is one.
    fn folder(
        &mut self,
        job: &Job,
        step: &Step,
        parent: Option<&Folder>,
    ) -> FaultResult<Option<Folder>> {
        let name = step.node.name();
        let (Some(parent), Some(there)) = (parent, existing(parent, &name, &step.path)?) else {
            return Ok(None);
        };
        if !there.is_dir() {
            self.must_give_way(job, step, &there, parent)?;
            return Ok(None);
        }
        let opened = parent.child(&name);
        opened
            .map(Some)
            .map_err(|error| fault::system("looking into", &step.path, &error))
    }

    fn leaf(&mut self, job: &Job, step: &Step, parent: Option<&Folder>) -> FaultResult<()> {
        let name = step.node.name();
        let there = existing(parent, &name, &step.path)?;
        let found = there.as_ref().zip(parent);
        if !step.node.is_file() {
            // Another name of it may lie anywhere, and would get the metadata, too.
            let same = found.is_some_and(|(there, parent)| {
                there.nlink() == 1 && is_same(&step.node, there, parent, &name)
            });
            let kept = !same && there.as_ref().is_some_and(|there| stays(job, step, there));
            if let (Some((there, parent)), false, false) = (found, same, kept)
                && !is_same(&step.node, there, parent, &name)
            {
                self.must_give_way(job, step, there, parent)?;
            }
            let (leaf, count) = match (kept, same) {
                (true, _) => (Leaf::Kept, &mut self.summary.kept),
                (false, true) => (Leaf::Right, &mut self.summary.unchanged),
                (false, false) => (Leaf::ToWrite, &mut self.summary.files),
            };
            *count += 1;
            self.leaves.push(leaf);
            return Ok(());
        }
        let pieces = content::pieces(&job.repo, &step.node, &step.path)?;
        let right = found.is_some_and(|(there, parent)| holds(parent, &name, there, &pieces));
        if let (Some((there, parent)), false) = (found, right) {
            if stays(job, step, there) {
                self.leaves.push(Leaf::Kept);
                self.summary.kept += 1;
                return Ok(());
            }
            self.must_give_way(job, step, there, parent)?;
        }
        self.count(step, pieces, there.as_ref().filter(|_| right));
        Ok(())
    }

    /// `right` is the file that is there, where it holds what it must.
    fn count(&mut self, step: &Step, pieces: Vec<Piece>, right: Option<&Metadata>) {
        let key = LinkKey::of(&step.node);
        let place = right.filter(|there| there.nlink() > 1);
        let place = place.map(|there| ((there.dev(), there.ino()), there.nlink()));
        if let Some(key) = key {
            if self.first_names.contains_key(&key) {
                if let Some(linked) = place.and_then(|(id, _)| self.linked.get_mut(&id)) {
                    linked.seen += u64::from(linked.key == Some(key));
                }
                self.leaves.push(Leaf::SecondName);
                self.summary.files += 1;
                return;
            }
            self.first_names.insert(key, step.path.clone());
        }
        if right.is_none() {
            self.leaves.push(Leaf::ToWrite);
            return self.count_pieces(&pieces);
        }
        self.leaves.push(Leaf::Right);
        self.summary.unchanged += 1;
        if let Some((id, names)) = place {
            let linked = self.linked.entry(id).or_default();
            linked.key = key;
            linked.names = names;
            linked.seen += 1;
            linked.right.push((self.leaves.len() - 1, pieces));
        }
    }

    fn count_pieces(&mut self, pieces: &[Piece]) {
        self.summary.files += 1;
        self.summary.bytes += content::length(pieces);
        self.packs.need(pieces);
        // Holes come as the same piece again and again; they take no space.
        let mut before = None;
        for piece in pieces {
            if before.replace(piece.id) != Some(piece.id) {
                self.bytes_needed += u64::from(piece.length);
            }
        }
    }

    /// Right files that are the same file as something outside of the snapshot are
    /// written anew, under their own names alone.
    fn part_from_strangers(&mut self) {
        for linked in mem::take(&mut self.linked).into_values() {
            let known = linked.key.is_some() && linked.right.len() == 1;
            if known && linked.seen == linked.names {
                continue;
            }
            for (leaf, pieces) in linked.right {
                self.leaves[leaf] = Leaf::ToWrite;
                self.summary.unchanged -= 1;
                self.count_pieces(&pieces);
            }
        }
    }

    /// Something else stands in the place. It may only go where the options say so.
    fn must_give_way(
        &mut self,
        job: &Job,
        step: &Step,
        there: &Metadata,
        parent: &Folder,
    ) -> FaultResult<()> {
        let protected = || {
            let folder = parent.child(&step.node.name());
            folder.and_then(|folder| clear::is_protected(job, &folder, &step.path))
        };
        let why = if !job.options.overwrite {
            "exists and differs"
        } else if there.is_dir() && !job.options.delete {
            "is a folder now"
        } else if there.is_dir()
            && protected().map_err(|error| fault::system("looking into", &step.path, &error))?
        {
            "is a folder now, with something that `exclude` protects"
        } else {
            return Ok(());
        };
        self.conflicting += 1;
        if self.conflicts.len() < TOLD {
            self.conflicts
                .push(format!("{} {why}", step.path.display()));
        }
        Ok(())
    }

    fn removals(
        &mut self,
        job: &Job,
        folder: &Folder,
        names: &HashSet<OsString>,
        path: &Path,
    ) -> FaultResult<()> {
        if !job.options.delete || !job.owns(path) {
            return Ok(());
        }
        let spare = clear::spare(job, folder, names, path)
            .map_err(|error| fault::system("looking into", path, &error))?;
        self.removed += spare.len() as u64;
        let room = TOLD.saturating_sub(self.removals.len());
        let told = spare.iter().take(room);
        self.removals
            .extend(told.map(|name| path.join(name).display().to_string()));
        Ok(())
    }

    /// An error where something stands in the way.
    pub fn may_begin(&self) -> FaultResult<()> {
        if self.conflicts.is_empty() {
            return Ok(());
        }
        let first: Vec<_> = self.conflicts.iter().take(10).map(String::as_str).collect();
        let more = match self.conflicting - first.len() as u64 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Err(Fault::Exists(format!(
            "nothing was restored: {}{more}; `overwrite` replaces files, `overwrite` with `delete` also folders",
            first.join(", ")
        )))
    }

    pub fn into_plan(self) -> RestorePlan {
        RestorePlan {
            summary: self.summary,
            removals: self.removals,
            removed: self.removed,
            conflicts: self.conflicts,
            conflicting: self.conflicting,
        }
    }
}

/// What stands in the place is to be left alone.
fn stays(job: &Job, step: &Step, there: &Metadata) -> bool {
    let newer = || {
        let modified = step
            .node
            .meta
            .mtime
            .map(|time| (time.as_second(), i64::from(time.subsec_nanosecond())));
        modified.is_some_and(|modified| (there.mtime(), there.mtime_nsec()) > modified)
    };
    job.options.keep_existing || (job.options.keep_newer && newer())
}

fn existing(parent: Option<&Folder>, name: &OsStr, path: &Path) -> FaultResult<Option<Metadata>> {
    match parent.map(|parent| parent.metadata(name)) {
        None => Ok(None),
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Some(Err(error)) => Err(fault::system("looking at", path, &error)),
        Some(Ok(there)) => Ok(Some(there)),
    }
}

fn holds(parent: &Folder, name: &OsStr, there: &Metadata, pieces: &[Piece]) -> bool {
    there.is_file()
        && there.len() == content::length(pieces)
        && parent
            .file(name)
            .is_ok_and(|file| content::holds(&file, pieces))
}

/// For what has no content.
pub fn is_same(node: &Node, there: &Metadata, parent: &Folder, name: &OsStr) -> bool {
    let kind = there.file_type();
    match &node.node_type {
        NodeType::Symlink { .. } => {
            let target = node.node_type.to_link();
            kind.is_symlink() && fs::read_link(parent.at(name)).is_ok_and(|link| link == target)
        }
        NodeType::Fifo => kind.is_fifo(),
        NodeType::Socket => kind.is_socket(),
        NodeType::Dev { .. } => kind.is_block_device(),
        NodeType::Chardev { .. } => kind.is_char_device(),
        NodeType::File | NodeType::Dir => false,
    }
}
