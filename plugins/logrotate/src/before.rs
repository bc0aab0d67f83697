//! The steps before a log's turn: its archives make room.

use std::collections::BTreeSet;

use mhost_format_logrotate::{Method, Names};
use mhost_sdk::files::{Changes, Kind, Metadata};
use mhost_sdk::{Error, Optional as _, Result};

use crate::mark::Earlier;
use crate::memory::Memory;
use crate::section::Rotation;
use crate::{mend, pack};

/// A log's turn.
#[derive(Debug)]
pub struct Turn {
    pub names: Names,
    pub found: Metadata,
    /// The new archive before it is compressed.
    pub plain: String,
    /// Archives that go when the turn is over.
    pub leaving: Vec<String>,
    /// What an earlier run left in the folder.
    pub earlier: Option<Earlier>,
    /// An earlier run took the turn, and was interrupted after it.
    pub taken: bool,
    /// The log's turn came, the log was touched, and its new archive is as it should be.
    pub begun: bool,
    pub touched: bool,
    pub whole: bool,
    /// The renamed log waits aside for its copy (`renamecopy`).
    pub aside: bool,
    /// An archive that stands where the new one should.
    pub occupied: Option<String>,
    /// Bytes that were removed.
    pub removed: u64,
}

impl Turn {
    pub fn packed(&self) -> String {
        format!("{}{}", self.plain, self.names.suffix)
    }
}

/// The folder of the archives: there, or made.
pub fn folders(rotation: &Rotation<'_, '_>) -> Result<()> {
    let options = &rotation.section.options;
    if options.olddir.is_none() {
        return Ok(());
    }
    let logs = rotation.section.logs.iter();
    let mut folders: Vec<_> = logs
        .map(|log| (Names::new(log, options).folder, log))
        .collect();
    folders.dedup_by(|a, b| a.0 == b.0);
    for (folder, log) in folders {
        let found = rotation.work.ground.look(&folder)?;
        match (found, options.createolddir) {
            (Some(found), _) if matches!(found.kind, Kind::Directory | Kind::SymbolicLink) => {}
            (Some(_), _) => {
                return Err(Error::Invalid(format!(
                    "`olddir` leads to `{folder}`, which is no folder"
                )));
            }
            (None, Some(_)) => make_folders(rotation, &folder, log)?,
            (None, None) => {
                return Err(Error::NotFound(format!(
                    "`olddir` leads to `{folder}`, which does not exist: make it, or set `createolddir`"
                )));
            }
        }
    }
    Ok(())
}

/// Makes a folder and what is missing above it.
fn make_folders(rotation: &Rotation<'_, '_>, folder: &str, log: &str) -> Result<()> {
    let ground = rotation.work.ground;
    let mut missing = vec![folder];
    let mut above = mhost_sdk::files::split(folder).0;
    while above.len() > 1 && ground.look(above)?.is_none() {
        missing.push(above);
        above = mhost_sdk::files::split(above).0;
    }
    let like = ground.look(mhost_sdk::files::split(log).0)?;
    let owner = rotation.section.options.createolddir.unwrap_or_default();
    let su = rotation.section.options.su;
    for folder in missing.into_iter().rev() {
        let text = format!("make the folder `{folder}`");
        ground.make(text, folder, |files, guest| {
            match files.create_directory(guest) {
                Err(Error::Exists(_)) => return Ok(()),
                done => done?,
            }
            let made = files.stat(guest)?;
            let uid = owner.uid.or(su.map(|su| su.0));
            let gid = owner.gid.or(su.map(|su| su.1));
            let changes = Changes {
                mode: Some(
                    owner
                        .mode
                        .unwrap_or_else(|| like.map_or(0o755, |like| like.mode & 0o777)),
                ),
                uid: uid.filter(|uid| *uid != made.uid),
                gid: gid.filter(|gid| *gid != made.gid),
                modified: None,
                accessed: None,
            };
            files.set_metadata(guest, changes)
        })?;
    }
    Ok(())
}

/// Makes room for the new archive.
pub fn before(
    rotation: &Rotation<'_, '_>,
    (log, found): (&str, Metadata),
    finish: bool,
    memory: &Memory<'_>,
) -> Result<Turn> {
    let work = rotation.work;
    let options = &rotation.section.options;
    let names = Names::new(log, options);
    let plain = match options.dateext {
        true => names.plain_dated(&rotation.stamp),
        false => names.plain_numbered(options.start),
    };
    let mut turn = Turn {
        earlier: None,
        names,
        found,
        plain,
        leaving: Vec::new(),
        taken: finish,
        begun: finish,
        touched: finish,
        whole: false,
        aside: false,
        occupied: None,
        removed: 0,
    };
    turn.earlier = work.marks.enter(&turn.names.folder, &[log])?;
    mend::mend(rotation, log, &mut turn, memory)?;
    if turn.taken {
        // Room was made; what was to go may still be there.
        match options.dateext {
            true => surplus(rotation, &mut turn)?,
            false => {
                let numbers = numbers(rotation, &turn)?;
                leaving_numbered(rotation, &mut turn, last(rotation, &numbers), &numbers);
            }
        }
        return Ok(turn);
    }
    if options.dateext {
        // Nothing is written over: of one date there is one archive.
        let paths = [turn.plain.clone(), turn.packed()];
        turn.occupied = paths.into_iter().find(|path| work.ground.has(path));
        if turn.occupied.is_some() {
            return Ok(turn);
        }
    }
    if options.compress && options.delaycompress {
        previous(rotation, &mut turn)?;
    }
    match options.dateext {
        true => surplus(rotation, &mut turn)?,
        false => shift(rotation, &mut turn)?,
    }
    Ok(turn)
}

/// Compresses what the last rotation left for this one.
fn previous(rotation: &Rotation<'_, '_>, turn: &mut Turn) -> Result<()> {
    let ground = rotation.work.ground;
    let waiting = match rotation.section.options.dateext {
        true => turn
            .names
            .dated(&rotation.stamp, &archives(rotation, turn)?, ""),
        false => vec![turn.plain.clone()],
    };
    for plain in waiting.into_iter().filter(|plain| ground.has(plain)) {
        turn.removed += pack::pack(rotation, turn, &plain)?;
    }
    Ok(())
}

fn is_old(rotation: &Rotation<'_, '_>, path: &str) -> Result<bool> {
    let Some(days) = rotation.section.options.maxage.filter(|days| *days > 0) else {
        return Ok(false);
    };
    let Some(found) = rotation.work.ground.look(path)? else {
        return Ok(false);
    };
    let age = rotation
        .work
        .clock
        .epoch()
        .saturating_sub(found.modified.seconds);
    Ok(age > i64::from(days) * 86_400)
}

/// The names in the archives' folder that may be this log's.
pub fn archives(rotation: &Rotation<'_, '_>, turn: &Turn) -> Result<Vec<String>> {
    let names = &turn.names;
    rotation.work.ground.names_like(&names.folder, &names.base)
}

/// The numbers of the archives that are there. Anybody may have made one of any number, so
/// only these are gone through, and never those between.
fn numbers(rotation: &Rotation<'_, '_>, turn: &Turn) -> Result<BTreeSet<u32>> {
    let names = archives(rotation, turn)?;
    let numbers = names.iter().filter_map(|name| turn.names.number(name));
    Ok(numbers.collect())
}

/// The number of the last archive that stays.
fn last(rotation: &Rotation<'_, '_>, numbers: &BTreeSet<u32>) -> u32 {
    let options = &rotation.section.options;
    match options.rotate {
        // Of none that are kept, one is on its way all the same.
        Some(count) => options.start.saturating_add(count.max(1)).saturating_sub(1),
        None => numbers
            .last()
            .map_or(options.start, |highest| options.start.max(*highest)),
    }
}

/// Numbers the archives on, the oldest first, so that none is written over.
fn shift(rotation: &Rotation<'_, '_>, turn: &mut Turn) -> Result<()> {
    let options = &rotation.section.options;
    let ground = rotation.work.ground;
    let mut numbers = numbers(rotation, turn)?;
    let last = last(rotation, &numbers);
    let first_gap = gap(rotation, turn, last);
    let kept: Vec<_> = numbers.iter().copied().collect();
    let kept = kept
        .into_iter()
        .filter(|number| (options.start..=last).contains(number));
    for number in kept.rev() {
        for path in there(rotation, turn, number) {
            if is_old(rotation, &path)? {
                turn.removed += remove(rotation, &path)?;
            } else if number < first_gap {
                let end = &path[turn.names.plain_numbered(number).len()..];
                let next = format!("{}{end}", turn.names.plain_numbered(number + 1));
                ground.rename(&path, &next)?;
                numbers.insert(number + 1);
            }
        }
    }
    leaving_numbered(rotation, turn, last, &numbers);
    Ok(())
}

/// After an interruption archives move no further than they must: the numbers up to the
/// first gap were not moved yet.
fn gap(rotation: &Rotation<'_, '_>, turn: &Turn, last: u32) -> u32 {
    let start = rotation.section.options.start;
    let careful = turn.earlier.is_some() || rotation.work.typed;
    match careful {
        true => (start..=last)
            .find(|number| there(rotation, turn, *number).is_empty())
            .unwrap_or(u32::MAX),
        false => u32::MAX,
    }
}

/// The archives with a number. A configuration of logrotate moves only those with the
/// ending that it gives itself.
fn there(rotation: &Rotation<'_, '_>, turn: &Turn, number: u32) -> Vec<String> {
    let ground = rotation.work.ground;
    let paths = match rotation.work.typed {
        true => turn.names.any_numbered(number),
        false => vec![turn.names.numbered(number)],
    };
    paths.into_iter().filter(|path| ground.has(path)).collect()
}

fn leaving_numbered(
    rotation: &Rotation<'_, '_>,
    turn: &mut Turn,
    last: u32,
    numbers: &BTreeSet<u32>,
) {
    let options = &rotation.section.options;
    let Some(count) = options.rotate else { return };
    let beyond = last.saturating_add(1);
    let most = if rotation.work.typed {
        u32::MAX
    } else {
        beyond
    };
    let renamed = matches!(options.method, Method::Rename | Method::RenameCopy);
    if count > 0 || !renamed || rotation.work.typed {
        for number in numbers.range(beyond..=most) {
            turn.leaving.extend(there(rotation, turn, *number));
        }
    }
    if count == 0 && renamed {
        turn.leaving.push(turn.plain.clone());
    }
}

/// Of dated archives the oldest go, so that with the new one as many as wanted are left.
fn surplus(rotation: &Rotation<'_, '_>, turn: &mut Turn) -> Result<()> {
    let options = &rotation.section.options;
    if !options.dateext {
        return Ok(());
    }
    let names = archives(rotation, turn)?;
    let mut there = match rotation.work.typed {
        true => turn.names.any_dated(&rotation.stamp, &names),
        false => turn
            .names
            .dated(&rotation.stamp, &names, &turn.names.suffix),
    };
    there.retain(|path| *path != turn.packed() && *path != turn.plain);
    // An archive that was being compressed is there twice, and one all the same.
    let archives: Vec<_> = there
        .chunk_by(|a, b| turn.names.uncompressed(a) == turn.names.uncompressed(b))
        .collect();
    let renamed = matches!(options.method, Method::Rename | Method::RenameCopy);
    let most = options
        .rotate
        .map_or(usize::MAX, |count| count.max(1) as usize);
    let too_many = (archives.len() + 1).saturating_sub(most);
    let mut going = Vec::new();
    for (at, paths) in archives.into_iter().enumerate() {
        for path in paths {
            if at < too_many || is_old(rotation, path)? {
                going.push(path.clone());
            }
        }
    }
    if options.rotate == Some(0) && renamed {
        // The new one goes in the place of the last of them, as logrotate has it.
        if !rotation.work.typed {
            going.pop();
        }
        turn.leaving.push(turn.plain.clone());
    }
    turn.leaving.extend(going);
    Ok(())
}

/// Whether an archive may be read for what goes elsewhere: of one with a second name nobody
/// knows whose content it is.
pub fn single(rotation: &Rotation<'_, '_>, path: &str) -> Result<()> {
    let found = rotation.work.ground.look(path)?;
    let names = found.map_or(1, |found| found.links);
    match names > 1 && !rotation.section.options.allowhardlink {
        false => Ok(()),
        true => Err(Error::Invalid(format!(
            "`{path}` has {names} names (hard links), and may be another file: set `allowhardlink` if that \
             is meant"
        ))),
    }
}

/// Removes an archive, as the section wants it; its bytes.
pub fn remove(rotation: &Rotation<'_, '_>, path: &str) -> Result<u64> {
    let options = &rotation.section.options;
    let ground = rotation.work.ground;
    let found = ground.look(path)?;
    let size = found.map_or(0, |found| found.size);
    rotation.script(mhost_format_logrotate::Event::Preremove, &[path])?;
    let passes = options
        .shred
        .then(|| options.shredcycles.unwrap_or(3).clamp(1, 100));
    // What has another name would be destroyed there, too: of that only this name goes.
    let linked = options.allowhardlink && found.is_some_and(|found| found.links > 1);
    let passes = passes.filter(|_| !linked);
    match ground.remove(path, passes).optional()? {
        Some(()) => Ok(size),
        None => Ok(0),
    }
}
