//! What all logs and archives of a run take together, and the budget for that.

use mhost_format_logrotate::{Names, Section, Stamp};
use mhost_sdk::files::{Kind, join, split};

use crate::config::Config;
use crate::ground::Ground;
use crate::rotate::Clock;

/// An archive that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// When it was last written to, milliseconds.
    modified: u64,
    path: String,
    size: u64,
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
    for section in sections {
        let stamp = Stamp::new(&section.options, clock.now, clock.epoch());
        for log in &section.logs {
            let (folder, name) = split(log);
            let near = ground.beginning(folder, name).unwrap_or_default();
            let log_size = near.first().filter(|(found, _)| found == name);
            inventory.logs += log_size
                .and_then(|(_, found)| Some((*found)?.size))
                .unwrap_or(0);
            let names = Names::new(log, &section.options);
            inventory.archives.extend(archives(ground, &names, &stamp));
        }
    }
    inventory
        .archives
        .sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    inventory
}

fn archives(ground: &Ground<'_>, names: &Names, stamp: &Stamp) -> Vec<Archive> {
    let near = ground
        .beginning(&names.folder, &names.base)
        .unwrap_or_default();
    let archives = near
        .into_iter()
        .filter(|(name, _)| names.belongs(stamp, name));
    let archives = archives.filter_map(|(name, found)| {
        let found = found.filter(|found| found.kind == Kind::File)?;
        Some(Archive {
            modified: found.modified.millis(),
            path: join(&names.folder, &name),
            size: found.size,
        })
    });
    archives.collect()
}

/// Removes the oldest archives of all logs until the rest fits; those that went.
pub fn keep(
    ground: &Ground<'_>,
    config: &Config,
    sections: &[Section],
    clock: &Clock<'_>,
) -> Vec<String> {
    let Some(budget) = config.budget else {
        return Vec::new();
    };
    ground.forget();
    let inventory = inventory(ground, sections, clock);
    let mut over = inventory.bytes().saturating_sub(budget.bytes());
    let mut gone = Vec::new();
    for archive in inventory.archives {
        if over == 0 {
            break;
        }
        match ground.remove(&archive.path, config.shred) {
            Ok(()) => {
                over = over.saturating_sub(archive.size);
                gone.push(archive.path);
            }
            Err(error) => ground.context.warn(format!("over the budget, but {error}")),
        }
    }
    if over > 0 {
        ground.context.warn(format!(
            "the logs themselves take {over} bytes more than the budget of {budget} allows: rotate them \
             sooner (`maxsize`), or raise it"
        ));
    }
    ground.steps();
    gone
}
