//! A task in the hands of a transaction: taken out with its progress, changed, and
//! put back, which moves it to its right place in the agenda.

use mhost_model::plan::{OpenRun, Progress};
use mhost_model::run::{Run, RunState};
use mhost_model::task::Task;
use mhost_model::{Fence, RunId, TaskId};
use redb::ReadableTable;

use super::agenda::{Place, place};
use super::known::Shared;
use super::record::{OpenRec, OpenState, ProgressRec, RunningRec, encode, get, instant, millis};
use super::trouble::{Res, Trouble};
use super::tx::Tx;

pub struct Held {
    pub task: Shared,
    pub progress: ProgressRec,
    /// Where it stood when it was taken out.
    was: Place,
    pool: String,
}

impl Held {
    /// A new task, which stands nowhere yet.
    pub fn new(task: Task) -> Self {
        Self {
            pool: task.spec.policy.pool.to_string(),
            task: task.into(),
            progress: ProgressRec::default(),
            was: Place::default(),
        }
    }

    pub fn open(&self, id: RunId) -> Option<&OpenRec> {
        self.progress.open.iter().find(|open| open.id == id.0)
    }

    /// Takes note of where an open run stands; it is added if it is new.
    pub fn note(&mut self, run: &Run) {
        let rec = OpenRec {
            id: run.id.0,
            fire_at: millis(run.fire_at),
            attempt: run.attempt,
            fence: run.fence.0,
            trigger: run.trigger,
            state: match run.state {
                RunState::Queued => OpenState::Queued,
                RunState::Waiting { retry_at } => OpenState::Waiting {
                    retry_at: millis(retry_at),
                },
                RunState::Running { .. } => OpenState::Running,
                RunState::Settled { .. } => return self.forget(run.id),
            },
        };
        match self.progress.open.iter_mut().find(|open| open.id == rec.id) {
            Some(open) => *open = rec,
            None => self.progress.open.push(rec),
        }
    }

    pub fn forget(&mut self, id: RunId) {
        self.progress.open.retain(|open| open.id != id.0);
    }

    /// Gives the next fence of the task.
    pub fn fence(&mut self) -> Fence {
        self.progress.fence += 1;
        Fence(self.progress.fence)
    }
}

impl Tx<'_> {
    pub fn take(&self, id: TaskId) -> Res<Option<Held>> {
        let Some(task) = self.task(id)? else {
            return Ok(None);
        };
        let progress = get(&*self.tables.progress, id.0)?
            .ok_or_else(|| Trouble::Damaged(format!("task {id} has no progress")))?;
        Ok(Some(Held {
            was: place(&task, &progress),
            pool: task.spec.policy.pool.to_string(),
            task,
            progress,
        }))
    }

    fn task(&self, id: TaskId) -> Res<Option<Shared>> {
        if let Some(known) = self.known.get(id.0) {
            return Ok(Some(known));
        }
        let task = get::<Task, _>(&*self.tables.tasks, id.0)?.map(Shared::from);
        if let Some(task) = &task {
            self.known.keep(id.0, task);
        }
        Ok(task)
    }

    /// Takes out a task that an index names.
    pub fn take_indexed(&self, id: TaskId) -> Res<Held> {
        self.take(id)?.ok_or_else(|| Trouble::dangling("task", id))
    }

    pub fn id_of(&self, name: &str) -> Res<Option<TaskId>> {
        Ok(self.tables.names.get(name)?.map(|id| TaskId(id.value())))
    }

    pub fn take_named(&self, name: &str) -> Res<Held> {
        match self.id_of(name)? {
            Some(id) => self.take_indexed(id),
            None => Err(Trouble::not_found("task", name)),
        }
    }

    /// Puts it back after a change: whatever waited for a completion is looked at anew.
    pub fn put_back(&mut self, mut held: Held) -> Res<()> {
        held.progress.examined = None;
        self.put_examined(held)
    }

    /// Puts it back after nothing but a look.
    pub fn put_examined(&mut self, held: Held) -> Res<()> {
        let id = held.task.id.0;
        let bytes = encode(&held.progress)?;
        self.tables.progress.put(id, bytes.as_slice())?;
        let now = place(&held.task, &held.progress);
        let pool = held.task.spec.policy.pool.as_str();
        if (held.was, held.pool.as_str()) != (now, pool) {
            self.leave(id, held.was, &held.pool)?;
            self.enter(id, now, pool)?;
        }
        Ok(())
    }

    /// Takes it out of the agenda for good.
    pub fn strike(&mut self, held: &Held) -> Res<()> {
        self.leave(held.task.id.0, held.was, &held.pool)
    }

    fn leave(&mut self, task: u64, place: Place, pool: &str) -> Res<()> {
        if let Some(at) = place.due {
            self.tables.due.remove((at, task))?;
        }
        if let Some(since) = place.waiting {
            self.tables.waiting.remove((pool, since, task))?;
        }
        Ok(())
    }

    fn enter(&mut self, task: u64, place: Place, pool: &str) -> Res<()> {
        if let Some(at) = place.due {
            self.tables.due.put((at, task), ())?;
        }
        if let Some(since) = place.waiting {
            self.tables.waiting.put((pool, since, task), ())?;
        }
        Ok(())
    }

    /// The progress as the planner sees it.
    pub fn view(&self, progress: &ProgressRec) -> Res<Progress> {
        view(progress, &*self.tables.running)
    }
}

/// The progress as the planner and people see it: with the leases of open runs.
pub fn view(
    progress: &ProgressRec,
    running: &impl ReadableTable<u64, &'static [u8]>,
) -> Res<Progress> {
    let at = |millis: Option<i64>| millis.map(instant).transpose().map_err(Trouble::Damaged);
    let open = progress.open.iter().map(|open| view_open(open, running));
    Ok(Progress {
        next_due: at(progress.next_due)?,
        wake_at: at(progress.wake_at)?,
        last_fire: at(progress.last_fire)?,
        last_success: at(progress.last_success)?,
        last_outcome: progress.last_outcome,
        failures: progress.failures,
        fence: progress.fence,
        open: open.collect::<Res<_>>()?,
    })
}

fn view_open(open: &OpenRec, running: &impl ReadableTable<u64, &'static [u8]>) -> Res<OpenRun> {
    let state = match open.state {
        OpenState::Queued => RunState::Queued,
        OpenState::Waiting { retry_at } => RunState::Waiting {
            retry_at: instant(retry_at).map_err(Trouble::Damaged)?,
        },
        OpenState::Running => {
            let claim: Option<RunningRec> = get(running, open.id)?;
            let claim = claim.ok_or_else(|| Trouble::dangling("the claim of run", open.id))?;
            claim.state().map_err(Trouble::Damaged)?
        }
    };
    Ok(OpenRun {
        id: RunId(open.id),
        fire_at: instant(open.fire_at).map_err(Trouble::Damaged)?,
        attempt: open.attempt,
        fence: Fence(open.fence),
        trigger: open.trigger,
        state,
    })
}
