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

use mhost_sdk::{Access, Action, Capability, Context, Failure, Plugin, Report};

use config::{Inspect, Named, Pack, Recover, Verify};

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
    match config.target.named()? {
        Named::Database(name) => database::pack::pack(context, name, config.keep_old),
        Named::FileStorage(path) => filestorage::pack::pack(context, path, &config),
        Named::Zope(site) => zope::pack(context, site, &config),
    }
}

fn verify(context: &Context, config: Verify) -> Result<Report, Failure> {
    match config.target.named()? {
        Named::Database(name) => database::verify::verify(context, name),
        Named::FileStorage(path) => filestorage::verify::verify(context, path, config.level),
        Named::Zope(_) => Err(only_packed()),
    }
}

fn recover(context: &Context, config: Recover) -> Result<Report, Failure> {
    match config.named()? {
        Named::Database(name) => database::recover::recover(context, name, &config),
        Named::FileStorage(path) => filestorage::recover::recover(context, path, &config),
        Named::Zope(_) => Err(only_packed()),
    }
}

fn inspect(context: &Context, config: Inspect) -> Result<Report, Failure> {
    match config.target.named()? {
        Named::Database(name) => database::verify::inspect(context, name),
        Named::FileStorage(path) => filestorage::inspect::inspect(context, path, &config),
        Named::Zope(_) => Err(only_packed()),
    }
}

fn only_packed() -> Failure {
    Failure::permanent(
        "a server can be asked for `pack` and no more, so that only `pack` takes `target.zope`: name its file as \
         `target.filestorage` instead, which can be read beside it",
    )
}

mhost_sdk::export!(plugin);
