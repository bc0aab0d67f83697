//! The folder of a FileStorage's blobs: what the pack leaves without a record goes.
//!
//! Which files go, and where to, is written down before the swap and done after it, so that a run that was cut off
//! between leaves a list that the next one ends. A file that no record of the packed part has named stays,
//! as it stays with ZODB.

use std::collections::BTreeSet;

use mhost_filestorage::blobs::{Layout, MARKER};
use mhost_filestorage::pack::Revision;
use mhost_filestorage::scan::Scan;
use mhost_filestorage::{Oid, Tid};
use mhost_sdk::files::{Kind, Metadata, WalkOptions, join, split};
use mhost_sdk::{Context, Doing as _, Error, Failure, Optional as _};

use super::swap::Forgotten;
use super::{File, aside, swap};
use crate::config::KeepOld;

/// The list of files that go, in the blob folder: first what the name of the folder ends in that they go to,
/// nothing where they are removed, then a line for each.
const LIST: &str = ".mhost-removed";
/// A list of ten million files.
const LONGEST_LIST: u64 = 400 << 20;

/// A blob folder of a known layout.
pub struct Folder<'c, 'h> {
    context: &'c Context<'h>,
    path: String,
    layout: Layout,
    like: Metadata,
}

/// What was removed.
#[derive(Debug, Default)]
pub struct Removed {
    pub files: u64,
    pub bytes: u64,
}

impl<'c, 'h> Folder<'c, 'h> {
    /// Looks at the folder and its marker.
    pub fn open(context: &'c Context<'h>, path: &str) -> Result<Self, Failure> {
        let there = context.files().stat_optional(path);
        let there = there.doing(|| format!("look at {path}"))?;
        let Some(like) = there else {
            return Err(Failure::permanent(format!(
                "there is no folder {path}: correct `blobs`"
            )));
        };
        let marker = join(path, MARKER);
        let named = match like.kind {
            Kind::Directory => context.files().read(&marker, 64).optional(),
            _ => Ok(None),
        };
        let named = named.doing(|| format!("read {marker}"))?;
        let Some(layout) = named.as_deref().and_then(Layout::named) else {
            return Err(Failure::permanent(format!(
                "{path} is no blob folder whose layout is known: it needs a file {MARKER} that says `bushy` or `lawn`; \
                 correct `blobs`"
            )));
        };
        Ok(Self {
            context,
            path: path.trim_end_matches('/').to_owned(),
            layout,
            like,
        })
    }

    fn list(&self) -> String {
        join(&self.path, LIST)
    }

    /// Asks for leave to change the folder, before anything is done.
    pub fn try_out(&self) -> Result<(), Failure> {
        aside::try_out(self.context, &join(&self.path, ".mhost-new"))
    }

    /// Before the swap: the folder that the files go to is there and can be written, and the list is on the disk.
    pub fn prepare(&self, gone: &[Revision], suffix: Option<&str>) -> Result<(), Failure> {
        if gone.is_empty() {
            return Ok(());
        }
        if let Some(suffix) = suffix {
            self.make_attic(&self.attic(suffix))?;
        }
        let mut text = format!("{}\n", suffix.unwrap_or_default());
        text.reserve(gone.len() * 34);
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

    /// The swap is not done after all.
    pub fn drop_list(&self) -> Result<(), Failure> {
        let list = self.list();
        let ended = self.context.files().remove_file(&list).optional();
        ended.map(|_| ()).doing(|| format!("remove {list}"))
    }

    /// Ends what a run that was cut off after its swap has left: files on its list that no record
    /// of the file names go where that run would have put them. What it had put there already stays.
    pub fn finish_earlier(&self, file: &mut File<'_>) -> Result<(), Failure> {
        let list = self.list();
        let text = self.context.files().read(&list, LONGEST_LIST).optional();
        let Some(text) = text.doing(|| format!("read {list}"))? else {
            return Ok(());
        };
        if self.context.dry_run() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&text);
        let suffix = text.lines().next().unwrap_or_default();
        if !(suffix.is_empty() || swap::is_suffix(suffix)) {
            return Err(Failure::permanent(format!(
                "{list} is no list of files that an earlier pack was to remove: look at it, and remove it"
            )));
        }
        let mut gone: BTreeSet<Revision> = text.lines().skip(1).filter_map(parse).collect();
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
        let gone: Vec<_> = gone.into_iter().collect();
        let attic = match suffix {
            "" => None,
            suffix => Some(self.attic(suffix)),
        };
        if let (Some(attic), false) = (&attic, gone.is_empty()) {
            self.make_attic(attic)?;
        }
        let removed = self.carry_out(&gone, attic.as_deref())?;
        self.drop_list()?;
        let (files, what) = match &attic {
            Some(attic) => (removed.files, format!("were moved to {attic}")),
            None => (removed.files, "were removed".to_owned()),
        };
        self.context.info(format!(
            "ended an earlier run: {files} blob files without a record {what}"
        ));
        Ok(())
    }

    /// After the swap: removes files, or moves them to where they are kept with the old file.
    pub fn remove(&self, gone: &[Revision], suffix: Option<&str>) -> Result<Removed, Failure> {
        if gone.is_empty() {
            return Ok(Removed::default());
        }
        let attic = suffix.map(|suffix| self.attic(suffix));
        if let Some(attic) = &attic {
            self.clear(attic)?;
        }
        let removed = self.carry_out(gone, attic.as_deref())?;
        self.drop_list()?;
        Ok(removed)
    }

    fn carry_out(&self, gone: &[Revision], attic: Option<&str>) -> Result<Removed, Failure> {
        let mut removed = Removed::default();
        for revision in gone {
            let name = self.layout.file(*revision);
            let path = join(&self.path, &name);
            let found = self.context.files().stat_optional(&path);
            let Some(found) = found.doing(|| format!("look at {path}"))? else {
                continue;
            };
            match attic {
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
        Ok(removed)
    }

    /// A revision's file, for messages.
    pub fn file(&self, revision: Revision) -> String {
        join(&self.path, &self.layout.file(revision))
    }

    /// How many files are not there that the packed file needs. The log names the first.
    pub fn missing(&self, kept: &[Revision]) -> Result<u64, Failure> {
        let mut missing = 0;
        let mut first = None;
        for revision in kept {
            let path = self.file(*revision);
            let there = self.context.files().stat_optional(&path);
            if there.doing(|| format!("look at {path}"))?.is_none() {
                missing += 1;
                first.get_or_insert(path);
            }
        }
        if let Some(first) = first {
            self.context.warn(format!(
                "{missing} blob files that records need are missing, the first: {first}; restore them from a backup, or \
                 correct `blobs`"
            ));
        }
        Ok(missing)
    }

    /// Says what a new file needs of the folder, in which nothing is changed.
    pub fn tell(&self, target: &str, kept: usize, gone: usize) {
        self.context.info(format!(
            "{} stays as it is: {target} needs {kept} of its files, for which a server can be given this folder or a copy \
             of it; {gone} of its files have no record in {target}",
            self.path
        ));
    }

    /// Removes folders of blobs that were kept long enough.
    pub fn forget(&self, keep: KeepOld) -> Result<Vec<Forgotten>, Failure> {
        let KeepOld::For(span) = keep else {
            return Ok(Vec::new());
        };
        let old = swap::kept_too_long(self.context, &self.attic(".old-"), span)?;
        let mut forgotten = Vec::new();
        for entry in old {
            let path = entry.path;
            if entry.metadata.kind != Kind::Directory {
                continue;
            }
            let bytes = self.clear(&path)?;
            let removed = self.context.files().remove_directory(&path);
            removed.doing(|| format!("remove {path}, which was kept long enough"))?;
            forgotten.push(Forgotten { path, bytes });
        }
        Ok(forgotten)
    }

    /// What the path of a folder begins with in which files are kept with the old file: beside this one, or within it
    /// where it is a grant of its own.
    pub fn attic_beginning(&self) -> String {
        match split(&self.path).0 {
            "/" | "" => format!("{}/", self.path),
            _ => self.path.clone(),
        }
    }

    /// `blobs.old` or `blobs.old-20260131T040000Z`, for `.old` and so on.
    fn attic(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.attic_beginning())
    }

    /// The folder that files go to is there, on the same file system, and can be written.
    fn make_attic(&self, attic: &str) -> Result<(), Failure> {
        let files = self.context.files();
        let there = files.stat_optional(attic);
        match there.doing(|| format!("look at {attic}"))? {
            None => self.make_folder(attic)?,
            Some(there) if there.kind != Kind::Directory => {
                return Err(Failure::permanent(format!(
                    "{attic} is no folder, and the blobs of the old file are to be kept there: move it away; nothing was changed"
                )));
            }
            Some(there) if there.device != self.like.device => {
                return Err(Failure::permanent(format!(
                    "{attic} lies on another file system than {}, so that no blob can be moved there: move it away; nothing was \
                     changed",
                    self.path
                )));
            }
            Some(_) => {}
        }
        aside::try_out(self.context, &join(attic, ".mhost-new"))
    }

    /// A new folder, with the mode and the owner of the blobs'.
    fn make_folder(&self, path: &str) -> Result<(), Failure> {
        match self.context.files().create_directory(path) {
            Ok(()) => aside::dress(self.context, path, &self.like),
            Err(Error::Exists(_)) => Ok(()),
            Err(error) => Err(error).doing(|| format!("make {path}")),
        }
    }

    /// Empties what an earlier pack has kept under the same name. Answers how many bytes that were.
    fn clear(&self, attic: &str) -> Result<u64, Failure> {
        let files = self.context.files();
        let there = files.stat_optional(attic);
        if there.doing(|| format!("look at {attic}"))?.is_none() {
            return Ok(0);
        }
        let mut bytes = 0;
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
                Kind::Directory => files.remove_directory(&path),
                _ => files.remove_file(&path),
            };
            if entry.metadata.kind == Kind::File {
                bytes += entry.metadata.size;
            }
            gone.doing(|| format!("remove {path}, kept by an earlier pack"))?;
        }
        Ok(bytes)
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
            self.make_folder(&folder)?;
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
