//! A task: a stored definition of work.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::grant::Grants;
use crate::limits::Limits;
use crate::notify::Notify;
use crate::plugin::{Digest, PluginRef};
use crate::policy::Policy;
use crate::receive::Receiver;
use crate::schedule::Schedule;
use crate::{Instant, Name, TaskId};

/// What an operator writes: `[tasks.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskSpec {
    pub plugin: PluginRef,
    pub action: String,
    pub schedule: Schedule,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A former name: the task of that name is renamed, with all its history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<Name>,
    /// Checked against the action's schema.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// What its runs are at work on, by the names that others know it by (a check's
    /// target, another task): alerts about them are silent meanwhile.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub holds: BTreeSet<String>,
    #[serde(default)]
    pub grants: Grants,
    /// Queues that others may put items into over HTTP, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub receive: BTreeMap<Name, Receiver>,
    /// Who is told of what happens; as `[notify]` says where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub limits: Limits,
}

impl TaskSpec {
    /// One that says nothing beyond what it must.
    pub fn new(plugin: PluginRef, action: impl Into<String>, schedule: Schedule) -> Self {
        Self {
            plugin,
            action: action.into(),
            schedule,
            description: None,
            renamed_from: None,
            config: serde_json::Map::new(),
            holds: BTreeSet::new(),
            grants: Grants::default(),
            receive: BTreeMap::new(),
            notify: None,
            policy: Policy::default(),
            limits: Limits::default(),
        }
    }
}

/// What the store keeps of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub name: Name,
    pub spec: TaskSpec,
    /// The component that the task was approved with.
    pub pin: Digest,
    /// Set while the plugin's present component is not the pinned one, or asks
    /// for more than the operator has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
    /// A disabled (paused) task has no due time.
    pub enabled: bool,
    /// Grows with every change of the schedule.
    pub schedule_version: u32,
    pub created_at: Instant,
}
