//! The merge of the listings.

use std::cmp::Ordering;
use std::collections::HashSet;

use mhost_sdk::files::Kind;
use mhost_sdk::trees::{Record, shown};
use mhost_sdk::{Error, Result};

use super::entries::{Rules, is_wanted, letter};
use super::folders::{Folder, Folders};
use super::linked::{Linked, Name};
use super::{Arrival, Change, Code, Extra, Plan, Trouble, What};
use crate::mirror::config::Mirror;
use crate::mirror::ends::Roots;
use crate::mirror::filter::Filter;
use crate::mirror::stream::{Stream, below, is_partial, order, parent};

/// The listings that are merged.
pub struct Trees<'h> {
    pub source: Stream<'h>,
    pub target: Stream<'h>,
    /// Earlier copies to link to.
    pub copies: Vec<Stream<'h>>,
}

/// Compares contents of a path on both sides.
pub type Same<'a> = &'a mut dyn FnMut(&[u8]) -> Result<bool>;

/// See the module.
pub struct Survey<'a> {
    config: &'a Mirror,
    rules: Rules,
    filter: &'a Filter,
    same: Same<'a>,
    /// Places of the target that are none of its content.
    apart: &'a [Vec<u8>],
    /// Mount points that the source had.
    expected: &'a [Vec<u8>],
    plan: Plan,
    folders: Folders,
    linked: Linked,
    /// What is left out of the source with all below it.
    hidden: Option<Vec<u8>>,
    /// What is protected in the target with all below it.
    protected: Option<Vec<u8>>,
    /// What gives way in the target with all below it.
    clearing: Option<Vec<u8>>,
    /// What could not be cleared: nothing below it is looked at.
    blocked: Option<Vec<u8>>,
    /// Directories of the target alone in which something is protected.
    holding: HashSet<Vec<u8>>,
    device: Vec<(Vec<u8>, u64)>,
    roots: Roots,
    /// One end lies in the other.
    nested: Option<Error>,
}

impl<'a> Survey<'a> {
    pub fn new(
        config: &'a Mirror,
        rules: Rules,
        filter: &'a Filter,
        (apart, expected): (&'a [Vec<u8>], &'a [Vec<u8>]),
        roots: Roots,
        same: Same<'a>,
    ) -> Self {
        Self {
            config,
            rules,
            filter,
            same,
            apart,
            expected,
            plan: Plan::default(),
            folders: Folders::default(),
            linked: Linked::default(),
            hidden: None,
            protected: None,
            clearing: None,
            blocked: None,
            holding: HashSet::new(),
            device: Vec::new(),
            roots,
            nested: None,
        }
    }

    /// Merges to the end.
    pub fn run(mut self, mut trees: Trees<'_>) -> Result<Plan> {
        loop {
            let (source, target) = (trees.source.peek(), trees.target.peek());
            let next = match (&source, &target) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => order(a.path(), b.path()),
            };
            match (source, target) {
                (Some(source), target) if next != Ordering::Greater => {
                    let there = target.filter(|_| next == Ordering::Equal);
                    self.source(&source, there, &mut trees.copies)?;
                }
                (_, Some(target)) => self.extraneous(&target),
                _ => {}
            }
            if let Some(nested) = self.nested.take() {
                return Err(nested);
            }
            if next != Ordering::Greater {
                trees.source.advance()?;
            }
            if next != Ordering::Less {
                trees.target.advance()?;
            }
        }
        self.folders.end(&mut self.plan);
        let (config, holding) = (self.config, self.holding);
        self.plan
            .delete
            .retain(|extra| config.delete && !holding.contains(&extra.path));
        Ok(self.plan)
    }

    fn trouble(record: &Record<'_>) -> Trouble {
        Trouble {
            path: record.path().to_vec(),
            why: String::from_utf8_lossy(record.text()).into_owned(),
        }
    }

    /// An entry of the source, and what the target has there.
    fn source(
        &mut self,
        source: &Record<'_>,
        there: Option<Record<'_>>,
        copies: &mut [Stream<'_>],
    ) -> Result<()> {
        let path = source.path();
        if is_inside(path, &self.hidden) || is_partial(path) {
            return self.only_there(there);
        }
        let directory = source.kind() == Some(Kind::Directory);
        if self.filter.verdict(path, directory).hidden {
            self.hidden = directory.then(|| path.to_vec());
            return self.only_there(there);
        }
        if is_inside(path, &self.blocked) {
            return Ok(());
        }
        if source.kind().is_none() {
            self.plan.unread.push(Self::trouble(source));
            // Nobody knows whether it is there.
            self.protect(path);
            return Ok(());
        }
        if !is_wanted(self.config, source) {
            self.plan.left_out.push(path.to_vec());
            // As with rsync, what has that name in the target stays, with all that is in it.
            if there.is_some() {
                self.protect(path);
            }
            return Ok(());
        }
        if directory {
            let id = (source.device(), source.inode());
            self.nested = self.roots.holds_target(path, id);
        }
        if !path.is_empty() {
            self.plan.counts.source += 1;
            self.folders.leave_for(path, &mut self.plan);
        }
        self.mounts(source, directory);
        self.wanted(source, there, copies)
    }

    /// What the target has where the source has nothing that counts.
    fn only_there(&mut self, there: Option<Record<'_>>) -> Result<()> {
        if let Some(there) = there {
            self.extraneous(&there);
        }
        Ok(())
    }

    /// Nothing at or below a path is removed.
    fn protect(&mut self, path: &[u8]) {
        if !is_inside(path, &self.protected) {
            self.protected = Some(path.to_vec());
        }
        let mut above = path;
        while !above.is_empty() {
            above = parent(above);
            self.holding.insert(above.to_vec());
        }
    }

    fn mounts(&mut self, source: &Record<'_>, directory: bool) {
        let path = source.path();
        while self
            .device
            .last()
            .is_some_and(|(above, _)| !below(path, above))
        {
            self.device.pop();
        }
        if let Some(mount) = self.expected.iter().find(|mount| below(path, mount))
            && !self.plan.filled.contains(mount)
        {
            self.plan.filled.push(mount.clone());
        }
        if !directory {
            return;
        }
        let device = source.device();
        if self
            .device
            .last()
            .is_some_and(|(_, above)| *above != device)
        {
            self.plan.mounts.push(path.to_vec());
        }
        // Only where it differs from the one above, so that the list stays short.
        if self.device.last().is_none_or(|(_, above)| *above != device) {
            self.device.push((path.to_vec(), device));
        }
    }

    /// An entry that is to be in the target.
    fn wanted(
        &mut self,
        source: &Record<'_>,
        there: Option<Record<'_>>,
        copies: &mut [Stream<'_>],
    ) -> Result<()> {
        let mut there = there;
        if let Some(other) = &there {
            if !other.path().is_empty() {
                self.plan.counts.target += 1;
            }
            if other.kind().is_none() {
                self.plan.unread_there.push(Self::trouble(other));
                return Ok(());
            }
            if other.kind() == Some(Kind::Directory) {
                self.meet(other);
            }
            if self.config.ignore_existing && source.kind() != Some(Kind::Directory) {
                self.plan.counts.unchanged += 1;
                self.protect(other.path());
                return Ok(());
            }
            if other.kind() == Some(Kind::Directory) && source.kind() != Some(Kind::Directory) {
                self.give_way(other);
                there = None;
            } else if other.kind() != Some(Kind::Directory)
                && source.kind() == Some(Kind::Directory)
            {
                self.clear(other.path(), false);
                there = None;
            }
        } else if self.config.existing {
            self.blocked = (source.kind() == Some(Kind::Directory)).then(|| source.path().to_vec());
            return Ok(());
        }
        match source.kind() {
            Some(Kind::Directory) => self.directory(source, there),
            Some(Kind::SymbolicLink) => self.symbolic_link(source, there),
            Some(Kind::File) => return self.file(source, there, copies),
            _ => self.node(source, there),
        }
        Ok(())
    }

    /// A directory of the target that may change.
    fn meet(&mut self, target: &Record<'_>) {
        let id = (target.device(), target.inode());
        let nested = self.roots.holds_source(target.path(), id);
        self.nested = self.nested.take().or(nested);
    }

    fn push(&mut self, path: &[u8], what: What, code: Code) {
        self.folders.touch(&mut self.plan);
        let path = path.to_vec();
        self.plan.make.push(Change { path, what, code });
    }

    /// Only metadata: the folder that it lies in does not change.
    fn adjust(&mut self, source: &Record<'_>, there: &Record<'_>) -> bool {
        let Some((changes, attributes)) = self.rules.differing(source, there) else {
            return false;
        };
        let code = self.rules.code(b'.', source, there);
        let path = source.path().to_vec();
        let what = What::Metadata {
            changes: Box::new(changes),
            attributes,
        };
        self.plan.make.push(Change { path, what, code });
        true
    }

    fn directory(&mut self, source: &Record<'_>, there: Option<Record<'_>>) {
        let path = source.path();
        let wanted = self.rules.wanted(source);
        let attributes = self.rules.attributes;
        let mut folder = Folder::new(path, wanted, attributes);
        if there.is_none() && !self.rules.permissions {
            folder.wanted.mode = Some(new_mode(source));
        }
        match &there {
            Some(there) => {
                folder.mode = Some(there.mode());
                let differs = self.rules.differing(source, there).is_some();
                folder.code = differs.then(|| self.rules.code(b'.', source, there));
                // Where nothing differs now, what is made in it changes only its time.
                folder.attributes = attributes && source.attributes() != there.attributes();
            }
            None => {
                folder.code = Some(Code::same(b'.', b'd'));
                if !path.is_empty() {
                    self.push(path, What::Directory, Code::new(b'c', b'd'));
                }
            }
        }
        self.folders.enter(folder);
    }

    fn symbolic_link(&mut self, source: &Record<'_>, there: Option<Record<'_>>) {
        let action = |there: Option<&Record<'_>>, survey: &Self| match there {
            Some(there) if there.kind() == Some(Kind::SymbolicLink) => {
                let mut code = survey.rules.code(b'c', source, there);
                code.0[2] = b'c';
                code
            }
            _ => Code::new(b'c', b'L'),
        };
        match &there {
            Some(same) if same.kind() == source.kind() && same.text() == source.text() => {
                if !self.adjust(source, same) {
                    self.plan.counts.unchanged += 1;
                }
            }
            other => {
                let code = action(other.as_ref(), self);
                let what = What::Link {
                    text: source.text().to_vec(),
                    changes: Box::new(self.rules.wanted(source)),
                    replaces: other.is_some(),
                };
                self.push(source.path(), what, code);
            }
        }
    }

    fn node(&mut self, source: &Record<'_>, there: Option<Record<'_>>) {
        let alike = |there: &Record<'_>| {
            let device = matches!(
                source.kind(),
                Some(Kind::BlockDevice | Kind::CharacterDevice)
            );
            there.kind() == source.kind() && (!device || there.node() == source.node())
        };
        match &there {
            Some(same) if alike(same) => {
                if !self.adjust(source, same) {
                    self.plan.counts.unchanged += 1;
                }
            }
            other => {
                let what = What::Node {
                    replaces: other.is_some(),
                };
                self.push(source.path(), what, Code::new(b'c', letter(source)));
            }
        }
    }

    fn file(
        &mut self,
        source: &Record<'_>,
        there: Option<Record<'_>>,
        copies: &mut [Stream<'_>],
    ) -> Result<()> {
        let path = source.path();
        let replaces = there.is_some();
        let there = there.filter(|there| there.kind() == Some(Kind::File));
        if self.config.hard_links {
            match self.linked.name(source, there.as_ref()) {
                Name::First => {}
                Name::Right => {
                    self.plan.counts.unchanged += 1;
                    return Ok(());
                }
                Name::Further(leader) => {
                    let mut code = Code::new(b'h', b'f');
                    if there.is_some() {
                        code = Code::same(b'h', b'f');
                    }
                    self.push(path, What::HardLink { leader, replaces }, code);
                    return Ok(());
                }
            }
        }
        if self.config.update && there.as_ref().is_some_and(|there| newer(there, source)) {
            self.plan.counts.unchanged += 1;
            return Ok(());
        }
        let wrongly = |there: &Record<'_>| {
            self.config.hard_links && self.linked.shared_wrongly(source, there)
        };
        if let Some(there) = there.as_ref().filter(|there| !wrongly(there))
            && self.stays(source, there)?
        {
            self.linked.note(source, Some(there));
            if !self.adjust(source, there) {
                self.plan.counts.unchanged += 1;
            }
            return Ok(());
        }
        self.linked.note(source, None);
        if let Some(copy) = self.earlier(source, copies)? {
            let what = What::LinkBeside { copy, replaces };
            self.push(path, what, Code::same(b'h', b'f'));
            return Ok(());
        }
        let code = match &there {
            Some(there) => self.rules.code(b'>', source, there),
            None => Code::new(b'>', b'f'),
        };
        let size = source.size();
        self.plan.counts.bytes += size;
        let mode = (!self.rules.permissions).then(|| {
            let mode = there
                .as_ref()
                .map_or_else(|| new_mode(source), Record::mode);
            // No bits of a mode but these.
            u16::try_from(mode & 0o7777).unwrap_or(0o600)
        });
        let what = What::Copy {
            size,
            replaces,
            mode,
        };
        self.push(path, what, code);
        if self.config.renames && !replaces && source.links() == 1 && size > 0 {
            self.plan.arrivals.push(Arrival {
                index: self.plan.make.len() - 1,
                size,
                modified: source.modified(),
                wanted: self.rules.wanted(source),
            });
        }
        Ok(())
    }

    /// Whether a file that is there has the right content.
    fn stays(&mut self, source: &Record<'_>, there: &Record<'_>) -> Result<bool> {
        if !self.config.checksum {
            return Ok(self.rules.quick(source, there));
        }
        if source.size() != there.size() {
            return Ok(false);
        }
        match (self.same)(source.path()) {
            // Copying it meets the same error, and puts it on the list.
            Err(error) if !ends_all(&error) => Ok(false),
            answer => answer,
        }
    }

    /// The first earlier copy that has the same file under the same path.
    fn earlier(&mut self, source: &Record<'_>, copies: &mut [Stream<'_>]) -> Result<Option<usize>> {
        for (n, copy) in copies.iter_mut().enumerate() {
            copy.advance_to(source.path())?;
            let same = copy.peek().filter(|there| {
                there.path() == source.path()
                    && there.kind() == Some(Kind::File)
                    && self.rules.quick(source, there)
                    && self.rules.differing(source, there).is_none()
            });
            if same.is_some() {
                return Ok(Some(n));
            }
        }
        Ok(None)
    }

    /// An entry of the target alone.
    fn extraneous(&mut self, target: &Record<'_>) {
        let path = target.path();
        if self
            .apart
            .iter()
            .any(|apart| path == apart || below(path, apart))
        {
            return self.protect(path);
        }
        if is_partial(path) {
            // Removing it changes the time of its folder.
            self.folders.leave_for(path, &mut self.plan);
            self.folders.touch(&mut self.plan);
            self.plan.partials.push(path.to_vec());
            return;
        }
        if path.is_empty() || is_inside(path, &self.blocked) {
            return;
        }
        let directory = target.kind() == Some(Kind::Directory);
        if is_inside(path, &self.protected) || self.filter.verdict(path, directory).protected {
            if is_inside(path, &self.clearing) {
                self.stand_in_the_way("something in it is protected by a filter");
            }
            return self.protect(path);
        }
        if target.kind().is_none() {
            self.plan.unread_there.push(Self::trouble(target));
            return self.protect(path);
        }
        if directory {
            self.meet(target);
        }
        self.plan.counts.target += 1;
        if is_inside(path, &self.clearing) {
            match self.config.delete {
                true => self.clear(path, directory),
                false => self.stand_in_the_way("it is not empty"),
            }
            return;
        }
        self.folders.leave_for(path, &mut self.plan);
        if self.config.delete {
            self.folders.touch(&mut self.plan);
        }
        let file = target.kind() == Some(Kind::File);
        self.plan.delete.push(Extra {
            path: path.to_vec(),
            directory,
            file: file.then(|| (target.size(), target.modified())),
        });
    }

    fn clear(&mut self, path: &[u8], directory: bool) {
        let what = match directory {
            true => What::DeleteDirectory,
            false => What::Delete,
        };
        let path = path.to_vec();
        let code = Code::DELETING;
        self.plan.clear.push(Change { path, what, code });
    }

    /// A directory stands where something else is to be.
    fn give_way(&mut self, there: &Record<'_>) {
        self.clear(there.path(), true);
        self.clearing = Some(there.path().to_vec());
    }

    /// It may not be removed: neither it nor what should take its place changes.
    fn stand_in_the_way(&mut self, why: &str) {
        let Some(top) = self.clearing.take() else {
            return;
        };
        let inside = |change: &Change| change.path == top || below(&change.path, &top);
        self.plan.clear.retain(|change| !inside(change));
        self.plan.make.retain(|change| change.path != top);
        self.plan.blocked.push(Trouble {
            why: format!(
                "the directory `{}` stands in the way: {why}; remove it, or mirror with `delete`",
                shown(&top)
            ),
            path: top.clone(),
        });
        self.protect(&top);
        self.blocked = Some(top);
    }
}

fn is_inside(path: &[u8], top: &Option<Vec<u8>>) -> bool {
    top.as_ref()
        .is_some_and(|top| path == top || below(path, top))
}

/// The mode of something new where modes are not kept: that of the source without what most
/// machines' umask takes away.
fn new_mode(source: &Record<'_>) -> u32 {
    source.mode() & 0o755
}

fn newer(a: &Record<'_>, b: &Record<'_>) -> bool {
    let (a, b) = (a.modified(), b.modified());
    (a.seconds, a.nanoseconds) > (b.seconds, b.nanoseconds)
}

/// Errors that every further step would meet again.
pub fn ends_all(error: &Error) -> bool {
    matches!(
        error,
        Error::Denied(_) | Error::Limit(_) | Error::TimedOut(_)
    )
}
