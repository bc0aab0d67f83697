//! Copies of content: a whole file into a new one, a range into an existing one.

use std::fs::File;

use mhost_model::{Fault, FaultResult};
use rustix::fs::{Mode, Stat};

use super::aside::{Aside, Existing};
use super::metadata::carry_over;
use super::work::Work;
use crate::beneath::{Content, Place};

/// How to copy a file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CopyOptions {
    pub replace: bool,
    pub preserve: bool,
}

/// Copies a regular file; the new one appears whole or not at all. Returns its bytes.
pub(crate) fn copy(
    work: Work<'_>,
    source: &Place,
    target: &Place,
    options: CopyOptions,
) -> FaultResult<u64> {
    const VERB: &str = "copy to";
    let existing = match options.replace {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    let (from, stat) = source.content(Content::Read)?;
    work.meter.opened();
    let aside = Aside::create(
        target.leaf(VERB)?,
        first_mode(&stat, options),
        existing,
        VERB,
    )?;
    let bytes = fill(work, &from, &stat, &aside.file, target)?;
    if options.preserve {
        carry_over(&stat, &aside.file).map_err(|error| target.fault(VERB, error))?;
    }
    work.change()?;
    aside.commit(existing, VERB)?;
    work.meter.read(bytes);
    work.meter.changed(1);
    Ok(bytes)
}

/// Nobody else looks into a file whose owner and mode are still to come.
fn first_mode(source: &Stat, options: CopyOptions) -> Mode {
    match options.preserve {
        true => Mode::from_raw_mode(0o600),
        false => Mode::from_raw_mode(source.st_mode & 0o777),
    }
}

fn fill(work: Work<'_>, from: &File, stat: &Stat, to: &File, target: &Place) -> FaultResult<u64> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let allocated = u64::try_from(stat.st_blocks)
        .unwrap_or(0)
        .saturating_mul(512);
    let explain = |error| target.fault("copy to", error);
    mhost_trees::copy_content(&work, from, (size, allocated), to, &explain)
}

/// Copies a range of one file into another existing one. Returns the bytes.
pub(crate) fn copy_range(
    work: Work<'_>,
    source: (&Place, u64),
    length: Option<u64>,
    target: (&Place, u64),
) -> FaultResult<u64> {
    let (source, offset) = source;
    let (target, target_offset) = target;
    let (from, read) = source.content(Content::Read)?;
    let (to, written) = target.content(Content::Write)?;
    work.meter.opened();
    work.meter.opened();
    let size = u64::try_from(read.st_size).unwrap_or(0);
    let rest = size.saturating_sub(offset);
    let length = length.map_or(rest, |length| length.min(rest));
    let same = (read.st_dev, read.st_ino) == (written.st_dev, written.st_ino);
    check_range(same, offset, target_offset, length)?;
    work.granter.current()?;
    work.budget.room(length, &to)?;
    let explain = |error| target.fault("copy to", error);
    let ends = ((&from, offset), (&to, target_offset));
    let moved = mhost_trees::transfer(&work, ends.0, ends.1, length, &explain)?;
    work.meter.read(moved);
    work.meter.changed(1);
    Ok(moved)
}

fn check_range(same: bool, offset: u64, target_offset: u64, length: u64) -> FaultResult<()> {
    let end = |start: u64| {
        start
            .checked_add(length)
            .filter(|end| *end <= i64::MAX as u64)
    };
    let (Some(source_end), Some(target_end)) = (end(offset), end(target_offset)) else {
        return Err(Fault::Invalid(
            "the range ends beyond what a file can hold".to_owned(),
        ));
    };
    if same && offset < target_end && target_offset < source_end {
        return Err(Fault::Invalid(
            "the ranges of one file overlap; copy to another file first".to_owned(),
        ));
    }
    Ok(())
}
