//! The logs that share their options, on their way through the run: considered, then
//! with their scripts through the steps before, the turn itself, and the steps after.
//! One bad log fails the run, but keeps no other from its rotation.

use std::collections::{BTreeMap, BTreeSet};

use mhost_format_logrotate::{Event, Names, Section, Stamp, fits_path, is_pattern};
use mhost_sdk::files::{Drained, Metadata};
use mhost_sdk::{Error, Result};

use crate::before::Turn;
use crate::config::{Links, Parents};
use crate::consider::Considering;
use crate::ground::Ground;
use crate::hooks::Scripts;
use crate::mark::Marks;
use crate::memory::Memory;
use crate::rotate::Clock;
use crate::{after, before, turn};

/// What became of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// On its way.
    Due,
    Rotated,
    /// An earlier run rotated it, and this one did what was left to do.
    Finished,
    Kept,
    Missing,
    Refused,
    Failed,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Rotated => "rotated",
            Self::Finished => "finished",
            Self::Kept => "kept",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    pub fn bad(self) -> bool {
        matches!(self, Self::Refused | Self::Failed)
    }
}

/// One log and its story.
#[derive(Debug)]
pub struct Item {
    pub log: String,
    pub outcome: Outcome,
    pub reason: String,
    pub error: Option<Error>,
    pub found: Option<Metadata>,
    pub steps: Vec<String>,
    pub drained: Option<Drained>,
    /// Bytes that were removed.
    pub removed: u64,
    /// An earlier run took its turn, and did not come to the end.
    pub finish: bool,
    /// Its turn, once it has begun.
    pub turn: Option<Turn>,
}

impl Item {
    /// The turn, which has begun.
    pub fn turn(&mut self) -> Result<&mut Turn> {
        let log = &self.log;
        self.turn
            .as_mut()
            .ok_or_else(|| Error::Invalid(format!("the turn of `{log}` has not begun")))
    }

    pub fn new(log: &str, outcome: Outcome, reason: String) -> Self {
        Self {
            log: log.to_owned(),
            outcome,
            reason,
            error: None,
            found: None,
            steps: Vec::new(),
            drained: None,
            removed: 0,
            finish: false,
            turn: None,
        }
    }

    pub fn failed(log: &str, error: Error) -> Self {
        let mut item = Self::new(log, Outcome::Failed, String::new());
        item.fail(error);
        item
    }

    pub fn fail(&mut self, error: Error) {
        self.outcome = Outcome::Failed;
        self.reason = error.to_string();
        self.error = Some(error);
    }
}

/// What sections share in a run.
pub struct Work<'a, 'g> {
    pub ground: &'a Ground<'a>,
    pub clock: &'a Clock<'a>,
    pub scripts: &'a Scripts,
    pub marks: &'a Marks<'g>,
    pub force: bool,
    pub links: Links,
    pub parents: Parents,
    pub typed: bool,
}

/// A section at work.
pub struct Rotation<'a, 'g> {
    pub work: &'a Work<'a, 'g>,
    pub section: &'a Section,
    pub stamp: Stamp,
}

/// Rotates what is due of a section.
pub fn run(work: &Work<'_, '_>, section: &Section, memory: &mut Memory<'_>) -> Vec<Item> {
    Rotation::new(work, section).run(memory)
}

impl<'a, 'g> Rotation<'a, 'g> {
    pub fn new(work: &'a Work<'a, 'g>, section: &'a Section) -> Self {
        let stamp = Stamp::new(&section.options, work.clock.now, work.clock.epoch());
        Self {
            work,
            section,
            stamp,
        }
    }
}

impl Rotation<'_, '_> {
    fn run(&self, memory: &mut Memory<'_>) -> Vec<Item> {
        let refused = self.work.scripts.lacking(self.section);
        let refused = refused.map(Error::Unsupported);
        if let Some(error) = refused.or_else(|| before::folders(self).err()) {
            let logs = self.section.logs.iter();
            return logs.map(|log| Item::failed(log, error.clone())).collect();
        }
        let considering = Considering {
            ground: self.work.ground,
            clock: self.work.clock,
            options: &self.section.options,
            marks: self.work.marks,
            stamp: &self.stamp,
            force: self.work.force,
            links: self.work.links,
            parents: self.work.parents,
        };
        let logs = self.logs();
        let items = logs
            .iter()
            .filter_map(|log| considering.consider(log, memory));
        let mut items: Vec<_> = items.collect();
        items.extend(self.garbled());
        self.mark(&items);
        if items.iter().any(|item| item.outcome == Outcome::Due) {
            self.rotate(&mut items, memory);
        }
        let untouched = |item: &&Item| item.turn.as_ref().is_none_or(|turn| !turn.touched);
        let failed = items.iter().filter(|item| item.outcome == Outcome::Failed);
        failed
            .filter(untouched)
            .for_each(|item| memory.untouched(&item.log));
        items
    }

    /// The section's logs, with those that an interrupted run renamed, so that its patterns
    /// do not find them.
    fn logs(&self) -> Vec<String> {
        let options = &self.section.options;
        let mut logs = self.section.logs.clone();
        let all = self.section.patterns.iter().chain(&self.section.logs);
        let folders: BTreeSet<_> = all.map(|log| Names::new(log, options).folder).collect();
        let left = folders
            .iter()
            .filter_map(|folder| self.work.marks.left(folder));
        for log in left.flat_map(|(_, logs)| logs) {
            let fits = self
                .section
                .patterns
                .iter()
                .any(|pattern| fits_path(pattern, &log));
            if fits && !logs.contains(&log) {
                logs.retain(|log| !is_pattern(log));
                logs.push(log);
            }
        }
        logs
    }

    /// Logs that patterns fit, but whose names are no text.
    fn garbled(&self) -> Vec<Item> {
        let fits = |path: &String| {
            let mut patterns = self.section.patterns.iter();
            patterns.any(|pattern| fits_path(pattern, path))
        };
        let paths = self.work.ground.garbled().into_iter().filter(fits);
        let why = "its name is no UTF-8 text: rename it".to_owned();
        paths
            .map(|path| Item::new(&path, Outcome::Refused, why.clone()))
            .collect()
    }

    /// Says in the folders what will be at work there.
    fn mark(&self, items: &[Item]) {
        if self.work.ground.context.dry_run() {
            return;
        }
        let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for item in items.iter() {
            let folder = Names::new(&item.log, &self.section.options).folder;
            let left = self.work.marks.left(&folder).is_some();
            let logs = folders.entry(folder).or_default();
            if item.outcome == Outcome::Due || left {
                logs.push(item.log.clone());
            }
        }
        for (folder, logs) in folders.iter().filter(|(_, logs)| !logs.is_empty()) {
            let logs: Vec<_> = logs.iter().map(String::as_str).collect();
            // Whoever is due meets the error again, and tells it.
            let _ = self.work.marks.enter(folder, &logs);
        }
    }

    fn rotate(&self, items: &mut [Item], memory: &mut Memory<'_>) {
        if let Err(error) = self.script(Event::First, &[]) {
            let due = items.iter().filter(|item| item.outcome == Outcome::Due);
            due.for_each(|item| memory.unset(&item.log, self.work.clock.hour()));
            return fail_due(items, &error);
        }
        match self.section.options.sharedscripts {
            true => self.together(items, memory),
            false => self.one_by_one(items, memory),
        }
        for item in items.iter_mut().filter(|item| item.outcome == Outcome::Due) {
            let taken = item.turn.as_ref().is_some_and(|turn| turn.taken);
            item.outcome = match taken {
                true => Outcome::Finished,
                false => Outcome::Rotated,
            };
        }
        self.leave_marks(items);
        if let Err(error) = self.script(Event::Last, &[]) {
            let over =
                |item: &&mut Item| matches!(item.outcome, Outcome::Rotated | Outcome::Finished);
            let rotated = items.iter_mut().find(over);
            if let Some(item) = rotated {
                item.fail(error);
            }
        }
    }

    /// A turn that was not brought to its end is for the next run to finish.
    fn leave_marks(&self, items: &[Item]) {
        for item in items.iter().filter(|item| item.outcome == Outcome::Failed) {
            if let Some(turn) = item.turn.as_ref().filter(|turn| turn.begun && !turn.whole) {
                self.work.marks.trouble(&turn.names.folder, &item.log);
            }
        }
    }

    /// Each log with scripts of its own.
    fn one_by_one(&self, items: &mut [Item], memory: &mut Memory<'_>) {
        for item in items {
            if self.stopped(item) {
                continue;
            }
            self.step(item, |item| self.begin(item, memory));
            self.step(item, |item| self.script(Event::Pre, &[&item.log]));
            self.step(item, |item| turn::turn(self, item));
            self.step(item, |item| {
                let plain = item.turn()?.plain.clone();
                self.script(Event::Post, &[&item.log, &plain])
            });
            self.step(item, |item| after::after(self, item));
        }
    }

    /// All logs, and each script once: everything is renamed before the writers are told,
    /// and nothing is compressed before they were.
    fn together(&self, items: &mut [Item], memory: &mut Memory<'_>) {
        for item in items.iter_mut() {
            if !self.stopped(item) {
                self.step(item, |item| self.begin(item, memory));
            }
        }
        self.once(items, Event::Pre);
        items
            .iter_mut()
            .for_each(|item| self.step(item, |item| turn::turn(self, item)));
        self.once(items, Event::Post);
        for item in items {
            if self.work.ground.context.cancelled() {
                self.step(item, |_| Err(stopped()));
            }
            self.step(item, |item| after::after(self, item));
        }
    }

    /// A shared script, if any log is still on its way.
    fn once(&self, items: &mut [Item], event: Event) {
        if items.iter().any(|item| item.outcome == Outcome::Due)
            && let Err(error) = self.script(event, &[])
        {
            fail_due(items, &error);
        }
    }

    fn begin(&self, item: &mut Item, memory: &mut Memory<'_>) -> Result<()> {
        let Some(found) = item.found else {
            return Err(Error::NotFound(format!("`{}` vanished", item.log)));
        };
        let turn = before::before(self, (&item.log, found), item.finish, memory);
        let turn = turn.inspect_err(|_| {
            // Some archives may have made room already, and must not do so twice.
            let folder = Names::new(&item.log, &self.section.options).folder;
            self.work.marks.trouble(&folder, &item.log);
        })?;
        let occupied = turn.occupied.clone();
        item.turn = Some(turn);
        let Some(path) = occupied else { return Ok(()) };
        let why = format!("its archive would be `{path}`, which exists already");
        if self.work.typed {
            item.outcome = Outcome::Kept;
            item.reason = why;
            return Ok(());
        }
        Err(Error::Exists(format!(
            "{why}: rotate again at another date, or set a finer `dateformat`"
        )))
    }

    /// One step of a log that is still on its way.
    fn step(&self, item: &mut Item, act: impl FnOnce(&mut Item) -> Result<()>) {
        if item.outcome != Outcome::Due {
            return;
        }
        if let Err(error) = act(item) {
            self.work
                .ground
                .context
                .error(format!("`{}`: {error}", item.log));
            item.fail(error);
        }
        item.steps.extend(self.work.ground.steps());
    }

    /// Ends a log's way where the run is to end, before anything of it was changed.
    fn stopped(&self, item: &mut Item) -> bool {
        let over = self.work.ground.context.cancelled();
        if over && item.outcome == Outcome::Due {
            item.fail(stopped());
        }
        over
    }

    pub fn script(&self, event: Event, paths: &[&str]) -> Result<()> {
        self.work
            .scripts
            .run(self.work.ground, self.section, event, paths)
    }
}

fn stopped() -> Error {
    Error::Busy("the run was asked to end, and ended between two steps".to_owned())
}

fn fail_due(items: &mut [Item], error: &Error) {
    for item in items.iter_mut().filter(|item| item.outcome == Outcome::Due) {
        item.fail(error.clone());
    }
}
