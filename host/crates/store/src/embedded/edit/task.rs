//! Edits of tasks: identity and history survive renaming, and a due time survives
//! every edit that does not touch the schedule.

use mhost_model::plugin::Digest;
use mhost_model::task::{Task, TaskSpec};
use mhost_model::{Name, RunId, TaskId};

use super::super::era::Overdue;
use super::super::held::Held;
use super::super::record::{OpenState, encode, instant, millis};
use super::super::trouble::{Res, Trouble};
use super::super::tx::Tx;

/// Why a due time passed without a run.
const PAUSED: &str = "its task was paused before it started";

fn overdue(catch_up: bool, why: &'static str) -> Overdue<'static> {
    match catch_up {
        true => Overdue::CatchUp,
        false => Overdue::Pass(why),
    }
}

impl Tx<'_> {
    pub fn put_task(
        &mut self,
        name: &Name,
        spec: &TaskSpec,
        pin: Digest,
        enabled: bool,
        catch_up: bool,
    ) -> Res<()> {
        match self.existing(name, spec)? {
            Some(held) => self.change_task(held, name, spec, pin, (enabled, catch_up)),
            None => self.create_task(name, spec, pin, enabled),
        }
    }

    /// The task that stands under the name, or under its former one.
    fn existing(&self, name: &Name, spec: &TaskSpec) -> Res<Option<Held>> {
        let named = self.id_of(name.as_str())?;
        let former = match spec.renamed_from.as_ref().filter(|former| *former != name) {
            Some(former) => self.id_of(former.as_str())?.map(|id| (former, id)),
            None => None,
        };
        match (named, former) {
            (Some(_), Some((former, _))) => Err(Trouble::conflict(format!(
                "the task `{name}` says that it was `{former}`, but both exist: remove one of them, or the line `renamed_from`"
            ))),
            (Some(id), None) | (None, Some((_, id))) => self.take_indexed(id).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn create_task(&mut self, name: &Name, spec: &TaskSpec, pin: Digest, enabled: bool) -> Res<()> {
        self.counters.task += 1;
        let task = Task {
            id: TaskId(self.counters.task),
            name: name.clone(),
            spec: spec.clone(),
            pin,
            quarantine: None,
            enabled,
            schedule_version: 1,
            created_at: self.now,
        };
        self.save_task(None, &task)?;
        let mut held = Held::new(task);
        let from = self.now_ms();
        self.arm(&mut held, from)?;
        self.watch_task(&held, true)?;
        self.put_back(held)
    }

    fn change_task(
        &mut self,
        mut held: Held,
        name: &Name,
        spec: &TaskSpec,
        pin: Digest,
        (enabled, catch_up): (bool, bool),
    ) -> Res<()> {
        let old = held.task.clone();
        let mut new = old.clone();
        new.name = name.clone();
        new.spec = spec.clone();
        new.enabled = enabled;
        repin(&mut new, pin);
        if new == old {
            return Ok(());
        }
        let moved = old.spec.schedule != spec.schedule;
        if moved {
            new.schedule_version = old.schedule_version.saturating_add(1);
        }
        let mut ends = Vec::new();
        if moved || old.enabled != enabled {
            let why = match enabled {
                true => "its schedule was changed before it started",
                false => PAUSED,
            };
            let from = self.close_era(&mut held, overdue(catch_up && enabled, why))?;
            held.task = new;
            self.arm(&mut held, from)?;
            if enabled && !catch_up {
                self.tables.marks.remove(held.task.id.0)?;
            }
            if enabled && !catch_up && !old.enabled {
                ends = self.pass_held(&mut held, PAUSED)?;
            }
        } else {
            held.task = new;
            self.move_wake(&mut held);
        }
        self.save_task(Some(&*old), &held.task)?;
        let anew = old.spec.schedule != spec.schedule || old.enabled != enabled;
        self.watch_task(&held, anew)?;
        self.put_back(held)?;
        ends.into_iter().try_for_each(|end| self.set_off(end))
    }

    /// The first due time after `from`, where the new era begins.
    fn arm(&mut self, held: &mut Held, from: i64) -> Res<()> {
        let armed = held.task.enabled.then(|| self.armed(held, from));
        (held.progress.next_due, held.progress.wake_at) = armed.unwrap_or_default();
        held.progress.since = held.progress.next_due.map(|_| from);
        if held.task.enabled {
            let schedule = held.task.spec.schedule.clone();
            self.record_zone(&schedule)?;
        }
        Ok(())
    }

    /// A new jitter moves the start of a fire that is still to come.
    fn move_wake(&self, held: &mut Held) {
        // Where the clock was set back, the task goes on from its newest fire.
        let from = held.progress.last_fire.max(Some(self.now_ms()));
        let (next_due, wake_at) = self.armed(held, from.unwrap_or_else(|| self.now_ms()));
        if held.task.enabled && held.progress.next_due == next_due {
            held.progress.wake_at = wake_at;
        }
    }

    pub fn armed(&self, held: &Held, from: i64) -> (Option<i64>, Option<i64>) {
        let from = instant(from).unwrap_or(self.now);
        let (next_due, wake_at) = self.planner.arm(&held.task, from);
        (next_due.map(millis), wake_at.map(millis))
    }

    /// Writes a task with what names it.
    fn save_task(&mut self, old: Option<&Task>, task: &Task) -> Res<()> {
        let bytes = encode(task)?;
        if let Some(old) = old.filter(|old| old.name != task.name) {
            self.tables.names.remove(old.name.as_str())?;
        }
        self.tables.names.put(task.name.as_str(), task.id.0)?;
        self.known.forget(task.id.0);
        self.tables.tasks.put(task.id.0, bytes.as_slice())?;
        self.index_watcher(old, Some(task))?;
        self.index_dependency(old, Some(task))
    }

    /// What is on may still complete; what waits to start never will.
    pub fn remove_task(&mut self, name: &Name) -> Res<()> {
        let held = self.take_named(name.as_str())?;
        for open in &held.progress.open {
            if open.state != OpenState::Running {
                self.cancel_idle(RunId(open.id), "its task was removed")?;
            }
        }
        let mut held = self.take_named(name.as_str())?;
        let id = held.task.id.0;
        self.strike(&held)?;
        self.close_era(
            &mut held,
            Overdue::Pass("its task was removed before it started"),
        )?;
        self.forget_eras(id)?;
        self.tables.marks.remove(id)?;
        self.tables.progress.remove(id)?;
        self.known.forget(id);
        self.tables.tasks.remove(id)?;
        self.tables.names.remove(name.as_str())?;
        self.index_watcher(Some(&*held.task), None)?;
        self.index_dependency(Some(&*held.task), None)?;
        self.forget_alerts(held.task.id)?;
        self.forget_watch(held.task.id)?;
        self.forget_observed(id)?;
        self.forget_state(id)
    }

    fn forget_state(&mut self, task: u64) -> Res<()> {
        while let Some(key) = self.first_state(task)? {
            self.tables.state.remove((task, key.as_str()))?;
        }
        Ok(())
    }

    fn first_state(&self, task: u64) -> Res<Option<String>> {
        let range = (task, "")..(task + 1, "");
        let mut rows = redb::ReadableTable::range::<(u64, &str)>(&*self.tables.state, range)?;
        let row = rows.next().transpose()?;
        Ok(row.map(|(key, _)| key.value().1.to_owned()))
    }

    pub fn set_enabled(&mut self, name: &Name, enabled: bool, catch_up: bool) -> Res<()> {
        let mut held = self.take_named(name.as_str())?;
        if held.task.enabled == enabled {
            return Ok(());
        }
        let from = self.close_era(&mut held, overdue(catch_up && enabled, PAUSED))?;
        held.task.enabled = enabled;
        self.arm(&mut held, from)?;
        let mut ends = Vec::new();
        if enabled && !catch_up {
            self.tables.marks.remove(held.task.id.0)?;
            ends = self.pass_held(&mut held, PAUSED)?;
        }
        self.watch_task(&held, true)?;
        self.resave(held)?;
        ends.into_iter().try_for_each(|end| self.set_off(end))
    }

    pub fn set_quarantine(&mut self, name: &Name, quarantine: &Option<String>) -> Res<()> {
        let mut held = self.take_named(name.as_str())?;
        // Who is in quarantine does not wait for a slot.
        self.end_wait(&mut held);
        held.task.quarantine.clone_from(quarantine);
        self.resave(held)
    }

    pub fn set_pin(&mut self, name: &Name, pin: Digest) -> Res<()> {
        let mut held = self.take_named(name.as_str())?;
        held.task.pin = pin;
        held.task.quarantine = None;
        self.resave(held)
    }

    fn resave(&mut self, held: Held) -> Res<()> {
        let bytes = encode(&*held.task)?;
        self.known.forget(held.task.id.0);
        self.tables.tasks.put(held.task.id.0, bytes.as_slice())?;
        self.put_back(held)
    }
}

/// A new component that the operator names is one that he has seen.
fn repin(task: &mut Task, pin: Digest) {
    if task.pin != pin {
        task.pin = pin;
        task.quarantine = None;
    }
}
