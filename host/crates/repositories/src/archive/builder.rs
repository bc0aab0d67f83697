//! The trees of one snapshot, built from its entries as they come.

use rustic_core::TreeId;
use rustic_core::repofile::{Node, SnapshotSummary, Tree};

use mhost_model::{Fault, FaultResult};

use super::parents::State;

/// See the module.
#[derive(Default)]
pub struct Builder {
    open: Vec<Level>,
    nodes: Vec<Node>,
    pub summary: SnapshotSummary,
}

struct Level {
    node: Node,
    known: Option<TreeId>,
    outer: Vec<Node>,
}

/// A folder's tree in restic's words.
pub struct Written {
    pub id: TreeId,
    pub bytes: Vec<u8>,
    /// Whether the parent has it already.
    pub same: bool,
}

impl Builder {
    /// `known` is the folder's tree in the parent.
    pub fn enter(&mut self, node: Node, known: Option<TreeId>) {
        let outer = std::mem::take(&mut self.nodes);
        self.open.push(Level { node, known, outer });
    }

    /// Out of the folder that was entered last.
    pub fn leave(&mut self) -> FaultResult<Option<Written>> {
        let Some(level) = self.open.pop() else {
            return Ok(None);
        };
        let nodes = std::mem::replace(&mut self.nodes, level.outer);
        let written = self.write(nodes, level.known)?;
        self.nodes.push(Node {
            subtree: Some(written.id),
            ..level.node
        });
        Ok(Some(written))
    }

    /// Anything but a folder, of so many bytes.
    pub fn add(&mut self, node: Node, state: State, size: u64) {
        let summary = &mut self.summary;
        match state {
            State::New => summary.files_new += 1,
            State::Changed => summary.files_changed += 1,
            State::Same => summary.files_unmodified += 1,
        }
        summary.total_files_processed += 1;
        summary.total_bytes_processed += size;
        self.nodes.push(node);
    }

    /// The tree of everything.
    pub fn finish(&mut self, known: Option<TreeId>) -> FaultResult<Written> {
        let nodes = std::mem::take(&mut self.nodes);
        self.write(nodes, known)
    }

    fn write(&mut self, nodes: Vec<Node>, known: Option<TreeId>) -> FaultResult<Written> {
        let tree = Tree { nodes };
        let (bytes, id) = tree
            .serialize()
            .map_err(|error| Fault::Failed(format!("backing up: writing a folder: {error}")))?;
        let summary = &mut self.summary;
        summary.total_dirs_processed += 1;
        summary.total_dirsize_processed += bytes.len() as u64;
        match known {
            None => summary.dirs_new += 1,
            Some(known) if known == id => summary.dirs_unmodified += 1,
            Some(_) => summary.dirs_changed += 1,
        }
        Ok(Written {
            id,
            bytes,
            same: known == Some(id),
        })
    }
}
