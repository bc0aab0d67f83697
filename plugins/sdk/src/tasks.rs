//! The host's other tasks; see `wit/tasks.wit`.

use crate::Result;
pub use crate::bindings::mhost::plugin::tasks::{Hold, TaskState};

/// What else the host is doing.
pub trait Tasks {
    /// Who holds `target` now: living runs of tasks that declare it in their `holds`.
    fn holders(&self, target: &str) -> Result<Vec<Hold>>;

    /// The same for many targets at once, in their order.
    fn holders_of(&self, targets: &[String]) -> Result<Vec<Vec<Hold>>>;

    /// How far a granted task is.
    fn status(&self, task: &str) -> Result<TaskState>;
}
