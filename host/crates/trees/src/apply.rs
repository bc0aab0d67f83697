//! Steps, done one by one.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use mhost_model::{Fault, FaultResult};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::metadata::{self, Changes};
use crate::place::{Folders, Root};
use crate::step::{Done, Step};
use crate::{Watch, attributes, copy, partial};

/// The trees that a batch of steps works on.
pub struct Apply<'r> {
    watch: &'r dyn Watch,
    source: Option<Folders<'r>>,
    target: Folders<'r>,
    /// The target, too, for steps that name two places in it.
    elsewhere: Folders<'r>,
    beside: Option<Folders<'r>>,
}

impl<'r> Apply<'r> {
    pub fn new(
        watch: &'r dyn Watch,
        source: Option<&'r Root>,
        target: &'r Root,
        beside: Option<&'r Root>,
    ) -> Self {
        Self {
            watch,
            source: source.map(Folders::new),
            target: Folders::new(target),
            elsewhere: Folders::new(target),
            beside: beside.map(Folders::new),
        }
    }

    /// Does one step.
    pub fn step(&mut self, step: &Step) -> FaultResult<Done> {
        self.watch.change()?;
        if let Step::Copy { source, path, how } = step {
            let from = demand(&mut self.source, "source")?;
            return copy::copy(self.watch, (from, source), (&mut self.target, path), *how);
        }
        let done = self.small(step)?;
        self.watch.changed();
        Ok(done)
    }

    fn small(&mut self, step: &Step) -> FaultResult<Done> {
        match step {
            Step::CreateDirectory { path } => self.create_directory(path)?,
            Step::Copy { .. } => {}
            Step::SymbolicLink {
                path,
                text,
                changes,
            } => self.symbolic_link(path, text, changes)?,
            Step::HardLink { existing, path } => {
                hard_link(&mut self.elsewhere, existing, &mut self.target, path)?;
            }
            Step::LinkBeside { existing, path } => {
                let beside = demand(&mut self.beside, "beside")?;
                hard_link(beside, existing, &mut self.target, path)?;
            }
            Step::Keep { path, kept } => self.keep(path, kept)?,
            Step::Node { source, path } => self.node(source, path)?,
            Step::Metadata {
                path,
                changes,
                attributes_of,
            } => self.metadata(path, changes, attributes_of.as_deref())?,
            Step::Rename { from, path } => self.rename(from, path)?,
            Step::Remove { path } => self.remove(path, AtFlags::empty())?,
            Step::RemoveDirectory { path } => self.remove(path, AtFlags::REMOVEDIR)?,
            Step::RemovePartial { path } => self.remove_partial(path)?,
        }
        Ok(Done::default())
    }

    fn create_directory(&mut self, path: &[u8]) -> FaultResult<()> {
        const VERB: &str = "create the directory";
        let leaf = self.target.leaf(path, VERB)?;
        let made = rustix::fs::mkdirat(leaf.folder, &leaf.name, Mode::from_raw_mode(0o700));
        let done = match made {
            Err(Errno::EXIST) if is_directory(leaf.folder, &leaf.name) => Ok(()),
            made => made,
        };
        done.map_err(|error| self.target.root.fault(VERB, path, error))
    }

    fn symbolic_link(&mut self, path: &[u8], text: &[u8], changes: &Changes) -> FaultResult<()> {
        const VERB: &str = "make the link";
        if text.is_empty() || text.len() > 4095 || text.contains(&0) {
            return Err(Fault::Invalid(
                "a link's text has 1 to 4095 bytes, none of them NUL".to_owned(),
            ));
        }
        let leaf = self.target.leaf(path, VERB)?;
        let folder = leaf.folder;
        let made = partial::put(folder, &leaf.name, |name| {
            rustix::fs::symlinkat(text, folder, name)?;
            let handle = itself(folder, name)?;
            allowed_owner(metadata::set_owner(handle.as_fd(), changes))?;
            let times = Changes {
                mode: None,
                ..*changes
            };
            metadata::set_mode_and_times(handle.as_fd(), &times)
        });
        made.map_err(|error| self.target.root.fault(VERB, path, error))
    }

    /// Gives a second name, which a removal or replacement leaves.
    fn keep(&mut self, path: &[u8], kept: &[u8]) -> FaultResult<()> {
        const VERB: &str = "keep";
        let beside = demand(&mut self.beside, "beside")?;
        make_parents(beside, kept)?;
        let from = self.target.leaf(path, VERB)?;
        let root = beside.root;
        let to = beside.leaf(kept, VERB)?;
        let linked = partial::put(to.folder, &to.name, |name| {
            rustix::fs::linkat(from.folder, &from.name, to.folder, name, AtFlags::empty())
        });
        let kept_now = match linked {
            Err(Errno::PERM | Errno::NOTSUP | Errno::MLINK) => {
                rustix::fs::renameat(from.folder, &from.name, to.folder, &to.name)
            }
            linked => linked,
        };
        kept_now.map_err(|error| root.fault(VERB, kept, error))
    }

    fn node(&mut self, source: &[u8], path: &[u8]) -> FaultResult<()> {
        const VERB: &str = "make";
        let from = demand(&mut self.source, "source")?;
        let root = from.root;
        let seen = from.leaf(source, "look at")?;
        let stat = rustix::fs::statat(seen.folder, &seen.name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| root.fault("look at", source, error))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !matches!(
            kind,
            FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice
        ) {
            let shown = root.shown(source);
            return Err(Fault::Invalid(format!(
                "cannot make a node like `{shown}`: it is none"
            )));
        }
        let leaf = self.target.leaf(path, VERB)?;
        let folder = leaf.folder;
        let made = partial::put(folder, &leaf.name, |name| {
            let mode = Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(folder, name, kind, mode, stat.st_rdev)?;
            let handle = itself(folder, name)?;
            let changes = changes_of(&stat);
            allowed_owner(metadata::set_owner(handle.as_fd(), &changes))?;
            metadata::set_mode_and_times(handle.as_fd(), &changes)
        });
        made.map_err(|error| self.target.root.fault(VERB, path, error))
    }

    fn metadata(
        &mut self,
        path: &[u8],
        changes: &Changes,
        attributes_of: Option<&[u8]>,
    ) -> FaultResult<()> {
        const VERB: &str = "set the metadata of";
        let root = self.target.root;
        let leaf = self.target.leaf(path, VERB)?;
        let explain = |error: Errno| root.fault(VERB, path, error);
        let handle = itself(leaf.folder, &leaf.name).map_err(explain)?;
        metadata::set_owner(handle.as_fd(), changes).map_err(explain)?;
        if let Some(source) = attributes_of {
            let from = demand(&mut self.source, "source")?.leaf(source, "look at")?;
            let (from, to) = ((from.folder, from.name.as_c_str()), leaf.name.as_c_str());
            attributes::carry(from, (leaf.folder, to)).map_err(explain)?;
        }
        metadata::set_mode_and_times(handle.as_fd(), changes).map_err(explain)
    }

    fn rename(&mut self, from: &[u8], path: &[u8]) -> FaultResult<()> {
        const VERB: &str = "rename";
        let root = self.target.root;
        let old = self.elsewhere.leaf(from, VERB)?;
        let new = self.target.leaf(path, VERB)?;
        let moved = rustix::fs::renameat(old.folder, &old.name, new.folder, &new.name);
        self.forget();
        moved.map_err(|error| {
            let both = format!("{}` to `{}", root.shown(from), root.shown(path));
            crate::file_fault(VERB, &both, error)
        })
    }

    fn remove(&mut self, path: &[u8], flags: AtFlags) -> FaultResult<()> {
        const VERB: &str = "remove";
        let leaf = self.target.leaf(path, VERB)?;
        let removed = rustix::fs::unlinkat(leaf.folder, &leaf.name, flags);
        if flags.contains(AtFlags::REMOVEDIR) {
            self.forget();
        }
        removed.map_err(|error| self.target.root.fault(VERB, path, error))
    }

    fn remove_partial(&mut self, path: &[u8]) -> FaultResult<()> {
        const VERB: &str = "remove";
        let leaf = self.target.leaf(path, VERB)?;
        partial::remove(leaf.folder, &leaf.name)
            .map_err(|error| self.target.root.fault(VERB, path, error))
    }

    fn forget(&mut self) {
        self.target.forget();
        self.elsewhere.forget();
        if let Some(beside) = &mut self.beside {
            beside.forget();
        }
    }
}

fn demand<'a, 'r>(
    folders: &'a mut Option<Folders<'r>>,
    which: &str,
) -> FaultResult<&'a mut Folders<'r>> {
    folders
        .as_mut()
        .ok_or_else(|| Fault::Invalid(format!("the step needs the tree `{which}`; name it")))
}

fn hard_link(
    from: &mut Folders<'_>,
    existing: &[u8],
    to: &mut Folders<'_>,
    path: &[u8],
) -> FaultResult<()> {
    const VERB: &str = "link";
    let root = to.root;
    let old = from.leaf(existing, VERB)?;
    let new = to.leaf(path, VERB)?;
    let link =
        |name: &CStr| rustix::fs::linkat(old.folder, &old.name, new.folder, name, AtFlags::empty());
    let linked = match link(&new.name) {
        Err(Errno::EXIST) => partial::put(new.folder, &new.name, link),
        linked => linked,
    };
    linked.map_err(|error| root.fault(VERB, path, error))
}

/// Makes the folders above a path where they are missing.
fn make_parents(folders: &mut Folders<'_>, path: &[u8]) -> FaultResult<()> {
    const VERB: &str = "create the directory";
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    for end in ends.map(|(at, _)| at) {
        let leaf = folders.leaf(&path[..end], VERB)?;
        match rustix::fs::mkdirat(leaf.folder, &leaf.name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(folders.root.fault(VERB, &path[..end], error)),
        }
    }
    Ok(())
}

fn is_directory(folder: &OwnedFd, name: &CStr) -> bool {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// A handle without content on the thing itself, even where that is a link.
fn itself(folder: &OwnedFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

/// Whoever may not give a new thing away keeps it.
fn allowed_owner(done: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match done {
        Err(Errno::PERM | Errno::INVAL) => Ok(()),
        done => done,
    }
}

#[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion)] // The types differ between architectures.
fn changes_of(stat: &Stat) -> Changes {
    Changes {
        mode: Some(stat.st_mode & 0o7777),
        uid: Some(stat.st_uid),
        gid: Some(stat.st_gid),
        modified: Some((
            stat.st_mtime,
            u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        )),
        accessed: None,
    }
}
