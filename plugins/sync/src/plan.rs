//! Compares two listings: a pure function from what is there to what is to be done.

use mhost_sdk::files::{Kind, Metadata};
use serde::Serialize;

use crate::config::Links;
use crate::listing::{Listing, Path, Thing};

/// One step; paths are relative to the tops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "step", content = "path")]
pub enum Step {
    CreateDirectory(String),
    Copy(String),
    Link(String),
    /// Mode or owner differ, the content does not.
    Metadata(String),
    Delete(String),
    DeleteDirectory(String),
}

impl Step {
    pub fn path(&self) -> &str {
        match self {
            Self::CreateDirectory(path)
            | Self::Copy(path)
            | Self::Link(path)
            | Self::Metadata(path)
            | Self::Delete(path)
            | Self::DeleteDirectory(path) => path,
        }
    }
}

/// What is to be done, in order.
#[derive(Debug, Default)]
pub struct Plan {
    /// Things of another kind that stand in the way, children first.
    pub clear: Vec<Step>,
    /// Directories before what is in them.
    pub make: Vec<Step>,
    /// Extraneous things, children first.
    pub delete: Vec<Step>,
    /// Directories whose times and modes are set last, children first.
    pub finish: Vec<String>,
    pub unchanged: u64,
    /// Bytes that are to be copied.
    pub bytes: u64,
    /// Neither file, directory nor link, or links that are not wanted.
    pub left_out: Vec<String>,
}

/// `same` says whether the contents of two files of equal size are equal.
pub fn compare(
    source: &Listing,
    target: &Listing,
    links: Links,
    delete: bool,
    same: &mut dyn FnMut(&str, &Thing, &Thing) -> bool,
) -> Plan {
    let mut plan = Plan::default();
    for (path, thing) in &source.things {
        plan.one(path, thing, target, links, same);
    }
    plan.finish.reverse();
    if delete {
        plan.extraneous(source, target);
    }
    plan
}

impl Plan {
    fn one(
        &mut self,
        path: &Path,
        thing: &Thing,
        target: &Listing,
        links: Links,
        same: &mut dyn FnMut(&str, &Thing, &Thing) -> bool,
    ) {
        let wanted = match thing.metadata.kind {
            Kind::File | Kind::Directory => true,
            Kind::SymbolicLink => links == Links::Copy,
            _ => false,
        };
        if !wanted {
            self.left_out.push(path.0.clone());
            return;
        }
        let mut there = target.things.get(path);
        if let Some(other) = there.filter(|other| other.metadata.kind != thing.metadata.kind) {
            self.clear_away(path, other, target);
            there = None;
        }
        match thing.metadata.kind {
            Kind::Directory => self.directory(path, thing, there),
            Kind::SymbolicLink if there.is_some_and(|there| there.link == thing.link) => {
                self.unchanged += 1
            }
            Kind::SymbolicLink => self.make.push(Step::Link(path.0.clone())),
            _ => self.file(path, thing, there, same),
        }
    }

    fn directory(&mut self, path: &Path, thing: &Thing, there: Option<&Thing>) {
        if there.is_none() {
            self.make.push(Step::CreateDirectory(path.0.clone()));
        }
        // Also where it is right now: what is made in it changes its time.
        if there.is_none_or(|there| !alike(&thing.metadata, &there.metadata)) {
            self.finish.push(path.0.clone());
        }
    }

    fn file(
        &mut self,
        path: &Path,
        thing: &Thing,
        there: Option<&Thing>,
        same: &mut dyn FnMut(&str, &Thing, &Thing) -> bool,
    ) {
        match there {
            Some(there)
                if thing.metadata.size == there.metadata.size && same(&path.0, thing, there) =>
            {
                if alike(&thing.metadata, &there.metadata) {
                    self.unchanged += 1;
                } else {
                    self.make.push(Step::Metadata(path.0.clone()));
                }
            }
            _ => {
                self.bytes += thing.metadata.size;
                self.make.push(Step::Copy(path.0.clone()));
            }
        }
    }

    /// Removes a thing of another kind, with all that is below it.
    fn clear_away(&mut self, path: &Path, other: &Thing, target: &Listing) {
        if !other.is_directory() {
            // A rename over it would do for a file, but not for a directory.
            self.clear.push(Step::Delete(path.0.clone()));
            return;
        }
        let below = |(candidate, _): &(&Path, &Thing)| {
            candidate
                .0
                .strip_prefix(&path.0)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let tree: Vec<_> = target
            .things
            .range(path.clone()..)
            .skip(1)
            .take_while(below)
            .collect();
        self.clear.extend(
            tree.into_iter()
                .rev()
                .map(|(path, thing)| removal(path, thing)),
        );
        self.clear.push(Step::DeleteDirectory(path.0.clone()));
    }

    fn extraneous(&mut self, source: &Listing, target: &Listing) {
        let cleared: std::collections::BTreeSet<&str> = self.clear.iter().map(Step::path).collect();
        let gone = target.things.iter().rev().filter(|(path, _)| {
            !source.things.contains_key(path) && !cleared.contains(path.0.as_str())
        });
        self.delete = gone.map(|(path, thing)| removal(path, thing)).collect();
    }

    /// Entries that go.
    pub fn removals(&self) -> u64 {
        (self.clear.len() + self.delete.len()) as u64
    }
}

fn removal(path: &Path, thing: &Thing) -> Step {
    match thing.is_directory() {
        true => Step::DeleteDirectory(path.0.clone()),
        false => Step::Delete(path.0.clone()),
    }
}

/// Equal size and time: the quick check. A target file system that keeps whole seconds
/// is compared by them.
pub fn quick(source: &Metadata, target: &Metadata) -> bool {
    let (a, b) = (&source.modified, &target.modified);
    source.size == target.size
        && a.seconds == b.seconds
        && (a.nanoseconds == b.nanoseconds || b.nanoseconds == 0)
}

/// Whether mode and time are as they should be. Owners are not compared: without
/// privileges they cannot be set.
fn alike(source: &Metadata, target: &Metadata) -> bool {
    let times =
        source.kind != Kind::Directory || source.modified.seconds == target.modified.seconds;
    source.mode == target.mode && times && (source.kind != Kind::File || quick(source, target))
}
