//! Walking the trees of a snapshot. What stands in a repository was written by
//! somebody else: names that would lead out of a folder are damage, not paths.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::vec;

use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{Node, Tree};
use rustic_core::{IndexedTree, Repository, TreeId};

use crate::backup::exclude::Excludes;
use crate::fault;

/// Deeper than any path that a system call takes.
const DEEPEST: usize = 4096;

/// One step of a walk.
pub struct Step {
    pub kind: StepKind,
    /// In the snapshot, absolute.
    pub path: PathBuf,
    pub node: Node,
    /// Wanted itself, and not only on the way to something wanted.
    pub wanted: bool,
}

pub enum StepKind {
    /// Into a folder.
    Enter,
    /// Anything but a folder.
    Leaf,
    /// Out of a folder, with the names of all its entries.
    Leave(HashSet<OsString>),
}

/// What of a snapshot is wanted, with what lies below it.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Everything, where there is none.
    paths: HashSet<PathBuf>,
    /// All folders on the way to them.
    leading: HashSet<PathBuf>,
    all: bool,
    exclude: Option<Excludes>,
}

impl Wanted {
    pub fn everything() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    pub fn only(paths: Vec<PathBuf>) -> Self {
        let above = |path: &PathBuf| {
            path.ancestors()
                .skip(1)
                .map(Path::to_path_buf)
                .collect::<Vec<_>>()
        };
        Self {
            leading: paths.iter().flat_map(above).collect(),
            paths: paths.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Leaves out what a pattern matches.
    pub fn but(mut self, exclude: Excludes) -> Self {
        self.exclude = Some(exclude);
        self
    }

    pub fn is_everything(&self) -> bool {
        self.all
    }

    /// Whether anything is left out.
    pub fn has_excludes(&self) -> bool {
        self.exclude.is_some()
    }

    /// Whether a pattern leaves this path out; its parents have been asked before.
    pub fn excludes(&self, path: &Path) -> bool {
        let exclude = self.exclude.as_ref();
        exclude.is_some_and(|exclude| exclude.matches(path))
    }

    /// `Some(true)` for what is wanted, `Some(false)` for what leads there.
    fn judge(&self, path: &Path) -> Option<bool> {
        if self.excludes(path) {
            return None;
        }
        if self.all || path.ancestors().any(|path| self.paths.contains(path)) {
            return Some(true);
        }
        self.leading.contains(path).then_some(false)
    }
}

/// A walk, depth first, in the order of the repository; each folder is entered,
/// and left after its entries.
pub struct Walk<'a, S> {
    repo: &'a Repository<S>,
    wanted: &'a Wanted,
    levels: Vec<Level>,
}

struct Level {
    path: PathBuf,
    /// The folder itself; none for the root of the walk.
    node: Option<Node>,
    wanted: bool,
    names: HashSet<OsString>,
    nodes: vec::IntoIter<Node>,
}

impl<'a, S: IndexedTree> Walk<'a, S> {
    /// Over the entries of a tree that stands at `path` in the snapshot. The
    /// tree's own folder is neither entered nor left.
    pub fn new(
        repo: &'a Repository<S>,
        tree: TreeId,
        path: &Path,
        wanted: &'a Wanted,
    ) -> FaultResult<Self> {
        let mut walk = Self {
            repo,
            wanted,
            levels: Vec::new(),
        };
        let inside = wanted.judge(path).unwrap_or(false);
        walk.open(tree, path.to_path_buf(), None, inside)?;
        Ok(walk)
    }

    /// The names of all entries of the root, those that are not wanted among them; to
    /// be asked before the first step.
    pub fn names(&self) -> HashSet<OsString> {
        let root = self.levels.first();
        root.map(|root| root.names.clone()).unwrap_or_default()
    }

    fn open(
        &mut self,
        tree: TreeId,
        path: PathBuf,
        node: Option<Node>,
        wanted: bool,
    ) -> FaultResult<()> {
        if self.levels.len() >= DEEPEST {
            return Err(Fault::Damaged(format!("{} lies too deep", path.display())));
        }
        let nodes = read_tree(self.repo, tree)?.nodes;
        let names = safe_names(&nodes, &path)?;
        self.levels.push(Level {
            path,
            node,
            wanted,
            names,
            nodes: nodes.into_iter(),
        });
        Ok(())
    }

    fn step(&mut self, node: Node) -> FaultResult<Option<Step>> {
        let Some(level) = self.levels.last() else {
            return Ok(None);
        };
        let path = level.path.join(node.name());
        let Some(wanted) = self.wanted.judge(&path) else {
            return Ok(None);
        };
        let kind = if node.is_dir() {
            let tree = subtree(&node, &path)?;
            self.open(tree, path.clone(), Some(node.clone()), wanted)?;
            StepKind::Enter
        } else if wanted {
            StepKind::Leaf
        } else {
            return Ok(None);
        };
        Ok(Some(Step {
            kind,
            path,
            node,
            wanted,
        }))
    }

    fn leave(&mut self) -> Option<Step> {
        let level = self.levels.pop()?;
        Some(Step {
            node: level.node?,
            path: level.path,
            wanted: level.wanted,
            kind: StepKind::Leave(level.names),
        })
    }
}

impl<S: IndexedTree> Iterator for Walk<'_, S> {
    type Item = FaultResult<Step>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(node) = self.levels.last_mut()?.nodes.next() else {
                return self.leave().map(Ok);
            };
            if let Some(step) = self.step(node).transpose() {
                return Some(step);
            }
        }
    }
}

/// The node at an absolute path; none for `/`, which has no node.
pub fn find<S: IndexedTree>(
    repo: &Repository<S>,
    root: TreeId,
    path: &Path,
) -> FaultResult<Option<Node>> {
    let (mut tree, mut found) = (Some(root), None);
    for component in path.components() {
        let name = match component {
            Component::RootDir | Component::CurDir => continue,
            Component::Normal(name) => name,
            Component::ParentDir | Component::Prefix(_) => return Err(not_absolute(path)),
        };
        let node = match tree {
            Some(tree) => read_tree(repo, tree)?
                .into_iter()
                .find(|node| node.name() == name),
            None => None,
        };
        let node = node
            .ok_or_else(|| Fault::NotFound(format!("the snapshot holds no {}", path.display())))?;
        tree = node.subtree.filter(|_| node.is_dir());
        found = Some(node);
    }
    Ok(found)
}

/// A path in a snapshot, which must be absolute.
pub fn absolute(path: &str) -> FaultResult<PathBuf> {
    let path = Path::new(path);
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    if path.is_absolute() && path.components().all(plain) {
        return Ok(path.components().collect());
    }
    Err(not_absolute(path))
}

fn not_absolute(path: &Path) -> Fault {
    Fault::Invalid(format!(
        "`{}` is no path in a snapshot: it must begin with `/` and not contain `..`",
        path.display()
    ))
}

/// The tree of a folder.
pub fn subtree(node: &Node, path: &Path) -> FaultResult<TreeId> {
    node.subtree
        .ok_or_else(|| Fault::Damaged(format!("the folder {} has no tree", path.display())))
}

pub fn read_tree<S: IndexedTree>(repo: &Repository<S>, tree: TreeId) -> FaultResult<Tree> {
    repo.get_tree(&tree)
        .map_err(|error| fault::rustic("reading a folder of the snapshot", &error))
}

fn safe_names(nodes: &[Node], path: &Path) -> FaultResult<HashSet<OsString>> {
    let mut names = HashSet::with_capacity(nodes.len());
    for node in nodes {
        let name = node.name().into_owned();
        if !is_safe(&name) {
            return Err(Fault::Damaged(format!(
                "{} holds an entry with the impossible name {name:?}",
                path.display()
            )));
        }
        if let Some(twice) = names.replace(name) {
            return Err(Fault::Damaged(format!(
                "{} holds {twice:?} twice",
                path.display()
            )));
        }
    }
    Ok(names)
}

fn is_safe(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !matches!(bytes, b"" | b"." | b"..") && !bytes.iter().any(|byte| matches!(byte, b'/' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustic_core::repofile::{Metadata, NodeType};

    fn nodes(names: &[&str]) -> Vec<Node> {
        let node = |name: &&str| Node {
            name: (*name).to_owned(),
            ..Node::new_node(OsStr::new("x"), NodeType::File, Metadata::default())
        };
        names.iter().map(node).collect()
    }

    #[test]
    fn names_that_lead_out_are_damage() {
        assert_eq!(
            safe_names(&nodes(&["a", "...", "a b"]), Path::new("/"))
                .unwrap()
                .len(),
            3
        );
        for wrong in ["", ".", "..", "a/b", "/etc/passwd", "a\\x00b", "a\\x2fb"] {
            let result = safe_names(&nodes(&[wrong]), Path::new("/"));
            assert!(matches!(result, Err(Fault::Damaged(_))), "{wrong}");
        }
        let twice = safe_names(&nodes(&["a", "a"]), Path::new("/"));
        assert!(matches!(twice, Err(Fault::Damaged(_))));
    }

    #[test]
    fn what_is_wanted() {
        let wanted = Wanted::only(vec![PathBuf::from("/a/b"), PathBuf::from("/c")]);
        let check =
            |path: &str, expected| assert_eq!(wanted.judge(Path::new(path)), expected, "{path}");
        check("/", Some(false));
        check("/a", Some(false));
        check("/a/b", Some(true));
        check("/a/b/c", Some(true));
        check("/a/bc", None);
        check("/c", Some(true));
        check("/d", None);
        assert_eq!(Wanted::everything().judge(Path::new("/x")), Some(true));
        let exclude = Excludes::new(&["*.log".to_owned()], false).unwrap();
        let wanted = Wanted::only(vec![PathBuf::from("/a")]).but(exclude);
        assert_eq!(wanted.judge(Path::new("/a/x.log")), None);
        assert_eq!(wanted.judge(Path::new("/a/x.txt")), Some(true));
    }

    #[test]
    fn paths_of_a_snapshot() {
        assert_eq!(absolute("/a//b/").unwrap(), Path::new("/a/b"));
        for wrong in ["", "a", "/a/../b", ".."] {
            assert!(matches!(absolute(wrong), Err(Fault::Invalid(_))), "{wrong}");
        }
    }
}
