//! Whether a log is rotated in this run: what it is, and whether its time has come.

use mhost_format_logrotate::{Due, Facts, Method, Names, Options, Stamp, due};
use mhost_sdk::files::{Kind, Metadata, split};

use crate::config::{Links, Parents};
use crate::ground::Ground;
use crate::mark::Marks;
use crate::memory::Memory;
use crate::mend::later;
use crate::rotate::Clock;
use crate::section::{Item, Outcome};
use crate::turn::aside;

/// The longest name of a file, bytes, on the file systems of Linux.
const LONGEST: usize = 255;
/// Digits of the largest number of an archive that is made.
const DIGITS: usize = 10;

const INSECURE: &str = "its folder can be written to by others, or by a group that is not root's: \
                        set `su USER GROUP` if that is meant, or take the right away";

/// What a section's logs are considered with.
pub struct Considering<'a, 'g> {
    pub ground: &'a Ground<'a>,
    pub clock: &'a Clock<'a>,
    pub options: &'a Options,
    pub marks: &'a Marks<'g>,
    pub stamp: &'a Stamp,
    pub force: bool,
    pub links: Links,
    pub parents: Parents,
}

impl Considering<'_, '_> {
    /// `None` for a folder that a pattern fits: it is no log, and nobody meant it.
    pub fn consider(&self, log: &str, memory: &mut Memory<'_>) -> Option<Item> {
        let found = match self.ground.look(log) {
            Ok(found) => found,
            Err(error) => return Some(Item::failed(log, error)),
        };
        if found.is_some_and(|found| found.kind == Kind::Directory) {
            return None;
        }
        let last = memory.last(log, self.clock.hour());
        let item = match found {
            _ if self.insecure(log) => Item::new(log, Outcome::Refused, INSECURE.to_owned()),
            None => self.missing(log),
            Some(found) => match self.unfit(log, &found) {
                Some(why) if self.passed_over(&found) => Item::new(log, Outcome::Kept, why),
                Some(why) => Item::new(log, Outcome::Refused, why),
                None => self.timely(log, found, last),
            },
        };
        let again = item.outcome == Outcome::Due && !self.force && memory.had_its_turn(log);
        let item = match again {
            true => Item::new(
                log,
                Outcome::Kept,
                "an earlier attempt of this run rotated it".to_owned(),
            ),
            false => item,
        };
        let item = self.unfinished(item, found);
        if item.outcome == Outcome::Due && !item.finish {
            memory.set(log, self.clock.now);
        }
        self.ground.say(&format!(
            "consider `{log}`: {} ({})",
            item.outcome.word(),
            item.reason
        ));
        Some(item)
    }

    /// Whether others than root can write to the log's folder.
    fn insecure(&self, log: &str) -> bool {
        if self.parents == Parents::Accept || self.options.su.is_some() {
            return false;
        }
        let found = self.ground.look(split(log).0).ok().flatten();
        found.is_some_and(|found| {
            found.mode & 0o002 != 0 || (found.mode & 0o020 != 0 && found.gid != 0)
        })
    }

    fn missing(&self, log: &str) -> Item {
        match self.options.missingok {
            true => Item::new(
                log,
                Outcome::Missing,
                "it does not exist, which is fine".to_owned(),
            ),
            false => Item::new(
                log,
                Outcome::Refused,
                "it does not exist; set `missingok` if that is fine".to_owned(),
            ),
        }
    }

    /// A log that is not due, but that an earlier run rotated and did not come to the end
    /// with, has the rest of its turn now.
    fn unfinished(&self, item: Item, found: Option<Metadata>) -> Item {
        let absent = item.outcome == Outcome::Missing
            || (item.outcome == Outcome::Refused && found.is_none());
        if item.outcome != Outcome::Kept && !absent {
            return item;
        }
        let Some(archive) = self.interrupted(&item.log) else {
            return item;
        };
        let why = "an earlier run rotated it, and did not come to its end";
        Item {
            found: Some(found.unwrap_or(archive)),
            finish: true,
            ..Item::new(&item.log, Outcome::Due, why.to_owned())
        }
    }

    /// The newest archive of a log, or the log that waits for its copy, if an interrupted run
    /// made it.
    fn interrupted(&self, log: &str) -> Option<Metadata> {
        let names = Names::new(log, self.options);
        let (earlier, logs) = self.marks.left(&names.folder)?;
        if !logs.iter().any(|left| left == log) {
            return None;
        }
        let plain = match self.options.dateext {
            true => names.plain_dated(self.stamp),
            false => names.plain_numbered(self.options.start),
        };
        let packed = format!("{plain}{}", names.suffix);
        let waiting = (self.options.method == Method::RenameCopy).then(|| aside(log));
        let paths = [Some(plain), Some(packed), waiting].into_iter().flatten();
        let mut found = paths.filter_map(|path| self.ground.look(&path).ok().flatten());
        found.find(|found| later(found, earlier.since))
    }

    fn timely(&self, log: &str, found: Metadata, last: chrono::NaiveDateTime) -> Item {
        let facts = Facts {
            size: found.size,
            modified: self.clock.zone.local(found.modified.millis()),
            now: self.clock.now,
            last,
            force: self.force,
        };
        match due(self.options, facts) {
            Due::Yes(why) => Item {
                found: Some(found),
                ..Item::new(log, Outcome::Due, why)
            },
            Due::No(why) => Item::new(log, Outcome::Kept, why),
        }
    }

    fn passed_over(&self, found: &Metadata) -> bool {
        let link = found.kind == Kind::SymbolicLink || found.links > 1;
        link && self.links == Links::Skip
    }

    /// Why a log must not be rotated, whatever its time.
    fn unfit(&self, log: &str, found: &Metadata) -> Option<String> {
        let what = match found.kind {
            Kind::File if found.links > 1 && !self.options.allowhardlink => {
                return Some(format!(
                    "it has {} names (hard links), so another path would keep being written to; \
                     set `allowhardlink` if that is meant",
                    found.links
                ));
            }
            Kind::File => return self.too_long(log),
            Kind::SymbolicLink => "a symbolic link: name the file that it leads to",
            Kind::Directory => "a directory: name the files in it, such as `/logs/*.log`",
            Kind::Fifo => "a named pipe, which holds nothing to keep",
            Kind::Socket => "a socket, which holds nothing to keep",
            Kind::BlockDevice | Kind::CharacterDevice => "a device",
        };
        Some(format!("it is {what}"))
    }

    fn too_long(&self, log: &str) -> Option<String> {
        let names = Names::new(log, self.options);
        let date = self.options.date_format().len() + DIGITS;
        let more = names.ext.len() + names.suffix.len() + date.max(DIGITS + 1);
        let length = names.base.len() + more;
        let tight =
            length > LONGEST && split(log).1.len() + names.suffix.len() + 2 > LONGEST - date;
        tight.then(|| {
            format!(
                "its name has {} bytes, so that its archives' would have more than {LONGEST}",
                split(log).1.len()
            )
        })
    }
}
