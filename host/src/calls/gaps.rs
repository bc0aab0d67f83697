//! The proof of the chain: whether every due time of a task has its row.

use std::sync::Arc;

use chrono::TimeDelta;
use mhost_model::{Instant, Name};
use mhost_sched::chain::{self, Proof};
use mhost_store::History;
use serde::{Deserialize, Serialize};

use super::{Call, tasks};
use crate::app::App;
use crate::exit::{Outcomes, Problem};

/// So many rows are read at a time.
const PAGE: usize = 10_000;
/// Due times that wait are counted up to so many.
const MOST_WAITING: usize = 100_000;

/// Due times of a task without a row.
#[derive(Debug, Serialize, Deserialize)]
pub struct FindGaps {
    pub task: Name,
    /// From then on, and before: by due time.
    #[serde(default)]
    pub since: Option<Instant>,
    #[serde(default)]
    pub until: Option<Instant>,
}

/// The answer to [`FindGaps`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Gaps {
    pub task: Name,
    /// The first instant after which the ledger accounts for due times: the task's creation,
    /// or later where older rows were cleaned away. None where it never was due.
    pub known_after: Option<Instant>,
    /// What was looked at begins here: as asked for, or at `known_after` where that is later.
    #[serde(default)]
    pub since: Option<Instant>,
    /// And ends before this, where it was asked for.
    #[serde(default)]
    pub until: Option<Instant>,
    /// Why there are no due times, where the schedule has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none_because: Option<String>,
    /// Due times that have their row.
    pub accounted: u64,
    /// Due times without a row; the first 10,000 of `gap_count`.
    pub gaps: Vec<Instant>,
    pub gap_count: u64,
    /// Rows at times that are no due times; the first 10,000 of `stray_count`.
    pub strays: Vec<Instant>,
    pub stray_count: u64,
    /// Due times that have come and are not claimed yet: the next look of the service, or the
    /// next `mhost tick`, gives them their row. Counted up to 100,000.
    pub waiting: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Instant>,
}

impl Call for FindGaps {
    const PATH: &'static str = "runs/gaps";
    type Answer = Gaps;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let status = tasks::find(app, &self.task).await?;
        let id = status.task.id;
        let none_because = tasks::timeless(&status.task.spec.schedule);
        let history = app.store.history(id).await?;
        let wrong = |fault: mhost_sched::ScheduleFault| {
            Problem::failed(format!(
                "a schedule of the task is not understood any more: {fault}"
            ))
        };
        let now = app.now() + TimeDelta::milliseconds(1);
        let end = self.until.map_or(now, |until| until.min(now));
        let next_due = status.progress.next_due.unwrap_or(end);
        let due = chain::due_times(&history.eras, self.since, end.min(next_due)).map_err(wrong)?;
        let mut proof = Proof::new(due.filter(|due| !in_arrears(&history, *due)));
        let known_after = chain::known_after(&history.eras);
        let known = known_after.map(|after| after + TimeDelta::milliseconds(1));
        let mut since = known.map(|known| self.since.map_or(known, |since| since.max(known)));
        while let Some(from) = since {
            let fires = app.store.fires(id, from, end, PAGE).await?;
            fires.iter().for_each(|fire| proof.row(*fire));
            let full = fires.len() == PAGE;
            let after = |fire: &Instant| *fire + TimeDelta::milliseconds(1);
            since = fires.last().filter(|_| full).map(after);
        }
        proof.end();
        let waits = |due: &Instant| *due >= next_due || in_arrears(&history, *due);
        let waiting = chain::due_times(&history.eras, self.since, end).map_err(wrong)?;
        let mut waiting = waiting.filter(waits).peekable();
        Ok(Gaps {
            task: status.task.name,
            known_after,
            since: known_after.map(|known| self.since.map_or(known, |since| since.max(known))),
            until: self.until,
            none_because,
            accounted: proof.accounted,
            gap_count: proof.gaps.count,
            gaps: proof.gaps.named,
            stray_count: proof.strays.count,
            strays: proof.strays.named,
            waiting_since: waiting.peek().copied(),
            waiting: waiting.take(MOST_WAITING).count(),
        })
    }
}

fn in_arrears(history: &History, due: Instant) -> bool {
    let mut arrears = history.arrears.iter();
    arrears.any(|(first, last)| (*first..=*last).contains(&due))
}
