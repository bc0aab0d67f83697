//! What an interrupted run left: its new archives are told from older ones, so that a log
//! is not rotated twice, and plain archives that were to be compressed are.

use mhost_format_logrotate::Method;
use mhost_sdk::files::{HashAlgorithm, Metadata, Moment};
use mhost_sdk::{Error, Optional as _, Result};

use crate::before::Turn;
use crate::memory::Memory;
use crate::section::Rotation;
use crate::{pack, turn as turns};

/// Mends, where an earlier run left its mark.
pub fn mend(
    rotation: &Rotation<'_, '_>,
    log: &str,
    turn: &mut Turn,
    memory: &Memory<'_>,
) -> Result<()> {
    let Some(earlier) = turn.earlier else {
        return Ok(());
    };
    let options = &rotation.section.options;
    let remembered = memory.before(log).is_some_and(|last| last >= earlier.began);
    let made = made(rotation, turn, earlier.since)?;
    turn.taken |= !earlier.ended && !remembered && !rotation.work.force && made;
    if options.method == Method::CopyTruncate && (turn.taken || made) {
        emptied(rotation, log, turn)?;
    }
    if options.method == Method::RenameCopy {
        waits(rotation, log, turn, earlier.since, made)?;
    }
    if options.compress
        && !options.delaycompress
        && !turn.taken
        && rotation.work.ground.has(&turn.plain)
    {
        let plain = turn.plain.clone();
        turn.removed += pack::pack(rotation, turn, &plain)?;
    }
    Ok(())
}

/// A log that was renamed aside since then had its turn: its copy is still to be made. What
/// lay there before is nobody's of ours, and stays.
fn waits(
    rotation: &Rotation<'_, '_>,
    log: &str,
    turn: &mut Turn,
    since: Moment,
    made: bool,
) -> Result<()> {
    let ground = rotation.work.ground;
    let aside = turns::aside(log);
    let left = rotation.work.marks.left(&turn.names.folder);
    let named = left.is_some_and(|(_, logs)| logs.iter().any(|left| left == log));
    let found = ground.look(&aside)?;
    if !named || !found.is_some_and(|found| later(&found, since)) {
        return Ok(());
    }
    if ground.look(&turn.plain)?.is_some() && !made {
        return Err(Error::Exists(format!(
            "`{aside}` is to be copied to `{}`, which is there already: move one of them away",
            turn.plain
        )));
    }
    turn.taken = true;
    turn.aside = true;
    Ok(())
}

/// Whether a file was made, renamed or written to since then.
pub fn later(found: &Metadata, since: Moment) -> bool {
    let moment = |at: Moment| (at.seconds, at.nanoseconds);
    moment(found.changed) >= moment(since)
}

/// Whether the newest archive was made since then.
fn made(rotation: &Rotation<'_, '_>, turn: &Turn, since: Moment) -> Result<bool> {
    let options = &rotation.section.options;
    let packed = options.compress && !options.delaycompress;
    let paths = [Some(turn.plain.clone()), packed.then(|| turn.packed())];
    for path in paths.into_iter().flatten() {
        let found = rotation.work.ground.look(&path)?;
        if found.is_some_and(|found| later(&found, since)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Empties a log that was copied: if it still begins with the copy, it was not emptied.
fn emptied(rotation: &Rotation<'_, '_>, log: &str, turn: &Turn) -> Result<()> {
    let ground = rotation.work.ground;
    let (source, archive) = (ground.guest(log), ground.guest(&turn.plain));
    let Some(copy) = ground.files().stat(&archive).optional()? else {
        return Ok(());
    };
    let there = ground
        .files()
        .stat(&source)
        .optional()?
        .map_or(0, |found| found.size);
    if copy.size == 0 || there < copy.size {
        return Ok(());
    }
    let hash = |path: &str| {
        ground
            .files()
            .hash(path, HashAlgorithm::Blake3, 0, Some(copy.size))
    };
    if hash(&source)? != hash(&archive)? {
        return Ok(());
    }
    ground.edit(format!("empty `{log}`"), log, |files, guest| {
        files.drain(guest, copy.size, &archive).map(drop)
    })
}
