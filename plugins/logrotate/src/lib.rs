//! Rotates logs as logrotate does: `app.log` becomes `app.log.1`, then
//! `app.log.2.gz`, and the oldest goes.
//!
//! [`scan`] lists the directories, [`due`] says whether a log's time has come,
//! [`plan`] turns what is there into steps, [`carry`] takes them. Every step leaves
//! a state from which the next run goes on: archives are renamed to free names
//! only, and a file goes when its compressed copy has been read to its end.

mod archive;
mod carry;
mod config;
mod due;
mod memory;
mod plan;
mod rotate;
mod scan;

#[cfg(test)]
mod tests;

use mhost_sdk::{Access, Action, Capability, Plugin};

/// What this plugin is, and what it can do.
pub fn plugin() -> Plugin {
    Plugin::new(
        "logrotate",
        env!("CARGO_PKG_VERSION"),
        "Rotates, compresses and removes logs",
    )
    .action(
        Action::new(
            "rotate",
            "Rotates the logs whose time has come",
            rotate::rotate,
        )
        .requires(
            Capability::Directories,
            Access::Changes,
            "the directories of the logs, to rename, compress and remove files there",
        )
        .may_use(
            Capability::Processes,
            Access::Changes,
            "to have the writers of the logs reopen them (`postrotate`)",
        ),
    )
}

mhost_sdk::export!(plugin);
