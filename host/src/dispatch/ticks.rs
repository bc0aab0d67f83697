//! Those who asked for a tick: what each waits for, and what it is answered.

use std::collections::BTreeMap;

use mhost_model::run::Run;

use super::events::{TickReply, TickWaiter};
use super::live::Live;
use super::{CLAIM_AGAIN, Loop};
use crate::exit::Problem;

impl Loop {
    pub(super) fn tick(&mut self, reply: TickReply) {
        self.look = true;
        self.tick_waiters.push(TickWaiter {
            asked_at: self.app.now(),
            ended: BTreeMap::new(),
            runs: Vec::new(),
            reply,
        });
    }

    /// The ticks that waited for this run, which has ended.
    pub(super) fn answer_ticks_with(&mut self, live: Option<&Live>, row: &Run) {
        let (now, service) = (self.app.now(), self.timers);
        for tick in &mut self.tick_waiters {
            let awaited = live.is_some_and(|live| live.belongs_to(tick, service));
            if awaited {
                tick.ended.insert(row.task_name.clone(), now);
            }
            if awaited || !service {
                tick.runs.push(row.clone());
            }
        }
    }

    /// A tick is over when nothing that was due when it was asked for is left, nor what
    /// that set off.
    pub(super) fn answer_ticks(&mut self) {
        if self.tick_waiters.is_empty() {
            return;
        }
        let next = self.next_wake;
        let (live, service, draining) = (&self.live, self.timers, self.draining);
        let over = |tick: &TickWaiter| {
            let mut live = live.values();
            // Who drains starts nothing more, whatever is due.
            (draining || next.is_none_or(|next| next > tick.asked_at))
                && !live.any(|live| live.belongs_to(tick, service))
        };
        let (done, waiting) = std::mem::take(&mut self.tick_waiters)
            .into_iter()
            .partition(over);
        self.tick_waiters = waiting;
        let done: Vec<_> = done;
        for tick in done {
            let _ = tick.reply.send(Ok(tick.runs));
        }
    }

    pub(super) fn give_up_ticks(&mut self, problem: &Problem) {
        tracing::error!(%problem, "cannot claim what is due");
        for tick in self.tick_waiters.drain(..) {
            let _ = tick.reply.send(Err(problem.clone()));
        }
        // The store may be back with the next event, or soon.
        self.next_wake = Some(self.app.now() + CLAIM_AGAIN);
    }

    /// What a claim settled without running it.
    pub(super) fn tell_ticks_passed(&mut self, passed: &[Run]) {
        let service = self.timers;
        for run in passed {
            let ticks = self.tick_waiters.iter_mut();
            ticks
                .filter(|tick| !service || run.fire_at <= tick.asked_at)
                .for_each(|tick| tick.runs.push(run.clone()));
        }
    }
}
