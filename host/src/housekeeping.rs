//! The task that mhost brings along for itself: it cleans old runs and logs out of the ledger
//! and compacts the store. It is a task like any other (listed, scheduled, tuned, with a row for
//! each fire), only that its plugin is this module: nothing in a sandbox may touch the store.

use std::sync::Arc;

use mhost_engine::Finished;
use mhost_model::plan::Ended;
use mhost_model::plugin::{Action, Digest, Manifest, PluginRef};
use mhost_model::ports::run::{FenceCheck as _, LogSink as _};
use mhost_model::run::{ErrorKind, LogLevel, LogLine, Metrics, Report, RunError};
use mhost_model::schedule::Schedule;
use mhost_model::task::{Task, TaskSpec};
use mhost_model::{ByteSize, Name, RunId, Span};
use mhost_sched::retention::{Fate, Judge, Retention};
use mhost_store::{Forget, Forgotten, RunFilter};
use serde::Deserialize;

use crate::app::App;
use crate::execute::{Attempt, LogLines};
use crate::exit::{Outcomes, Problem};

/// The plugin's name.
pub const PLUGIN: &str = "mhost";
/// Its action.
const ACTION: &str = "retention";
/// The task's name.
const TASK: &str = "mhost-retention";
/// A quiet hour, at an odd minute.
const SCHEDULE: &str = "17 4 * * *";

/// Rows looked at, and forgotten, in one transaction.
const PAGE: usize = 1000;
/// A store of this size is compacted in a moment; a larger one only where it is worth while, and
/// while nothing else is on.
const SMALL: u64 = 256 << 20;

fn name(text: &str) -> Outcomes<Name> {
    text.parse()
        .map_err(|error| Problem::bug(format!("{error}")))
}

/// The name of the task.
pub fn task_name() -> Outcomes<Name> {
    name(TASK)
}

/// How tasks name the plugin.
pub fn plugin() -> Outcomes<PluginRef> {
    Ok(PluginRef {
        name: name(PLUGIN)?,
        version: None,
    })
}

/// What the plugin says of itself.
pub fn manifest() -> Outcomes<Manifest> {
    Ok(Manifest {
        name: name(PLUGIN)?,
        version: env!("CARGO_PKG_VERSION").into(),
        summary: "Keeps mhost's own store small; part of mhost itself".into(),
        actions: vec![Action {
            name: ACTION.into(),
            summary: "Removes old runs and logs, and compacts the store".into(),
            config_schema: schema(),
            needs: Vec::new(),
        }],
    })
}

fn schema() -> serde_json::Value {
    let age = |what: &str| {
        serde_json::json!({
            "type": "string",
            "pattern": r"^\s*([0-9]+\s*(seconds?|secs?|s|minutes?|mins?|min|m|hours?|hrs?|h|days?|d|weeks?|w|months?|M|years?|y)\s*)+$",
            "description": what,
        })
    };
    let count = |least: u64, what: &str| serde_json::json!({ "type": "integer", "minimum": least, "description": what });
    serde_json::json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "runs_max_age": age("Runs that ended longer ago go; 400 days where absent."),
            "runs_max_count": count(1, "Of each task, so many runs stay, and so many fires that did not run; 10000 where absent."),
            "logs_max_age": age("Logs of runs that ended longer ago go; 90 days where absent."),
            "logs_max_count": count(0, "Of each task, so many runs keep their log; 1000 where absent."),
            "keep": count(1, "Of each task, so many of the newest runs stay with their logs, however old; 10 where absent."),
            "compact": { "type": "boolean", "description": "Whether the store gives room back that it does not use any more; true where absent." },
        },
    })
}

/// Stands for a component.
pub fn digest() -> Outcomes<Digest> {
    let manifest = serde_json::to_vec(&manifest()?);
    let manifest = manifest.map_err(|error| Problem::bug(error.to_string()))?;
    Ok(mhost_engine::digest(&manifest))
}

/// The task as it is where nobody tuned it.
pub fn spec() -> Outcomes<TaskSpec> {
    let schedule = Schedule::Cron {
        cron: SCHEDULE.into(),
        tz: None,
    };
    Ok(TaskSpec {
        description: Some("Removes old runs and logs, and compacts the store".into()),
        ..TaskSpec::new(plugin()?, ACTION, schedule)
    })
}

/// Whether a task is the built-in one, as it is where nobody tuned it.
pub fn is_untouched(task: &Task) -> bool {
    let spec = spec().ok();
    task.enabled && task.name.as_str() == TASK && spec.as_ref() == Some(&task.spec)
}

/// Whether a task is run by this module.
pub fn runs(spec: &TaskSpec) -> bool {
    spec.plugin.name.as_str() == PLUGIN
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    runs_max_age: Option<Span>,
    runs_max_count: Option<u64>,
    logs_max_age: Option<Span>,
    logs_max_count: Option<u64>,
    keep: u64,
    compact: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let Retention {
            runs_max_age,
            runs_max_count,
            logs_max_age,
            logs_max_count,
            keep,
        } = Retention::default();
        Self {
            runs_max_age,
            runs_max_count,
            logs_max_age,
            logs_max_count,
            keep,
            compact: true,
        }
    }
}

impl Settings {
    fn retention(&self) -> Retention {
        Retention {
            runs_max_age: self.runs_max_age,
            runs_max_count: self.runs_max_count,
            logs_max_age: self.logs_max_age,
            logs_max_count: self.logs_max_count,
            keep: self.keep,
        }
    }
}

/// One attempt of the task: as an engine would run it, within the limit of time.
pub async fn run(app: &App, attempt: &Attempt, log: Arc<LogLines>) -> Finished {
    let mut sweep = Sweep {
        app,
        attempt,
        log,
        metrics: Metrics::new(),
    };
    let limit = attempt.work.spec().limits.time.0;
    let ended = tokio::select! {
        ended = tokio::time::timeout(limit, sweep.all()) => ended,
        () = attempt.cancel.cancelled() => Ok(Ok(Ended::Cancelled)),
    };
    let ended = match ended {
        Ok(Ok(ended)) => ended,
        Ok(Err(problem)) => Ended::Failed(failure(problem)),
        Err(_) => Ended::TimedOut,
    };
    Finished {
        ended,
        report: Some(sweep.report()),
        receipt: Default::default(),
        state: Default::default(),
        alerts: Vec::new(),
        observed: Vec::new(),
    }
}

fn failure(problem: Problem) -> RunError {
    RunError {
        kind: match problem.kind {
            crate::exit::Kind::Usage => ErrorKind::Setup,
            _ => ErrorKind::Failure,
        },
        retryable: problem.kind != crate::exit::Kind::Usage,
        message: problem.to_string(),
        cause: None,
    }
}

struct Sweep<'a> {
    app: &'a App,
    attempt: &'a Attempt,
    log: Arc<LogLines>,
    metrics: Metrics,
}

impl Sweep<'_> {
    async fn all(&mut self) -> Outcomes<Ended> {
        let config = serde_json::Value::Object(self.attempt.work.spec().config.clone());
        let settings: Settings = serde_json::from_value(config).map_err(|error| {
            Problem::usage(format!(
                "the configuration of the retention is wrong: {error}"
            ))
        })?;
        if self.attempt.work.spec().action != ACTION {
            let action = &self.attempt.work.spec().action;
            return Err(Problem::usage(format!(
                "the plugin `{PLUGIN}` has no action `{action}`: it has `{ACTION}`"
            )));
        }
        let before = self.app.store.size().await?;
        self.set("bytes_before", before);
        self.ledger(settings.retention()).await?;
        if settings.compact && !self.attempt.claim.run.dry_run {
            self.compact(before).await?;
        }
        self.set("bytes_after", self.app.store.size().await?);
        Ok(Ended::Succeeded)
    }

    async fn ledger(&mut self, policy: Retention) -> Outcomes<()> {
        let mut judge = Judge::new(policy, self.app.now());
        let mut before: Option<RunId> = None;
        for name in ["runs", "runs_removed", "logs_removed"] {
            self.set(name, 0);
        }
        loop {
            let page = self.app.store.runs(RunFilter {
                before,
                limit: PAGE,
                ..RunFilter::default()
            });
            let page = page.await?;
            self.add("runs", page.len());
            let forget = page.iter().filter_map(|run| {
                let what = match judge.judge(run) {
                    Fate::Stays => return None,
                    Fate::LosesLog => Forgotten::Log,
                    Fate::Goes => Forgotten::Run,
                };
                Some(Forget { run: run.id, what })
            });
            self.forget(forget.collect()).await?;
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id),
                _ => return Ok(()),
            }
        }
    }

    async fn forget(&mut self, forget: Vec<Forget>) -> Outcomes<()> {
        let (runs, logs): (Vec<_>, Vec<_>) = forget
            .into_iter()
            .partition(|one| one.what == Forgotten::Run);
        for (name, what) in [("runs_removed", runs), ("logs_removed", logs)] {
            if what.is_empty() {
                continue;
            }
            let done = match self.attempt.claim.run.dry_run {
                true => what.len(),
                false if !self.attempt.stale.current() => return Ok(()),
                false => self.app.store.forget(what).await?,
            };
            self.add(name, done);
        }
        Ok(())
    }

    async fn compact(&mut self, bytes: u64) -> Outcomes<()> {
        let figure = |name: &str| self.metrics.get(name).copied().unwrap_or_default();
        let removed = figure("runs_removed") + figure("logs_removed");
        let worth_while = bytes <= SMALL || removed * 10.0 >= figure("runs");
        if !worth_while {
            return Ok(());
        }
        let others = self.app.runs.live().await?.len().saturating_sub(1);
        if bytes > SMALL && others > 0 {
            self.say(format!(
                "the store is compacted another time: {others} other runs are on"
            ));
            return Ok(());
        }
        Ok(self.app.store.compact().await?)
    }

    fn report(&self) -> Report {
        let figure = |name: &str| self.metrics.get(name).copied().unwrap_or_default();
        let size = |name: &str| ByteSize(figure(name) as u64);
        let would = match self.attempt.claim.run.dry_run {
            true => "would have removed",
            false => "removed",
        };
        Report {
            summary: format!(
                "{would} {} of {} runs and {} logs; the store takes {}, before {}",
                figure("runs_removed"),
                figure("runs"),
                figure("logs_removed"),
                size("bytes_after"),
                size("bytes_before"),
            ),
            metrics: self.metrics.clone(),
            ..Report::default()
        }
    }

    fn say(&self, text: String) {
        self.log.line(LogLine {
            at: self.app.now(),
            level: LogLevel::Info,
            source: "host".into(),
            text,
        });
    }

    fn set(&mut self, name: &str, value: u64) {
        self.metrics.insert(name.into(), value as f64);
    }

    fn add(&mut self, name: &str, value: usize) {
        *self.metrics.entry(name.into()).or_default() += value as f64;
    }
}
