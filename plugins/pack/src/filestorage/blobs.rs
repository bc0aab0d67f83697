//! The folder of a FileStorage's blobs: what the pack leaves without a record goes.
//!
//! Which files go is written down before the swap and done after it, so that a run that was cut off
//! between leaves a list that the next one ends. A file that no record of the packed part has named stays,
//! as it stays with ZODB.

use mhost_filestorage::blobs::{Layout, MARKER};
use mhost_filestorage::pack::{Plan, Revision};
use mhost_filestorage::scan::Scan;
use mhost_filestorage::{Oid, Tid};
use mhost_sdk::files::{WalkOptions, join, split};
use mhost_sdk::{Context, Doing as _, Error, Failure, Optional as _};

use super::{File, swap};
use crate::config::KeepOld;

/// The list of files that go, in the blob folder.
const LIST: &str = ".mhost-removed";
/// A list of ten million files.
const LONGEST_LIST: u64 = 400 << 20;

/// A blob folder of a known layout.
pub struct Folder<'c, 'h> {
    context: &'c Context<'h>,
    path: String,
    layout: Layout,
}

/// What was removed.
#[derive(Debug, Default)]
pub struct Removed {
    pub files: u64,
    pub bytes: u64,
}

impl<'c, 'h> Folder<'c, 'h> {
    /// Looks at the folder's marker.
    pub fn open(context: &'c Context<'h>, path: Option<&str>) -> Result<Option<Self>, Failure> {
        let Some(path) = path else {
            return Ok(None);
        };
        let marker = join(path, MARKER);
        let named = context.files().read(&marker, 64).optional();
        let named = named.doing(|| format!("read {marker}"))?;
        let Some(layout) = named.as_deref().and_then(Layout::named) else {
            return Err(Failure::permanent(format!(
                "{path} is no blob folder whose layout is known: it needs a file {MARKER} that says `bushy` or `lawn`; \
                 correct `blobs`"
            )));
        };
        Ok(Some(Self {
            context,
            path: path.trim_end_matches('/').to_owned(),
            layout,
        }))
    }

    fn list(&self) -> String {
        join(&self.path, LIST)
    }

    /// Writes down what goes.
    pub fn note(&self, gone: &[Revision]) -> Result<(), Failure> {
        if gone.is_empty() {
            return Ok(());
        }
        let mut text = String::with_capacity(gone.len() * 34);
        for revision in gone {
            text.push_str(&format!("{:016x} {}\n", revision.oid.0, revision.tid));
        }
        let list = self.list();
        let files = self.context.files();
        let removed = files.remove_file(&list).optional();
        removed.doing(|| format!("remove {list}"))?;
        let made = files
            .create(&list, text.as_bytes())
            .and_then(|()| files.sync(&list));
        made.doing(|| format!("write {list}"))
    }

    /// Ends what a run that was cut off after its swap has left: files on its list that no record
    /// of the file names.
    pub fn finish_earlier(&self, file: &mut File<'_>, plan: &Plan) -> Result<(), Failure> {
        let list = self.list();
        let files = self.context.files();
        let text = files.read(&list, LONGEST_LIST).optional();
        let Some(text) = text.doing(|| format!("read {list}"))? else {
            return Ok(());
        };
        if self.context.dry_run() {
            return Ok(());
        }
        let mut gone: std::collections::BTreeSet<Revision> = String::from_utf8_lossy(&text)
            .lines()
            .filter_map(parse)
            .collect();
        let mut scan = Scan::new(file);
        let walked = (|| {
            while let Some(_txn) = scan.transaction()? {
                while let Some(record) = scan.record()? {
                    gone.remove(&Revision {
                        oid: record.oid,
                        tid: record.tid,
                    });
                }
            }
            Ok(())
        })();
        walked.map_err(|error| super::failed("read", &self.path, error))?;
        let count = gone.len();
        let gone: Vec<_> = gone.into_iter().collect();
        self.remove(&gone, None)?;
        self.context.info(format!(
            "ended an earlier run: {count} blob files were left without a record; {} stay",
            plan.blobs_kept
        ));
        Ok(())
    }

    /// Removes files, or moves them beside the folder when the old file is kept as `old`.
    pub fn remove(&self, gone: &[Revision], old: Option<&str>) -> Result<Removed, Failure> {
        let mut removed = Removed::default();
        let attic = old.and_then(|old| self.attic(old));
        if let Some(attic) = &attic {
            self.clear(attic)?;
        }
        for revision in gone {
            let name = self.layout.file(*revision);
            let path = join(&self.path, &name);
            let found = self.context.files().stat_optional(&path);
            let Some(found) = found.doing(|| format!("look at {path}"))? else {
                continue;
            };
            match &attic {
                Some(attic) => self.move_to(&path, attic, &name)?,
                None => {
                    let gone = self.context.files().remove_file(&path);
                    gone.doing(|| format!("remove {path}"))?;
                }
            }
            removed.files += 1;
            removed.bytes += found.size;
            self.remove_empty(&path);
        }
        let list = self.list();
        let ended = self.context.files().remove_file(&list).optional();
        ended.doing(|| format!("remove {list}"))?;
        Ok(removed)
    }

    /// A revision's file, for messages.
    pub fn file(&self, revision: Revision) -> String {
        join(&self.path, &self.layout.file(revision))
    }

    /// Says what a new file needs of the folder, in which nothing is changed.
    pub fn tell(&self, target: &str, kept: u64, gone: usize) {
        self.context.info(format!(
            "{} stays as it is: {target} needs {kept} of its files, for which a server can be given this folder or a copy              of it; {gone} of its files have no record in {target}",
            self.path
        ));
    }

    /// Removes folders of blobs that were kept long enough. Answers their names.
    pub fn forget(&self, keep: KeepOld) -> Result<Vec<String>, Failure> {
        let KeepOld::For(span) = keep else {
            return Ok(Vec::new());
        };
        let Some(attic) = self.attic("x.old-") else {
            return Ok(Vec::new());
        };
        let old = swap::kept_too_long(self.context, &attic, span)?;
        for path in &old {
            self.clear(path)?;
            let removed = self.context.files().remove_directory(path);
            removed.doing(|| format!("remove {path}, which was kept long enough"))?;
        }
        Ok(old)
    }

    /// Where files go that are kept with the old file: `blobs.old`, or within the folder where that
    /// is a grant of its own.
    fn attic(&self, old: &str) -> Option<String> {
        let (_, suffix) = old.rsplit_once(".old")?;
        Some(match split(&self.path).0 {
            "/" | "" => format!("{}/.old{suffix}", self.path),
            _ => format!("{}.old{suffix}", self.path),
        })
    }

    /// Empties what an earlier pack has kept under the same name.
    fn clear(&self, attic: &str) -> Result<(), Failure> {
        let files = self.context.files();
        let there = files.stat_optional(attic);
        if there.doing(|| format!("look at {attic}"))?.is_none() {
            return Ok(());
        }
        let options = WalkOptions {
            max_depth: None,
            one_file_system: true,
        };
        let (entries, _) = files
            .walk_all(attic, options)
            .doing(|| format!("list {attic}"))?;
        for entry in entries.iter().rev() {
            let path = join(attic, &entry.path);
            let gone = match entry.metadata.kind {
                mhost_sdk::files::Kind::Directory => files.remove_directory(&path),
                _ => files.remove_file(&path),
            };
            gone.doing(|| format!("remove {path}, kept by an earlier pack"))?;
        }
        Ok(())
    }

    fn move_to(&self, path: &str, attic: &str, name: &str) -> Result<(), Failure> {
        let files = self.context.files();
        let target = join(attic, name);
        let mut folder = attic.to_owned();
        let (above, _) = split(name);
        for step in std::iter::once("").chain(above.split('/')) {
            if !step.is_empty() {
                folder = join(&folder, step);
            }
            match files.create_directory(&folder) {
                Ok(()) | Err(Error::Exists(_)) => {}
                Err(error) => return Err(error).doing(|| format!("make {folder}")),
            }
        }
        let moved = files.rename(path, &target);
        moved.doing(|| format!("move {path} to {target}"))
    }

    /// Folders that are empty now, upwards; one that is not ends it.
    fn remove_empty(&self, path: &str) {
        let mut folder = split(path).0;
        while folder.len() > self.path.len()
            && self.context.files().remove_directory(folder).is_ok()
        {
            folder = split(folder).0;
        }
    }
}

fn parse(line: &str) -> Option<Revision> {
    let (oid, tid) = line.split_once(' ')?;
    Some(Revision {
        oid: Oid(u64::from_str_radix(oid, 16).ok()?),
        tid: Tid(u64::from_str_radix(tid, 16).ok()?),
    })
}
