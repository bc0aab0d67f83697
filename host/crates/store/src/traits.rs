//! The trait that every store implements, and the words it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use mhost_model::alert::AlertChange;
use mhost_model::channel::ChannelDef;
use mhost_model::notify::Notify;
use mhost_model::plan::{Ended, Era, Progress};
use mhost_model::plugin::{Digest, PluginRecord};
use mhost_model::ports::run::StateChanges;
use mhost_model::receipt::Receipt;
use mhost_model::resource::{DatabaseDef, PoolDef, RemoteDef, RepositoryDef};
use mhost_model::run::{LogLine, Outcome, Report, Run, Trigger};
use mhost_model::task::{Task, TaskSpec};
use mhost_model::watch::{Observation, Summary};
use mhost_model::{Fence, Instant, Name, NodeId, RunId, Span, TaskId};
use thiserror::Error;

/// What can go wrong in a store. Texts name the operation; remedies are added
/// where a person reads them.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// Another process holds the store's file.
    #[error("the store {path} is in use by another process")]
    Busy { path: String },
    /// The file was written by a newer mhost.
    #[error(
        "the store {path} has format {found}; this mhost reads up to {known}: use the newer mhost that wrote it"
    )]
    TooNew {
        path: String,
        found: u32,
        known: u32,
    },
    /// The file is not what it should be.
    #[error("the store {path} is damaged: {why}")]
    Damaged { path: String, why: String },
    /// A fence that is not the newest: the claim was taken over.
    #[error("run {0} is no longer claimed by this process")]
    Stale(RunId),
    /// No such task, run, ….
    #[error("there is no {kind} `{name}`")]
    NotFound { kind: &'static str, name: String },
    /// A change that contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// The operating system or the database answered.
    #[error("cannot {operation}: {why}")]
    Failed {
        operation: &'static str,
        why: String,
    },
}

pub type StoreResult<T> = Result<T, StoreError>;

/// The key of a claim: who may complete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey {
    pub run: RunId,
    pub fence: Fence,
}

/// A request to claim what is due at the store's `now`.
#[derive(Debug, Clone)]
pub struct ClaimDue {
    pub node: NodeId,
    /// Free slots by pool; a pool that is missing takes its configured size (1 if
    /// there is none).
    pub slots: BTreeMap<Name, u32>,
    pub lease: Span,
    /// At most so many runs are claimed in one transaction.
    pub limit: usize,
}

/// A run that is this process's to execute now.
#[derive(Debug, Clone)]
pub struct Claim {
    pub run: Run,
    /// Absent for `exec`.
    pub task: Option<Arc<Task>>,
    pub previous_success: Option<Instant>,
}

impl Claim {
    /// Names the claim to `renew` and `complete`.
    pub fn key(&self) -> ClaimKey {
        ClaimKey {
            run: self.run.id,
            fence: self.run.fence,
        }
    }
}

/// What `claim_due` did, in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// To be executed by the caller.
    pub start: Vec<Claim>,
    /// Rows that were settled without running.
    pub passed: Vec<Run>,
    /// Living runs that the overlap policy wants cancelled.
    pub cancel: Vec<RunId>,
    /// When there is something to claim again; none while only completions can
    /// change anything.
    pub next_wake: Option<Instant>,
    /// Whether `limit` cut the claim short: call again at once.
    pub more: bool,
}

/// A run that somebody or something other than the clock asks for.
#[derive(Debug, Clone)]
pub struct Ask {
    pub node: NodeId,
    /// A stored task by id, or what `exec` brings along.
    pub what: Asked,
    pub trigger: Trigger,
    pub dry_run: bool,
    /// Start beside a living run, whatever the overlap policy says.
    pub force: bool,
    /// Free slots of the task's pool.
    pub slots: u32,
    pub lease: Span,
    /// For a change of files: what they look like now. Remembered with the run, unless it
    /// is passed over.
    pub mark: Option<Vec<u8>>,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Asked {
    Task(TaskId),
    /// The spec stands in for a task's; nothing of it is stored but the run.
    Exec {
        spec: Box<TaskSpec>,
        digest: Digest,
    },
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone)]
pub enum Answer {
    /// To be executed by the caller.
    Start(Box<Claim>),
    /// Stands in the ledger as queued; `claim_due` hands it out when it may start.
    Queued(Box<Run>),
    /// The overlap policy settled it as skipped.
    Passed(Box<Run>),
    /// The living runs must be cancelled first; it is queued behind them.
    CancelThen { run: Box<Run>, cancel: Vec<RunId> },
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Completion {
    pub key: ClaimKey,
    pub ended: Ended,
    /// Why an attempt was cancelled, for its row.
    pub cancelled_because: Option<String>,
    pub started_at: Instant,
    pub finished_at: Instant,
    pub report: Option<Report>,
    pub receipt: Option<Receipt>,
    /// Committed with the outcome: all changes of an attempt that succeeded, of another
    /// one those that the plugin marked as to be kept.
    pub state: StateChanges,
    /// Kept whatever the outcome, but not of a dry run.
    pub observed: Vec<Observation>,
    /// The rest of the log.
    pub log: Vec<LogLine>,
    /// What the run said of its alerts; committed however it ended.
    pub alerts: Vec<AlertChange>,
}

/// What a completion or a reap made of a run.
#[derive(Debug, Clone)]
pub struct Completed {
    /// Settled, or waiting for a retry.
    pub run: Run,
    /// See [`Claimed::next_wake`].
    pub next_wake: Option<Instant>,
}

/// One change of the definitions. A batch is one transaction: all or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Creates or replaces a task. A task that exists under this name (or under
    /// `renamed_from`) keeps id and history; its due time is armed anew only where the
    /// schedule, its zone or `enabled` changed.
    PutTask {
        name: Name,
        spec: Box<TaskSpec>,
        pin: Digest,
        enabled: bool,
    },
    /// The task goes, its runs stay in the ledger.
    RemoveTask(Name),
    SetEnabled {
        name: Name,
        enabled: bool,
    },
    /// Beside a [`Self::PutTask`] or [`Self::SetEnabled`] of that name in the same batch: what
    /// came due while the task was paused, or had not started when its schedule was changed,
    /// counts as missed under the new definition. Without it, it is passed over.
    CatchUp(Name),
    /// Sets or lifts a quarantine; a task in quarantine is not claimed.
    SetQuarantine {
        name: Name,
        quarantine: Option<String>,
    },
    /// Approves a plugin's present component.
    SetPin {
        name: Name,
        pin: Digest,
    },
    PutDatabase(Name, DatabaseDef),
    RemoveDatabase(Name),
    PutRepository(Name, RepositoryDef),
    RemoveRepository(Name),
    PutRemote(Name, RemoteDef),
    RemoveRemote(Name),
    PutPool(Name, PoolDef),
    RemovePool(Name),
    PutChannel(Name, Box<ChannelDef>),
    RemoveChannel(Name),
    /// Who is told where a task does not say.
    SetNotify(Option<Notify>),
    /// The file that the definitions come from.
    SetSource(PathBuf),
    /// By name and version.
    PutPlugin(Box<PluginRecord>),
    RemovePlugin {
        name: Name,
        version: String,
    },
}

/// Everything but tasks and runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Definitions {
    pub databases: BTreeMap<Name, DatabaseDef>,
    pub repositories: BTreeMap<Name, RepositoryDef>,
    pub remotes: BTreeMap<Name, RemoteDef>,
    pub pools: BTreeMap<Name, PoolDef>,
    pub channels: BTreeMap<Name, ChannelDef>,
    /// Who is told where a task does not say.
    pub notify: Option<Notify>,
    /// The file that these were applied from last.
    pub source: Option<PathBuf>,
    pub plugins: Vec<PluginRecord>,
}

/// A task and how far it is.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskStatus {
    pub task: Task,
    pub progress: Progress,
}

/// Something that the ledger need not remember any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forget {
    pub run: RunId,
    pub what: Forgotten,
}

/// How much of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// Its log.
    Log,
    /// Its row, and its log.
    Run,
}

/// What the proof of a task's chain of due times stands on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Oldest first; none in another. The last is open where the task is enabled.
    pub eras: Vec<Era>,
    /// From the first to the last, both included: due times of closed eras that will get
    /// their rows with the next claims.
    pub arrears: Vec<(Instant, Instant)>,
}

/// What new data of the time zones changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewedZones {
    /// Releases of the data.
    pub former: String,
    pub present: String,
    pub moved: Vec<Moved>,
}

/// A due time that moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    pub task: Name,
    pub was: Option<Instant>,
    pub is: Option<Instant>,
}

/// A living run, and what its task holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    pub task: Name,
    pub run: RunId,
    /// When the run started.
    pub since: Instant,
    pub holds: BTreeSet<String>,
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    pub task: Option<TaskId>,
    /// By the name that the run had; finds runs of removed tasks and of `exec`.
    pub task_name: Option<Name>,
    /// Empty for all, settled or not.
    pub outcomes: BTreeSet<Outcome>,
    /// By `fire_at`, inclusive and exclusive.
    pub since: Option<Instant>,
    pub until: Option<Instant>,
    /// Only runs with a smaller id: the next page.
    pub before: Option<RunId>,
    pub limit: usize,
}

/// Who observes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Watcher {
    Task(TaskId),
    /// What this plugin's runs without a task observe together.
    Exec(Name),
}

/// See the crate's page. Every method that changes something is durable when it
/// returns; changes asked for at the same time share a commit.
#[async_trait]
pub trait TaskStore: Send + Sync {
    /// Higher than that of every opening before that changed anything.
    fn node(&self) -> NodeId;

    /// The store's clock: it decides what is due and when a lease ends.
    async fn now(&self) -> StoreResult<Instant>;

    /// The earliest time at which `claim_due` or `reap` can have something to do.
    async fn next_wake(&self) -> StoreResult<Option<Instant>>;

    /// Claims what is due: run rows, next due times and fences in one transaction.
    /// Also hands out queued runs and retries whose time has come.
    async fn claim_due(&self, request: ClaimDue) -> StoreResult<Claimed>;

    /// Claims, queues or passes a run that was asked for.
    async fn ask(&self, ask: Ask) -> StoreResult<Answer>;

    /// Extends leases; answers which claims still stand.
    async fn renew(&self, keys: Vec<ClaimKey>, lease: Span) -> StoreResult<Vec<bool>>;

    /// Ends an attempt: outcome, report, receipt, state, log and what follows from it in one
    /// transaction. [`StoreError::Stale`] if the claim was taken over.
    async fn complete(&self, completion: Completion) -> StoreResult<Completed>;

    /// Settles or retries claims whose lease has ended, and those of former nodes
    /// where the store knows that they are dead (the embedded one does).
    async fn reap(&self) -> StoreResult<Vec<Completed>>;

    /// Settles a run that is queued or waiting as cancelled. A running one is the
    /// executor's to cancel: `false`.
    async fn cancel_open(&self, run: RunId, reason: String) -> StoreResult<bool>;

    /// Applies a batch of edits: all or none.
    async fn edit(&self, edits: Vec<Edit>) -> StoreResult<()>;

    /// Where the planner's data of the time zones are not those that due times were computed
    /// with: computes those anew that are still to come. None where nothing was to be done.
    async fn renew_zones(&self) -> StoreResult<Option<RenewedZones>>;

    /// See [`History`].
    async fn history(&self, task: TaskId) -> StoreResult<History>;
    /// Fires of the clock that have a row, from `since` on and before `until`, in order.
    async fn fires(
        &self,
        task: TaskId,
        since: Instant,
        until: Instant,
        limit: usize,
    ) -> StoreResult<Vec<Instant>>;

    /// The tasks that run when files change, enabled or not.
    async fn watchers(&self) -> StoreResult<Vec<TaskStatus>>;
    /// What the watched directory of a task looked like when a change of it was last
    /// obeyed; none where nobody has looked yet.
    async fn mark(&self, task: TaskId) -> StoreResult<Option<Vec<u8>>>;
    /// Remembers what it looks like, without a run.
    async fn set_mark(&self, task: TaskId, mark: Vec<u8>) -> StoreResult<()>;

    async fn definitions(&self) -> StoreResult<Definitions>;
    async fn task(&self, name: &Name) -> StoreResult<Option<TaskStatus>>;
    async fn task_by_id(&self, id: TaskId) -> StoreResult<Option<TaskStatus>>;
    /// In the order of names, after `after`.
    async fn tasks(&self, after: Option<Name>, limit: usize) -> StoreResult<Vec<TaskStatus>>;

    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>>;
    async fn run(&self, id: RunId) -> StoreResult<Option<Run>>;

    /// Appends lines to a run's log while it is on.
    async fn append_log(&self, run: RunId, lines: Vec<LogLine>) -> StoreResult<()>;
    /// The log in order, from line number `from`, at most `limit`.
    async fn log(&self, run: RunId, from: u64, limit: usize) -> StoreResult<Vec<LogLine>>;

    /// One value of a task's plugin state.
    async fn state(&self, task: TaskId, key: String) -> StoreResult<Option<Vec<u8>>>;
    /// Keys of a task's plugin state in order.
    async fn state_keys(
        &self,
        task: TaskId,
        after: Option<String>,
        limit: usize,
    ) -> StoreResult<Vec<String>>;

    /// Forgets runs that are over, or their logs; others are left. Answers how many were
    /// there to be forgotten. What a task was due for up to the newest fire that is
    /// forgotten cannot be proved any more, and is no gap.
    async fn forget(&self, what: Vec<Forget>) -> StoreResult<usize>;

    /// Bytes that the store takes on the disk.
    async fn size(&self) -> StoreResult<u64>;

    /// Gives back room that is not used any more. Nothing else is answered meanwhile.
    async fn compact(&self) -> StoreResult<()>;

    /// The living runs of tasks that hold something.
    async fn holdings(&self) -> StoreResult<Vec<Holding>>;
    /// What a watcher remembers of each subject, in the order asked.
    async fn memories(
        &self,
        watcher: Watcher,
        subjects: Vec<String>,
    ) -> StoreResult<Vec<Option<Vec<u8>>>>;
    /// What a watcher observed until now, subjects in order, for each length of time in
    /// which there is something. `task` of the summaries is empty.
    async fn observed(&self, watcher: Watcher) -> StoreResult<Vec<Summary>>;

    /// Checks every record and index; each finding is a line. Empty is sound.
    async fn verify(&self) -> StoreResult<Vec<String>>;
}
