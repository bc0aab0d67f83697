//! The walk over all sources: parents before children, names in byte order, as
//! restic stores them.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

use rustic_core::repofile::Node;

use super::journal::Journal;
use super::mounts::Mount;
use super::node;
use super::reader::Content;
use super::rules::Rules;
use super::spot::Spot;
use super::storages::Storages;
use crate::folder::Folder;

/// What is walked, and how.
#[derive(Debug)]
pub struct Plan {
    pub mounts: Arc<Mount>,
    /// A source itself is never excluded: it was asked for by name.
    pub rules: Rules,
    /// Other file systems appear as empty folders.
    pub one_file_system: bool,
}

/// Something that the walk found.
#[derive(Debug)]
pub struct Entry {
    pub path: PathBuf,
    pub node: Node,
    /// Of a file.
    pub content: Option<Content>,
}

/// A walk in progress; it holds one open folder for each level.
#[derive(Debug)]
pub struct Walk {
    plan: Arc<Plan>,
    journal: Arc<Journal>,
    /// None for a first look, which describes nothing but kinds and sizes.
    storages: Option<Arc<Storages>>,
    frames: Vec<Frame>,
}

/// A folder whose entries are being handed out.
#[derive(Debug)]
struct Frame {
    path: PathBuf,
    /// None where only sources further down are to be visited.
    folder: Option<Folder>,
    mount: Option<Arc<Mount>>,
    names: vec::IntoIter<OsString>,
    /// The file system to stay on.
    device: Option<u64>,
}

impl Iterator for Walk {
    type Item = Entry;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let name = self.frames.last_mut()?.names.next();
            let Some(name) = name else {
                self.frames.pop();
                continue;
            };
            if let Some(entry) = self.visit(&name) {
                return Some(entry);
            }
        }
    }
}

impl Walk {
    /// Over everything, in full.
    pub fn new(plan: Arc<Plan>, journal: Arc<Journal>, storages: Arc<Storages>) -> Self {
        Self::over(plan, journal, Some(storages))
    }

    /// A first look.
    pub fn scout(plan: Arc<Plan>, journal: Arc<Journal>) -> Self {
        Self::over(plan, journal, None)
    }

    fn over(plan: Arc<Plan>, journal: Arc<Journal>, storages: Option<Arc<Storages>>) -> Self {
        let root = Arc::clone(&plan.mounts);
        let mut walk = Self {
            plan,
            journal,
            storages,
            frames: Vec::new(),
        };
        let stat = root.source.as_ref().and_then(|spot| spot.metadata().ok());
        let device = stat.and_then(|stat| walk.device(&stat));
        walk.enter(Path::new("/"), root.source.as_ref(), Some(&root), device);
        walk
    }

    fn visit(&mut self, name: &OsStr) -> Option<Entry> {
        let frame = self.frames.last()?;
        let path = frame.path.join(name);
        let mount = frame
            .mount
            .as_ref()
            .and_then(|mount| mount.child(name))
            .cloned();
        if let Some(spot) = mount.as_ref().and_then(|mount| mount.source.as_ref()) {
            let stat = self.noted(&path, spot.metadata())?;
            let device = self.device(&stat);
            return self.found(&path, name, spot, stat, mount.as_ref(), device);
        }
        let (device, spot) = (frame.device, self.ordinary(frame, name, &path));
        match (spot, mount) {
            (Some((spot, stat)), None) => self.found(&path, name, &spot, stat, None, device),
            (Some((spot, stat)), mount) if stat.is_dir() => {
                self.found(&path, name, &spot, stat, mount.as_ref(), device)
            }
            (_, Some(mount)) => {
                self.enter(&path, None, Some(&mount), None);
                Some(folder_entry(node::ancestor(name, &path), path))
            }
            (None, None) => None,
        }
    }

    /// What lies in the folder itself, unless it is excluded, gone, or on another
    /// file system.
    fn ordinary(&self, frame: &Frame, name: &OsStr, path: &Path) -> Option<(Spot, Metadata)> {
        let folder = frame.folder.as_ref()?;
        if self.plan.rules.exclude(path) || self.is_later_blob(path, name) {
            return None;
        }
        let spot = Spot::entry(folder, name);
        let stat = self.noted(path, spot.metadata())?;
        let elsewhere = frame.device.is_some_and(|device| device != stat.dev());
        let wanted = stat.is_dir() || !(elsewhere || self.plan.rules.is_too_large(&stat));
        wanted.then_some((spot, stat))
    }

    fn is_later_blob(&self, path: &Path, name: &OsStr) -> bool {
        let storages = self.storages.as_ref();
        storages.is_some_and(|storages| storages.is_later_blob(path, name))
    }

    fn found(
        &mut self,
        path: &Path,
        name: &OsStr,
        spot: &Spot,
        stat: Metadata,
        mount: Option<&Arc<Mount>>,
        device: Option<u64>,
    ) -> Option<Entry> {
        let mut node = match &self.storages {
            Some(_) => self.noted(path, node::describe(name, &stat, spot))?,
            None => node::sketch(name, &stat),
        };
        if stat.is_dir() {
            let elsewhere = device.is_some_and(|device| device != stat.dev());
            let inside = (!elsewhere).then_some(spot);
            self.enter(path, inside, mount, device);
            return Some(folder_entry(node, path.to_path_buf()));
        }
        let content = stat.is_file().then(|| {
            let storage = self.storages.as_ref();
            let storage =
                storage.and_then(|storages| storages.end(path, name, spot, &stat, &self.journal));
            node.meta.size = storage.unwrap_or(node.meta.size);
            Content {
                spot: spot.clone(),
                path: path.to_path_buf(),
                seen: stat,
                storage,
            }
        });
        let path = path.to_path_buf();
        Some(Entry {
            path,
            node,
            content,
        })
    }

    /// Goes into a folder: its own entries, and the sources that stand in it. One
    /// that cannot be listed is noted, and stays empty.
    fn enter(
        &mut self,
        path: &Path,
        spot: Option<&Spot>,
        mount: Option<&Arc<Mount>>,
        device: Option<u64>,
    ) {
        let folder = spot.and_then(|spot| self.noted(path, spot.folder()));
        let listed = folder
            .as_ref()
            .and_then(|folder| self.noted(path, folder.names()));
        let mut names = listed.unwrap_or_default();
        if let Some(folder) = &folder {
            self.plan.rules.retain(folder, &mut names);
        }
        if let Some(mount) = mount {
            names.extend(mount.children.keys().cloned());
            names.sort_unstable();
            names.dedup();
        }
        self.frames.push(Frame {
            path: path.to_path_buf(),
            folder,
            mount: mount.cloned(),
            names: names.into_iter(),
            device,
        });
    }

    fn device(&self, stat: &Metadata) -> Option<u64> {
        self.plan.one_file_system.then(|| stat.dev())
    }

    /// What vanished between two looks is not worth a word.
    fn noted<T>(&self, path: &Path, result: io::Result<T>) -> Option<T> {
        result
            .inspect_err(|error| {
                if error.kind() != io::ErrorKind::NotFound {
                    self.journal.note(path, error);
                }
            })
            .ok()
    }
}

fn folder_entry(node: Node, path: PathBuf) -> Entry {
    Entry {
        path,
        node,
        content: None,
    }
}

#[cfg(test)]
mod tests;
