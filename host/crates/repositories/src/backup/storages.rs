//! ZODB file storages among the sources, with their blobs.
//!
//! Where a storage is complete is looked up before anything else is read: a blob's
//! file is there before its transaction is complete, so all blobs of the
//! transactions up to that point are found later. Blobs of transactions after it
//! are left out, where it is known which storage they belong to.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::ports::repository::{BackupOptions, StoragePair};
use mhost_model::{Fault, FaultResult};

use super::journal::Journal;
use super::spot::Spot;
use super::walk::{Entry, Plan, Walk};
use crate::filestorage::{self, Storage};

/// The file that marks a folder of blobs.
const LAYOUT: &str = ".layout";

/// What a first look over the sources found.
#[derive(Debug, Default)]
pub struct Storages {
    known: HashMap<(u64, u64), Known>,
    /// Folders of blobs, and the last transaction of their storage.
    blobs: Vec<(PathBuf, u64)>,
    /// Storages that must still be the same file at the end.
    pinned: Vec<(u64, u64)>,
    pub files: u64,
    pub bytes: u64,
}

#[derive(Debug)]
struct Known {
    path: PathBuf,
    spot: Spot,
    found: Storage,
}

impl Storages {
    /// Walks once over everything.
    pub fn find(plan: &Arc<Plan>, options: &BackupOptions) -> FaultResult<Self> {
        let mut storages = Self::default();
        let mut layouts = Vec::new();
        for entry in Walk::scout(Arc::clone(plan), Arc::default()) {
            storages.files += u64::from(!entry.node.is_dir());
            storages.bytes += entry.node.meta.size;
            let name = entry.path.file_name().unwrap_or_default();
            if name == LAYOUT {
                layouts.extend(entry.path.parent().map(Path::to_path_buf));
            } else if may_be_storage(name) {
                storages.enter(&entry);
            }
        }
        for pair in &options.storages {
            storages.pair(pair)?;
        }
        storages.pair_alone(layouts);
        Ok(storages)
    }

    fn enter(&mut self, entry: &Entry) {
        let Some(content) = &entry.content else {
            return;
        };
        // What cannot be opened is told when it is read.
        let Ok(file) = content.spot.file() else {
            return;
        };
        let Ok(stat) = file.metadata() else { return };
        if let Ok(Some(found)) = filestorage::look(&file, stat.len()) {
            let known = Known {
                path: entry.path.clone(),
                spot: content.spot.clone(),
                found,
            };
            self.known.insert((stat.dev(), stat.ino()), known);
        }
    }

    fn pair(&mut self, pair: &StoragePair) -> FaultResult<()> {
        let found = self.known.iter().find(|(_, known)| known.path == pair.file);
        let Some((
            id,
            Known {
                found: Storage::Complete { last, .. },
                ..
            },
        )) = found
        else {
            return Err(Fault::Invalid(format!(
                "{} is no sound file storage among the sources: name a `Data.fs` that lies in one of them",
                pair.file.display()
            )));
        };
        self.pinned.push(*id);
        self.blobs
            .extend(pair.blobs.iter().map(|blobs| (blobs.clone(), *last)));
        Ok(())
    }

    /// One storage and one folder of blobs belong together.
    fn pair_alone(&mut self, layouts: Vec<PathBuf>) {
        let (1, [only], true) = (self.known.len(), &layouts[..], self.blobs.is_empty()) else {
            return;
        };
        for (id, known) in &self.known {
            if let Storage::Complete { last, .. } = known.found {
                self.pinned.push(*id);
                self.blobs.push((only.clone(), last));
            }
        }
    }

    /// Where a storage ends in this snapshot; `None` for any other file.
    pub fn end(
        &self,
        path: &Path,
        name: &OsStr,
        spot: &Spot,
        stat: &Metadata,
        journal: &Journal,
    ) -> Option<u64> {
        if !may_be_storage(name) {
            return None;
        }
        let found = match self.known.get(&(stat.dev(), stat.ino())) {
            Some(known) => Some(known.found),
            // It came since the first look.
            None => spot
                .file()
                .ok()
                .and_then(|file| filestorage::look(&file, stat.len()).ok()?),
        };
        match found? {
            Storage::Complete { end, .. } => Some(end.min(stat.len())),
            Storage::Broken { at } => {
                journal.remark(
                    path,
                    format!("this file storage is damaged at {at}; it is stored as it is"),
                );
                None
            }
        }
    }

    pub fn is_later_blob(&self, path: &Path, name: &OsStr) -> bool {
        let last = self
            .blobs
            .iter()
            .find(|(folder, _)| path.starts_with(folder));
        let blob = || filestorage::blob_transaction(name);
        last.is_some_and(|(_, last)| blob().is_some_and(|transaction| transaction > *last))
    }

    /// A storage that was packed while its blobs were read may have lost some.
    pub fn still_there(&self) -> FaultResult<()> {
        for id in &self.pinned {
            let Some(known) = self.known.get(id) else {
                continue;
            };
            let now = known
                .spot
                .metadata()
                .ok()
                .map(|stat| (stat.dev(), stat.ino()));
            if now != Some(*id) {
                return Err(Fault::Busy(format!(
                    "{} was replaced while it was backed up, as by a pack: its blobs may not fit it, and no \
                     snapshot was made; run the backup again",
                    known.path.display()
                )));
            }
        }
        Ok(())
    }
}

fn may_be_storage(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(b".fs")
}
