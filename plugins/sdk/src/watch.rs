//! What a task observes over its runs, and what the host knows that a watcher needs;
//! see `wit/watch.wit`.

use std::time::Duration;

use crate::Result;
pub use crate::bindings::mhost::plugin::watch::{Condition, Observation, Summary};

/// The memory of a watcher.
pub trait Watch {
    /// What was remembered of each subject, in the order asked.
    fn recall(&self, subjects: &[String]) -> Result<Vec<Option<Vec<u8>>>>;
    /// Kept with the run's end, whatever its outcome.
    fn observe(&self, observations: &[Observation]) -> Result<()>;
    /// What this task observed; for `exec`, what all tasks of this plugin did.
    fn summaries(&self) -> Result<Vec<Summary>>;
    /// The end of the window that `at` lies in; `schedule` is JSON as in `mhost.toml`.
    fn in_window(&self, schedule: &str, length: Duration, at: u64) -> Result<Option<u64>>;
}
