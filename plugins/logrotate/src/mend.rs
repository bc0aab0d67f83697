//! What an interrupted run left: its new archives are told from older ones, so that a log
//! is not rotated twice, and plain archives that were to be compressed are.

use mhost_format_logrotate::Method;
use mhost_sdk::files::HashAlgorithm;
use mhost_sdk::{Optional as _, Result};

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
    if options.method == Method::RenameCopy && !turn.taken {
        // The renamed log was not copied: its turn comes first.
        let aside = turns::aside(log);
        if rotation.work.ground.look(&aside)?.is_some() && rotation.work.ground.look(log)?.is_none()
        {
            rotation.work.ground.rename(&aside, log)?;
        }
    }
    if options.compress
        && !options.delaycompress
        && !turn.taken
        && rotation.work.ground.has(&turn.plain)
    {
        let plain = turn.plain.clone();
        turn.removed += pack::pack(rotation, &turn.names, &plain)?;
    }
    Ok(())
}

/// Whether the newest archive was made since then.
fn made(rotation: &Rotation<'_, '_>, turn: &Turn, since: mhost_sdk::files::Moment) -> Result<bool> {
    let options = &rotation.section.options;
    let since = (since.seconds, since.nanoseconds);
    let packed = options.compress && !options.delaycompress;
    let paths = [Some(turn.plain.clone()), packed.then(|| turn.packed())];
    for path in paths.into_iter().flatten() {
        let found = rotation.work.ground.look(&path)?;
        let made = found.map(|found| (found.changed.seconds, found.changed.nanoseconds));
        if made.is_some_and(|made| made >= since) {
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
