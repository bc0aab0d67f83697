//! The steps after a log's turn: the new archive is compressed, and what is too old goes.

use mhost_format_logrotate::Whose;
use mhost_sdk::{Error, Result};

use crate::section::{Item, Rotation};
use crate::{before, pack, turn};

pub fn after(rotation: &Rotation<'_, '_>, item: &mut Item) -> Result<()> {
    let log = item.log.clone();
    let turn = item.turn()?;
    let done = finish(rotation, &log, turn);
    item.removed += turn.removed;
    done
}

fn finish(rotation: &Rotation<'_, '_>, log: &str, turn: &mut before::Turn) -> Result<()> {
    let options = &rotation.section.options;
    let ground = rotation.work.ground;
    turn::copied(rotation, log, turn)?;
    let plain = turn.plain.clone();
    let leaves = turn.leaving.contains(&plain);
    if options.compress && !options.delaycompress && !leaves && ground.has(&plain) {
        turn.removed += pack::pack(rotation, turn, &plain)?;
    }
    turn.whole = true;
    if rotation.work.typed && options.compress {
        older(rotation, turn)?;
    }
    if options.mailed == Whose::First && options.mail.is_some() {
        let packed = turn.packed();
        mail(rotation, if ground.has(&packed) { &packed } else { &plain })?;
    }
    for path in std::mem::take(&mut turn.leaving) {
        if !ground.has(&path) {
            continue;
        }
        if options.mailed == Whose::Last {
            mail(rotation, &path)?;
        }
        turn.removed += before::remove(rotation, &path)?;
    }
    Ok(())
}

/// The typed words mean all archives: those from before `compress` was set, too.
fn older(rotation: &Rotation<'_, '_>, turn: &mut before::Turn) -> Result<()> {
    let options = &rotation.section.options;
    let names = before::archives(rotation, turn)?;
    let numbers = names.iter().filter_map(|name| turn.names.number(name));
    let mut plain: Vec<_> = numbers
        .map(|number| turn.names.plain_numbered(number))
        .collect();
    plain.extend(turn.names.dated(&rotation.stamp, &names, ""));
    for path in plain {
        let waits = options.delaycompress && path == turn.plain;
        let leaves = turn.leaving.contains(&path);
        if rotation.work.ground.has(&path) && !waits && !leaves {
            turn.removed += pack::pack(rotation, turn, &path)?;
        }
    }
    Ok(())
}

/// Hands an archive to what was granted for mail.
pub fn mail(rotation: &Rotation<'_, '_>, path: &str) -> Result<()> {
    let Some(address) = &rotation.section.options.mail else {
        return Ok(());
    };
    let work = rotation.work;
    before::single(rotation, path)?;
    let sent = work.scripts.send(work.ground, rotation.section, path);
    sent.map_err(|error| Error::Failed(format!("cannot mail `{path}` to {address}: {error}")))
}
