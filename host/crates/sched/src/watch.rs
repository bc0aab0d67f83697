//! Rule 10: what of a task's life is worth an alert. Sending alerts, and sending
//! each once, is the host's; each alert comes with the instant that it hangs on.

use chrono::TimeDelta;
pub use mhost_model::plan::Alert;
use mhost_model::plan::Progress;
use mhost_model::run::{RunState, Trigger};
use mhost_model::task::Task;
use mhost_model::{Instant, RunId, Span};

use crate::Compiled;
use crate::jitter;

/// What is amiss with a task now, and when to look again at the latest. `running`
/// holds the starts of its living runs.
pub fn standing(
    task: &Task,
    schedule: &Compiled,
    progress: &Progress,
    running: &[(RunId, Instant)],
    now: Instant,
) -> (Vec<Alert>, Option<Instant>) {
    let mut looks = Looks {
        now,
        alerts: Vec::new(),
        next: None,
    };
    if task.enabled {
        not_started(task, progress, &mut looks);
        no_success(task, schedule, progress, &mut looks);
    }
    too_long(task, running, &mut looks);
    (looks.alerts, looks.next)
}

/// Whether a run that succeeded did so suspiciously fast.
pub fn ended(task: &Task, run: RunId, started_at: Instant, finished_at: Instant) -> Option<Alert> {
    let at_least = task.spec.policy.expect?.at_least?;
    let took = finished_at - started_at;
    (took < at_least.delta()).then(|| Alert::FinishedTooFast {
        run,
        took: span(took),
    })
}

/// Alerts whose time has come, and the earliest whose time has not.
struct Looks {
    now: Instant,
    alerts: Vec<Alert>,
    next: Option<Instant>,
}

impl Looks {
    /// `alert` holds once `limit` is past.
    fn look(&mut self, limit: Option<Instant>, alert: impl FnOnce(Instant) -> Alert) {
        match limit {
            Some(limit) if self.now > limit => self.alerts.push(alert(limit)),
            Some(limit) => self.next = Some(self.next.map_or(limit, |next| next.min(limit))),
            None => {}
        }
    }
}

/// The oldest fire that has not started: one that is queued behind a living run, or the next.
fn not_started(task: &Task, progress: &Progress, looks: &mut Looks) {
    let Some(within) = task.spec.policy.expect.and_then(|e| e.start_within) else {
        return;
    };
    let queued = progress
        .open
        .iter()
        .filter(|run| run.state == RunState::Queued && run.trigger == Trigger::Timer)
        .map(|run| run.fire_at);
    let next = progress.next_due;
    let Some(fire_at) = queued.chain(next).min() else {
        return;
    };
    let start = |fire_at| jitter::start_at(task.id, &task.spec.policy, fire_at);
    let late = |fire_at| start(fire_at).checked_add_signed(within.delta());
    let now = looks.now;
    looks.look(late(fire_at), |_| Alert::NotStarted {
        fire_at,
        late_by: span(now - start(fire_at)),
    });
    // The next one's time comes, too.
    if let Some(limit) = next.filter(|next| *next > fire_at).and_then(late)
        && limit >= now
    {
        looks.next = Some(looks.next.map_or(limit, |next| next.min(limit)));
    }
}

fn too_long(task: &Task, running: &[(RunId, Instant)], looks: &mut Looks) {
    let Some(within) = task.spec.policy.expect.and_then(|e| e.finish_within) else {
        return;
    };
    for (run, started_at) in running {
        looks.look(started_at.checked_add_signed(within.delta()), |_| {
            Alert::RunsTooLong {
                run: *run,
                started_at: *started_at,
            }
        });
    }
}

/// A success explains quiet until the next fire has had its start and its time; with
/// retries until the fire after that, for they end before it.
fn no_success(task: &Task, schedule: &Compiled, progress: &Progress, looks: &mut Looks) {
    let since = progress.last_success.unwrap_or(task.created_at);
    let by = success_due(task, schedule, progress);
    looks.look(by, |expected_by| Alert::NoSuccess { since, expected_by });
}

/// When the schedule calls for the next success at the latest; none where it has no more
/// due times.
pub fn success_due(task: &Task, schedule: &Compiled, progress: &Progress) -> Option<Instant> {
    let since = progress.last_success.unwrap_or(task.created_at);
    let next = schedule.next_after(since, task.created_at)?;
    let policy = &task.spec.policy;
    let one_try =
        jitter::start_at(task.id, policy, next).checked_add_signed(task.spec.limits.time.delta());
    let following = schedule.next_after(next, task.created_at);
    match following {
        Some(following) if policy.retry.attempts > 1 => one_try.max(Some(following)),
        _ => one_try,
    }
}

fn span(delta: TimeDelta) -> Span {
    Span(delta.to_std().unwrap_or_default())
}
