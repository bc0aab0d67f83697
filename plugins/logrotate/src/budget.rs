//! What all logs and archives of a run take together, and the budget for that.

use mhost_format_logrotate::{Names, Section, Stamp, Whose};
use mhost_sdk::files::{Kind, join, split};

use crate::config::Config;
use crate::ground::Ground;
use crate::rotate::Clock;
use crate::section::{Rotation, Work};
use crate::{after, before};

/// An archive that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// When it was last written to, milliseconds.
    modified: u64,
    path: String,
    size: u64,
    /// Which of the sections it is of.
    section: usize,
}

/// All logs and archives.
#[derive(Debug, Default)]
pub struct Inventory {
    logs: u64,
    archives: Vec<Archive>,
}

impl Inventory {
    pub fn bytes(&self) -> u64 {
        self.logs
            + self
                .archives
                .iter()
                .map(|archive| archive.size)
                .sum::<u64>()
    }
}

/// Looks at all logs and archives of the sections. What cannot be looked at counts as
/// nothing.
pub fn inventory(ground: &Ground<'_>, sections: &[Section], clock: &Clock<'_>) -> Inventory {
    let mut inventory = Inventory::default();
    for (at, section) in sections.iter().enumerate() {
        let stamp = Stamp::new(&section.options, clock.now, clock.epoch());
        for log in &section.logs {
            let (folder, name) = split(log);
            let near = ground.beginning(folder, name).unwrap_or_default();
            let log_size = near.first().filter(|(found, _)| found == name);
            inventory.logs += log_size
                .and_then(|(_, found)| Some((*found)?.size))
                .unwrap_or(0);
            let names = Names::new(log, &section.options);
            let archives = archives(ground, &names, &stamp);
            inventory.archives.extend(archives.map(|archive| Archive {
                section: at,
                ..archive
            }));
        }
    }
    inventory
        .archives
        .sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    inventory
}

fn archives<'a>(
    ground: &'a Ground<'_>,
    names: &'a Names,
    stamp: &'a Stamp,
) -> impl Iterator<Item = Archive> + 'a {
    let near = ground
        .beginning(&names.folder, &names.base)
        .unwrap_or_default();
    let archives = near
        .into_iter()
        .filter(|(name, _)| names.belongs(stamp, name));
    archives.filter_map(|(name, found)| {
        let path = join(&names.folder, &name);
        // What this run made is not in the listing; in a dry run its source stands for it.
        let found = found.or_else(|| ground.look(&path).ok().flatten())?;
        (found.kind == Kind::File).then_some(Archive {
            modified: found.modified.millis(),
            path,
            size: found.size,
            section: 0,
        })
    })
}

/// Archives that went for the budget.
#[derive(Debug, Default)]
pub struct Evicted {
    pub paths: Vec<String>,
    pub bytes: u64,
}

/// Removes the oldest archives of all logs until the rest fits, as their sections have it:
/// mailed, told to their scripts, overwritten.
pub fn keep(work: &Work<'_, '_>, config: &Config, sections: &[Section]) -> Evicted {
    let mut evicted = Evicted::default();
    let Some(budget) = config.budget else {
        return evicted;
    };
    let ground = work.ground;
    if !ground.context.dry_run() {
        ground.forget();
    }
    let inventory = inventory(ground, sections, work.clock);
    let mut over = inventory.bytes().saturating_sub(budget.bytes());
    for archive in inventory.archives {
        if over == 0 {
            break;
        }
        let rotation = Rotation::new(work, &sections[archive.section]);
        let last = rotation.section.options.mailed == Whose::Last;
        let mailed = match last {
            true => after::mail(&rotation, &archive.path),
            false => Ok(()),
        };
        match mailed.and_then(|()| before::remove(&rotation, &archive.path)) {
            Ok(_) => {
                over = over.saturating_sub(archive.size);
                evicted.bytes += archive.size;
                evicted.paths.push(archive.path);
            }
            Err(error) => ground.warn(&format!("over the budget, but {error}")),
        }
    }
    if over > 0 {
        ground.warn(&format!(
            "the logs themselves take {over} bytes more than the budget of {budget} allows: rotate them \
             sooner (`maxsize`), or raise it"
        ));
    }
    ground.steps();
    evicted
}
