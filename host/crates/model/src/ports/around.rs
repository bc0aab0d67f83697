//! What a run can learn of the host's other tasks, and its way to people.

use crate::alert::Message;
use crate::run::Outcome;
use crate::{FaultResult, Instant, Name, RunId};

/// A living run of a task that declares a target as held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub task: Name,
    pub run: RunId,
    pub since: Instant,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    pub enabled: bool,
    pub running: bool,
    /// Fire time of the newest run that succeeded.
    pub last_success: Option<Instant>,
    pub last_outcome: Option<Outcome>,
    /// Runs in a row that did not succeed.
    pub failures: u32,
    pub next_due: Option<Instant>,
    /// When the schedule calls for the next success at the latest.
    pub success_due: Option<Instant>,
}

/// The host's tasks.
pub trait Tasks: Send + Sync {
    /// Who holds each of these targets now, in their order.
    fn holders(&self, targets: &[String]) -> FaultResult<Vec<Vec<Hold>>>;
    /// [`Fault::NotFound`](crate::Fault::NotFound) where there is no such task.
    fn status(&self, task: &Name) -> FaultResult<TaskState>;
}

/// The way to people: a message is kept, durably, when this returns.
pub trait Messenger: Send + Sync {
    fn send(&self, channel: &Name, message: Message) -> FaultResult<()>;
}
