//! What a snapshot holds.

use std::path::Path;

use mhost_model::FaultResult;
use mhost_model::ports::repository::Node as Listed;
use rustic_core::repofile::{Node, NodeType};

use crate::session::{Session, indexed};
use crate::snapshots::{self, instant};
use crate::trees::{self, StepKind, Walk, Wanted};

/// At most `limit` nodes: what stands at `path`, unless that is `/`, and everything
/// below it.
pub fn run(session: Session, snapshot: &str, path: &str, limit: u32) -> FaultResult<Vec<Listed>> {
    let path = trees::absolute(if path.is_empty() { "/" } else { path })?;
    let snapshot = snapshots::find(&session.repo, snapshot)?;
    let repo = indexed(session.repo)?;
    let start = trees::find(&repo, snapshot.tree, &path)?;
    let first = start.as_ref().map(|node| listed(&path, node));
    let tree = match &start {
        None => Some(snapshot.tree),
        Some(node) if node.is_dir() => Some(trees::subtree(node, &path)?),
        Some(_) => None,
    };
    let mut found: Vec<_> = first.into_iter().collect();
    let wanted = Wanted::everything();
    let walk = tree
        .map(|tree| Walk::new(&repo, tree, &path, &wanted))
        .transpose()?;
    for step in walk.into_iter().flatten() {
        if found.len() >= limit as usize {
            break;
        }
        let step = step?;
        if !matches!(step.kind, StepKind::Leave(_)) {
            found.push(listed(&step.path, &step.node));
        }
    }
    found.truncate(limit as usize);
    Ok(found)
}

pub fn listed(path: &Path, node: &Node) -> Listed {
    Listed {
        path: path.to_string_lossy().into_owned(),
        kind: kind(&node.node_type).to_owned(),
        size: node.meta.size,
        modified: node.meta.mtime.and_then(instant),
    }
}

/// As restic calls them.
pub fn kind(kind: &NodeType) -> &'static str {
    match kind {
        NodeType::File => "file",
        NodeType::Dir => "dir",
        NodeType::Symlink { .. } => "symlink",
        NodeType::Dev { .. } => "dev",
        NodeType::Chardev { .. } => "chardev",
        NodeType::Fifo => "fifo",
        NodeType::Socket => "socket",
    }
}
