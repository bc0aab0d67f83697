//! Rule 4: what open runs of the task and the slots of its pool let start.
//!
//! A run is alive until it is settled: running, queued, or waiting for a retry.

use mhost_model::plan::{OpenRun, Passed};
use mhost_model::policy::Overlap;
use mhost_model::run::{Outcome, RunState};
use mhost_model::{Instant, RunId};

/// Where the fires go.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Placed {
    pub(super) pass: Vec<Passed>,
    pub(super) start: Vec<Instant>,
    pub(super) queue: Vec<Instant>,
    pub(super) cancel: Vec<RunId>,
    /// The first fire without a slot: it and those after it stay due.
    pub(super) stays: Option<Instant>,
}

/// Open runs that may go on: one at a time and the oldest first, unless the policy
/// lets runs stand beside each other.
pub(super) fn resume(overlap: Overlap, open: &[OpenRun], slots: u32, now: Instant) -> Vec<RunId> {
    let ready = |run: &&OpenRun| match run.state {
        RunState::Queued => true,
        RunState::Waiting { retry_at } => retry_at <= now,
        RunState::Running { .. } | RunState::Settled { .. } => false,
    };
    let id = |run: &OpenRun| run.id;
    if overlap == Overlap::Allow {
        let ready = open.iter().filter(ready).map(id);
        return ready.take(slots as usize).collect();
    }
    if slots == 0 || open.iter().any(is_running) {
        return Vec::new();
    }
    open.first().filter(ready).map(id).into_iter().collect()
}

/// Places fires (oldest first) that rule 3 lets run. Several fires on an idle task are
/// a catch-up that the operator asked for: they run one after another.
pub(super) fn place(overlap: Overlap, fires: Vec<Instant>, open: &[OpenRun], slots: u32) -> Placed {
    match (overlap, open.first()) {
        (Overlap::Allow, _) => beside(fires, slots),
        (Overlap::CancelPrevious, living) => replacing(fires, living.map(|_| open), slots),
        (_, None) => in_turn(fires, slots),
        (Overlap::Skip, Some(living)) => Placed {
            pass: fires.iter().map(|at| skipped(*at, why(living))).collect(),
            ..Placed::default()
        },
        (Overlap::QueueOne, Some(_)) => behind(fires, open, 1),
        (Overlap::Queue(most), Some(_)) => behind(fires, open, most as usize),
    }
}

fn beside(mut fires: Vec<Instant>, slots: u32) -> Placed {
    let start = fires.len().min(slots as usize);
    let rest = fires.split_off(start);
    Placed {
        start: fires,
        stays: rest.first().copied(),
        ..Placed::default()
    }
}

fn in_turn(mut fires: Vec<Instant>, slots: u32) -> Placed {
    if slots == 0 || fires.is_empty() {
        return Placed {
            stays: fires.first().copied(),
            ..Placed::default()
        };
    }
    let queue = fires.split_off(1);
    Placed {
        start: fires,
        queue,
        ..Placed::default()
    }
}

fn behind(mut fires: Vec<Instant>, open: &[OpenRun], most: usize) -> Placed {
    let queued = open.iter().filter(|run| run.state == RunState::Queued);
    let room = most.saturating_sub(queued.count());
    let rest = fires.split_off(fires.len().min(room));
    let full = format!("{most} queued already behind a living run");
    Placed {
        pass: rest.iter().map(|at| skipped(*at, full.clone())).collect(),
        queue: fires,
        ..Placed::default()
    }
}

/// Only the newest fire is left in the end: each would cancel the one before.
fn replacing(mut fires: Vec<Instant>, living: Option<&[OpenRun]>, slots: u32) -> Placed {
    let Some(newest) = fires.pop() else {
        return Placed::default();
    };
    let pass = fires
        .iter()
        .map(|at| skipped(*at, "a newer fire would cancel it".into()))
        .collect();
    let mut placed = Placed {
        pass,
        ..Placed::default()
    };
    match living {
        Some(open) => {
            placed.cancel = open.iter().map(|run| run.id).collect();
            placed.queue = vec![newest];
        }
        None if slots > 0 => placed.start = vec![newest],
        None => placed.stays = Some(newest),
    }
    placed
}

fn skipped(fire_at: Instant, reason: String) -> Passed {
    Passed {
        fire_at,
        outcome: Outcome::Skipped,
        reason,
    }
}

fn why(living: &OpenRun) -> String {
    let state = match living.state {
        RunState::Running { .. } => "is still running",
        RunState::Queued => "is still queued",
        RunState::Waiting { .. } => "still waits for a retry",
        RunState::Settled { .. } => "is not closed yet",
    };
    format!("run {} {state}: `overlap = \"skip\"`", living.id)
}

fn is_running(run: &OpenRun) -> bool {
    matches!(run.state, RunState::Running { .. })
}
