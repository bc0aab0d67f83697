//! Those who wait for a run: whatever settles it, and whoever, they are answered.

use std::collections::BTreeSet;

use mhost_model::RunId;
use mhost_model::run::Run;

use super::Loop;
use crate::exit::{Outcomes, Problem};

impl Loop {
    /// Answers those who wait for a run that has ended; one that will be tried again is
    /// answered when it is over, unless nobody here will try it.
    pub(super) fn answer_run(&mut self, id: RunId, row: &Outcomes<Run>) {
        let goes_on = |run: &Run| run.outcome().is_none() && self.timers && !self.draining;
        if row.as_ref().is_ok_and(goes_on) {
            return;
        }
        let (done, waiting) = std::mem::take(&mut self.run_waiters)
            .into_iter()
            .partition(|(waits_for, _)| *waits_for == id);
        self.run_waiters = waiting;
        let done: Vec<_> = done;
        for (_, reply) in done {
            let _ = reply.send(row.clone());
        }
    }

    /// Looks at the rows of those who wait for a run that is not on here: one in a queue or
    /// between two attempts may have been settled by a cancel, an edit, a claim, a
    /// dead lease; and who drains starts none of them any more.
    pub(super) async fn answer_idle(&mut self) {
        self.run_waiters.retain(|(_, reply)| !reply.is_closed());
        for run in self.idle() {
            let gone = || Problem::not_found(format!("run {run} is gone"));
            match self.app.store.run(run).await {
                Ok(Some(row)) if row.outcome().is_none() && !self.draining => {}
                Ok(row) => self.answer_run(run, &row.ok_or_else(gone)),
                Err(error) => self.answer_run(run, &Err(error.into())),
            }
        }
    }

    /// The runs that are waited for and not on here.
    pub(super) fn idle(&self) -> BTreeSet<RunId> {
        let waited = self.run_waiters.iter().map(|(run, _)| *run);
        waited.filter(|run| !self.live.contains_key(run)).collect()
    }
}
