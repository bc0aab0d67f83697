//! Rule 10, without polling: each task that time alone can bring to the operator's notice
//! has one entry in the table of looks. An entry may be too early (the task has run since),
//! and then only moves on, so that a run that goes well costs nothing.

use mhost_model::notify::Event;
use mhost_model::plan::Progress;
use mhost_model::run::Run;
use mhost_model::run::RunState;
use mhost_model::task::Task;
use mhost_model::{Instant, RunId, TaskId};
use redb::ReadableTable;

use super::super::held::Held;
use super::super::record::{WatchRec, encode, get, instant, millis};
use super::super::trouble::{Res, Trouble};
use super::super::tx::Tx;
use super::alerts::HOST;

impl Tx<'_> {
    /// Looks at the tasks whose time has come, at most `limit`; whether there are more.
    pub fn look_around(&mut self, limit: usize) -> Res<bool> {
        for _ in 0..limit {
            match self.first_look()? {
                Some((at, task)) if at <= self.now_ms() => self.look(TaskId(task))?,
                _ => return Ok(false),
            }
        }
        let first = self.first_look()?;
        Ok(first.is_some_and(|(at, _)| at <= self.now_ms()))
    }

    pub fn first_look(&self) -> Res<Option<(i64, u64)>> {
        Ok(self.tables.looks.first()?.map(|(key, _)| key.value()))
    }

    /// What is amiss with a task now, and when to look again.
    fn look(&mut self, id: TaskId) -> Res<()> {
        let Some(held) = self.take(id)? else {
            return self.forget_watch(id);
        };
        let (progress, running) = self.seen(&held)?;
        let now = self.now;
        let (alerts, next) = self.planner.watch(&held.task, &progress, &running, now);
        for alert in &alerts {
            let event = Event::unexpected(&held.task, alert, now);
            self.stand(&held.task, HOST, event, alert.instance())?;
        }
        let again = self.repeat(&held.task)?;
        // The instant itself was looked at; the next one is later.
        let later = |at: Instant| millis(at).max(self.now_ms() + 1);
        let next = next.into_iter().chain(again).map(later).min();
        self.move_look(id, next)
    }

    /// The progress as far as it may be judged, and the starts of the living runs.
    fn seen(&self, held: &Held) -> Res<(Progress, Vec<(RunId, Instant)>)> {
        let mut progress = self.view(&held.progress)?;
        let since = self.watched(held.task.id)?.map(|rec| rec.since);
        let since = since.and_then(|since| instant(since).ok());
        // Nobody expects a success from before it was made or enabled.
        if since.is_some_and(|since| since > held.task.created_at) {
            progress.last_success = progress.last_success.max(since);
        }
        let mut running = Vec::new();
        for open in &progress.open {
            if matches!(open.state, RunState::Running { .. }) {
                let row = self.row(open.id)?;
                let row = row.ok_or_else(|| Trouble::dangling("run", open.id))?;
                running.extend(row.run.started_at.map(|at| (open.id, at)));
            }
        }
        Ok((progress, running))
    }

    /// A task was made, changed or switched: what is expected of it begins anew where
    /// `anew` says so.
    pub fn watch_task(&mut self, held: &Held, anew: bool) -> Res<()> {
        let id = held.task.id;
        let rec = self.watched(id)?.unwrap_or(WatchRec {
            look_at: None,
            since: self.now_ms(),
        });
        let since = if anew { self.now_ms() } else { rec.since };
        self.save_watch(id, WatchRec { since, ..rec })?;
        let (progress, running) = self.seen(held)?;
        let (alerts, next) = self
            .planner
            .watch(&held.task, &progress, &running, self.now);
        let next = match alerts.is_empty() {
            true => next.map(millis),
            false => Some(self.now_ms()),
        };
        match next {
            Some(next) => self.look_by(id, instant(next).map_err(Trouble::Damaged)?),
            None => Ok(()),
        }
    }

    /// A run that began may turn out to be too long.
    pub(super) fn look_at_run(&mut self, task: &Task, run: &Run) -> Res<()> {
        let within = task
            .spec
            .policy
            .expect
            .and_then(|expect| expect.finish_within);
        let by = within.and_then(|within| run.started_at?.checked_add_signed(within.delta()));
        match by {
            Some(by) => self.look_by(task.id, by),
            None => Ok(()),
        }
    }

    /// Makes sure that the task is looked at by then.
    pub(super) fn look_by(&mut self, id: TaskId, by: Instant) -> Res<()> {
        let by = millis(by);
        match self.watched(id)?.and_then(|rec| rec.look_at) {
            Some(at) if at <= by => Ok(()),
            _ => self.move_look(id, Some(by)),
        }
    }

    fn move_look(&mut self, id: TaskId, to: Option<i64>) -> Res<()> {
        let rec = self.watched(id)?;
        let since = rec.map_or(self.now_ms(), |rec| rec.since);
        if let Some(at) = rec.and_then(|rec| rec.look_at) {
            self.tables.looks.remove((at, id.0))?;
        }
        if let Some(at) = to {
            self.tables.looks.put((at, id.0), ())?;
        }
        self.save_watch(id, WatchRec { look_at: to, since })
    }

    fn watched(&self, id: TaskId) -> Res<Option<WatchRec>> {
        get(&*self.tables.watched, id.0)
    }

    fn save_watch(&mut self, id: TaskId, rec: WatchRec) -> Res<()> {
        let bytes = encode(&rec)?;
        self.tables.watched.put(id.0, bytes.as_slice())
    }

    /// Nobody looks at a task that is gone.
    pub fn forget_watch(&mut self, id: TaskId) -> Res<()> {
        self.move_look(id, None)?;
        self.tables.watched.remove(id.0)?;
        Ok(())
    }
}
