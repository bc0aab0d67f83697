//! Marks in the folders that a run works in: a run that finds the mark of an earlier one
//! knows that it was interrupted there, and mends before it goes on.
//!
//! A mark names the task and says when the run began. It is locked while the run lives,
//! and goes with its success; where something was left half done it stays. Only a mark that
//! the user who rotates made is believed: whoever else can write to the folder could keep logs
//! from being rotated by one.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;
use mhost_sdk::files::{Kind, Lock, Metadata, Moment, join};
use mhost_sdk::{Error, Optional as _, Result};

use crate::ground::Ground;

/// What an earlier run left in a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Earlier {
    /// When that run began, in the calendar and on the file system.
    pub began: NaiveDateTime,
    pub since: Moment,
    /// Whether it came to its end, and what it did is remembered.
    pub ended: bool,
}

struct Mark<'g> {
    earlier: Option<Earlier>,
    /// Logs that were left half done.
    trouble: BTreeSet<String>,
    /// The logs of this run in the folder, and those of earlier ones that were interrupted.
    logs: BTreeSet<String>,
    /// The mark as it stands there now.
    own: Option<Earlier>,
    _lock: Option<Box<dyn Lock + 'g>>,
}

/// An earlier run's mark, and the logs that it names.
type Left = Option<(Earlier, Vec<String>)>;

/// The marks of this run.
pub struct Marks<'g> {
    ground: &'g Ground<'g>,
    now: NaiveDateTime,
    marks: RefCell<BTreeMap<String, Mark<'g>>>,
    /// What was found before a folder was entered.
    left: RefCell<BTreeMap<String, Left>>,
    /// The number of the user whose files this run makes.
    own: OnceCell<u32>,
}

/// Bytes of a mark.
const MOST: u64 = 16 << 20;
const TIME: &str = "%Y-%m-%dT%H:%M:%S";
const RUNNING: &str = "running";
const ENDED: &str = "ended";

impl<'g> Marks<'g> {
    pub fn new(ground: &'g Ground<'g>, now: NaiveDateTime) -> Self {
        Self {
            ground,
            now,
            marks: RefCell::default(),
            left: RefCell::default(),
            own: OnceCell::new(),
        }
    }

    fn path(&self, folder: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let task: String = self
            .ground
            .context
            .task()
            .chars()
            .map(plain)
            .take(64)
            .collect();
        join(
            &self.ground.guest(folder),
            &format!(".mhost-rotating-{task}"),
        )
    }

    /// What an earlier run left in a folder, with the logs that it was at work on.
    pub fn left(&self, folder: &str) -> Left {
        if let Some(left) = self.left.borrow().get(folder) {
            return left.clone();
        }
        let left = self.read(&self.path(folder)).ok().flatten();
        self.left
            .borrow_mut()
            .insert(folder.to_owned(), left.clone());
        left
    }

    /// Enters a folder before its first change; what an earlier run left there. `logs` are
    /// those that will be changed.
    pub fn enter(&self, folder: &str, logs: &[&str]) -> Result<Option<Earlier>> {
        if let Some(mark) = self.marks.borrow_mut().get_mut(folder) {
            let new: Vec<_> = logs
                .iter()
                .filter(|log| !mark.logs.contains(**log))
                .collect();
            if !new.is_empty() && !self.ground.context.dry_run() {
                mark.logs
                    .extend(new.into_iter().map(|log| (*log).to_owned()));
                self.write(&self.path(folder), (mark.own, RUNNING), &mark.logs)?;
            }
            return Ok(mark.earlier);
        }
        let mark = match self.ground.context.dry_run() {
            true => Mark {
                earlier: self.left(folder).map(|(earlier, _)| earlier),
                trouble: BTreeSet::new(),
                logs: BTreeSet::new(),
                own: None,
                _lock: None,
            },
            false => self.set(folder, logs)?,
        };
        let earlier = mark.earlier;
        self.marks.borrow_mut().insert(folder.to_owned(), mark);
        if earlier.is_some() {
            self.sweep(folder)?;
        }
        Ok(earlier)
    }

    fn set(&self, folder: &str, logs: &[&str]) -> Result<Mark<'g>> {
        let path = self.path(folder);
        let files = self.ground.context.files();
        let (earlier, mut named) = match self.read(&path)? {
            Some((earlier, logs)) => (Some(earlier), logs),
            None => (None, Vec::new()),
        };
        named.extend(logs.iter().map(|log| (*log).to_owned()));
        let logs: BTreeSet<_> = named.into_iter().collect();
        // The first of several interrupted runs counts.
        if earlier.is_none_or(|earlier| earlier.ended) {
            self.write(&path, (earlier, RUNNING), &logs)?;
        }
        let own = self.read(&path)?.map(|(own, _)| own);
        let lock = files.lock(&path, true).map_err(|error| match error {
            Error::Busy(_) => {
                Error::Busy(format!("another run of this task is at work in `{folder}`"))
            }
            error => error,
        })?;
        Ok(Mark {
            earlier,
            trouble: BTreeSet::new(),
            logs,
            own,
            _lock: Some(lock),
        })
    }

    fn read(&self, path: &str) -> Result<Option<(Earlier, Vec<String>)>> {
        let files = self.ground.files();
        let found = files.stat_optional(path)?;
        let Some(found) = found.filter(|found| found.kind == Kind::File && found.links == 1) else {
            return Ok(None);
        };
        if !self.is_own(path, &found)? {
            self.ground.warn(&format!(
                "the mark `{path}` is of the user {}, and not believed",
                found.uid
            ));
            return Ok(None);
        }
        let content = files.read(path, MOST).optional()?.unwrap_or_default();
        let content = String::from_utf8_lossy(&content);
        let mut lines = content.lines();
        let mut head = lines.next().unwrap_or_default().split(' ');
        let (word, time) = (
            head.next().unwrap_or(RUNNING),
            head.next().unwrap_or_default(),
        );
        // A mark that was written again says when the first one was made.
        let first = head
            .next()
            .and_then(|text| Some(text.parse::<i64>().ok()?).zip(head.next()?.parse().ok()));
        let earlier = Earlier {
            // A mark that cannot be read is one that was cut off.
            began: NaiveDateTime::parse_from_str(time, TIME).unwrap_or(NaiveDateTime::MAX),
            since: first.map_or(found.changed, |(seconds, nanoseconds)| Moment {
                seconds,
                nanoseconds,
            }),
            ended: word == ENDED,
        };
        Ok(Some((earlier, lines.map(str::to_owned).collect())))
    }

    /// Whether this run's user made the mark, which is seen by what a file is that this run
    /// makes. A dry run, which makes none and changes nothing, believes each.
    fn is_own(&self, path: &str, mark: &Metadata) -> Result<bool> {
        if self.ground.context.dry_run() {
            return Ok(true);
        }
        let own = match self.own.get() {
            Some(own) => *own,
            None => {
                let files = self.ground.files();
                let probe = partial(path);
                files.remove_file(&probe).optional()?;
                files.create(&probe, b"")?;
                let made = files.stat(&probe);
                files.remove_file(&probe)?;
                let uid = made?.uid;
                *self.own.get_or_init(|| uid)
            }
        };
        Ok(mark.uid == own)
    }

    /// Names of logs with an end of line in them are not remembered: such a log is
    /// rotated again after an interruption.
    fn write(
        &self,
        path: &str,
        (earlier, word): (Option<Earlier>, &str),
        logs: &BTreeSet<String>,
    ) -> Result<()> {
        let files = self.ground.files();
        let began = earlier.map_or(self.now, |earlier| earlier.began);
        let logs = logs.iter().filter(|log| !log.contains('\n'));
        let lines: Vec<_> = logs.map(String::as_str).collect();
        let since = earlier.map(|earlier| earlier.since);
        let since = since.map(|since| format!(" {} {}", since.seconds, since.nanoseconds));
        let head = format!("{word} {}{}", began.format(TIME), since.unwrap_or_default());
        let text = format!("{head}\n{}\n", lines.join("\n"));
        // Whole or not at all: a mark that names no log would let one be forgotten.
        let new = partial(path);
        files.remove_file(&new).optional()?;
        let made = files.create(&new, text.as_bytes());
        let made = made.and_then(|()| files.replace(&new, path));
        if made.is_err() {
            // What is left of it is swept up later.
            let _ = files.remove_file(&new);
        }
        made
    }

    /// Removes what verbs that were cut off left behind.
    fn sweep(&self, folder: &str) -> Result<()> {
        let names = self.ground.names(folder)?;
        let left = names
            .iter()
            .filter(|name| name.starts_with(".mhost-") && name.ends_with(".partial"));
        for name in left {
            self.ground.remove(&join(folder, name), None)?;
        }
        Ok(())
    }

    /// A log was left half done.
    pub fn trouble(&self, folder: &str, log: &str) {
        if let Some(mark) = self.marks.borrow_mut().get_mut(folder) {
            mark.trouble.insert(log.to_owned());
        }
    }

    /// Removes the marks, but those of folders where something was left half done.
    pub fn leave(&self) -> Result<()> {
        if self.ground.context.dry_run() {
            return Ok(());
        }
        let marks = self.marks.take();
        for (folder, mark) in &marks {
            let path = self.path(folder);
            match mark.trouble.is_empty() {
                false => self.write(&path, (mark.own, ENDED), &mark.trouble)?,
                true => self
                    .ground
                    .files()
                    .remove_file(&path)
                    .optional()
                    .map(drop)?,
            }
        }
        Ok(())
    }
}

/// A mark on its way, which is swept up if it is left.
fn partial(path: &str) -> String {
    format!("{path}.partial")
}
