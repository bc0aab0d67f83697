//! Backs directories and databases up into a repository in restic's format,
//! restores them, and keeps the repository sound and small. The host reads,
//! encrypts and stores; this plugin chooses what to ask for, and judges the answer.

mod backup;
mod care;
mod config;
mod restore;
mod snapshots;

#[cfg(test)]
mod tests;

use mhost_sdk::repository::Repository;
use mhost_sdk::{Access, Action, Capability, Context, Doing as _, Failure, Plugin};

const NAME: &str = "backup";
const SUMMARY: &str = "Backs up into restic repositories, restores, checks and prunes them";

/// What this plugin is, and what it can do.
pub fn plugin() -> Plugin {
    Plugin::new(NAME, env!("CARGO_PKG_VERSION"), SUMMARY)
        .action(backup_action())
        .action(
            Action::new("snapshots", "Lists the snapshots", snapshots::list)
                .requires(REPOSITORIES, Access::Looks, "to list it (verb `read`)")
                .requires(Capability::Secrets, Access::Looks, PASSWORD),
        )
        .action(restore_action())
        .action(
            Action::new(
                "check",
                "Checks the repository's structure and data",
                care::check,
            )
            .requires(REPOSITORIES, Access::Looks, "to check it (verb `check`)")
            .requires(Capability::Secrets, Access::Looks, PASSWORD),
        )
        .action(
            Action::new(
                "forget",
                "Removes snapshots by a policy of what to keep",
                care::forget,
            )
            .requires(
                REPOSITORIES,
                Access::Changes,
                "to remove snapshots (verb `forget`, with `prune = true` also `prune`)",
            )
            .requires(Capability::Secrets, Access::Looks, PASSWORD),
        )
        .action(
            Action::new(
                "prune",
                "Removes data that no snapshot refers to",
                care::prune,
            )
            .requires(
                REPOSITORIES,
                Access::Changes,
                "to remove data (verb `prune`)",
            )
            .requires(Capability::Secrets, Access::Looks, PASSWORD),
        )
}

mhost_sdk::export!(plugin);

const REPOSITORIES: Capability = Capability::Repositories;
const PASSWORD: &str = "the repository's password, which the host uses and the plugin never sees";

fn backup_action() -> Action {
    Action::new(
        "backup",
        "Adds a snapshot of directories and databases",
        backup::backup,
    )
    .requires(
        REPOSITORIES,
        Access::Changes,
        "to add a snapshot, and to create the repository where it is missing (verb `append`)",
    )
    .requires(Capability::Secrets, Access::Looks, PASSWORD)
    .may_use(
        Capability::Directories,
        Access::Looks,
        "the directories to back up; read-only is enough",
    )
    .may_use(
        Capability::Databases,
        Access::Looks,
        "the databases to back up, as a consistent copy (verb `snapshot`)",
    )
}

fn restore_action() -> Action {
    Action::new(
        "restore",
        "Restores a snapshot into a directory",
        restore::restore,
    )
    .requires(
        REPOSITORIES,
        Access::Looks,
        "to read the snapshot (verb `read`)",
    )
    .requires(Capability::Secrets, Access::Looks, PASSWORD)
    .requires(
        Capability::Directories,
        Access::Changes,
        "the directory to restore into",
    )
}

/// Opens a repository that exists.
fn open<'h>(context: &'h Context, name: &str) -> Result<Box<dyn Repository + 'h>, Failure> {
    context
        .repository(name)
        .doing(|| format!("open the repository `{name}`"))
}
