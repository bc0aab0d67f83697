//! The sync plugin: makes trees equal.
//!
//! `mirror` makes one directory equal to another; `queue` carries changes to other ends
//! that need not be up at the same time.

mod mirror;
mod queue;

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
        .may_use(
            Capability::Directories,
            Access::Changes,
            "reads the source tree and changes the target tree",
        )
        .may_use(
            Capability::Remotes,
            Access::Changes,
            "reads or changes an end that is on a remote",
        ),
    )
    .action(queues(Action::new(
        "create-queue",
        "Makes the folders of queues",
        queue::create_queue,
    )))
    .action(
        queues(Action::new(
            "export",
            "Turns what changed into items, in one queue for each target",
            queue::export,
        ))
        .may_use(
            Capability::Databases,
            Access::Looks,
            "reads the rows that are exported",
        )
        .may_use(
            Capability::Network,
            Access::Looks,
            "asks a Zope for the objects that are exported",
        )
        .may_use(
            Capability::Secrets,
            Access::Looks,
            "reads the Zope's user and password",
        ),
    )
    .action(
        queues(Action::new(
            "transfer",
            "Carries items to the other ends, and hears what became of them",
            queue::transfer,
        ))
        .may_use(
            Capability::Remotes,
            Access::Changes,
            "writes items to a remote",
        )
        .may_use(
            Capability::Network,
            Access::Changes,
            "sends items to another mhost's service",
        )
        .may_use(
            Capability::Secrets,
            Access::Looks,
            "reads the token of the queue there",
        ),
    )
    .action(
        queues(Action::new(
            "import",
            "Applies the items that arrived",
            queue::import,
        ))
        .may_use(
            Capability::Databases,
            Access::Changes,
            "writes the rows that arrived",
        )
        .may_use(
            Capability::Network,
            Access::Changes,
            "imports objects into a Zope",
        )
        .may_use(
            Capability::Secrets,
            Access::Looks,
            "reads the Zope's user and password",
        ),
    )
    .action(
        Action::new(
            "status",
            "Says how deep the queues are, how old their oldest item is, and what failed",
            queue::status,
        )
        .requires(
            Capability::Directories,
            Access::Looks,
            "looks at the queues' folders",
        ),
    )
    .action(queues(Action::new(
        "retry",
        "Sends and applies again what is an error",
        queue::retry,
    )))
}

fn queues(action: Action) -> Action {
    action.requires(
        Capability::Directories,
        Access::Changes,
        "moves items between the queues' folders",
    )
}

mhost_sdk::export!(plugin);
