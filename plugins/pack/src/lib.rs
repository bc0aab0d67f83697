//! Gives unused space of databases back to the file system, checks them, shows
//! what is in them, and gets out of damaged ones what is sound.
//!
//! redb and SQLite are opened by the host ([`database`]). A FileStorage is a file, and is worked on
//! here ([`filestorage`]), over the format's own library. A running Zope is asked to pack itself ([`zope`]).

mod before;
mod config;
mod database;
mod filestorage;
#[cfg(test)]
mod tests;
mod zope;

use mhost_filestorage::verify::Level;
use mhost_sdk::{Access, Action, Capability, Context, Failure, Plugin, Report};

use config::{Held, Inspect, Named, Pack, Recover, Verify};

/// What this plugin is, and what it can do.
pub fn plugin() -> Plugin {
    Plugin::new(
        "pack",
        env!("CARGO_PKG_VERSION"),
        "Packs, verifies, inspects and recovers databases",
    )
    .action(
        Action::new(
            "pack",
            "Gives a database's unused space back to the file system",
            pack,
        )
        .may_use(
            Capability::Databases,
            Access::Changes,
            "to look at the database (verb `read`) and to pack it (verb `pack`)",
        )
        .may_use(
            Capability::Directories,
            Access::Changes,
            "to read the FileStorage, and to put the packed file in its place",
        )
        .may_use(
            Capability::Network,
            Access::Changes,
            "to ask a running Zope to pack its database",
        )
        .may_use(Capability::Secrets, Access::Looks, "to log in to that Zope"),
    )
    .action(
        Action::new(
            "verify",
            "Checks a database's structure and every record of it",
            verify,
        )
        .may_use(
            Capability::Databases,
            Access::Looks,
            "to look at the database (verb `read`) and to check it (verb `verify`)",
        )
        .may_use(
            Capability::Directories,
            Access::Looks,
            "to read the FileStorage",
        ),
    )
    .action(
        Action::new(
            "recover",
            "Writes what is sound in a damaged database to a new file",
            recover,
        )
        .may_use(
            Capability::Databases,
            Access::Looks,
            "to read a damaged SQLite or redb database (verb `recover`)",
        )
        .requires(
            Capability::Directories,
            Access::Changes,
            "to write the new file, and to read a damaged FileStorage",
        ),
    )
    .action(
        Action::new(
            "inspect",
            "Shows what a database holds, and what a pack would free",
            inspect,
        )
        .may_use(
            Capability::Databases,
            Access::Looks,
            "to look at the database (verb `read`)",
        )
        .may_use(
            Capability::Directories,
            Access::Looks,
            "to read the FileStorage",
        ),
    )
}

fn pack(context: &Context, config: Pack) -> Result<Report, Failure> {
    match config.named()? {
        Named::Held(Held::Database(name)) => database::pack::pack(context, name, config.keep_old),
        Named::Held(Held::FileStorage(path)) => filestorage::pack::pack(context, path, &config),
        Named::Zope(site) => zope::pack(context, site, &config),
    }
}

fn verify(context: &Context, config: Verify) -> Result<Report, Failure> {
    let level = config.level.unwrap_or(Level::References);
    match config.held()? {
        Held::Database(name) => database::verify::verify(context, name),
        Held::FileStorage(path) => filestorage::verify::verify(context, path, level),
    }
}

fn recover(context: &Context, config: Recover) -> Result<Report, Failure> {
    match config.held()? {
        Held::Database(name) => database::recover::recover(context, name, &config),
        Held::FileStorage(path) => filestorage::recover::recover(context, path, &config),
    }
}

fn inspect(context: &Context, config: Inspect) -> Result<Report, Failure> {
    match config.held()? {
        Held::Database(name) => database::verify::inspect(context, name),
        Held::FileStorage(path) => filestorage::inspect::inspect(context, path, &config),
    }
}

mhost_sdk::export!(plugin);
