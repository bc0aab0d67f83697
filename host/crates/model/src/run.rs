//! A run: one row of the ledger.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::plugin::{Digest, PluginRef};
use crate::receipt::Receipt;
use crate::{Fence, Instant, Name, NodeId, RunId, TaskId};

/// What asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Its schedule.
    Timer,
    /// `mhost run` or the service's API.
    Manual,
    /// `mhost exec`: no stored task.
    Exec,
    /// Another task's outcome.
    Dependency,
    /// Files changed.
    Change,
}

/// How a fire ended; see rule 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    Skipped,
    Coalesced,
    Lost,
}

impl Outcome {
    /// As it stands in the ledger and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Coalesced => "coalesced",
            Self::Lost => "lost",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum RunState {
    /// Claimed by a living process; its lease ends at `lease_until` unless renewed.
    Running { node: NodeId, lease_until: Instant },
    /// Waits for its overlap policy or its pool to let it start.
    Queued,
    /// Failed, and will be tried again.
    Waiting { retry_at: Instant },
    /// Over.
    Settled { outcome: Outcome },
}

/// A figure of a report.
pub type Metrics = BTreeMap<String, f64>;

/// What a plugin reported.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub summary: String,
    pub metrics: Metrics,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// Something that a run made and that outlives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    pub kind: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// Why a run did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The first line says what failed and the remedy; a trap's file and line and
    /// the guest's last words follow.
    pub message: String,
    /// What kind of failure it was.
    pub kind: ErrorKind,
    /// Whether the same run may succeed later.
    pub retryable: bool,
    /// The host's answer that caused it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Fault>,
}

/// Decides the exit code of `run` and `exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The plugin returned a failure.
    Failure,
    /// A grant was missing.
    Denied,
    /// A limit was reached.
    Limit,
    /// Something is held by another process.
    Busy,
    /// The deadline passed.
    Timeout,
    /// It was asked to stop.
    Cancelled,
    /// The guest trapped or panicked.
    Trap,
    /// The configuration was refused by the plugin's schema or by the plugin, or the plugin could not be loaded.
    Setup,
    /// The process died while the run was on.
    Crash,
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub id: RunId,
    /// Absent for `exec`.
    pub task: Option<TaskId>,
    /// The task's name when it ran; for `exec` the plugin's.
    pub task_name: Name,
    pub plugin: PluginRef,
    pub action: String,
    pub digest: Option<Digest>,
    pub trigger: Trigger,
    pub dry_run: bool,
    /// The nominal due time; for what was asked by hand, the time of asking.
    pub fire_at: Instant,
    pub fence: Fence,
    pub attempt: u32,
    #[serde(flatten)]
    pub state: RunState,
    /// Why it did not run, or why it ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Instant>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

impl Run {
    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            RunState::Settled { outcome } => Some(outcome),
            _ => None,
        }
    }
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// One line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: Instant,
    pub level: LogLevel,
    /// `stdout`, `stderr`, `host`, or the context that the guest gave.
    pub source: String,
    pub text: String,
}
