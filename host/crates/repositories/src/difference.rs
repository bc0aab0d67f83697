//! What changed between two snapshots. Folders with the same tree are not looked
//! into: unchanged parts cost nothing.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use mhost_model::FaultResult;
use mhost_model::ports::repository::{Change, Difference};
use rustic_core::repofile::Node;
use rustic_core::{Repository, TreeId};

use crate::session::{Session, indexed};
use crate::snapshots::{self, Reference};
use crate::trees::{self, read_tree};

type Repo = Repository<rustic_core::IndexedIdsStatus>;

/// Both named as for a restore, with a folder after the id if only that is meant.
pub fn run(session: Session, before: &str, after: &str, limit: u32) -> FaultResult<Difference> {
    let roots = [before, after].map(Reference::new);
    let mut found = Vec::new();
    for reference in &roots {
        found.push(snapshots::find(&session.repo, reference.snapshot)?.tree);
    }
    let repo = indexed(session.repo)?;
    let mut trees = Vec::new();
    for (tree, reference) in found.into_iter().zip(&roots) {
        trees.push(folder(&repo, tree, reference.folder)?);
    }
    let mut comparing = Comparing {
        repo,
        limit: limit as usize,
        difference: Difference::default(),
    };
    let base = PathBuf::from(roots[1].folder.unwrap_or("/"));
    comparing.folders(trees.first().copied(), trees.last().copied(), &base)?;
    Ok(comparing.difference)
}

fn folder(repo: &Repo, tree: TreeId, folder: Option<&str>) -> FaultResult<TreeId> {
    let Some(folder) = folder else {
        return Ok(tree);
    };
    let path = trees::absolute(folder)?;
    match trees::find(repo, tree, &path)? {
        None => Ok(tree),
        Some(node) => trees::subtree(&node, &path),
    }
}

struct Comparing {
    repo: Repo,
    limit: usize,
    difference: Difference,
}

impl Comparing {
    fn folders(
        &mut self,
        before: Option<TreeId>,
        after: Option<TreeId>,
        path: &Path,
    ) -> FaultResult<()> {
        if before == after {
            return Ok(());
        }
        let mut all: BTreeMap<OsString, (Option<Node>, Option<Node>)> = BTreeMap::new();
        for node in self.nodes(before)? {
            let name = node.name().into_owned();
            all.entry(name).or_default().0 = Some(node);
        }
        for node in self.nodes(after)? {
            let name = node.name().into_owned();
            all.entry(name).or_default().1 = Some(node);
        }
        for (name, (before, after)) in all {
            self.entry(before.as_ref(), after.as_ref(), &path.join(name))?;
        }
        Ok(())
    }

    fn nodes(&self, tree: Option<TreeId>) -> FaultResult<Vec<Node>> {
        Ok(match tree {
            Some(tree) => read_tree(&self.repo, tree)?.nodes,
            None => Vec::new(),
        })
    }

    fn entry(
        &mut self,
        before: Option<&Node>,
        after: Option<&Node>,
        path: &Path,
    ) -> FaultResult<()> {
        if let Some(change) = change(before, after) {
            self.count(change, before, after, path);
        }
        let tree = |node: Option<&Node>| node.and_then(|node| node.subtree);
        self.folders(tree(before), tree(after), path)
    }

    fn count(&mut self, change: &str, before: Option<&Node>, after: Option<&Node>, path: &Path) {
        let size = |node: Option<&Node>| node.map_or(0, |node| node.meta.size);
        let (size_before, size_after) = (size(before), size(after));
        let all = &mut self.difference;
        match change {
            "added" => all.added += 1,
            "removed" => all.removed += 1,
            "metadata" => all.metadata += 1,
            _ => all.changed += 1,
        }
        if change != "metadata" {
            all.bytes_added += size_after;
            all.bytes_removed += size_before;
        }
        if all.changes.len() >= self.limit {
            all.omitted += 1;
            return;
        }
        all.changes.push(Change {
            path: path.to_string_lossy().into_owned(),
            change: change.to_owned(),
            size_before,
            size_after,
        });
    }
}

/// `None` where nothing but a folder's entries changed.
fn change(before: Option<&Node>, after: Option<&Node>) -> Option<&'static str> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(_)) => return Some("added"),
        (Some(_), None) => return Some("removed"),
        (None, None) => return None,
    };
    if std::mem::discriminant(&before.node_type) != std::mem::discriminant(&after.node_type) {
        return Some("kind");
    }
    if before.content != after.content || before.node_type != after.node_type {
        return Some("changed");
    }
    let told = |node: &Node| {
        let meta = &node.meta;
        let owner = (meta.mode, meta.uid, meta.gid);
        (owner, meta.mtime, meta.extended_attributes.clone())
    };
    (told(before) != told(after)).then_some("metadata")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustic_core::DataId;
    use rustic_core::repofile::{Metadata, NodeType};
    use std::ffi::OsStr;

    #[test]
    fn kinds_of_change() {
        let file = Node::new_node(OsStr::new("a"), NodeType::File, Metadata::default());
        let folder = Node::new_node(OsStr::new("a"), NodeType::Dir, Metadata::default());
        let mut content = file.clone();
        content.content = Some(vec![DataId::default()]);
        let mut mode = file.clone();
        mode.meta.mode = Some(0o600);
        let mut inode = file.clone();
        inode.meta.inode = 7;
        let check = |before: Option<&Node>, after: Option<&Node>, expected| {
            assert_eq!(change(before, after), expected);
        };
        check(None, Some(&file), Some("added"));
        check(Some(&file), None, Some("removed"));
        check(Some(&file), Some(&folder), Some("kind"));
        check(Some(&file), Some(&content), Some("changed"));
        check(Some(&file), Some(&mode), Some("metadata"));
        check(Some(&file), Some(&inode), None);
        check(Some(&file), Some(&file), None);
    }
}
