//! When each log was last rotated: in the task's state, or in a file as logrotate keeps
//! it. What cannot be read is set aside and never stops a rotation.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDateTime, TimeDelta};
use mhost_format_logrotate::State;
use mhost_sdk::files::{Changes, Kind, Lock, Metadata};
use mhost_sdk::{Doing as _, Error, Failure, Optional as _};
use serde::{Deserialize, Serialize};

use crate::config::Locking;
use crate::ground::Ground;

const KEY: &str = "rotated";
/// The logs that the last attempt came to.
const TURNS: &str = "turns";
/// Bytes of one value of the task's state.
const PAGE: usize = 512 << 10;
const MOST: u64 = 64 << 20;
/// Where there is no state at all.
const NOWHERE: &str = "/dev/null";
const MODE: u32 = 0o640;
const OTHERS_READ: u32 = 0o004;

/// What an attempt leaves to the next one of the same fire.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Turns {
    /// Milliseconds.
    fire: u64,
    logs: BTreeSet<String>,
}

/// See the module.
pub struct Memory<'g> {
    ground: &'g Ground<'g>,
    file: Option<String>,
    old: Option<Metadata>,
    loaded: State,
    state: State,
    /// The text that was read, to be set aside where it was damaged.
    damaged: Vec<String>,
    /// Logs whose turn came in an earlier attempt of this fire.
    turned: BTreeSet<String>,
    _lock: Option<Box<dyn Lock + 'g>>,
}

impl<'g> Memory<'g> {
    pub fn load(
        ground: &'g Ground<'g>,
        file: Option<&str>,
        locking: Locking,
    ) -> Result<Self, Failure> {
        let mut memory = Self {
            ground,
            file: file.map(str::to_owned),
            old: None,
            loaded: State::default(),
            state: State::default(),
            damaged: Vec::new(),
            turned: turned(ground)?,
            _lock: None,
        };
        let text = match file {
            None => memory.pages()?,
            Some(NOWHERE) => None,
            Some(path) => memory.open(path, locking)?,
        };
        memory.read(&text.unwrap_or_default());
        Ok(memory)
    }

    fn read(&mut self, text: &str) {
        let (state, damages) = State::read(text);
        self.loaded = state.clone();
        self.state = state;
        let place = self.file.as_deref().unwrap_or("of this task");
        for damage in damages.iter().take(20) {
            let text = format!(
                "the state {place} is damaged in line {}: {}; the logs that it does not name count as new",
                damage.line, damage.why
            );
            self.ground.context.warn(&text);
            self.ground.say(&text);
            self.damaged.push(text);
        }
    }

    /// What of the state could not be read, one sentence each.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// What was remembered elsewhere of logs that are new here.
    pub fn seed(&mut self, seed: &BTreeMap<String, String>) {
        for (log, time) in seed {
            match State::time(time) {
                Some(time) => {
                    self.loaded.logs.entry(log.clone()).or_insert(time);
                    self.state.logs.entry(log.clone()).or_insert(time);
                }
                None => self.ground.warn(&format!(
                    "`seed` says of `{log}`: `{time}`, which is no time"
                )),
            }
        }
    }

    fn pages(&self) -> Result<Option<String>, Failure> {
        let mut text = String::new();
        for number in 0.. {
            let page = self.ground.context.state().get(&page_key(number));
            let page = page.doing(|| "read the state of this task".to_owned())?;
            let Some(page) = page else { break };
            text.push_str(&String::from_utf8_lossy(&page));
        }
        Ok((!text.is_empty()).then_some(text))
    }

    fn open(&mut self, path: &str, locking: Locking) -> Result<Option<String>, Failure> {
        let ground = self.ground;
        let guest = ground.guest(path);
        self.old = ground
            .look(path)
            .doing(|| format!("look at the state `{path}`"))?;
        if let Some(old) = self.old
            && !matches!(old.kind, Kind::File | Kind::SymbolicLink)
        {
            let error = Error::Invalid("it is no regular file: name one".to_owned());
            return Err(error).doing(|| format!("read the state `{path}`"));
        }
        if self.old.is_none() {
            if ground.context.dry_run() {
                return Ok(None);
            }
            let made = ground.files().make_file(&guest, MODE, None, None);
            match made {
                Ok(()) | Err(Error::Exists(_)) => {}
                Err(error) => return Err(error).doing(|| format!("make the state `{path}`")),
            }
        }
        let open = self.old.is_some_and(|old| old.mode & OTHERS_READ != 0);
        if open && locking == Locking::Refuse {
            // Whoever can read it can hold the lock, and so keep logs from being rotated.
            ground.warn(&format!(
                "the state `{path}` can be read by everybody, and so be locked by everybody: it is not \
                 locked this time, and made unreadable for others"
            ));
        }
        if locking == Locking::Refuse && !open && !ground.context.dry_run() {
            let lock = ground.files().lock(&guest, true);
            let lock = lock.map_err(|error| match error {
                Error::Busy(_) => Error::Busy("another rotation holds it".to_owned()),
                error => error,
            });
            self._lock = Some(lock.doing(|| format!("lock the state `{path}`"))?);
        }
        match ground.files().read(&guest, MOST) {
            Ok(content) => Ok(Some(String::from_utf8_lossy(&content).into_owned())),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error).doing(|| format!("read the state `{path}`")),
        }
    }

    /// When a log was last rotated; a log that is new is remembered from this hour on.
    pub fn last(&mut self, log: &str, hour: NaiveDateTime) -> NaiveDateTime {
        *self.state.logs.entry(log.to_owned()).or_insert(hour)
    }

    /// Whether an earlier attempt of this fire came to the log's turn.
    pub fn had_its_turn(&self, log: &str) -> bool {
        self.turned.contains(log)
    }

    /// Keeps which logs had their turn, for a further attempt of the same fire.
    pub fn leave_turns<'l>(&self, logs: impl Iterator<Item = &'l str>) -> Result<(), Failure> {
        let context = self.ground.context;
        let mut turns = Turns {
            fire: context.fire_time(),
            logs: self.turned.clone(),
        };
        turns.logs.extend(logs.map(str::to_owned));
        if context.dry_run() || turns.logs.is_empty() {
            return Ok(());
        }
        let state = context.state();
        let kept = state.set_json(TURNS, &turns);
        let kept = kept.and_then(|()| context.keep_state());
        kept.doing(|| "remember which logs had their turn".to_owned())
    }

    /// When a log was last rotated before this run.
    pub fn before(&self, log: &str) -> Option<NaiveDateTime> {
        self.loaded.logs.get(log).copied()
    }

    pub fn set(&mut self, log: &str, now: NaiveDateTime) {
        self.state.logs.insert(log.to_owned(), now);
    }

    /// A log whose turn does not come, in this run, after all.
    pub fn unset(&mut self, log: &str, hour: NaiveDateTime) {
        let before = self.before(log).unwrap_or(hour);
        self.state.logs.insert(log.to_owned(), before);
    }

    /// A log that should have been rotated was not touched. In a file, as in logrotate's, it
    /// counts as rotated; a task tries again.
    pub fn untouched(&mut self, log: &str) {
        if self.file.is_some() {
            return;
        }
        match self.loaded.logs.get(log) {
            Some(before) => self.state.logs.insert(log.to_owned(), *before),
            None => self.state.logs.remove(log),
        };
    }

    /// Forgets logs that are gone for a year, and keeps the rest, also if the run fails.
    pub fn save(
        &mut self,
        now: NaiveDateTime,
        current: impl Fn(&str) -> bool,
    ) -> Result<(), Failure> {
        if self.ground.context.dry_run() {
            return Ok(());
        }
        let ground = self.ground;
        let oldest = now - TimeDelta::days(365);
        self.state.logs.retain(|log, at| {
            *at >= oldest || current(log) || matches!(ground.look(log), Ok(Some(_)))
        });
        match &self.file {
            None => self.save_pages(),
            Some(path) if path == NOWHERE => Ok(()),
            Some(path) => {
                let saved = self.save_file(path);
                saved.doing(|| format!("write the state `{path}`"))
            }
        }
    }

    fn save_pages(&self) -> Result<(), Failure> {
        let text = self.state.text();
        let state = self.ground.context.state();
        let kept = (|| {
            let mut number = 0;
            for page in pages(&text) {
                state.set(&page_key(number), page.as_bytes())?;
                number += 1;
            }
            while state.get(&page_key(number))?.is_some() {
                state.delete(&page_key(number))?;
                number += 1;
            }
            self.ground.context.keep_state()
        })();
        kept.doing(|| "remember the rotations".to_owned())
    }

    fn save_file(&self, path: &str) -> mhost_sdk::Result<()> {
        let files = self.ground.files();
        let guest = self.ground.guest(path);
        if !self.damaged.is_empty() {
            let aside = format!("{guest}.damaged");
            files.remove_file(&aside).optional()?;
            files.hard_link(&guest, &aside)?;
            self.ground.warn(&format!(
                "the damaged state was set aside as `{path}.damaged`"
            ));
        }
        let new = format!("{guest}.new");
        files.remove_file(&new).optional()?;
        let written = files.create(&new, self.state.text().as_bytes());
        let written = written.and_then(|()| self.take_over(&new));
        let written = written.and_then(|()| files.replace(&new, &guest));
        if written.is_err() {
            // Half of a state is none; what stands there stays.
            let _ = files.remove_file(&new);
        }
        written
    }

    /// The new state belongs to whom the old one did, and is for nobody else to read.
    fn take_over(&self, new: &str) -> mhost_sdk::Result<()> {
        let files = self.ground.files();
        let old = self.old.filter(|old| old.kind == Kind::File);
        let made = files.stat(new)?;
        let changes = Changes {
            mode: Some(old.map_or(MODE, |old| old.mode & !OTHERS_READ)),
            uid: old.map(|old| old.uid).filter(|uid| *uid != made.uid),
            gid: old.map(|old| old.gid).filter(|gid| *gid != made.gid),
            modified: None,
            accessed: None,
        };
        files.set_metadata(new, changes)
    }
}

fn turned(ground: &Ground<'_>) -> Result<BTreeSet<String>, Failure> {
    let context = ground.context;
    if context.attempt() == 1 {
        return Ok(BTreeSet::new());
    }
    let turns = context.state().get_json::<Turns>(TURNS);
    let turns = turns.doing(|| "read which logs had their turn".to_owned())?;
    let same = turns.filter(|turns| turns.fire == context.fire_time());
    Ok(same.map(|turns| turns.logs).unwrap_or_default())
}

fn page_key(number: u32) -> String {
    match number {
        0 => KEY.to_owned(),
        number => format!("{KEY}/{number}"),
    }
}

/// Cuts at ends of lines.
fn pages(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let most = rest.floor_char_boundary(PAGE.min(rest.len()));
        let end = match most == rest.len() {
            true => most,
            false => rest[..most].rfind('\n').map_or(most, |at| at + 1),
        };
        let (page, after) = rest.split_at(end);
        rest = after;
        Some(page)
    })
}
