//! Tasks that run when files below a granted directory change.
//!
//! What counts is a comparison: the tree as it is against the tree as it was when its last
//! change was obeyed, which the store remembers and which is written together with the row of the
//! run. So a change is noticed whoever was there to see it: the service (by the
//! kernel's notices, in [`service`]), `mhost tick`, or whoever comes up after a time without both. A
//! notice without a difference, such as a file that came and went, sets nothing off.

mod kernel;
mod print;
pub mod service;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mhost_model::policy::Overlap;
use mhost_model::run::{Outcome, Trigger};
use mhost_model::schedule::Schedule;
use mhost_model::task::Task;
use mhost_model::{Span, TaskId};
use mhost_store::{Ask, Asked, Definitions, TaskStatus};
use tokio::time::Instant as Moment;

use crate::app::App;
use crate::dispatch::LEASE;
use crate::execute::SecretValues;
use crate::exit::{Outcomes, Problem};
use print::Print;

/// `mhost tick` waits at most so long for trees to settle; the next tick sees to the rest.
const TICK_WAITS: Duration = Duration::from_secs(10);

/// What came of a look at a task's tree.
#[derive(Debug)]
enum Looked {
    /// It is as it was, or was seen for the first time.
    Same,
    /// A run was asked for.
    Asked,
    /// It changed, but a run of the task is on: look again at its end.
    AfterRun,
    /// It cannot be looked at now.
    Failed(Problem),
}

/// The tree of a task and how long it must have been quiet, where files set it off.
fn watched(task: &Task) -> Option<(PathBuf, Span)> {
    let Schedule::OnChange { on_change, settle } = &task.spec.schedule else {
        return None;
    };
    let grant = task.spec.grants.dirs.get(on_change)?;
    Some((grant.path.clone(), *settle))
}

/// Looks once at every tree, as `mhost tick` does: asks for the runs of those that changed and
/// have settled.
pub async fn look_at_all(app: &Arc<App>) -> Outcomes<()> {
    let until = Moment::now() + TICK_WAITS;
    for status in app.store.watchers().await? {
        let Some((path, settle)) = watched(&status.task).filter(|_| is_on(&status.task)) else {
            continue;
        };
        if !settled(app, &path, settle, until).await {
            continue;
        }
        if let Looked::Failed(problem) = look(app, status.task.id).await? {
            tracing::warn!(task = %status.task.name, %problem, "changes cannot be noticed");
        }
    }
    Ok(())
}

/// Remembers what the trees look like that nobody has looked at yet: their tasks run when they
/// change from now on.
pub async fn first_look(app: &Arc<App>) -> Outcomes<()> {
    for status in app.store.watchers().await? {
        if is_on(&status.task) && app.store.mark(status.task.id).await?.is_none() {
            look(app, status.task.id).await?;
        }
    }
    Ok(())
}

fn is_on(task: &Task) -> bool {
    task.enabled && task.quarantine.is_none()
}

/// Whether a tree is quiet, perhaps after a moment's wait.
async fn settled(app: &App, path: &Path, settle: Span, until: Moment) -> bool {
    for _ in 0..2 {
        let newest = match see(path.to_owned()).await {
            Ok(print) => print.newest,
            Err(_) => return true,
        };
        // A time to come is another clock's, and says nothing.
        let quiet = newest.map(|newest| (app.now() - newest).to_std());
        let Some(Ok(quiet)) = quiet else { return true };
        let Some(left) = settle.0.checked_sub(quiet).filter(|left| !left.is_zero()) else {
            return true;
        };
        if Moment::now() + left > until {
            return false;
        }
        tokio::time::sleep(left).await;
    }
    false
}

async fn see(path: PathBuf) -> Outcomes<Print> {
    let shown = path.clone();
    let looked = tokio::task::spawn_blocking(move || print::look(&path)).await;
    let looked = looked.map_err(|error| Problem::bug(error.to_string()))?;
    looked.map_err(|error| Problem::io("look at the watched directory", &shown, &error))
}

/// Compares a task's tree with what is remembered, and asks for a run where it differs.
async fn look(app: &Arc<App>, id: TaskId) -> Outcomes<Looked> {
    // One at a time: two lookers must not both find the same difference.
    let _one = app.looking.lock().await;
    let Some(status) = app.store.task_by_id(id).await? else {
        return Ok(Looked::Same);
    };
    let Some((path, _)) = watched(&status.task).filter(|_| is_on(&status.task)) else {
        return Ok(Looked::Same);
    };
    let print = match see(path).await {
        Ok(print) => print,
        Err(problem) => return Ok(Looked::Failed(problem)),
    };
    let mark = app.store.mark(id).await?;
    let mark = mark.filter(|mark| print.same_place(mark));
    match mark {
        Some(mark) if mark == print.mark => Ok(Looked::Same),
        Some(_) => obey(app, status, print).await,
        None => {
            app.store.set_mark(id, print.mark).await?;
            Ok(Looked::Same)
        }
    }
}

/// Asks for the run that a change sets off. Under `overlap = "skip"` a change during a run
/// waits for its end: the run may have read the file before it was changed.
async fn obey(app: &Arc<App>, status: TaskStatus, print: Print) -> Outcomes<Looked> {
    let policy = &status.task.spec.policy;
    if policy.overlap == Overlap::Skip && !status.progress.open.is_empty() {
        return Ok(Looked::AfterRun);
    }
    let ask = Ask {
        node: app.store.node(),
        what: Asked::Task(status.task.id),
        trigger: Trigger::Change,
        dry_run: false,
        force: false,
        slots: 0,
        lease: *LEASE,
        mark: Some(print.mark),
    };
    let (nothing, pool) = (Definitions::default(), policy.pool.clone());
    let run = app
        .runs
        .ask(ask, nothing, SecretValues::default(), pool, false)
        .await?;
    tracing::info!(task = %status.task.name, run = %run.id, "files changed");
    Ok(match run.outcome() {
        Some(Outcome::Skipped) => Looked::AfterRun,
        _ => Looked::Asked,
    })
}
