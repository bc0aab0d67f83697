//! Putting a new FileStorage and its index in their places. At every moment the file is there, the old one or
//! the new one, whole; its index is the right one or missing, which ZODB makes up for.

use chrono::{DateTime, NaiveDateTime, Utc};
use mhost_filestorage::index;
use mhost_filestorage::map::Positions;
use mhost_sdk::files::{Metadata, WalkOptions, join, split};
use mhost_sdk::units::Span;
use mhost_sdk::{Context, Doing as _, Failure, Optional as _};

use super::aside::{self, Aside};
use crate::config::KeepOld;

/// How the time stands in the name of an old file that is kept for days.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// The name of a file's saved index.
pub fn index_path(file: &str) -> String {
    format!("{file}.index")
}

/// The name under which the old file is kept, if it is.
pub fn old_path(context: &Context, file: &str, keep: KeepOld) -> Option<String> {
    match keep {
        KeepOld::Until(false) => None,
        KeepOld::Until(true) => Some(format!("{file}.old")),
        KeepOld::For(_) => {
            let now =
                DateTime::<Utc>::from_timestamp_millis(context.now() as i64).unwrap_or_default();
            Some(format!("{file}.old-{}", now.format(STAMP)))
        }
    }
}

/// Removes what a run that was cut off has left beside a file.
pub fn clear(context: &Context, file: &str) -> Result<(), Failure> {
    for made in [file, &index_path(file), &format!("{file}.old")] {
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

/// Puts both in their places. A stale index is never beside the new file.
pub fn place(
    context: &Context,
    file: &str,
    new: Aside<'_, '_>,
    index: Option<Aside<'_, '_>>,
) -> Result<(), Failure> {
    let path = index_path(file);
    let removed = context.files().remove_file(&path).optional();
    removed.doing(|| format!("remove {path}"))?;
    new.place(file)?;
    match index {
        Some(index) => index.place(&path),
        None => Ok(()),
    }
}

/// Keeps the file that is about to be replaced under a second name.
pub fn keep(context: &Context, file: &str, old: &str) -> Result<(), Failure> {
    let aside = aside::name(&format!("{file}.old"));
    aside::second_name(context, file, &aside)?;
    let files = context.files();
    let replaced = files.replace(&aside, old);
    replaced.doing(|| format!("keep {file} as {old}"))?;
    // A run that was cut off may have given it this name already: renaming a file to another name of its
    // own does nothing, and leaves both.
    let removed = files.remove_file(&aside).optional();
    removed.map(|_| ()).doing(|| format!("remove {aside}"))
}

/// Removes old files that were kept long enough. Answers their names.
pub fn forget(context: &Context, file: &str, keep: KeepOld) -> Result<Vec<String>, Failure> {
    let KeepOld::For(span) = keep else {
        return Ok(Vec::new());
    };
    let forgotten = kept_too_long(context, &format!("{file}.old-"), span)?;
    for path in &forgotten {
        let removed = context.files().remove_file(path);
        removed.doing(|| format!("remove {path}, which was kept long enough"))?;
    }
    Ok(forgotten)
}

/// What has a name of this beginning and a time, and was kept longer than a span.
pub fn kept_too_long(
    context: &Context,
    beginning: &str,
    span: Span,
) -> Result<Vec<String>, Failure> {
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
    let names = entries.iter().map(|entry| entry.path.as_str());
    Ok(names
        .filter(|name| too_old(name))
        .map(|name| join(folder, name))
        .collect())
}
