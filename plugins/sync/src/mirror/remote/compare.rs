//! What is to be done, from two listings. Nothing is changed here.

use std::collections::{BTreeMap, BTreeSet};

use mhost_sdk::Result;
use mhost_sdk::files::Moment;
use mhost_sdk::trees::shown;

use super::memory::{Memory, mark};
use super::place::{Entry, Tree, text};
use crate::mirror::config::Mirror;
use crate::mirror::filter::Filter;
use crate::mirror::plan::{Code, Counts, Trouble, ends_all};
use crate::mirror::stream::{Path, below, parent};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub path: Path,
    pub what: What,
    pub code: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Put,
    MakeDirectory,
    Remove { directory: bool },
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Compared {
    /// What stands in the way, children first.
    pub clear: Vec<Step>,
    /// Folders before what is in them.
    pub make: Vec<Step>,
    /// What is in the target alone, children first.
    pub delete: Vec<Step>,
    pub counts: Counts,
    pub left_out: Vec<Vec<u8>>,
    pub blocked: Vec<Trouble>,
    /// Files that are the same, with their marks.
    pub same: BTreeMap<Path, u64>,
}

impl Compared {
    pub fn removals(&self) -> u64 {
        (self.clear.len() + self.delete.len()) as u64
    }

    /// Everything that differs.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let steps = self.clear.iter().chain(&self.make).chain(&self.delete);
        steps.map(|step| &step.path)
    }
}

/// How unchanged files are told.
pub struct Quick<'a> {
    pub config: &'a Mirror,
    pub memory: &'a Memory,
    pub to_remote: bool,
}

impl Quick<'_> {
    /// Whether two files of the same size are the same; none where only their contents say.
    fn same(&self, path: &Path, here: &Entry, there: &Entry) -> Option<bool> {
        if self.config.ignore_times {
            return Some(false);
        }
        if here.size != there.size || self.config.size_only {
            return Some(here.size == there.size);
        }
        if self.config.checksum {
            return None;
        }
        Some(match self.memory.get(path) {
            Some(known) => known == mark(here, there),
            None => self.seems_same(here, there),
        })
    }

    /// Without a memory: a copy on a remote is good that was made after the last change of
    /// anything in its source; one from a remote has the remote's time.
    fn seems_same(&self, here: &Entry, there: &Entry) -> bool {
        let window = i64::from(self.config.modify_window);
        match (self.to_remote, here.modified, there.modified) {
            (true, Some(modified), Some(copied)) => {
                let last = later(modified, here.changed.unwrap_or(modified));
                at_least(copied, last, window)
            }
            (false, Some(modified), Some(copied)) => {
                near(modified, copied) || (modified.seconds - copied.seconds).abs() < window
            }
            // There is no time to compare: the size is all that is known.
            _ => true,
        }
    }
}

fn later(a: Moment, b: Moment) -> Moment {
    let parts = |at: Moment| (at.seconds, at.nanoseconds);
    if parts(a) >= parts(b) { a } else { b }
}

/// Whether a copy was made no earlier than a change. Remotes keep milliseconds, or whole
/// seconds.
fn at_least(copied: Moment, changed: Moment, window: i64) -> bool {
    let millis = |at: Moment| at.seconds * 1000 + i64::from(at.nanoseconds / 1_000_000);
    match copied.nanoseconds {
        0 => copied.seconds + window >= changed.seconds,
        _ => millis(copied) + window * 1000 >= millis(changed),
    }
}

/// Equal, to the millisecond.
fn near(a: Moment, b: Moment) -> bool {
    a.seconds == b.seconds && a.nanoseconds / 1_000_000 == b.nanoseconds / 1_000_000
}

/// Compares the contents of a path on both sides.
pub type Contents<'a> = &'a mut dyn FnMut(&str) -> Result<bool>;

/// See the module.
pub fn compare(
    config: &Mirror,
    filter: &Filter,
    quick: &Quick<'_>,
    here: &Tree,
    there: &Tree,
    contents: Contents<'_>,
) -> Result<Compared> {
    let mut comparison = Comparison {
        config,
        filter,
        quick,
        here,
        there,
        contents,
        done: Compared::default(),
        wanted: BTreeSet::new(),
        kept: Vec::new(),
    };
    comparison.wanted()?;
    comparison.extraneous();
    comparison.folders();
    Ok(comparison.done)
}

struct Comparison<'a> {
    config: &'a Mirror,
    filter: &'a Filter,
    quick: &'a Quick<'a>,
    here: &'a Tree,
    there: &'a Tree,
    contents: Contents<'a>,
    done: Compared,
    /// What is or comes to be in the target.
    wanted: BTreeSet<Path>,
    /// What is not touched, with all below it.
    kept: Vec<Path>,
}

impl<'a> Comparison<'a> {
    fn wanted(&mut self) -> Result<()> {
        // What is left out with all below it.
        let mut out: Option<&Path> = None;
        for (path, entry) in &self.here.entries {
            if out.is_some_and(|top| below(&path.0, &top.0)) {
                continue;
            }
            if self.filter.verdict(&path.0, entry.directory).hidden {
                out = Some(path);
                continue;
            }
            if !entry.directory && !self.fits(entry) {
                self.done.left_out.push(path.0.clone());
                self.kept.push(path.clone());
                continue;
            }
            self.done.counts.source += 1;
            if let Some(why) = self.in_the_way(path) {
                self.block(path, why);
                out = Some(path);
                continue;
            }
            let goes_on = match entry.directory {
                true => self.directory(path),
                false => self.file(path, entry)?,
            };
            if !goes_on {
                out = Some(path);
            }
        }
        Ok(())
    }

    fn fits(&self, entry: &Entry) -> bool {
        let (most, least) = (self.config.max_size, self.config.min_size);
        most.is_none_or(|most| entry.size <= most) && least.is_none_or(|least| entry.size >= least)
    }

    /// What an object store can have and a directory cannot, or what is neither a file nor a
    /// folder in the target.
    fn in_the_way(&self, path: &Path) -> Option<String> {
        if self.there.others.contains(path) {
            return Some(
                "the target has something there that is neither a file nor a folder".to_owned(),
            );
        }
        let above = Path(parent(&path.0).to_vec());
        let above_is_file = self
            .here
            .entries
            .get(&above)
            .is_some_and(|above| !above.directory);
        above_is_file.then(|| format!("it lies below `{}`, which is a file", shown(&above.0)))
    }

    fn block(&mut self, path: &Path, why: String) {
        self.kept.push(path.clone());
        self.done.blocked.push(Trouble {
            path: path.0.clone(),
            why,
        });
    }

    /// Whether what is in it counts, too.
    fn directory(&mut self, path: &Path) -> bool {
        match self.there.entries.get(path) {
            Some(there) if there.directory => {}
            None if self.config.existing => return false,
            there => {
                if there.is_some() {
                    self.clear(path.clone(), false);
                }
                self.step(path, What::MakeDirectory, Code::new(b'c', b'd'));
            }
        }
        self.wanted.insert(path.clone());
        true
    }

    /// Whether what lies below it, which an object store may have, counts, too.
    fn file(&mut self, path: &Path, entry: &Entry) -> Result<bool> {
        let there = self.there.entries.get(path);
        match there {
            None if self.config.existing => return Ok(true),
            Some(_) if self.config.ignore_existing => {
                self.done.counts.unchanged += 1;
                self.kept.push(path.clone());
                return Ok(true);
            }
            Some(there) if there.directory && !self.give_way(path) => return Ok(false),
            Some(there) if !there.directory && self.same(path, entry, there)? => {
                self.done.counts.unchanged += 1;
                self.done.same.insert(path.clone(), mark(entry, there));
                self.wanted.insert(path.clone());
                return Ok(true);
            }
            Some(_) | None => {}
        }
        let action = if self.quick.to_remote { b'<' } else { b'>' };
        let code = match there.filter(|there| !there.directory) {
            None => Code::new(action, b'f'),
            Some(there) => {
                let mut code = Code::same(action, b'f');
                code.0[if there.size == entry.size { 4 } else { 3 }] =
                    if there.size == entry.size { b't' } else { b's' };
                code
            }
        };
        self.done.counts.bytes += entry.size;
        self.step(path, What::Put, code);
        self.wanted.insert(path.clone());
        Ok(true)
    }

    fn same(&mut self, path: &Path, here: &Entry, there: &Entry) -> Result<bool> {
        match self.quick.same(path, here, there) {
            Some(same) => Ok(same),
            None => match (self.contents)(text(path)?) {
                // Copying it meets the same error, and puts it on the list.
                Err(error) if !ends_all(&error) => Ok(false),
                answer => answer,
            },
        }
    }

    /// A folder stands where a file is to be. It goes with what is in it, if that may go.
    fn give_way(&mut self, path: &Path) -> bool {
        let inside: Vec<(Path, bool)> = self
            .there
            .entries
            .iter()
            .filter(|(inner, _)| below(&inner.0, &path.0))
            .map(|(inner, entry)| (inner.clone(), entry.directory))
            .collect();
        let others = self
            .there
            .others
            .iter()
            .any(|other| below(&other.0, &path.0));
        let protected =
            |(inner, directory): &(Path, bool)| self.filter.verdict(&inner.0, *directory).protected;
        let why = match (others || inside.iter().any(protected), self.config.delete) {
            (true, _) => "something in it may not be removed",
            (false, false) if !inside.is_empty() => "it is not empty",
            _ => {
                for (inner, directory) in inside {
                    self.clear(inner, directory);
                }
                self.clear(path.clone(), true);
                return true;
            }
        };
        self.block(
            path,
            format!("the folder stands in the way: {why}; remove it, or mirror with `delete`"),
        );
        false
    }

    fn clear(&mut self, path: Path, directory: bool) {
        let implied = self
            .there
            .entries
            .get(&path)
            .is_some_and(|entry| entry.implied);
        self.wanted.insert(path.clone());
        self.done.counts.target += 1;
        if !implied {
            self.done.clear.push(Step {
                path,
                what: What::Remove { directory },
                code: Code::DELETING,
            });
        }
    }

    fn step(&mut self, path: &Path, what: What, code: Code) {
        let path = path.clone();
        self.done.make.push(Step { path, what, code });
    }

    /// What is in the target alone.
    fn extraneous(&mut self) {
        // Children first, here and below.
        self.done.clear.sort_by(|a, b| b.path.cmp(&a.path));
        let mut holding = BTreeSet::new();
        let mut hold = |path: &Path| {
            let mut above = parent(&path.0);
            while !above.is_empty() {
                holding.insert(Path(above.to_vec()));
                above = parent(above);
            }
        };
        self.there.others.iter().for_each(&mut hold);
        let unread = self.there.unread.iter();
        unread.for_each(|trouble| hold(&Path([trouble.path.as_slice(), b"/x"].concat())));
        let mut protected: Option<&Path> = None;
        let mut candidates = Vec::new();
        for (path, entry) in &self.there.entries {
            if self.wanted.contains(path) {
                self.done.counts.target += u64::from(!entry.implied);
                continue;
            }
            let inside = |top: &Path| path == top || below(&path.0, &top.0);
            let kept = protected.is_some_and(inside)
                || self.kept.iter().any(inside)
                || self.filter.verdict(&path.0, entry.directory).protected;
            if kept {
                if !protected.is_some_and(inside) {
                    protected = Some(path);
                }
                hold(path);
                continue;
            }
            if !entry.implied {
                self.done.counts.target += 1;
                candidates.push((path, entry.directory));
            }
        }
        // What could not be looked at in the source keeps everything in the target.
        if !self.config.delete || !self.here.unread.is_empty() {
            return;
        }
        for (path, directory) in candidates.into_iter().rev() {
            if !holding.contains(path) {
                self.done.delete.push(Step {
                    path: path.clone(),
                    what: What::Remove { directory },
                    code: Code::DELETING,
                });
            }
        }
    }

    /// A folder in which something is made is made by that, where the target makes folders by
    /// itself; the others are made for themselves.
    fn folders(&mut self) {
        if !self.quick.to_remote {
            return;
        }
        let mut full = BTreeSet::new();
        for step in &self.done.make {
            full.insert(Path(parent(&step.path.0).to_vec()));
        }
        self.done
            .make
            .retain(|step| step.what != What::MakeDirectory || !full.contains(&step.path));
    }
}
