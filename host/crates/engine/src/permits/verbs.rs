//! The verbs as they stand in the configuration, in denials and on receipts.

use std::fmt::Display;

use mhost_model::grant::{Access, DatabaseVerb, ProcessGrant, RepositoryVerb, Signal};

/// The longest name or target from a guest that a denial repeats, bytes.
const CLIPPED: usize = 512;

/// What a guest asks of a granted process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessVerb {
    Signal,
    Run,
    /// Looks whether the process of a pid file lives.
    Find,
}

impl ProcessVerb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Run => "run",
            Self::Find => "find",
        }
    }

    pub(super) fn fits(self, grant: &ProcessGrant) -> bool {
        match grant {
            ProcessGrant::Signal(grant) => match self {
                Self::Signal => grant.signal != Signal::None,
                Self::Find => true,
                Self::Run => false,
            },
            ProcessGrant::Command(_) => self == Self::Run,
        }
    }

    pub(super) fn example(self) -> &'static str {
        match self {
            Self::Signal => "{ pid_file = \"/run/….pid\", signal = \"USR1\" }",
            Self::Run => "{ command = [\"/…\"] }",
            Self::Find => "{ pid_file = \"/run/….pid\", signal = \"NONE\" }",
        }
    }

    pub(super) fn option(self, name: &str) -> String {
        match self {
            Self::Signal => format!("--process {name}=PID_FILE:SIGNAL"),
            Self::Run => format!("--command '{name}=PROGRAM ARGUMENT ...'"),
            Self::Find => format!("--process {name}=PID_FILE:NONE"),
        }
    }
}

/// Whether a verb changes the database.
pub(super) fn changes_database(verb: DatabaseVerb) -> bool {
    matches!(
        verb,
        DatabaseVerb::Write | DatabaseVerb::Pack | DatabaseVerb::Restore
    )
}

/// As it stands in the configuration.
pub fn database_verb(verb: DatabaseVerb) -> &'static str {
    match verb {
        DatabaseVerb::Read => "read",
        DatabaseVerb::Write => "write",
        DatabaseVerb::Snapshot => "snapshot",
        DatabaseVerb::Pack => "pack",
        DatabaseVerb::Verify => "verify",
        DatabaseVerb::Restore => "restore",
        DatabaseVerb::Recover => "recover",
    }
}

/// As it stands in the configuration.
pub fn repository_verb(verb: RepositoryVerb) -> &'static str {
    match verb {
        RepositoryVerb::Append => "append",
        RepositoryVerb::Read => "read",
        RepositoryVerb::Forget => "forget",
        RepositoryVerb::Prune => "prune",
        RepositoryVerb::Check => "check",
        RepositoryVerb::Keys => "keys",
    }
}

pub(super) fn access(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read-only",
        Access::ReadWrite => "read-write",
    }
}

/// The verb that stands on the receipt.
pub(super) fn used(access: Access) -> &'static str {
    match access {
        Access::ReadOnly => "read",
        Access::ReadWrite => "write",
    }
}

/// `"a", "b"`.
pub(super) fn list(items: impl IntoIterator<Item = impl Display>) -> String {
    let quoted: Vec<_> = items
        .into_iter()
        .map(|item| format!("{:?}", item.to_string()))
        .collect();
    quoted.join(", ")
}

/// The start of a text that a guest made up.
pub(super) fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(CLIPPED)]
}
