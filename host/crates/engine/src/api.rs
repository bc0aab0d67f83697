//! What the host hands to the engine for a run, and what it gets back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mhost_model::alert::AlertChange;
use mhost_model::grant::Grants;
use mhost_model::limits::Limits;
use mhost_model::plan::Ended;
use mhost_model::plugin::{Declared, Digest};
use mhost_model::ports::around::{Messenger, Tasks};
use mhost_model::ports::database::Databases;
use mhost_model::ports::remote::Remotes;
use mhost_model::ports::repository::Repositories;
use mhost_model::ports::run::{
    FenceCheck, LogSink, ProgressSink, Secrets, StateChanges, StateReader, Watched,
};
use mhost_model::receipt::Receipt;
use mhost_model::run::Report;
use mhost_model::watch::Observation;
use mhost_model::{Clock, Fence, Instant, Name};
use thiserror::Error;

/// How instances get their memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// For one-shot commands.
    OnDemand,
    /// For the service; reserves address space for so many instances.
    Pooling { instances: u32 },
}

/// How to set the engine up.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    pub allocation: Allocation,
    /// Where precompiled code is kept; none compiles anew each time. Who can write
    /// there can run code in the host.
    pub cache: Option<PathBuf>,
    /// Paths that no directory grant may cover or lie in: the state, the cache, the
    /// configuration, the plugins' folder.
    pub protected: Vec<PathBuf>,
}

/// What one run is told and given.
pub struct Job {
    pub context: Context,
    pub grants: Grants,
    pub granted_by: GrantedBy,
    /// What the action's manifest asks for, as it was approved: nothing beyond it is reached,
    /// whatever is granted.
    pub declared: Declared,
    pub limits: Limits,
    /// The directory grants' paths are used as they stand; databases, repositories and
    /// remotes are opened by name through these.
    pub databases: Arc<dyn Databases>,
    pub repositories: Arc<dyn Repositories>,
    pub remotes: Arc<dyn Remotes>,
    pub secrets: Arc<dyn Secrets>,
    pub tasks: Arc<dyn Tasks>,
    pub messenger: Arc<dyn Messenger>,
    pub state: Arc<dyn StateReader>,
    pub watched: Arc<dyn Watched>,
    pub log: Arc<dyn LogSink>,
    pub progress: Arc<dyn ProgressSink>,
    pub fence: Arc<dyn FenceCheck>,
    /// What the guest's wall clock shows.
    pub clock: Arc<dyn Clock>,
    pub cancel: Cancel,
    /// How long a cancelled run may take to end by itself.
    pub grace: Duration,
}

/// Where the grants of a run come from, and with it what a denial tells to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantedBy {
    /// The task's definition in the configuration.
    Task,
    /// Options of the command that started it, and what they name.
    Options(Arc<Given>),
}

/// What options gave for a name, so that a denial can repeat the whole option.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// `ENGINE:PATH`
    pub databases: BTreeMap<Name, String>,
    /// URLs, which never hold a password.
    pub repositories: BTreeMap<Name, String>,
    pub remotes: BTreeMap<Name, String>,
}

/// The plain part of a [`Job`]; see `plugin.context` in the WIT package.
#[derive(Debug, Clone)]
pub struct Context {
    pub task: String,
    pub action: String,
    pub config: serde_json::Map<String, serde_json::Value>,
    pub dry_run: bool,
    pub attempt: u32,
    pub idempotency_key: String,
    pub fence: Fence,
    pub fire_at: Instant,
    pub previous_success: Option<Instant>,
}

/// Asks a run to end. Clones share the request.
#[derive(Debug, Clone)]
pub struct Cancel(tokio::sync::watch::Sender<Option<Arc<str>>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(tokio::sync::watch::Sender::new(None))
    }
}

impl Cancel {
    /// Asks, and says why; the guest sees it by `progress.cancelled`, and is cut off after
    /// the grace. Who asked first is who ended it.
    pub fn cancel(&self, reason: &str) {
        self.0.send_if_modified(|asked| {
            let first = asked.is_none();
            asked.get_or_insert_with(|| reason.into());
            first
        });
    }

    /// Why it was asked for.
    pub fn reason(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until somebody asks.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in `self`, so this ends only with a request.
        let _ = receiver.wait_for(Option::is_some).await;
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Finished {
    pub ended: Ended,
    /// What was reported, or what was done before it failed.
    pub report: Option<Report>,
    pub receipt: Receipt,
    /// To be committed if it succeeded.
    pub state: StateChanges,
    /// What it said of its alerts, one change a key; to be committed however it ended.
    pub alerts: Vec<AlertChange>,
    /// To be kept whatever the outcome.
    pub observed: Vec<Observation>,
}

/// Why a component is no plugin, or cannot be loaded.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error("the file is not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// Each line names an import with its version, what the host has instead, and the remedy.
    #[error("the component needs what this mhost does not offer:\n{}", .0.join("\n"))]
    MissingImports(Vec<String>),
    #[error(
        "the component does not export `mhost:plugin/plugin` of a version that this mhost knows (0.1): {0}"
    )]
    NotAPlugin(String),
    #[error("the plugin's description is wrong: {0}")]
    BadManifest(String),
    #[error("cannot {operation}: {why}")]
    Failed {
        operation: &'static str,
        why: String,
    },
}

/// What `plugin inspect` and `plugin check` show of a component.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Inspection {
    pub digest: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// With versions, as they stand in the component's type.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// One line for each import that this host does not offer, with what it has.
    pub missing: Vec<String>,
}
