//! The sync plugin: makes one tree equal to another.
//!
//! `filter` says which paths count, `plan` compares two listings and says what to do,
//! `apply` does it and counts, `brake` refuses deletions that nobody can have meant.

mod apply;
mod brake;
mod config;
mod filter;
mod listing;
mod mirror;
mod plan;
#[cfg(test)]
mod tests;

use mhost_sdk::{Access, Action, Capability, Plugin};

/// Who this is, and what it can do.
pub fn plugin() -> Plugin {
    Plugin::new(
        "sync",
        env!("CARGO_PKG_VERSION"),
        "Makes one tree equal to another, every file whole or not at all",
    )
    .action(
        Action::new(
            "mirror",
            "Copies what is new or changed, and removes what is not in the source if asked",
            mirror::mirror,
        )
        .requires(
            Capability::Directories,
            Access::Changes,
            "reads the source tree and changes the target tree",
        ),
    )
}

mhost_sdk::export!(plugin);
