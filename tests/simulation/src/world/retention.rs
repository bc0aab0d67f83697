//! What the ledger need not remember any more, and what it proves of the rest.

use chrono::TimeDelta;
use mhost_model::{Instant, RunId};
use mhost_sched::chain::{self, Proof};
use mhost_store::{Forget, Forgotten, TaskStore};

use super::{Checked, World, at, hold};

impl World {
    /// The oldest rows that are over go, as retention lets them go; what is left stays as it is.
    pub async fn forget(&mut self) -> Checked {
        let most = self.dice.below(40) as usize;
        // Of one that was lost an attempt may come back late; what comes of that is judged.
        let late = |run: &RunId| self.attempts.iter().any(|attempt| attempt.key.run == *run);
        let over = self.runs.values();
        let over = over.filter(|run| run.outcome().is_some() && !late(&run.id));
        let mut old: Vec<RunId> = over.map(|run| run.id).take(most).collect();
        // By the newest row what is new is known.
        let newest = self.runs.keys().next_back().copied();
        old.retain(|run| Some(*run) != newest);
        self.note(format!("{} rows are forgotten", old.len()));
        let what = old.iter().map(|run| Forget {
            run: *run,
            what: Forgotten::Run,
        });
        let forgotten = self.store().forget(what.collect()).await.unwrap();
        hold!(1, forgotten == old.len(), "{forgotten} of {old:?} went");
        for run in &old {
            self.runs.remove(run);
        }
        self.tally.forgotten += forgotten;
        self.prove().await
    }

    /// Rule 1, as `mhost runs gaps` proves it: each due time has its row, and each row of the
    /// clock its due time, over edits, pauses, and what was forgotten.
    pub async fn prove(&mut self) -> Checked {
        let end = at(self.now) + TimeDelta::milliseconds(1);
        let tasks: Vec<_> = self.tasks.values().map(|task| task.name.clone()).collect();
        for name in tasks {
            let status = self.store().task(&name.parse().unwrap()).await.unwrap();
            let status = status.unwrap();
            let id = status.task.id;
            let history = self.store().history(id).await.unwrap();
            let Some(known_after) = chain::known_after(&history.eras) else {
                continue;
            };
            let next = status.progress.next_due.unwrap_or(end);
            let due = chain::due_times(&history.eras, None, end.min(next)).unwrap();
            let waits = |due: &Instant| {
                let mut arrears = history.arrears.iter();
                arrears.any(|(first, last)| (*first..=*last).contains(due))
            };
            let mut proof = Proof::new(due.filter(|due| !waits(due)));
            let from = known_after + TimeDelta::milliseconds(1);
            let fires = self.store().fires(id, from, end, usize::MAX).await.unwrap();
            fires.iter().for_each(|fire| proof.row(*fire));
            proof.end();
            hold!(
                1,
                proof.gaps.count == 0 && proof.strays.count == 0,
                "the chain of `{name}` after {known_after}: no row for {:?}, no due time for {:?}; {history:?}",
                proof.gaps,
                proof.strays
            );
            self.tally.proved += proof.accounted as usize;
        }
        Ok(())
    }
}
