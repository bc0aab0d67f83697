//! The snapshot that a backup is compared with: walked beside the sources, one
//! folder at a time.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::sync::Arc;

use rustic_core::TreeId;
use rustic_core::repofile::Node;

use super::depot::Repo;

/// What makes a file count as unchanged, beside its size and time of change.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignore {
    /// The inode's number: some file systems number anew at each mount.
    pub inode: bool,
    /// The time of the inode's own change.
    pub ctime: bool,
}

/// What the parent says of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    New,
    Changed,
    Same,
}

/// See the module.
pub struct Parents {
    repo: Arc<Repo>,
    ignore: Ignore,
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    nodes: Vec<Node>,
    next: usize,
}

impl Parents {
    /// `root` is the parent's tree; everything is new where there is none. A tree
    /// that cannot be read is taken for empty: its files are read again.
    pub fn new(repo: Arc<Repo>, root: Option<TreeId>, ignore: Ignore) -> Self {
        let mut parents = Self {
            repo,
            ignore,
            levels: Vec::new(),
        };
        parents.open(root);
        parents
    }

    fn open(&mut self, tree: Option<TreeId>) {
        let tree = tree.and_then(|id| self.repo.get_tree(&id).ok());
        self.levels.push(Level {
            nodes: tree.map(|tree| tree.nodes).unwrap_or_default(),
            next: 0,
        });
    }

    /// Into a folder; its tree in the parent.
    pub fn enter(&mut self, name: &OsStr) -> Option<TreeId> {
        let tree = self.find(name).and_then(|node| node.subtree);
        self.open(tree);
        tree
    }

    pub fn leave(&mut self) {
        self.levels.pop();
    }

    /// The parent's entry, and whether it is the same.
    pub fn compare(&mut self, name: &OsStr, node: &Node) -> (State, Option<&Node>) {
        let ignore = self.ignore;
        match self.find(name) {
            None => (State::New, None),
            Some(known) if is_same(known, node, ignore) => (State::Same, Some(known)),
            Some(known) => (State::Changed, Some(known)),
        }
    }

    /// Names come in byte order on both sides.
    fn find(&mut self, name: &OsStr) -> Option<&Node> {
        let level = self.levels.last_mut()?;
        while let Some(node) = level.nodes.get(level.next) {
            match (*node.name()).cmp(name) {
                Ordering::Less => level.next += 1,
                Ordering::Equal => return level.nodes.get(level.next),
                Ordering::Greater => return None,
            }
        }
        None
    }
}

fn is_same(known: &Node, now: &Node, ignore: Ignore) -> bool {
    let (old, new) = (&known.meta, &now.meta);
    known.node_type == now.node_type
        && old.size == new.size
        && old.mtime == new.mtime
        && (ignore.ctime || old.ctime.zip(new.ctime).is_none_or(|(old, new)| old == new))
        && (ignore.inode || old.inode == 0 || new.inode == 0 || old.inode == new.inode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustic_core::repofile::{Metadata, NodeType};

    fn node(inode: u64, size: u64) -> Node {
        let meta = Metadata {
            inode,
            size,
            ..Metadata::default()
        };
        Node::new_node(OsStr::new("a"), NodeType::File, meta)
    }

    #[test]
    fn what_counts_as_the_same() {
        let check = |old: &Node, new: &Node, inode, expected| {
            let ignore = Ignore {
                inode,
                ctime: false,
            };
            assert_eq!(is_same(old, new, ignore), expected, "{old:?} {new:?}");
        };
        check(&node(1, 5), &node(1, 5), false, true);
        check(&node(1, 5), &node(1, 6), false, false);
        check(&node(1, 5), &node(2, 5), false, false);
        check(&node(1, 5), &node(2, 5), true, true);
        check(&node(0, 5), &node(2, 5), false, true);
        let mut link = node(1, 5);
        link.node_type = NodeType::from_link(std::path::Path::new("x"));
        check(&link, &node(1, 5), false, false);
    }
}
