//! Backs directories and databases up into a repository in restic's format,
//! restores them, and keeps the repository sound and small. The host reads,
//! encrypts and stores; this plugin chooses what to ask for, and judges the answer.

mod access;
mod answers;
mod backup;
mod care;
mod clear;
mod commands;
mod config;
mod drill;
mod lists;
mod restore;
mod snapshots;
mod table;

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
        .action(looks(
            Action::new("snapshots", "Lists the snapshots", snapshots::list),
            "to list it (verb `read`)",
        ))
        .action(restore_action())
        .action(drill_action())
        .action(looks(
            Action::new(
                "check",
                "Checks the repository's structure and data",
                care::check,
            ),
            "to check it (verb `check`)",
        ))
        .action(looks(
            Action::new(
                "diff",
                "Shows what changed between two snapshots",
                answers::diff,
            ),
            "to read both (verb `read`)",
        ))
        .action(looks(
            Action::new("find", "Finds files in the snapshots", answers::find),
            "to search it (verb `read`)",
        ))
        .action(changes(
            Action::new(
                "forget",
                "Removes snapshots by a policy of what to keep",
                care::forget,
            ),
            "to remove snapshots (verb `forget`, with `prune = true` also `prune`)",
        ))
        .action(changes(
            Action::new(
                "prune",
                "Removes data that no snapshot refers to",
                care::prune,
            ),
            "to remove data (verb `prune`)",
        ))
        .action(changes(
            Action::new(
                "keys",
                "Lists, adds and removes the keys of passwords",
                access::keys,
            ),
            "to change who can open it (verb `keys`)",
        ))
        .action(looks(
            Action::new(
                "locks",
                "Lists the locks, and says which are stale",
                access::locks,
            ),
            "to list its locks (any verb)",
        ))
        .action(changes(
            Action::new("unlock", "Removes stale locks", access::unlock),
            "to remove stale locks (verb `append`), or all (verb `prune`)",
        ))
}

fn looks(action: Action, why: &str) -> Action {
    let action = action.requires(REPOSITORIES, Access::Looks, why);
    action.requires(Capability::Secrets, Access::Looks, PASSWORD)
}

fn changes(action: Action, why: &str) -> Action {
    let action = action.requires(REPOSITORIES, Access::Changes, why);
    action.requires(Capability::Secrets, Access::Looks, PASSWORD)
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
    .may_use(
        Capability::Processes,
        Access::Changes,
        "the commands in `before` and `after`",
    )
}

fn drill_action() -> Action {
    let action = Action::new(
        "drill",
        "Restores a snapshot for a try, and proves it",
        drill::drill,
    );
    looks(action, "to read the snapshot (verb `read`)").requires(
        Capability::Directories,
        Access::Changes,
        "the scratch directory; read-only for `sources` to compare with",
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
    .may_use(
        Capability::Databases,
        Access::Changes,
        "the databases to put restored files into the place of (verb `restore`)",
    )
}

/// Opens a repository that exists.
fn open<'h>(context: &'h Context, name: &str) -> Result<Box<dyn Repository + 'h>, Failure> {
    context
        .repository(name)
        .doing(|| format!("open the repository `{name}`"))
}
