//! Rotates logs as logrotate does: `app.log` becomes `app.log.1`, then
//! `app.log.2.gz`, and the oldest goes. What logrotate's own configurations say is read by
//! `mhost-format-logrotate`; the typed words of [`config`] mean the same.
//!
//! [`rotate`] is the action: [`section`] takes the logs that share their options through
//! their scripts, [`before`], [`turn`] and [`after`] are a log's way. Every step leaves a
//! state from which the next run goes on: [`mark`] tells it what was interrupted, and a
//! file goes when its compressed copy has been read to its end.

mod after;
mod before;
mod budget;
mod config;
mod consider;
mod ground;
mod hooks;
mod letter;
mod mark;
mod memory;
mod mend;
mod pack;
mod read;
mod report;
mod rotate;
mod section;
mod turn;
mod watch;
mod zone;

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
    .action(
        Action::new(
            "watch",
            "Reads what is new in logs, counts it, and raises alerts",
            watch::watch,
        )
        .requires(
            Capability::Directories,
            Access::Looks,
            "the directories of the logs and their archives, to read them",
        ),
    )
}

mhost_sdk::export!(plugin);
