//! What the engine needs of the host while a run is on: the plugin's state, the
//! log, progress, secrets, and the fence.

use std::collections::BTreeMap;

use crate::grant::SecretSource;
use crate::run::LogLine;
use crate::schedule::Schedule;
use crate::watch::Summary;
use crate::{FaultResult, Instant, Span};

/// The plugin's own state, as it was committed last. Changes are kept by the
/// engine and handed back with the run's end, so that they commit with the outcome.
pub trait StateReader: Send + Sync {
    fn get(&self, key: &str) -> FaultResult<Option<Vec<u8>>>;
    /// Up to `limit` keys in order, after `after`.
    fn keys(&self, after: Option<&str>, limit: usize) -> FaultResult<Vec<String>>;
}

/// Changes of the plugin's state: `None` deletes.
pub type StateChanges = BTreeMap<String, Option<Vec<u8>>>;

/// Takes the lines of a run's log, already masked and within the budget.
pub trait LogSink: Send + Sync {
    fn line(&self, line: LogLine);
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressState {
    pub phase: String,
    pub done: u64,
    pub total: Option<u64>,
    /// `bytes`, `files`, `items`, `steps`.
    pub unit: &'static str,
    pub at: Instant,
}

/// Takes a run's progress; called at most ten times a second.
pub trait ProgressSink: Send + Sync {
    fn update(&self, state: ProgressState);
}

/// Reads secrets at the moment they are asked for.
pub trait Secrets: Send + Sync {
    fn read(&self, source: &SecretSource) -> FaultResult<String>;
}

/// Says whether the run's claim is still the newest: a stale one may not write.
pub trait FenceCheck: Send + Sync {
    fn current(&self) -> bool;
}

/// What was observed before, and what else the host knows that a watcher needs. What a run
/// observes is kept by the engine and handed back with its end.
pub trait Watched: Send + Sync {
    /// The memory of each subject, in the order asked.
    fn recall(&self, subjects: &[String]) -> FaultResult<Vec<Option<Vec<u8>>>>;

    /// What this task observed; for `exec`, what all tasks of its plugin did.
    fn summaries(&self) -> FaultResult<Vec<Summary>>;

    /// The end of the window of this length that `at` lies in, where one that the schedule
    /// begins holds it.
    fn in_window(
        &self,
        schedule: &Schedule,
        length: Span,
        at: Instant,
    ) -> FaultResult<Option<Instant>>;
}
