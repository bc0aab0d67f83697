//! Searching snapshots for names.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use mhost_model::ports::repository::Found;
use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::{Node, SnapshotFile};
use rustic_core::{IndexedIdsStatus, Repository, TreeId};

use crate::backup::exclude::Excludes;
use crate::listing::listed;
use crate::session::{Session, indexed};
use crate::snapshots::{self, Snapshots};
use crate::trees::read_tree;

type Repo = Repository<IndexedIdsStatus>;

/// What the patterns (as for excludes) match, newest snapshots first, at most
/// `limit`. A folder that several snapshots share is searched once for each path.
/// Snapshots that cannot be read are remarks.
pub fn run(
    session: Session,
    patterns: &[String],
    wanted: &[String],
    limit: u32,
    remarks: &mut Vec<String>,
) -> FaultResult<Vec<Found>> {
    if patterns.is_empty() {
        return Err(Fault::Invalid(
            "there is nothing to find: give a pattern".to_owned(),
        ));
    }
    let patterns = Excludes::named("the pattern to find", patterns, false)?;
    let mut snapshots = match wanted {
        [] => {
            let all = Snapshots::read(&session.repo)?;
            remarks.extend(all.remarks());
            all.found
        }
        some => some
            .iter()
            .map(|wanted| snapshots::find(&session.repo, wanted))
            .collect::<FaultResult<_>>()?,
    };
    snapshots.reverse();
    let repo = indexed(session.repo)?;
    let mut search = Search {
        repo,
        patterns,
        limit: limit as usize,
        empty: HashSet::new(),
        found: Vec::new(),
    };
    for snapshot in &snapshots {
        search.folder(snapshot, snapshot.tree, Path::new("/"))?;
    }
    Ok(search.found)
}

struct Search {
    repo: Repo,
    patterns: Excludes,
    limit: usize,
    /// Folders below which nothing matches, at this path.
    empty: HashSet<(TreeId, PathBuf)>,
    found: Vec<Found>,
}

impl Search {
    fn folder(&mut self, snapshot: &SnapshotFile, tree: TreeId, path: &Path) -> FaultResult<()> {
        let key = (tree, path.to_path_buf());
        if self.found.len() >= self.limit || self.empty.contains(&key) {
            return Ok(());
        }
        let before = self.found.len();
        for node in read_tree(&self.repo, tree)?.nodes {
            self.entry(snapshot, &node, &path.join(node.name()))?;
        }
        if self.found.len() == before {
            self.empty.insert(key);
        }
        Ok(())
    }

    fn entry(&mut self, snapshot: &SnapshotFile, node: &Node, path: &Path) -> FaultResult<()> {
        if self.found.len() < self.limit && self.patterns.matches(path) {
            let described = snapshots::describe(snapshot);
            self.found.push(Found {
                snapshot: described.id,
                time: described.time,
                node: listed(path, node),
            });
        }
        match node.subtree.filter(|_| node.is_dir()) {
            Some(tree) => self.folder(snapshot, tree, path),
            None => Ok(()),
        }
    }
}
