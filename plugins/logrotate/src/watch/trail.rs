//! Where what is new of a log lies: in the log, and in the archives that rotations made
//! since. The place of the last run is found by what stands there, so that neither names
//! nor inodes nor compression matter.

use std::collections::BTreeSet;
use std::io::{Read, SeekFrom};

use chrono::DateTime;
use mhost_format_logrotate::{Names, Options, Stamp, When};
use mhost_sdk::files::{Kind, Metadata, WalkOptions, join, split};
use mhost_sdk::{Context, Error, Optional as _, Result};

use super::config::{Config, From};
use super::marker::Marker;
use super::memory::Memory;

/// Of compressed archives so many are looked into, the newest first.
const MOST_PACKED: usize = 8;

/// One file to be read on from a place.
#[derive(Debug, Clone)]
pub struct Part {
    pub path: String,
    pub packed: bool,
    /// Device and inode.
    pub file: (u64, u64),
    pub start: u64,
    /// Where to stop; to the end where it is not known.
    pub end: Option<u64>,
    modified: u64,
}

/// What is to be read of a log, in order.
#[derive(Debug, Default)]
pub struct Trail {
    pub parts: Vec<Part>,
    /// The log as it is now: device and inode.
    pub log: Option<(u64, u64)>,
    /// The log was emptied in its place: a line that is cut at the end of the archive goes
    /// on in it.
    pub carried: bool,
    /// The first bytes belong to a line that was given up, or whose beginning was not read.
    pub skipping: bool,
    /// Why lines may be missing.
    pub gap: Option<String>,
}

fn id(found: &Metadata) -> (u64, u64) {
    (found.device, found.inode)
}

impl Part {
    fn new(path: String, found: &Metadata) -> Self {
        let packed = [".gz", ".zst", ".xz"].iter().any(|end| path.ends_with(end));
        Self {
            packed,
            file: id(found),
            start: 0,
            end: (!packed).then_some(found.size),
            modified: found.modified.millis(),
            path,
        }
    }

    fn from(self, start: u64) -> Self {
        Self { start, ..self }
    }

    /// Its content from an offset on.
    pub fn open<'c>(&self, context: &'c Context<'c>, from: u64) -> Result<Box<dyn Read + 'c>> {
        if self.packed {
            return context.files().open_compressed(&self.path, from);
        }
        let mut file = context.files().open(&self.path)?;
        let sought = file.seek(SeekFrom::Start(from));
        sought.map_err(|error| Error::from_io(&format!("read `{}`", self.path), &error))?;
        Ok(Box::new(file))
    }

    fn holds(&self, context: &Context<'_>, marker: &Marker) -> Result<bool> {
        if self.end.is_some_and(|end| end < marker.offset) {
            return Ok(false);
        }
        if marker.offset == 0 {
            return Ok(self.file == marker.file);
        }
        match marker.is_in(|from| self.open(context, from)) {
            // Whatever it is, it is not what was read before; or it went meanwhile.
            Err(Error::Damaged(_) | Error::NotFound(_) | Error::Unsupported(_)) => Ok(false),
            known => known,
        }
    }
}

/// Finds it.
pub fn find(
    context: &Context<'_>,
    config: &Config,
    log: &str,
    before: Option<&Memory>,
    first: bool,
) -> Result<Trail> {
    let found = context.files().stat_optional(log)?;
    if let Some(found) = &found {
        check(found)?;
    }
    let now = found.as_ref().map(|found| Part::new(log.to_owned(), found));
    // A log is what its name says, whatever that ends with.
    let now = now.map(|part| Part {
        packed: false,
        end: found.as_ref().map(|found| found.size),
        ..part
    });
    let trail = Trail {
        log: now.as_ref().map(|part| part.file),
        ..Trail::default()
    };
    match before {
        None => begin(context, now, trail, first && config.from == From::End),
        Some(memory) => go_on(context, config, (log, now), memory, trail),
    }
}

fn check(found: &Metadata) -> Result<()> {
    let what = match found.kind {
        Kind::File => return Ok(()),
        Kind::SymbolicLink => "a symbolic link: name the file that it leads to",
        Kind::Directory => "a directory: name the files in it, such as `/logs/*.log`",
        _ => "no regular file, and holds nothing to come back to",
    };
    Err(Error::Invalid(format!("it is {what}")))
}

fn begin(
    context: &Context<'_>,
    now: Option<Part>,
    mut trail: Trail,
    at_end: bool,
) -> Result<Trail> {
    let Some(part) = now else { return Ok(trail) };
    let end = part.end.filter(|_| at_end).unwrap_or(0);
    if end > 0 {
        let last = context.files().read_range(&part.path, end - 1, 1)?;
        trail.skipping = last != b"\n";
    }
    trail.parts = vec![part.from(end)];
    Ok(trail)
}

fn go_on(
    context: &Context<'_>,
    config: &Config,
    (log, now): (&str, Option<Part>),
    memory: &Memory,
    mut trail: Trail,
) -> Result<Trail> {
    let marker = &memory.at;
    trail.skipping = marker.skipping;
    let left = left(context, config, log, memory)?.into_iter();
    if marker.offset == 0 {
        // Nothing of it was read, so that nothing is there to know it by.
        let unread = unread(context, config, log, memory)?;
        if !unread.is_empty() {
            trail.parts = left.chain(unread).chain(now).collect();
            return Ok(trail);
        }
    }
    if let Some(part) = &now
        && part.holds(context, marker)?
    {
        trail.parts = left.chain([part.clone().from(marker.offset)]).collect();
        return Ok(trail);
    }
    trail.carried = now.as_ref().map(|part| part.file) == memory.log;
    for list in archives(context, config, log)? {
        if let Some(at) = place(context, &list, marker)? {
            let mut parts = list.into_iter().skip(at);
            let first = parts.next().map(|part| part.from(marker.offset));
            trail.parts = first.into_iter().chain(parts).chain(now).collect();
            return Ok(trail);
        }
    }
    let Some(part) = now else { return Ok(trail) };
    if marker.offset > 0 {
        trail.skipping = false;
        trail.gap = Some(format!(
            "what was read up to byte {} is in no file any more, so lines may be missing: keep an archive \
             until the next run (`rotate 1` or more), or run more often",
            marker.offset
        ));
    }
    trail.parts = vec![part];
    Ok(trail)
}

/// Archives that were written to after the last run, which found the log empty. The inode
/// of a log that was removed since may be another file's already.
fn unread(context: &Context<'_>, config: &Config, log: &str, memory: &Memory) -> Result<Vec<Part>> {
    for list in archives(context, config, log)? {
        let mut unread = Vec::new();
        for part in list {
            let known = match &memory.left {
                Some(left) => part.holds(context, left)?,
                None => false,
            };
            if part.modified > memory.seen && !known {
                unread.push(part);
            }
        }
        if !unread.is_empty() {
            return Ok(unread);
        }
    }
    Ok(Vec::new())
}

/// What was written to the archive after the log's last run had come to its end: its
/// writer had not reopened the log.
fn left(
    context: &Context<'_>,
    config: &Config,
    log: &str,
    memory: &Memory,
) -> Result<Option<Part>> {
    let Some(marker) = &memory.left else {
        return Ok(None);
    };
    for list in archives(context, config, log)? {
        if let Some(at) = place(context, &list, marker)? {
            let part = list[at].clone().from(marker.offset);
            let more = part.end.is_none_or(|end| end > part.start);
            return Ok(more.then_some(part));
        }
    }
    Ok(None)
}

/// The archive that holds the marker: the one that is the same file first, then plain
/// ones, then compressed ones.
fn place(context: &Context<'_>, list: &[Part], marker: &Marker) -> Result<Option<usize>> {
    let same = |part: &Part| part.file == marker.file;
    let mut order: Vec<_> = (0..list.len()).rev().collect();
    order.sort_by_key(|at| (!same(&list[*at]), list[*at].packed));
    let mut packed = 0;
    for at in order {
        let part = &list[at];
        packed += usize::from(part.packed);
        if packed > MOST_PACKED {
            break;
        }
        if part.holds(context, marker)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// The archives of a log from the oldest to the newest: those with numbers, and those with
/// dates.
fn archives(context: &Context<'_>, config: &Config, log: &str) -> Result<Vec<Vec<Part>>> {
    let names = Names::new(log, &config.naming());
    let options = WalkOptions {
        max_depth: Some(0),
        one_file_system: false,
    };
    let walked = context
        .files()
        .walk_all(&names.folder, options)
        .optional()?;
    let entries = walked.map(|(entries, _)| entries).unwrap_or_default();
    let files: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.metadata.kind == Kind::File && entry.raw.is_none())
        .map(|entry| (entry.path, entry.metadata))
        .collect();
    let known: Vec<_> = files.iter().map(|(name, _)| name.clone()).collect();
    let mut numbered: Vec<_> = known
        .iter()
        .filter_map(|name| Some((names.number(name)?, join(&names.folder, name))))
        .collect();
    numbered.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    let mut lists = vec![
        numbered
            .into_iter()
            .map(|(_, path)| path)
            .collect::<Vec<_>>(),
    ];
    lists.extend(
        stamps(config)
            .iter()
            .map(|stamp| names.any_dated(stamp, &known)),
    );
    let part = |path: String| {
        let (_, name) = split(&path);
        let found = files.iter().find(|(known, _)| known == name)?;
        Some(Part::new(path.clone(), &found.1))
    };
    let lists = lists.into_iter().filter(|list| !list.is_empty());
    Ok(lists
        .map(|list| once(list.into_iter().filter_map(part).collect()))
        .collect())
}

/// While an archive is being compressed it is there twice; the plain one is whole.
fn once(parts: Vec<Part>) -> Vec<Part> {
    let plain: BTreeSet<_> = parts
        .iter()
        .filter(|part| !part.packed)
        .map(|part| part.path.clone())
        .collect();
    let twice = |part: &Part| {
        let stem = part.path.rsplit_once('.').map_or("", |(stem, _)| stem);
        part.packed && plain.contains(stem)
    };
    parts.into_iter().filter(|part| !twice(part)).collect()
}

/// The formats of dates that are looked for.
fn stamps(config: &Config) -> Vec<Stamp> {
    let naming = config.naming();
    let whens = match naming.dateformat {
        Some(_) => vec![When::Daily],
        None => vec![When::Daily, When::Hourly],
    };
    let stamp = |when| {
        let options = Options {
            when,
            ..naming.clone()
        };
        Stamp::new(&options, DateTime::UNIX_EPOCH.naive_utc(), 0)
    };
    whens.into_iter().map(stamp).collect()
}

/// Whether a path is an archive of another one that was found.
pub fn is_archive(config: &Config, path: &str, found: &BTreeSet<String>) -> bool {
    let naming = Options {
        olddir: None,
        ..config.naming()
    };
    let stamps = stamps(config);
    let (_, name) = split(path);
    let start = path.len() - name.len();
    let cuts = name.char_indices().skip(1).map(|(at, _)| start + at);
    let mut logs = cuts.filter_map(|at| found.get(&path[..at]));
    logs.any(|log| {
        let names = Names::new(log, &naming);
        stamps.iter().any(|stamp| names.belongs(stamp, name))
    })
}
