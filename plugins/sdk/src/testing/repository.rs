//! A backup repository in memory: snapshots of files, without restic's format.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;

use sha2::{Digest as _, Sha256};

use super::NativeHost;
use crate::files::{Files, WalkOptions};
use crate::repository::{
    BackupOptions, BackupSummary, Judged, Keep, Node, PruneSummary, Repository, RestoreOptions,
    RestoreSummary, Snapshot, Source, Verdict,
};
use crate::{Error, Result};

#[derive(Clone)]
struct Kept {
    snapshot: Snapshot,
    files: BTreeMap<String, Vec<u8>>,
}

/// Snapshots in the order of their making.
#[derive(Default)]
pub struct FakeRepository {
    exists: Cell<bool>,
    kept: RefCell<Vec<Kept>>,
    damage: Option<String>,
    unread: Vec<String>,
}

impl FakeRepository {
    /// One that exists and holds nothing; the default one does not exist yet.
    pub fn empty() -> Self {
        let fake = Self::default();
        fake.exists.set(true);
        fake
    }

    /// One that `check` finds damaged.
    pub fn damaged(mut self, finding: &str) -> Self {
        self.damage = Some(finding.to_owned());
        self
    }

    /// One whose backups cannot read this.
    pub fn unread(mut self, gap: &str) -> Self {
        self.unread.push(gap.to_owned());
        self
    }

    pub(super) fn opened(&self) -> Result<()> {
        if self.exists.get() {
            return Ok(());
        }
        Err(Error::NotFound("there is no repository yet".to_owned()))
    }

    pub(super) fn create(&self) -> Result<()> {
        if self.exists.replace(true) {
            return Err(Error::Exists("the repository exists already".to_owned()));
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Kept> {
        let kept = self.kept.borrow();
        let found = match name {
            "latest" => kept.last(),
            id => kept.iter().find(|kept| kept.snapshot.id.starts_with(id)),
        };
        found
            .cloned()
            .ok_or_else(|| Error::NotFound(format!("there is no snapshot `{name}`")))
    }
}

pub struct Open<'h> {
    pub fake: &'h FakeRepository,
    pub host: &'h NativeHost,
}

impl Open<'_> {
    fn collect(&self, sources: &[Source]) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for source in sources {
            match source {
                Source::Path(root) => self.collect_tree(root, &mut files)?,
                Source::Database(name) => {
                    let info = self.host_database(name)?;
                    files.insert(format!("/{name}.db"), info.into_bytes());
                }
            }
        }
        Ok(files)
    }

    fn host_database(&self, name: &str) -> Result<String> {
        use crate::Host as _;
        Ok(format!("{:?}", self.host.database(name)?.tables()?))
    }

    fn collect_tree(&self, root: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
        let options = WalkOptions {
            max_depth: None,
            one_file_system: false,
        };
        let (entries, _) = (self.host as &dyn Files).walk_all(root, options)?;
        for entry in entries {
            let path = format!("{root}/{}", entry.path);
            if let Ok(content) = fs::read(self.host.path(&path)) {
                files.insert(path, content);
            }
        }
        Ok(())
    }

    fn snapshot(
        &self,
        sources: &[Source],
        options: &BackupOptions,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Snapshot {
        let number = self.fake.kept.borrow().len();
        let paths = sources.iter().map(|source| match source {
            Source::Path(path) => path.clone(),
            Source::Database(name) => format!("/{name}.db"),
        });
        Snapshot {
            id: hex::encode(Sha256::digest(number.to_be_bytes())),
            time: self.host.now.get(),
            hostname: options
                .hostname
                .clone()
                .unwrap_or_else(|| "test".to_owned()),
            paths: paths.collect(),
            tags: options.tags.clone(),
            files: files.len() as u64,
            size: files.values().map(|content| content.len() as u64).sum(),
        }
    }
}

impl Repository for Open<'_> {
    fn id(&self) -> String {
        "0".repeat(64)
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let kept = self.fake.kept.borrow();
        Ok(kept.iter().map(|kept| kept.snapshot.clone()).collect())
    }

    fn backup(&self, sources: &[Source], options: &BackupOptions) -> Result<BackupSummary> {
        let files = self.collect(sources)?;
        let snapshot = self.snapshot(sources, options, &files);
        let before = self
            .fake
            .find("latest")
            .map(|kept| kept.files)
            .unwrap_or_default();
        let count = |keep: &dyn Fn(&String, &Vec<u8>) -> bool| {
            files
                .iter()
                .filter(|(path, content)| keep(path, content))
                .count() as u64
        };
        let summary = BackupSummary {
            files_new: count(&|path, _| !before.contains_key(path)),
            files_changed: count(&|path, now| before.get(path).is_some_and(|old| old != now)),
            files_unmodified: count(&|path, now| before.get(path) == Some(now)),
            bytes_processed: snapshot.size,
            bytes_added: snapshot.size,
            snapshot: snapshot.clone(),
            unread: self.fake.unread.clone(),
        };
        self.host.change(
            || "add a snapshot".to_owned(),
            || {
                self.fake.kept.borrow_mut().push(Kept { snapshot, files });
                Ok(summary)
            },
        )
    }

    fn restore(
        &self,
        snapshot: &str,
        target: &str,
        options: &RestoreOptions,
    ) -> Result<RestoreSummary> {
        let kept = self.fake.find(snapshot)?;
        let wanted = kept.files.iter().filter(|(path, _)| {
            options.paths.is_empty() || options.paths.iter().any(|below| path.starts_with(below))
        });
        let mut summary = RestoreSummary {
            files: 0,
            bytes: 0,
            unchanged: 0,
        };
        for (path, content) in wanted {
            let path = format!("{target}{path}");
            self.host.change(
                || format!("restore `{path}`"),
                || {
                    self.host.write_file(&path, content, kept.snapshot.time);
                    Ok(())
                },
            )?;
            summary.files += 1;
            summary.bytes += content.len() as u64;
        }
        Ok(summary)
    }

    fn listing(&self, snapshot: &str, path: &str, limit: u32) -> Result<Vec<Node>> {
        let kept = self.fake.find(snapshot)?;
        let below = kept
            .files
            .iter()
            .filter(|(known, _)| known.starts_with(path));
        let nodes = below.map(|(path, content)| Node {
            path: path.clone(),
            kind: "file".to_owned(),
            size: content.len() as u64,
            modified: None,
        });
        Ok(nodes.take(limit as usize).collect())
    }

    /// Knows `last` alone.
    fn forget(&self, policy: &Keep, apply: bool) -> Result<Vec<Judged>> {
        let snapshots = self.snapshots()?;
        let first = snapshots.len().saturating_sub(policy.last as usize);
        let judged = snapshots
            .into_iter()
            .enumerate()
            .map(|(at, snapshot)| Judged {
                snapshot,
                keep: at >= first,
                reasons: if at >= first {
                    vec!["last".to_owned()]
                } else {
                    Vec::new()
                },
            });
        let judged: Vec<_> = judged.collect();
        if apply {
            self.host.change(
                || "forget snapshots".to_owned(),
                || {
                    self.fake.kept.borrow_mut().drain(..first);
                    Ok(())
                },
            )?;
        }
        Ok(judged)
    }

    fn prune(&self) -> Result<PruneSummary> {
        self.host.change(
            || "prune".to_owned(),
            || {
                Ok(PruneSummary {
                    bytes_removed: 10,
                    bytes_repacked: 0,
                    bytes_unused_left: 0,
                })
            },
        )
    }

    fn check(&self, percent: u32) -> Result<Verdict> {
        Ok(Verdict {
            sound: self.fake.damage.is_none(),
            findings: self.fake.damage.iter().cloned().collect(),
            bytes_read: u64::from(percent),
        })
    }
}
