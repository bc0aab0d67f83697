//! What is due at `now`: first which of the due fires run at all (rule 3,
//! [`missed`]), then what living runs and the pool let start (rule 4, [`overlap`]). A
//! retry that has not begun when the next fire starts is given up (rule 8, [`retry`]).

use mhost_model::Instant;
use mhost_model::plan::{Decision, Progress};
use mhost_model::task::Task;

use super::{missed, overlap, retry};
use crate::Compiled;
use crate::jitter;

/// The decision about one task.
pub(super) fn decide(
    task: &Task,
    schedule: &Compiled,
    progress: &Progress,
    slots: u32,
    now: Instant,
) -> Decision {
    let policy = &task.spec.policy;
    let next_start = progress
        .next_due
        .map(|next| jitter::start_at(task.id, policy, next));
    let (given_up, open): (Vec<_>, Vec<_>) = progress
        .open
        .iter()
        .cloned()
        .partition(|run| retry::is_overtaken(&policy.retry, run, next_start, now));
    let resume = overlap::resume(policy.overlap, &open, slots, now);
    let slots = slots - resume.len() as u32;
    let arrears = missed::arrears(task, schedule, progress, now);
    let placed = overlap::place(policy.overlap, arrears.run, &open, slots);

    let mut decision = Decision {
        pass: arrears.pass,
        start: placed.start,
        queue: placed.queue,
        give_up: given_up.iter().map(|run| run.id).collect(),
        // What is to be cancelled does not go on first.
        resume: if placed.cancel.is_empty() {
            resume
        } else {
            Vec::new()
        },
        cancel: placed.cancel,
        next_due: placed.stays.or(arrears.next),
        wake_at: None,
    };
    decision.pass.extend(placed.pass);
    decision.pass.sort_by_key(|passed| passed.fire_at);
    decision.wake_at = match decision.next_due {
        // No slot: the end of a run of the pool wakes it.
        _ if placed.stays.is_some() => None,
        Some(_) if arrears.more => Some(now),
        next => next.map(|next| jitter::start_at(task.id, policy, next)),
    };
    decision
}
