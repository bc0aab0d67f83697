//! Runs that somebody asks for: rule 4 without the clock.

use std::collections::BTreeSet;

use mhost_model::policy::Overlap;
use mhost_model::run::{Run, RunState, Trigger};
use mhost_model::{RunId, Span, TaskId};
use mhost_store::{Answer, Ask, Asked, TaskStore};

use super::{Checked, LEASE, World, hold, is_running};

/// What the rules let expect.
#[derive(Debug, PartialEq)]
enum Expected {
    Refused,
    Start,
    Queued,
    Passed,
    CancelThen(Vec<RunId>),
}

impl World {
    pub async fn ask(&mut self) -> Checked {
        let ids: Vec<TaskId> = self.tasks.keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let id = *self.dice.pick(&ids);
        let (dry_run, force) = (self.dice.one_in(5), self.dice.one_in(5));
        let node = self.any_node();
        let pool = self.tasks[&id].policy().pool.to_string();
        let slots = self.free(&pool);
        let expected = self.expected(id, slots > 0, dry_run, force);
        let ask = Ask {
            node,
            what: Asked::Task(id),
            trigger: Trigger::Manual,
            dry_run,
            force,
            slots,
            lease: Span(std::time::Duration::from_millis(LEASE as u64)),
            mark: None,
        };
        let answer = self.store().ask(ask).await;
        let name = &self.tasks[&id].name;
        let asked = format!("asked for `{name}` (dry {dry_run}, force {force}): {expected:?}");
        self.note(asked.clone());
        let found = match answer {
            Err(_) => Expected::Refused,
            Ok(Answer::Start(claim)) => {
                self.start(&claim, node, !dry_run)?;
                Expected::Start
            }
            Ok(Answer::Queued(_)) => Expected::Queued,
            Ok(Answer::Passed(_)) => Expected::Passed,
            Ok(Answer::CancelThen { cancel, .. }) => {
                self.cancel_attempts(&cancel.iter().copied().collect::<BTreeSet<_>>());
                Expected::CancelThen(cancel)
            }
        };
        hold!(4, found == expected, "{asked}, but {found:?}");
        self.observe().await?;
        Ok(())
    }

    fn expected(&self, id: TaskId, slot: bool, dry_run: bool, force: bool) -> Expected {
        let task = &self.tasks[&id];
        let open = self.open_of(id);
        let at_once = match slot {
            true => Expected::Start,
            false => Expected::Queued,
        };
        let running = open.iter().filter(|run| is_running(run)).map(|run| run.id);
        let running: Vec<RunId> = running.collect();
        let queued = |run: &&&Run| run.state == RunState::Queued;
        match (task.policy().overlap, task.places()) {
            _ if task.quarantined => Expected::Refused,
            _ if dry_run => Expected::Start,
            _ if open.is_empty() || force => at_once,
            (Overlap::CancelPrevious, _) if running.is_empty() => at_once,
            (Overlap::CancelPrevious, _) => Expected::CancelThen(running),
            (_, Some(places)) if open.iter().filter(queued).count() < places => Expected::Queued,
            (_, Some(_)) => Expected::Passed,
            (_, None) => at_once,
        }
    }

    /// The operator gives up a run that is not on.
    pub async fn cancel_open(&mut self) -> Checked {
        let open: Vec<RunId> = self.open.iter().copied().collect();
        if open.is_empty() {
            return Ok(());
        }
        let run = *self.dice.pick(&open);
        let on = is_running(&self.runs[&run]);
        let cancelled = self.store().cancel_open(run, "enough".into()).await;
        self.note(format!("run {run} is cancelled"));
        hold!(
            2,
            cancelled.unwrap() != on,
            "only a run that is not on can be cancelled: run {run}"
        );
        self.observe().await?;
        Ok(())
    }
}
