//! The configurations of the actions.

mod backup;
mod restore;
mod upkeep;

pub use backup::Backup;
pub use restore::{Drill, Existing, Restore};
pub use upkeep::{Check, Diff, Find, Forget, Keys, Locks, Prune, Snapshots, Unlock};

fn main_repository() -> String {
    "main".to_owned()
}

fn yes() -> bool {
    true
}

fn latest() -> String {
    "latest".to_owned()
}
