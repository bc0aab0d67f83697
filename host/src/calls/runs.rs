//! The ledger: runs listed, shown, their logs, and cancelling one.

use std::collections::BTreeSet;
use std::sync::Arc;

use mhost_model::plugin::Digest;
use mhost_model::receipt::Receipt;
use mhost_model::run::{LogLine, Outcome, Report, Run, RunError, RunState, Trigger};
use mhost_model::{Instant, Name, RunId};
use mhost_store::RunFilter;
use serde::{Deserialize, Serialize};

use super::{Call, page};
use crate::app::App;
use crate::exit::{Outcomes, Problem, no_run};

/// A run as everybody sees it: the JSON of `run`, `exec`, `tick` and `runs show`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunView {
    pub run: RunId,
    pub task: Name,
    pub plugin: String,
    pub action: String,
    pub digest: Option<Digest>,
    pub trigger: Trigger,
    pub dry_run: bool,
    pub fire_at: Instant,
    pub attempt: u32,
    /// `running`, `queued`, `waiting`, `settled`.
    pub state: String,
    /// Absent while it is not over.
    pub outcome: Option<Outcome>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Instant>,
    pub reason: Option<String>,
    pub started_at: Option<Instant>,
    pub finished_at: Option<Instant>,
    pub report: Option<Report>,
    pub receipt: Option<Receipt>,
    pub error: Option<RunError>,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        let outcome = run.outcome();
        let (state, retry_at) = match run.state {
            RunState::Running { .. } => ("running", None),
            RunState::Queued => ("queued", None),
            RunState::Waiting { retry_at } => ("waiting", Some(retry_at)),
            RunState::Settled { .. } => ("settled", None),
        };
        Self {
            run: run.id,
            task: run.task_name,
            plugin: run.plugin.to_string(),
            action: run.action,
            digest: run.digest,
            trigger: run.trigger,
            dry_run: run.dry_run,
            fire_at: run.fire_at,
            attempt: run.attempt,
            state: state.into(),
            outcome,
            retry_at,
            reason: run.reason,
            started_at: run.started_at,
            finished_at: run.finished_at,
            report: run.report,
            receipt: run.receipt,
            error: run.error,
        }
    }
}

impl RunView {
    /// How it ended or where it stands, in a word.
    pub fn word(&self) -> &str {
        match self.outcome {
            Some(outcome) => outcome.as_str(),
            None => &self.state,
        }
    }

    /// From start to end; none where the end was only found later.
    pub fn took(&self) -> Option<chrono::TimeDelta> {
        if self.outcome == Some(Outcome::Lost) {
            return None;
        }
        Some(self.finished_at? - self.started_at?)
    }
}

/// Runs, newest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ListRuns {
    pub task: Option<Name>,
    pub outcomes: BTreeSet<Outcome>,
    pub since: Option<Instant>,
    pub until: Option<Instant>,
    pub before: Option<RunId>,
    pub limit: usize,
}

impl Call for ListRuns {
    const PATH: &'static str = "runs/list";
    type Answer = Vec<RunView>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let task = match &self.task {
            Some(name) => app.store.task(name).await?.map(|status| status.task.id),
            None => None,
        };
        // A task's runs are found by its id, through renames; a name that no task has any
        // more finds the runs that bore it.
        let gone = self.task.filter(|_| task.is_none());
        if let Some(name) = &gone {
            let any = RunFilter {
                task_name: Some(name.clone()),
                limit: 1,
                ..RunFilter::default()
            };
            if app.store.runs(any).await?.is_empty() {
                let text = format!("there is no task `{name}`, and no run of one");
                return Err(Problem::not_found(text).hint("`mhost task list` shows them"));
            }
        }
        let runs = app
            .store
            .runs(RunFilter {
                task,
                task_name: gone,
                outcomes: self.outcomes,
                since: self.since,
                until: self.until,
                before: self.before,
                limit: page(self.limit)?,
            })
            .await?;
        Ok(runs.into_iter().map(RunView::from).collect())
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ShowRun {
    pub run: RunId,
}

impl Call for ShowRun {
    const PATH: &'static str = "runs/show";
    type Answer = RunView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let run = app.store.run(self.run).await?;
        run.map(RunView::from).ok_or_else(|| no_run(self.run))
    }
}

/// Lines of a run's log.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunLogLines {
    pub run: RunId,
    pub from: u64,
    pub limit: usize,
}

impl Call for RunLogLines {
    const PATH: &'static str = "runs/log";
    type Answer = Vec<LogLine>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        if app.store.run(self.run).await?.is_none() {
            return Err(no_run(self.run));
        }
        Ok(app
            .store
            .log(self.run, self.from, page(self.limit)?)
            .await?)
    }
}

/// Asks a run to end.
#[derive(Debug, Serialize, Deserialize)]
pub struct CancelRun {
    pub run: RunId,
}

impl Call for CancelRun {
    const PATH: &'static str = "runs/cancel";
    type Answer = RunView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let id = self.run;
        let asked = app.runs.cancel(id, "cancelled by hand".into()).await?;
        let run = app.store.run(id).await?.ok_or_else(|| no_run(id))?;
        match asked {
            true => Ok(run.into()),
            false => Err(Problem::usage(format!(
                "run {id} is over: there is nothing to cancel"
            ))),
        }
    }
}
