//! What the starts and ends of runs tell.

use mhost_model::notify::{Event, EventKind};
use mhost_model::run::{Outcome, Run};
use mhost_model::task::Task;

use super::super::trouble::Res;
use super::super::tx::Tx;
use super::alerts::HOST;
use super::route::Audience;

impl Tx<'_> {
    /// An attempt begins. Dry runs tell nobody anything.
    pub fn tell_start(&mut self, task: &Task, run: &Run) -> Res<()> {
        if run.dry_run {
            return Ok(());
        }
        if self.routes()?.of(task).is_some() {
            let event = Event::started(task, run, self.now);
            self.tell(task, &event, Audience::Signs)?;
        }
        self.look_at_run(task, run)
    }

    /// A fire is over.
    pub fn tell_end(&mut self, task: &Task, run: &Run, outcome: Outcome) -> Res<()> {
        use EventKind::{Failed, Late, Lost, Overdue, TooFast, TooLong};
        if matches!(outcome, Outcome::Skipped | Outcome::Coalesced) {
            return Ok(());
        }
        if let Some(event) = Event::ended(task, run, outcome, self.now) {
            if self.routes()?.of(task).is_some() {
                self.tell(task, &event, Audience::Signs)?;
            }
            match outcome {
                Outcome::Lost => self.stand(task, HOST, event, run.id.to_string())?,
                Outcome::Succeeded => {}
                _ => self.stand(task, HOST, event, String::new())?,
            }
        }
        let fast = match outcome {
            Outcome::Succeeded => self.planner.too_fast(task, run),
            _ => None,
        };
        let succeeded = outcome == Outcome::Succeeded;
        let slow = |one: &mhost_model::notify::Standing| one.run == Some(run.id);
        let over = self.settle_alerts(task, |one| match one.kind {
            Failed | Lost | Overdue => succeeded,
            TooFast => succeeded && fast.is_none(),
            TooLong => slow(one),
            Late => run.attempt > 0,
            _ => false,
        })?;
        if over
            .iter()
            .any(|one| matches!(one.kind, Late | TooLong | Overdue))
        {
            // While one of these stands nothing more is expected; from now on it is again.
            self.look_by(task.id, self.now)?;
        }
        let how = format!("run {} {}", run.id, word(outcome));
        self.tell_recovery(task, &over, &how)?;
        if let Some(fast) = fast {
            let event = Event::unexpected(task, &fast, self.now);
            self.stand(task, HOST, event, fast.instance())?;
        }
        Ok(())
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::TimedOut => "ran out of time",
        other => other.as_str(),
    }
}
