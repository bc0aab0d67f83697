//! Putting a new FileStorage and its index in their places. At every moment the file is there, the old one or
//! the new one, whole; its index is the right one or missing, which ZODB makes up for.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use mhost_filestorage::index;
use mhost_filestorage::map::Positions;
use mhost_sdk::files::{Entry, Kind, Metadata, WalkOptions, join, split};
use mhost_sdk::units::Span;
use mhost_sdk::{Context, Doing as _, Failure, Optional as _};
use serde::Serialize;

use super::aside::{self, Aside};
use crate::config::KeepOld;

/// What the name of an old file ends in.
const OLD: &str = ".old";

/// So many packs may follow each other within a second.
const MOST_IN_A_ROW: i64 = 1000;

/// How the time stands in the name of an old file that is kept for days.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// The name of a file's saved index.
pub fn index_path(file: &str) -> String {
    format!("{file}.index")
}

/// What the name of the old file ends in, if it is kept, and of what is kept with it: where it bears a time, one that
/// none of these has yet.
pub fn old_suffix(
    context: &Context,
    keep: KeepOld,
    beginnings: &[&str],
) -> Result<Option<String>, Failure> {
    match keep {
        KeepOld::Until(false) => return Ok(None),
        KeepOld::Until(true) => return Ok(Some(OLD.to_owned())),
        KeepOld::For(_) => {}
    }
    let now = DateTime::<Utc>::from_timestamp_millis(context.now() as i64).unwrap_or_default();
    // A pack within the same second takes the next one's name.
    for later in 0..MOST_IN_A_ROW {
        let made = now + TimeDelta::seconds(later);
        let suffix = format!("{OLD}-{}", made.format(STAMP));
        if !any_there(context, beginnings, &suffix)? {
            return Ok(Some(suffix));
        }
    }
    Err(Failure::permanent(format!(
        "there are too many old files beside {} that bear the time of this moment: remove some",
        beginnings.first().unwrap_or(&"")
    )))
}

fn any_there(context: &Context, beginnings: &[&str], suffix: &str) -> Result<bool, Failure> {
    for beginning in beginnings {
        let path = format!("{beginning}{suffix}");
        let there = context.files().stat_optional(&path);
        if there.doing(|| format!("look at {path}"))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a text is such a suffix.
pub fn is_suffix(text: &str) -> bool {
    text.strip_prefix(OLD).is_some_and(|rest| {
        let stamp = rest.strip_prefix('-');
        rest.is_empty()
            || stamp.is_some_and(|stamp| NaiveDateTime::parse_from_str(stamp, STAMP).is_ok())
    })
}

/// Looks at every name that a swap uses, before any of them changes: each must be free, or a regular file's.
pub fn check_names(context: &Context, file: &str, old: Option<&str>) -> Result<(), Failure> {
    let index = index_path(file);
    let asides = [file, &index, &format!("{file}{OLD}")].map(aside::name);
    let names = asides.iter().map(String::as_str).chain([index.as_str()]);
    for name in names.chain(old) {
        let there = context.files().stat_optional(name);
        let there = there.doing(|| format!("look at {name}"))?;
        if there.is_some_and(|there| there.kind != Kind::File) {
            return Err(Failure::permanent(format!(
                "{name} is no regular file, and the pack of {file} needs the name: move it away; nothing was changed"
            )));
        }
    }
    Ok(())
}

/// Fails where the file is another one, or was written to, since it was looked at: not everything that writes to
/// a FileStorage takes its lock.
pub fn check_unchanged(context: &Context, file: &str, seen: &Metadata) -> Result<(), Failure> {
    let now = context.files().stat(file);
    let now = now.doing(|| format!("look at {file}"))?;
    let about = |of: &Metadata| {
        let modified = (of.modified.seconds, of.modified.nanoseconds);
        (of.device, of.inode, of.size, modified)
    };
    if about(&now) == about(seen) {
        return Ok(());
    }
    Err(Failure::retryable(format!(
        "{file} was changed while it was packed, by something that does not heed {}; nothing was changed here: find out what writes to it, \
         or set `output`",
        super::lock::path(file)
    )))
}

/// Removes what a run that was cut off has left beside a file.
pub fn clear(context: &Context, file: &str) -> Result<(), Failure> {
    for made in [file, &index_path(file), &format!("{file}{OLD}")] {
        aside::remove_left_over(context, &aside::name(made))?;
    }
    Ok(())
}

/// Makes the index of a file that is about to take its place; `None` where ZODB would not trust one.
pub fn make_index<'c, 'h>(
    context: &'c Context<'h>,
    file: &str,
    positions: &Positions,
    length: u64,
    like: &Metadata,
) -> Result<Option<Aside<'c, 'h>>, Failure> {
    if length < index::SMALLEST_FILE || positions.is_empty() {
        return Ok(None);
    }
    let (aside, writing) = Aside::create(context, &index_path(file))?;
    let written = index::write(positions, length, writing);
    written.map_err(|error| super::failed("write the index of", file, error))?;
    aside.dress(like)?;
    aside.sync()?;
    Ok(Some(aside))
}

/// Whether there is a file whose place a new one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placing {
    New,
    Over,
}

/// Puts the new file in its place. A stale index is never beside it: its own follows.
pub fn place(
    context: &Context,
    file: &str,
    new: Aside<'_, '_>,
    placing: Placing,
) -> Result<(), Failure> {
    let path = index_path(file);
    let removed = context.files().remove_file(&path).optional();
    removed.doing(|| format!("remove {path}"))?;
    match placing {
        Placing::New => new.place_new(file),
        Placing::Over => new.place(file),
    }
}

/// Puts its index beside it.
pub fn place_index(file: &str, index: Option<Aside<'_, '_>>) -> Result<(), Failure> {
    index.map_or(Ok(()), |index| index.place(&index_path(file)))
}

/// Keeps the file that is about to be replaced under a second name.
pub fn keep(context: &Context, file: &str, old: &str) -> Result<(), Failure> {
    let aside = aside::name(&format!("{file}{OLD}"));
    aside::second_name(context, file, &aside)?;
    let files = context.files();
    let replaced = files.replace(&aside, old);
    if replaced.is_err() {
        // The failure is what is told; the next run removes it otherwise.
        let _ = files.remove_file(&aside);
    }
    replaced.doing(|| format!("keep {file} as {old}"))?;
    // A run that was cut off may have given it this name already: renaming a file to another name of its
    // own does nothing, and leaves both.
    let removed = files.remove_file(&aside).optional();
    removed.map(|_| ()).doing(|| format!("remove {aside}"))
}

/// Something old that was removed.
#[derive(Debug, Clone, Serialize)]
pub struct Forgotten {
    pub path: String,
    pub bytes: u64,
}

/// Removes old files that were kept long enough.
pub fn forget(context: &Context, file: &str, keep: KeepOld) -> Result<Vec<Forgotten>, Failure> {
    let KeepOld::For(span) = keep else {
        return Ok(Vec::new());
    };
    let old = kept_too_long(context, &format!("{file}{OLD}-"), span)?;
    let mut forgotten = Vec::new();
    for entry in old {
        let path = entry.path;
        if entry.metadata.kind != Kind::File {
            continue;
        }
        let removed = context.files().remove_file(&path);
        removed.doing(|| format!("remove {path}, which was kept long enough"))?;
        // One that has another name still gives nothing back.
        let bytes = match entry.metadata.links {
            0 | 1 => entry.metadata.size,
            _ => 0,
        };
        forgotten.push(Forgotten { path, bytes });
    }
    Ok(forgotten)
}

/// What has a name of this beginning and a time, and was kept longer than a span.
pub fn kept_too_long(
    context: &Context,
    beginning: &str,
    span: Span,
) -> Result<Vec<Entry>, Failure> {
    let (folder, prefix) = split(beginning);
    let options = WalkOptions {
        max_depth: Some(0),
        one_file_system: true,
    };
    let (entries, _) = context
        .files()
        .walk_all(folder, options)
        .doing(|| format!("list {folder}"))?;
    let oldest = context
        .now()
        .saturating_sub(span.duration().as_millis() as u64);
    let too_old = |name: &str| {
        let made = name.strip_prefix(prefix);
        let made = made.and_then(|stamp| NaiveDateTime::parse_from_str(stamp, STAMP).ok());
        made.is_some_and(|made| {
            u64::try_from(made.and_utc().timestamp_millis()).unwrap_or(0) < oldest
        })
    };
    let old = entries.into_iter().filter(|entry| too_old(&entry.path));
    Ok(old
        .map(|entry| Entry {
            path: join(folder, &entry.path),
            ..entry
        })
        .collect())
}
