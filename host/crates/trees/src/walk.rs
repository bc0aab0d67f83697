//! A walk through a tree: depth first, parents before children, names in byte
//! order, links listed and never followed. Memory is bounded whatever the size of a
//! directory (see [`names`]) and so is the number of open handles whatever the depth.

#![allow(
    clippy::result_large_err,
    reason = "what is wrong with an entry stands in the listing in its place, and is seldom"
)]

mod names;

use std::ffi::CString;
use std::os::fd::OwnedFd;

use mhost_model::{Fault, FaultResult};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::{Watch, attributes, file_fault};
use names::Names;

/// Directories on the way down that stay open; those above are opened again.
const OPEN: usize = 32;
/// A batch ends once its paths take so much, bytes.
const BATCH: usize = 1 << 20;

/// How far a walk goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct WalkOptions {
    /// 0 is the root's own entries.
    pub max_depth: Option<u32>,
    pub one_file_system: bool,
    /// Take a digest of each entry's extended attributes.
    pub attributes: bool,
}

/// One entry.
#[derive(Debug)]
pub struct Entry {
    /// Relative to the root, bytes as on the disk.
    pub path: Vec<u8>,
    pub stat: Stat,
    pub link_target: Option<Vec<u8>>,
    /// Of the extended attributes; 0 where there are none, or they were not asked for.
    pub attributes: u64,
}

/// A walk in progress.
#[derive(Debug)]
pub struct Walker {
    text: String,
    options: WalkOptions,
    device: u64,
    root: Stat,
    /// From the root down to where the walk is.
    levels: Vec<Level>,
    /// An error that waits for the entries before it to be handed out.
    failed: Option<Trouble>,
}

/// What could not be looked at or listed.
#[derive(Debug)]
pub struct Trouble {
    /// Relative to the root.
    pub path: Vec<u8>,
    pub fault: Fault,
    /// The run is over: asking again makes no sense.
    pub end: bool,
}

#[derive(Debug)]
struct Level {
    /// Closed while the walk is far below; the root's never is.
    handle: Option<OwnedFd>,
    /// Its name in the level above; empty for the root.
    name: CString,
    /// Which directory it was, to know it again: device and inode.
    identity: (u64, u64),
    names: Names,
}

impl Walker {
    /// Walks below an opened directory; `text` is its path for messages.
    pub fn new(handle: OwnedFd, text: &str, options: WalkOptions) -> FaultResult<Self> {
        let stat = rustix::fs::fstat(&handle).map_err(|error| file_fault("list", text, error))?;
        let mut walker = Self {
            text: text.trim_end_matches('/').to_owned(),
            options,
            device: stat.st_dev,
            root: stat,
            levels: Vec::new(),
            failed: None,
        };
        walker.descend(CString::default(), handle, &stat);
        Ok(walker)
    }

    /// The next entries, at most `max`; none at the end.
    pub fn next(&mut self, watch: &dyn Watch, max: usize) -> FaultResult<Vec<Entry>> {
        let mut batch = Vec::new();
        let mut size = 0;
        while batch.len() < max && size < BATCH {
            match self.step(watch) {
                Ok(None) => break,
                Ok(Some(entry)) => {
                    size += entry.path.len();
                    batch.push(entry);
                }
                Err(trouble) if batch.is_empty() => return Err(trouble.fault),
                Err(trouble) => {
                    self.failed = Some(trouble);
                    break;
                }
            }
        }
        Ok(batch)
    }

    /// The root itself, as it was when the walk began.
    pub fn root(&self) -> &Stat {
        &self.root
    }

    /// The next entry. After an error the next step goes on behind it, but for the
    /// end of the run.
    pub(crate) fn step(&mut self, watch: &dyn Watch) -> Result<Option<Entry>, Trouble> {
        if let Some(trouble) = self.failed.take() {
            return Err(trouble);
        }
        loop {
            watch.go_on().map_err(|fault| Trouble {
                path: Vec::new(),
                fault,
                end: true,
            })?;
            let Some(level) = self.levels.last_mut() else {
                return Ok(None);
            };
            let Some(handle) = &level.handle else {
                self.reopen()?;
                continue;
            };
            match level.names.next(handle) {
                Ok(None) => {
                    self.levels.pop();
                }
                Ok(Some(name)) => match self.look_at(name) {
                    Ok(None) => {}
                    found => return found,
                },
                Err(error) => {
                    let trouble = self.trouble("list", None, error);
                    self.levels.pop();
                    return Err(trouble);
                }
            }
        }
    }

    /// The entry of this name in the deepest level; none where it vanished. A
    /// directory becomes the deepest level.
    fn look_at(&mut self, name: CString) -> Result<Option<Entry>, Trouble> {
        let Some(folder) = self.levels.last().and_then(|level| level.handle.as_ref()) else {
            return Ok(None);
        };
        let found = match rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(self.trouble("stat", Some(&name), error)),
        };
        let kind = FileType::from_raw_mode(found.st_mode);
        let link_target = match kind {
            FileType::Symlink => match rustix::fs::readlinkat(folder, &name, Vec::new()) {
                Ok(target) => Some(target.into_bytes()),
                Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
                Err(error) => return Err(self.trouble("read", Some(&name), error)),
            },
            _ => None,
        };
        let attributes = match self.options.attributes {
            true => attributes::digest_at(folder, &name),
            false => 0,
        };
        let path = self.path_of(&name);
        if kind == FileType::Directory && self.goes_down(&found) {
            self.enter(name, &found);
        }
        Ok(Some(Entry {
            path,
            stat: found,
            link_target,
            attributes,
        }))
    }

    fn goes_down(&self, stat: &Stat) -> bool {
        let depth = self.levels.len() - 1;
        let deep_enough = self
            .options
            .max_depth
            .is_some_and(|max| depth >= max as usize);
        let elsewhere = self.options.one_file_system && stat.st_dev != self.device;
        !deep_enough && !elsewhere
    }

    /// Opens a directory below the deepest level. The entry itself is handed out in
    /// any case; that it cannot be listed is the next answer.
    fn enter(&mut self, name: CString, stat: &Stat) {
        let Some(folder) = self.levels.last().and_then(|level| level.handle.as_ref()) else {
            return;
        };
        match open_directory(folder, &name) {
            Ok(handle) => self.descend(name, handle, stat),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => self.failed = Some(self.trouble("list", Some(&name), error)),
        }
    }

    fn descend(&mut self, name: CString, handle: OwnedFd, stat: &Stat) {
        let depth = self.levels.len();
        if depth > OPEN {
            self.levels[depth - OPEN].handle = None;
        }
        self.levels.push(Level {
            handle: Some(handle),
            name,
            identity: (stat.st_dev, stat.st_ino),
            names: Names::default(),
        });
    }

    /// Opens the deepest level again, name by name from the nearest one that is open.
    /// What is not the same directory any more is left.
    fn reopen(&mut self) -> Result<(), Trouble> {
        let open = self.levels.iter().rposition(|level| level.handle.is_some());
        let start = open.unwrap_or(0);
        for at in start + 1..self.levels.len() {
            let (above, below) = self.levels.split_at_mut(at);
            let (Some(above), Some(level)) = (above.last_mut(), below.first_mut()) else {
                break;
            };
            let opened = above.handle.as_ref().ok_or(Errno::NOENT);
            let opened = opened.and_then(|folder| open_same(folder, level));
            if at - 1 > start {
                above.handle = None;
            }
            match opened {
                Ok(handle) => level.handle = Some(handle),
                Err(error) => {
                    let trouble = self.trouble("go on listing", None, error);
                    self.levels.truncate(at);
                    return Err(trouble);
                }
            }
        }
        Ok(())
    }

    fn path_of(&self, name: &CString) -> Vec<u8> {
        let mut path = Vec::new();
        for level in self.levels.iter().skip(1) {
            path.extend_from_slice(level.name.as_bytes());
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        path
    }

    /// What went wrong with an entry, or with the deepest level.
    fn trouble(&self, verb: &str, name: Option<&CString>, error: Errno) -> Trouble {
        let mut path = self.path_of(name.unwrap_or(&CString::default()));
        if path.last() == Some(&b'/') {
            path.pop();
        }
        let shown = format!("{}/{}", self.text, String::from_utf8_lossy(&path));
        Trouble {
            fault: file_fault(verb, &shown, error),
            path,
            end: false,
        }
    }
}

fn open_directory(folder: &OwnedFd, name: &CString) -> rustix::io::Result<OwnedFd> {
    let flags =
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

fn open_same(folder: &OwnedFd, level: &Level) -> rustix::io::Result<OwnedFd> {
    let handle = open_directory(folder, &level.name)?;
    let stat = rustix::fs::fstat(&handle)?;
    if (stat.st_dev, stat.st_ino) != level.identity {
        return Err(Errno::NOENT);
    }
    Ok(handle)
}
