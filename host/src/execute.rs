//! One attempt of one run, from its claim to its completion: finds the component,
//! puts the job together, runs it in the engine, and hands back what to write down.
//! It never decides what follows.

mod around;
mod log;
mod ports;
mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mhost_engine::{Cancel, Context, Finished, GrantedBy, Job, Plugin};
use mhost_model::plan::Ended;
use mhost_model::plugin::{Declared, Digest};
use mhost_model::ports::run::FenceCheck;
use mhost_model::run::{ErrorKind, RunError};
use mhost_model::task::{Task, TaskSpec};
use mhost_store::{Claim, Completion};

use crate::app::App;
use crate::exit::{Kind, Outcomes, Problem};
use crate::housekeeping;
pub use log::{RunLog, Sink as LogLines};
pub use ports::{Powers, SecretValues, read_secret};

/// How long a cancelled run may take to end by itself.
const GRACE: Duration = Duration::from_secs(10);

/// Goes false when the claim was taken over.
#[derive(Debug, Clone, Default)]
pub struct Stale(Arc<AtomicBool>);

impl Stale {
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl FenceCheck for Stale {
    fn current(&self) -> bool {
        !self.0.load(Ordering::SeqCst)
    }
}

/// What there is to do.
pub enum Work {
    /// A stored task's.
    Task(Arc<Task>),
    /// What `exec` brought along, and the component for it.
    Exec(Box<TaskSpec>, Digest),
}

impl Work {
    pub fn spec(&self) -> &TaskSpec {
        match self {
            Self::Task(task) => &task.spec,
            Self::Exec(spec, _) => spec,
        }
    }

    /// The component that the task is pinned to.
    pub fn pin(&self) -> Digest {
        match self {
            Self::Task(task) => task.pin,
            Self::Exec(_, digest) => *digest,
        }
    }
}

/// An attempt that is about to start.
pub struct Attempt {
    pub claim: Claim,
    pub work: Work,
    pub powers: Arc<Powers>,
    /// Values that `exec` brought along, instead of their sources.
    pub secrets: SecretValues,
    pub cancel: Cancel,
    pub stale: Stale,
}

/// Runs it to its end, whatever that is.
pub async fn attempt(app: &App, attempt: Attempt) -> Completion {
    let started_at = app.now();
    let log = RunLog::start(Arc::clone(&app.store), attempt.claim.run.id);
    let (key, cancel) = (attempt.claim.key(), attempt.cancel.clone());
    let finished = match housekeeping::runs(attempt.work.spec()) {
        true => housekeeping::run(app, &attempt, log.sink()).await,
        false => match app.catalog.load(attempt.work.pin()).await {
            Ok(plugin) => match declared(app, &attempt.work).await {
                Ok(declared) => execute(app, &plugin, attempt, declared, log.sink()).await,
                Err(problem) => setup_failed(problem),
            },
            Err(problem) => setup_failed(problem),
        },
    };
    around::write_down(&finished.alerts, &log.sink(), app.now());
    Completion {
        key,
        ended: finished.ended,
        cancelled_because: cancel.reason().map(|reason| reason.to_string()),
        started_at,
        finished_at: app.now(),
        report: finished.report,
        receipt: Some(finished.receipt),
        state: finished.state,
        observed: finished.observed,
        log: log.finish().await,
        alerts: finished.alerts,
    }
}

/// What the action declares that it needs. Nothing runs that no manifest speaks of.
async fn declared(app: &App, work: &Work) -> Outcomes<Declared> {
    let (manifest, spec) = (app.manifest(work.pin()).await?, work.spec());
    match manifest.action(&spec.action) {
        Some(action) => Ok(Declared::of(&action.needs)),
        None => Err(Problem::usage(format!(
            "the plugin `{}` {} has no action `{}`",
            manifest.name, manifest.version, spec.action
        ))
        .hint(format!(
            "give the task an action that there is: `mhost plugin inspect {}`",
            spec.plugin
        ))),
    }
}

async fn execute(
    app: &App,
    plugin: &Plugin,
    attempt: Attempt,
    declared: Declared,
    log: Arc<log::Sink>,
) -> Finished {
    let Attempt {
        claim,
        work,
        powers,
        secrets,
        cancel,
        stale,
        ..
    } = attempt;
    let (run, spec) = (&claim.run, work.spec());
    let identity = match run.task {
        Some(task) => task.to_string(),
        None => format!("exec-{}", run.id),
    };
    let job = Job {
        context: Context {
            task: run.task_name.to_string(),
            action: spec.action.clone(),
            config: spec.config.clone(),
            dry_run: run.dry_run,
            attempt: run.attempt,
            idempotency_key: format!("{identity}/{}", run.fire_at.timestamp_millis()),
            fence: run.fence,
            fire_at: run.fire_at,
            previous_success: claim.previous_success,
        },
        grants: spec.grants.clone(),
        granted_by: match run.task {
            Some(_) => GrantedBy::Task,
            None => GrantedBy::Options(Arc::clone(&powers.given)),
        },
        declared,
        limits: spec.limits.clone(),
        databases: Arc::clone(&powers.databases),
        repositories: Arc::clone(&powers.repositories),
        remotes: Arc::clone(&powers.remotes),
        secrets: Arc::new(secrets),
        tasks: around::tasks(app),
        messenger: around::messenger(app, run),
        state: ports::state(&app.store, run.task),
        watched: watched::of(app, run),
        log,
        progress: app.runs.progress(run.id),
        fence: Arc::new(stale),
        clock: Arc::clone(&app.clock),
        cancel,
        grace: GRACE,
    };
    plugin.run(job).await
}

/// A run whose component could not be had: it has a row like any other.
fn setup_failed(problem: Problem) -> Finished {
    let kind = match problem.kind {
        Kind::Refused => ErrorKind::Denied,
        Kind::Busy => ErrorKind::Busy,
        _ => ErrorKind::Setup,
    };
    Finished {
        ended: Ended::Failed(RunError {
            message: problem.to_string(),
            kind,
            retryable: false,
            cause: None,
        }),
        report: None,
        receipt: Default::default(),
        state: Default::default(),
        alerts: Vec::new(),
        observed: Default::default(),
    }
}
