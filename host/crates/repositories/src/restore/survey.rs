//! The first walk: can everything be restored, and what is right already? Reads
//! only.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use mhost_model::ports::repository::RestoreSummary;
use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{Node, NodeType};

use super::Job;
use super::content::{self, Piece};
use crate::fault;
use crate::folder::Folder;
use crate::trees::{Step, StepKind};

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
    conflicts: Vec<String>,
    more_conflicts: usize,
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

/// Fails where anything is missing in the repository, or something in the target
/// would have to give way that may not.
pub fn run(job: &Job, target: Option<&Folder>) -> FaultResult<Survey> {
    let mut survey = Survey::default();
    let mut folders = vec![target.cloned()];
    for step in job.walk()? {
        let step = step?;
        let folder = folders.last().cloned().flatten();
        match step.kind {
            StepKind::Enter => folders.push(survey.folder(job, &step, folder.as_ref())?),
            StepKind::Leave(_) => drop(folders.pop()),
            StepKind::Leaf => survey.leaf(job, &step, folder.as_ref())?,
        }
    }
    survey.result()
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
            self.must_give_way(job, step, &there);
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
        if !step.node.is_file() {
            let same = match (&there, parent) {
                (Some(there), Some(parent)) => is_same(&step.node, there, parent, &name),
                _ => false,
            };
            let kept = !same && there.as_ref().is_some_and(|there| stays(job, step, there));
            if let (Some(there), false, false) = (&there, same, kept) {
                self.must_give_way(job, step, there);
            }
            self.leaves.push(match (kept, same) {
                (true, _) => Leaf::Kept,
                (false, true) => Leaf::Right,
                (false, false) => Leaf::ToWrite,
            });
            return Ok(());
        }
        let pieces = content::pieces(&job.repo, &step.node, &step.path)?;
        let right = match (&there, parent) {
            (Some(there), Some(parent)) => holds(parent, &name, there, &pieces),
            _ => false,
        };
        if let (Some(there), false) = (&there, right) {
            if stays(job, step, there) {
                self.leaves.push(Leaf::Kept);
                self.summary.kept += 1;
                return Ok(());
            }
            self.must_give_way(job, step, there);
        }
        self.count(step, &pieces, right);
        Ok(())
    }

    fn count(&mut self, step: &Step, pieces: &[Piece], right: bool) {
        if let Some(key) = LinkKey::of(&step.node) {
            if self.first_names.contains_key(&key) {
                self.leaves.push(Leaf::SecondName);
                self.summary.files += 1;
                return;
            }
            self.first_names.insert(key, step.path.clone());
        }
        if right {
            self.leaves.push(Leaf::Right);
            self.summary.unchanged += 1;
            return;
        }
        self.leaves.push(Leaf::ToWrite);
        self.summary.files += 1;
        self.summary.bytes += content::length(pieces);
        // Holes come as the same piece again and again; they take no space.
        let mut before = None;
        for piece in pieces {
            if before.replace(piece.id) != Some(piece.id) {
                self.bytes_needed += u64::from(piece.length);
            }
        }
    }

    /// Something else stands in the place. It may only go where the options say so.
    fn must_give_way(&mut self, job: &Job, step: &Step, there: &Metadata) {
        let why = if !job.options.overwrite {
            "exists and differs"
        } else if there.is_dir() && !job.options.delete {
            "is a folder now"
        } else {
            return;
        };
        if self.conflicts.len() < 10 {
            self.conflicts
                .push(format!("{} {why}", step.path.display()));
        } else {
            self.more_conflicts += 1;
        }
    }

    fn result(self) -> FaultResult<Self> {
        if self.conflicts.is_empty() {
            return Ok(self);
        }
        let more = match self.more_conflicts {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        Err(Fault::Exists(format!(
            "nothing was restored: {}{more}; `overwrite` replaces files, `overwrite` with `delete` also folders",
            self.conflicts.join(", ")
        )))
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
