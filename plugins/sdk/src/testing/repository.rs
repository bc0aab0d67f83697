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
use crate::repository::{
    BackupPlan, BackupResult, BackupRules, Change, Comparison, Difference, Existing, FileVerdict,
    Found, Key, Lock, RestorePlan, RestoreResult, RestoreRules, Share,
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
    keys: RefCell<Vec<String>>,
    locks: RefCell<Vec<Lock>>,
    shares: RefCell<Vec<Share>>,
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

    /// One that another program locks, or locked.
    pub fn locked(self, stale: bool) -> Self {
        let lock = Lock {
            id: "10c4".repeat(16),
            exclusive: true,
            hostname: "elsewhere".to_owned(),
            username: "ann".to_owned(),
            pid: 7,
            time: 0,
            stale,
            explanation: "a test says so".to_owned(),
        };
        self.locks.borrow_mut().push(lock);
        self
    }

    /// The shares that were checked so far.
    pub fn checked(&self) -> Vec<Share> {
        self.shares.borrow().clone()
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

    fn backup_with(
        &self,
        others: &[&dyn Repository],
        sources: &[Source],
        options: &BackupOptions,
        _rules: &BackupRules,
    ) -> Result<Vec<Result<BackupResult>>> {
        let all = std::iter::once(self as &dyn Repository).chain(others.iter().copied());
        let each = all.map(|one| {
            let summary = one.backup(sources, options)?;
            Ok(BackupResult {
                summary,
                made: true,
                parent: None,
                remarks: Vec::new(),
            })
        });
        let done: Vec<Result<BackupResult>> = each.collect();
        match &done[0] {
            Err(error @ Error::DryRun(_)) => Err(error.clone()),
            _ => Ok(done),
        }
    }

    /// Knows `paths` and `existing` alone.
    fn restore_with(
        &self,
        snapshot: &str,
        target: &str,
        rules: &RestoreRules,
    ) -> Result<RestoreResult> {
        let options = RestoreOptions {
            paths: rules.paths.clone(),
            delete: rules.delete,
            overwrite: rules.existing == Existing::Replace,
        };
        let summary = self.restore(snapshot, target, &options)?;
        Ok(RestoreResult { summary, kept: 0 })
    }

    /// Knows `paths` and `existing` alone.
    fn plan_restore(
        &self,
        snapshot: &str,
        target: Option<&str>,
        rules: &RestoreRules,
    ) -> Result<RestorePlan> {
        let kept = self.fake.find(snapshot)?;
        let mut plan = RestorePlan {
            summary: RestoreSummary {
                files: 0,
                bytes: 0,
                unchanged: 0,
            },
            kept: 0,
            removals: Vec::new(),
            removed: 0,
            conflicts: Vec::new(),
            conflicting: 0,
        };
        let wanted = kept.files.iter().filter(|(path, _)| {
            rules.paths.is_empty() || rules.paths.iter().any(|below| path.starts_with(below))
        });
        for (path, content) in wanted {
            let there = target.map(|target| fs::read(self.host.path(&format!("{target}{path}"))));
            match there {
                Some(Ok(found)) if found == *content => plan.summary.unchanged += 1,
                Some(Ok(_)) if rules.existing == Existing::Refuse => {
                    plan.conflicts.push(format!("{path} exists and differs"));
                    plan.conflicting += 1;
                }
                _ => {
                    plan.summary.files += 1;
                    plan.summary.bytes += content.len() as u64;
                }
            }
        }
        Ok(plan)
    }

    fn plan_prune(&self) -> Result<PruneSummary> {
        Ok(PruneSummary {
            bytes_removed: 10,
            bytes_repacked: 0,
            bytes_unused_left: 0,
        })
    }

    fn compare(&self, snapshot: &str, target: &str, _rules: &RestoreRules) -> Result<Comparison> {
        let (snapshot, folder) = snapshot.split_once(':').unwrap_or((snapshot, ""));
        let kept = self.fake.find(snapshot)?;
        let (mut differences, mut databases) = (Vec::new(), Vec::new());
        for (path, content) in &kept.files {
            let Some(below) = path.strip_prefix(folder) else {
                continue;
            };
            let there = format!("{target}{below}");
            match fs::read(self.host.path(&there)) {
                Ok(found) if found == *content => {
                    if content.starts_with(b"SQLite") {
                        databases.push(there);
                    }
                }
                _ => differences.push(format!("{path}: it differs")),
            }
        }
        Ok(Comparison {
            files: kept.files.len() as u64,
            bytes: kept.snapshot.size,
            differing: differences.len() as u64,
            differences,
            databases,
        })
    }

    fn check_share(&self, share: Share) -> Result<Verdict> {
        self.fake.shares.borrow_mut().push(share);
        match share {
            Share::Percent(percent) => self.check(percent),
            Share::Part(_) => self.check(1),
        }
    }

    fn diff(&self, before: &str, after: &str, _limit: u32) -> Result<Difference> {
        let (before, after) = (self.fake.find(before)?.files, self.fake.find(after)?.files);
        let added = after.keys().filter(|path| !before.contains_key(*path));
        let changes: Vec<_> = added
            .map(|path| Change {
                path: path.clone(),
                change: "added".to_owned(),
                size_before: 0,
                size_after: after[path].len() as u64,
            })
            .collect();
        Ok(Difference {
            omitted: 0,
            added: changes.len() as u64,
            removed: before
                .keys()
                .filter(|path| !after.contains_key(*path))
                .count() as u64,
            changed: 0,
            metadata: 0,
            bytes_added: changes.iter().map(|change| change.size_after).sum(),
            bytes_removed: 0,
            changes,
        })
    }

    /// Knows the ends of names alone: `*.txt`.
    fn find(&self, patterns: &[String], _snapshots: &[String], limit: u32) -> Result<Vec<Found>> {
        let kept = self.fake.kept.borrow();
        let fits = |path: &String| {
            patterns
                .iter()
                .any(|pattern| path.ends_with(pattern.trim_start_matches('*')))
        };
        let all = kept.iter().rev().flat_map(|kept| {
            let files = kept.files.iter().filter(|(path, _)| fits(path));
            files.map(|(path, content)| Found {
                snapshot: kept.snapshot.id.clone(),
                time: kept.snapshot.time,
                node: Node {
                    path: path.clone(),
                    kind: "file".to_owned(),
                    size: content.len() as u64,
                    modified: None,
                },
            })
        });
        Ok(all.take(limit as usize).collect())
    }

    fn keys(&self) -> Result<Vec<Key>> {
        let keys = self.fake.keys.borrow();
        let names = std::iter::once("first").chain(keys.iter().map(String::as_str));
        let key = |id: &str| Key {
            id: id.to_owned(),
            username: "root".to_owned(),
            hostname: "test".to_owned(),
            created: None,
            current: id == "first",
        };
        Ok(names.map(key).collect())
    }

    fn add_key(&self, secret: &str) -> Result<String> {
        use crate::Host as _;
        let id = format!("key-of-{}", self.host.secret(secret)?);
        self.host.change(
            || "add a key".to_owned(),
            || {
                self.fake.keys.borrow_mut().push(id.clone());
                Ok(id)
            },
        )
    }

    fn remove_key(&self, key: &str) -> Result<String> {
        self.host.change(
            || "remove a key".to_owned(),
            || {
                self.fake.keys.borrow_mut().retain(|known| known != key);
                Ok(key.to_owned())
            },
        )
    }

    fn locks(&self) -> Result<Vec<Lock>> {
        Ok(self.fake.locks.borrow().clone())
    }

    fn unlock(&self, all: bool) -> Result<Vec<Lock>> {
        let remove = |lock: &Lock| all || lock.stale;
        self.host.change(
            || "remove locks".to_owned(),
            || {
                let mut locks = self.fake.locks.borrow_mut();
                let removed = locks.iter().filter(|lock| remove(lock)).cloned().collect();
                locks.retain(|lock| !remove(lock));
                Ok(removed)
            },
        )
    }
}

/// Knows no rules.
pub(super) fn plan_backup(host: &NativeHost, sources: &[Source]) -> Result<BackupPlan> {
    let fake = FakeRepository::default();
    let paths = sources.iter();
    let paths = paths.filter(|source| matches!(source, Source::Path(_)));
    let paths: Vec<Source> = paths.cloned().collect();
    let files = Open { fake: &fake, host }.collect(&paths)?;
    Ok(BackupPlan {
        files: files.len() as u64,
        bytes: files.values().map(|content| content.len() as u64).sum(),
        unread: Vec::new(),
    })
}

/// A file is sound unless the word `broken` stands in it.
pub(super) fn verify_file(host: &NativeHost, path: &str) -> Result<FileVerdict> {
    let content = fs::read(host.path(path))
        .map_err(|error| Error::from_io(&format!("read `{path}`"), &error))?;
    let sound = !content.windows(6).any(|word| word == b"broken");
    Ok(FileVerdict {
        engine: content.starts_with(b"SQLite").then(|| "sqlite".to_owned()),
        sound,
        findings: if sound {
            Vec::new()
        } else {
            vec!["it is broken".to_owned()]
        },
    })
}
