//! Gives unused space of databases back to the file system, checks them, and
//! shows what is in them. The host opens the database and does the packing (a
//! verified copy takes the place of the old file); this plugin decides what to
//! ask for and says what came of it.

mod config;
mod pack;
mod verify;

#[cfg(test)]
mod tests;

use mhost_sdk::{Access, Action, Capability, Plugin};

/// What this plugin is, and what it can do.
pub fn plugin() -> Plugin {
    Plugin::new(
        "pack",
        env!("CARGO_PKG_VERSION"),
        "Packs, verifies and inspects databases",
    )
    .action(
        Action::new(
            "pack",
            "Gives a database's unused space back to the file system",
            pack::pack,
        )
        .requires(
            Capability::Databases,
            Access::Changes,
            "to look at the database (verb `read`) and to pack it (verb `pack`)",
        ),
    )
    .action(
        Action::new(
            "verify",
            "Checks a database's structure and every row of it",
            verify::verify,
        )
        .requires(
            Capability::Databases,
            Access::Looks,
            "to look at the database (verb `read`) and to check it (verb `verify`)",
        ),
    )
    .action(
        Action::new(
            "inspect",
            "Shows a database's tables, rows, size and reclaimable space",
            verify::inspect,
        )
        .requires(
            Capability::Databases,
            Access::Looks,
            "to look at the database (verb `read`)",
        ),
    )
}

mhost_sdk::export!(plugin);
