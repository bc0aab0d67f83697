//! The host's side of what surrounds a run: the other tasks, its alerts, and its messages.

use std::sync::Arc;

use mhost_model::alert::{AlertChange, Message, Severity};
use mhost_model::notify::{Event, EventKind};
use mhost_model::plan::OpenRun;
use mhost_model::ports::around::{Hold, Messenger, TaskState, Tasks};
use mhost_model::ports::run::LogSink as _;
use mhost_model::run::{LogLevel, LogLine, Run, RunState};
use mhost_model::{Clock, Fault, FaultResult, Instant, Name, RunId, TaskId};
use mhost_sched::{Compiled, watch};
use mhost_store::{Notices, Posting, TaskStatus};

use super::log::Sink;
use super::ports::Waiting;
use crate::app::App;
use crate::post;

/// The tasks of the store.
pub fn tasks(app: &App) -> Arc<dyn Tasks> {
    Arc::new(Stored(Waiting::new(&app.store)))
}

struct Stored(Waiting);

impl Tasks for Stored {
    fn holders(&self, targets: &[String]) -> FaultResult<Vec<Vec<Hold>>> {
        let all = self.0.wait(|store| async move { store.holdings().await })?;
        let of = |target: &String| {
            let holding = all.iter().filter(|one| one.holds.contains(target));
            let hold = holding.map(|one| Hold {
                task: one.task.clone(),
                run: one.run,
                since: one.since,
            });
            hold.collect()
        };
        Ok(targets.iter().map(of).collect())
    }

    fn status(&self, task: &Name) -> FaultResult<TaskState> {
        let name = task.clone();
        let found = self
            .0
            .wait(|store| async move { store.task(&name).await })?;
        let status = found.ok_or_else(|| Fault::NotFound(format!("there is no task `{task}`")))?;
        Ok(state_of(status))
    }
}

fn state_of(TaskStatus { task, progress }: TaskStatus) -> TaskState {
    let schedule = Compiled::parse(&task.spec.schedule).ok();
    let on = |run: &OpenRun| matches!(run.state, RunState::Running { .. });
    TaskState {
        enabled: task.enabled,
        running: progress.open.iter().any(on),
        last_success: progress.last_success,
        last_outcome: progress.last_outcome,
        failures: progress.failures,
        next_due: progress.next_due,
        success_due: schedule
            .filter(|_| task.enabled)
            .and_then(|schedule| watch::success_due(&task, &schedule, &progress)),
    }
}

/// A run's way to people.
pub fn messenger(app: &App, run: &Run) -> Arc<dyn Messenger> {
    Arc::new(Outbox {
        store: Waiting::new(&app.store),
        notices: Arc::clone(&app.notices),
        post: app.post.clone(),
        clock: Arc::clone(&app.clock),
        task: run.task,
        name: run.task_name.clone(),
        run: run.id,
    })
}

struct Outbox {
    store: Waiting,
    notices: Arc<dyn Notices>,
    post: post::Handle,
    clock: Arc<dyn Clock>,
    task: Option<TaskId>,
    name: Name,
    run: RunId,
}

impl Messenger for Outbox {
    fn send(&self, channel: &Name, message: Message) -> FaultResult<()> {
        let definitions = self
            .store
            .wait(|store| async move { store.definitions().await })?;
        if !definitions.channels.contains_key(channel) {
            let text =
                format!("there is no channel `{channel}`; define it: `[channels.{channel}]`");
            return Err(Fault::NotFound(text));
        }
        let now = self.clock.now();
        let event = Event {
            task: Some(self.name.clone()),
            key: Some(message.id.clone()),
            text: message.text,
            run: Some(self.run),
            ..Event::new(EventKind::Message, now, Severity::Degraded, message.subject)
        };
        let posting = Posting {
            channel: channel.clone(),
            event,
            files: message.attachments,
            once: self.task.map(|task| (task, message.id)),
        };
        let notices = Arc::clone(&self.notices);
        self.store
            .wait(|_| async move { notices.post(posting).await })?;
        self.post.stir();
        Ok(())
    }
}

/// Lets the run's log say what the run said of its alerts.
pub fn write_down(alerts: &[AlertChange], log: &Sink, at: Instant) {
    for change in alerts {
        let (level, text) = match change {
            AlertChange::Raise {
                key,
                severity,
                message,
                ..
            } => {
                let word = severity.as_str();
                (LogLevel::Warn, format!("alert `{key}`, {word}: {message}"))
            }
            AlertChange::Resolve { key, message } => {
                (LogLevel::Info, format!("alert `{key}` is over: {message}"))
            }
            // Nothing stands of a run without a task.
            AlertChange::Silence { .. } => continue,
        };
        log.line(LogLine {
            at,
            level,
            source: "host".into(),
            text,
        });
    }
}
