//! Where a task stands in the agenda: a pure function of the task and its progress,
//! so that the check of the store can compute it again.
//!
//! What only the clock can bring is *due* at an instant. What a completion must bring
//! (a slot of the pool, the end of the task's own living run) is *waiting*, in its
//! pool, since the oldest fire that waits. Both can hold at once.

use mhost_model::run::Trigger;
use mhost_model::task::Task;

use super::record::{OpenRec, OpenState, ProgressRec};

/// Milliseconds; see the module's page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    pub due: Option<i64>,
    pub waiting: Option<i64>,
}

impl Place {
    fn at(&mut self, time: i64, fire: i64, examined: Option<i64>) {
        if examined.is_some_and(|examined| time <= examined) {
            self.wait(fire);
        } else {
            self.due = Some(self.due.map_or(time, |due| due.min(time)));
        }
    }

    fn wait(&mut self, fire: i64) {
        self.waiting = Some(self.waiting.map_or(fire, |since| since.min(fire)));
    }
}

/// A task in quarantine stands nowhere, and a disabled one only with what was asked
/// for by hand.
pub fn place(task: &Task, progress: &ProgressRec) -> Place {
    let mut place = Place::default();
    if task.quarantine.is_some() {
        return place;
    }
    if let (true, Some(fire)) = (task.enabled, progress.next_due) {
        match progress.wake_at {
            Some(wake) => place.at(wake, fire, progress.examined),
            None => place.wait(fire),
        }
    }
    for open in progress.open.iter().filter(|open| may_start(task, open)) {
        match open.state {
            OpenState::Queued => place.wait(open.fire_at),
            OpenState::Waiting { retry_at } => place.at(retry_at, open.fire_at, progress.examined),
            OpenState::Running => {}
        }
    }
    place
}

/// Whether an open run may be promoted at all.
pub fn may_start(task: &Task, open: &OpenRec) -> bool {
    task.quarantine.is_none() && (task.enabled || open.trigger == Trigger::Manual)
}
