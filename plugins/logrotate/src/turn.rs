//! A log's turn: it becomes the new archive, and a new log takes its place.

use mhost_format_logrotate::Method;
use mhost_sdk::files::{CopyOptions, Metadata};
use mhost_sdk::{Error, Result};

use crate::before::Turn;
use crate::section::{Item, Rotation};

/// Where a log waits for its copy with `renamecopy`.
pub fn aside(log: &str) -> String {
    format!("{log}.tmp")
}

pub fn turn(rotation: &Rotation<'_, '_>, item: &mut Item) -> Result<()> {
    let log = item.log.clone();
    let turn = item.turn()?;
    turn.begun = true;
    let (found, plain) = (turn.found, turn.plain.clone());
    if turn.taken {
        turn.touched = true;
        return replace(rotation, &log, &found);
    }
    let copied = first(rotation, &log, &plain)?;
    let renamed_aside = rotation.section.options.method == Method::RenameCopy;
    let turn = item.turn()?;
    (turn.touched, turn.aside) = (true, renamed_aside);
    match rotation.section.options.method {
        Method::Rename | Method::RenameCopy => create(rotation, &log, &found),
        Method::CopyTruncate if keeps(rotation) => drain(rotation, item, &plain, copied),
        Method::Copy | Method::CopyTruncate => Ok(()),
    }
}

fn keeps(rotation: &Rotation<'_, '_>) -> bool {
    rotation.section.options.rotate != Some(0)
}

/// The first change of the turn; the bytes that were copied. Where it fails, the log is as
/// it was.
fn first(rotation: &Rotation<'_, '_>, log: &str, plain: &str) -> Result<u64> {
    let ground = rotation.work.ground;
    match rotation.section.options.method {
        Method::Rename => ground.rename(log, plain).map(|()| 0),
        Method::RenameCopy => {
            let aside = aside(log);
            if ground.look(&aside)?.is_some() {
                return Err(Error::Exists(format!(
                    "`{aside}`, where it would wait for its copy, exists already: move that away"
                )));
            }
            ground.rename(log, &aside).map(|()| 0)
        }
        Method::Copy | Method::CopyTruncate if keeps(rotation) => copy(rotation, log, plain),
        Method::Copy => Ok(0),
        Method::CopyTruncate => {
            let text = format!("empty `{log}`");
            ground
                .edit(text, log, |files, guest| files.truncate(guest, 0))
                .map(|()| 0)
        }
    }
}

/// After an interruption: the new log may be missing, or the old one not emptied.
fn replace(rotation: &Rotation<'_, '_>, log: &str, found: &Metadata) -> Result<()> {
    let renamed = matches!(
        rotation.section.options.method,
        Method::Rename | Method::RenameCopy
    );
    match renamed && rotation.work.ground.look(log)?.is_none() {
        true => create(rotation, log, found),
        false => Ok(()),
    }
}

fn create(rotation: &Rotation<'_, '_>, log: &str, found: &Metadata) -> Result<()> {
    let Some(owner) = rotation.section.options.create else {
        return Ok(());
    };
    let mode = owner.mode.unwrap_or(found.mode);
    let (uid, gid) = (
        owner.uid.unwrap_or(found.uid),
        owner.gid.unwrap_or(found.gid),
    );
    let text = format!("create `{log}` with mode {mode:04o} for {uid}:{gid}");
    rotation.work.ground.make(text, log, |files, guest| {
        match files.make_file(guest, mode, Some(uid), Some(gid)) {
            // The writer was quicker.
            Err(Error::Exists(_)) => Ok(()),
            done => done,
        }
    })
}

/// Copies a file to an archive; its bytes.
fn copy(rotation: &Rotation<'_, '_>, from: &str, plain: &str) -> Result<u64> {
    let ground = rotation.work.ground;
    if ground.has(plain) {
        ground.remove(plain, None)?;
    }
    let options = CopyOptions {
        replace: false,
        preserve: true,
    };
    let source = ground.guest(from);
    let mut copied = 0;
    let text = format!("copy `{from}` to `{plain}`");
    ground.make(text, plain, |files, guest| {
        copied = files.copy(&source, guest, options)?;
        Ok(())
    })?;
    ground.stands_for(plain, from);
    Ok(copied)
}

/// Copies what was written since, and empties the log.
pub fn drain(rotation: &Rotation<'_, '_>, item: &mut Item, plain: &str, copied: u64) -> Result<()> {
    let log = item.log.clone();
    let target = rotation.work.ground.guest(plain);
    let mut drained = None;
    rotation
        .work
        .ground
        .edit(format!("empty `{log}`"), &log, |files, guest| {
            drained = Some(files.drain(guest, copied, &target)?);
            Ok(())
        })?;
    item.drained = drained;
    Ok(())
}

/// The copy of `renamecopy`, once the writers have reopened the log.
pub fn copied(rotation: &Rotation<'_, '_>, log: &str, turn: &mut Turn) -> Result<()> {
    if !turn.aside {
        return Ok(());
    }
    let aside = aside(log);
    if rotation.section.options.rotate != Some(0) {
        copy(rotation, &aside, &turn.plain)?;
    }
    rotation.work.ground.remove(&aside, None)?;
    turn.aside = false;
    Ok(())
}
