//! Tasks: listed, shown, switched, removed, approved, and when they are due.

mod drills;

use std::sync::Arc;

use mhost_model::plan::Progress;
use mhost_model::run::Outcome;
use mhost_model::schedule::{AfterOn, Schedule};
use mhost_model::task::Task;
use mhost_model::{Instant, Name};
use mhost_sched::preview::{self, Coming};
use mhost_store::{Edit, TaskStatus};
use serde::{Deserialize, Serialize};

use self::drills::Drilled;
use super::{Call, page};
use crate::app::App;
use crate::exit::{Outcomes, Problem};
use crate::{config, housekeeping, watch};

/// A task in a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct TaskRow {
    pub id: u64,
    pub name: Name,
    pub plugin: String,
    pub action: String,
    pub enabled: bool,
    pub schedule: serde_json::Value,
    pub next_due: Option<Instant>,
    /// A run is on.
    pub running: bool,
    pub last_outcome: Option<Outcome>,
    pub last_success: Option<Instant>,
    pub failures: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<String>,
    /// Of a backup: whether each of its repositories was ever restored from for a try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled: Option<bool>,
}

impl From<TaskStatus> for TaskRow {
    fn from(TaskStatus { task, progress }: TaskStatus) -> Self {
        let running = |run: &mhost_model::plan::OpenRun| {
            matches!(run.state, mhost_model::run::RunState::Running { .. })
        };
        Self {
            id: task.id.0,
            name: task.name,
            plugin: task.spec.plugin.to_string(),
            action: task.spec.action,
            enabled: task.enabled,
            schedule: serde_json::to_value(&task.spec.schedule).unwrap_or_default(),
            next_due: progress.next_due,
            running: progress.open.iter().any(running),
            last_outcome: progress.last_outcome,
            last_success: progress.last_success,
            failures: progress.failures,
            quarantine: task.quarantine,
            drilled: None,
        }
    }
}

/// All tasks in the order of names, a page at a time.
#[derive(Debug, Serialize, Deserialize)]
pub struct ListTasks {
    pub after: Option<Name>,
    pub limit: usize,
}

impl Call for ListTasks {
    const PATH: &'static str = "task/list";
    type Answer = Vec<TaskRow>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let tasks = app.store.tasks(self.after, page(self.limit)?).await?;
        let backups = |status: &TaskStatus| status.task.spec.plugin.name.as_str() == "backup";
        let drilled = match tasks.iter().any(backups) {
            true => Drilled::among(&app.all_tasks().await?),
            false => Drilled::among(&[]),
        };
        let row = |status: TaskStatus| TaskRow {
            drilled: drilled.judge(&status),
            ..TaskRow::from(status)
        };
        Ok(tasks.into_iter().map(row).collect())
    }
}

/// A task and how far it is.
#[derive(Debug, Serialize, Deserialize)]
pub struct TaskView {
    #[serde(flatten)]
    pub task: Task,
    pub progress: Progress,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ShowTask {
    pub name: Name,
}

impl Call for ShowTask {
    const PATH: &'static str = "task/show";
    type Answer = TaskView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let TaskStatus { task, progress } = find(app, &self.name).await?;
        Ok(TaskView { task, progress })
    }
}

/// The task of this name, or a problem that offers the nearest names.
pub async fn find(app: &App, name: &Name) -> Outcomes<TaskStatus> {
    if let Some(status) = app.store.task(name).await? {
        return Ok(status);
    }
    let problem = Problem::not_found(format!("there is no task `{name}`"));
    let nearest = app
        .all_tasks()
        .await?
        .into_iter()
        .map(|status| status.task.name.to_string())
        .map(|other| (strsim::jaro_winkler(&other, name.as_str()), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Err(match nearest {
        Some((_, other)) => problem.hint(format!("did you mean `{other}`?")),
        None => problem.hint("`mhost task list` shows the tasks that there are"),
    })
}

/// Resumes or pauses a task.
#[derive(Debug, Serialize, Deserialize)]
pub struct EnableTask {
    pub name: Name,
    pub enabled: bool,
    /// What came due while it was paused counts as missed; else it is passed over.
    #[serde(default)]
    pub catch_up: bool,
}

impl Call for EnableTask {
    const PATH: &'static str = "task/enable";
    type Answer = TaskRow;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let Self {
            name,
            enabled,
            catch_up,
        } = self;
        find(app, &name).await?;
        let mut edits = vec![Edit::SetEnabled {
            name: name.clone(),
            enabled,
        }];
        edits.extend(catch_up.then(|| Edit::CatchUp(name.clone())));
        app.store.edit(edits).await?;
        app.runs.edited().await?;
        watch::first_look(app).await?;
        find(app, &name).await.map(TaskRow::from)
    }
}

/// Removes a task; its runs stay in the ledger.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveTask {
    pub name: Name,
}

impl Call for RemoveTask {
    const PATH: &'static str = "task/remove";
    type Answer = TaskRow;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        if self.name == housekeeping::task_name()? {
            return Err(
                Problem::usage(format!("the task `{}` is built in and stays", self.name)).hint(
                    format!("`mhost task disable {}` keeps it from running", self.name),
                ),
            );
        }
        let row = find(app, &self.name).await.map(TaskRow::from)?;
        app.store.edit(vec![Edit::RemoveTask(self.name)]).await?;
        app.runs.edited().await?;
        Ok(row)
    }
}

/// Lets a task run its plugin's present component, lifting a quarantine. The component must
/// have the task's action, take its settings, and be granted what it cannot do without.
#[derive(Debug, Serialize, Deserialize)]
pub struct ApproveTask {
    pub name: Name,
    /// The first digits of the component's digest: another one is not approved.
    #[serde(default)]
    pub digest: Option<String>,
}

impl Call for ApproveTask {
    const PATH: &'static str = "task/approve";
    type Answer = TaskRow;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let name = self.name;
        let spec = find(app, &name).await?.task.spec;
        let record = app.plugin(&spec.plugin).await?;
        let (plugin, digest) = (&spec.plugin, record.digest);
        let wanted = self.digest.unwrap_or_default();
        if !digest.to_string().starts_with(&wanted.to_ascii_lowercase()) {
            return Err(Problem::usage(format!(
                "the present component of `{plugin}` is {}, not {wanted}",
                digest.short()
            ))
            .hint(format!(
                "it was replaced meanwhile: look at `mhost plugin inspect {plugin}` again"
            )));
        }
        config::check_task(&name, &spec, &record.manifest).map_err(|error| {
            Problem::from(error).hint(
                "write what this component takes into the configuration, and `mhost apply` it",
            )
        })?;
        app.store
            .edit(vec![
                Edit::SetPin {
                    name: name.clone(),
                    pin: record.digest,
                },
                Edit::SetQuarantine {
                    name: name.clone(),
                    quarantine: None,
                },
            ])
            .await?;
        app.runs.edited().await?;
        find(app, &name).await.map(TaskRow::from)
    }
}

/// The coming fires of a task in its zone, with what is unusual about each.
#[derive(Debug, Serialize, Deserialize)]
pub struct NextFires {
    pub name: Name,
    pub count: usize,
}

/// Fires that one answer holds at the most.
pub const MOST_FIRES: usize = 10_000;

/// The answer to [`NextFires`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Fires {
    pub task: Name,
    pub zone: String,
    /// Why there are none, where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_because: Option<String>,
    pub fires: Vec<Coming>,
}

impl Call for NextFires {
    const PATH: &'static str = "task/next";
    type Answer = Fires;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let TaskStatus { task, progress } = find(app, &self.name).await?;
        let compiled = mhost_sched::Compiled::parse(&task.spec.schedule)
            .map_err(|fault| Problem::usage(fault.to_string()))?;
        let (now, count) = (app.now(), self.count);
        if count > MOST_FIRES {
            let asked = format!("{count} fires are too many for one answer");
            return Err(Problem::usage(asked).hint(format!("ask for {MOST_FIRES} at the most")));
        }
        // A long backlog is gone through: others are answered meanwhile.
        let look = move || {
            let fires = preview::coming(&task, &compiled, &progress, now, count);
            Fires {
                none_because: fires.is_empty().then(|| why_none(&task)).flatten(),
                task: task.name,
                zone: compiled.zone_name().to_owned(),
                fires,
            }
        };
        let looked = tokio::task::spawn_blocking(look).await;
        looked.map_err(|error| Problem::bug(format!("cannot look ahead: {error}")))
    }
}

/// When a task with this schedule runs, where it has no due times.
pub fn timeless(schedule: &Schedule) -> Option<String> {
    match schedule {
        Schedule::Manual => Some("runs only when asked for".into()),
        Schedule::After { after, on } => {
            let end = match on {
                AfterOn::Succeeded => "succeeded",
                AfterOn::Failed => "failed",
                AfterOn::Any => "ended",
            };
            Some(format!("runs when `{after}` has {end}"))
        }
        Schedule::OnChange { on_change, .. } => {
            Some(format!("runs when files of the grant `{on_change}` change"))
        }
        _ => None,
    }
}

fn why_none(task: &Task) -> Option<String> {
    let over = match &task.spec.schedule {
        Schedule::Once { .. } => "its only fire is over",
        _ => "its schedule is over",
    };
    let when = timeless(&task.spec.schedule).unwrap_or_else(|| over.into());
    Some(match (&task.quarantine, task.enabled) {
        (Some(quarantine), _) => format!("{when}; now in quarantine: {quarantine}"),
        (None, false) => format!("{when}; now paused: `mhost task enable {}`", task.name),
        (None, true) => when,
    })
}
