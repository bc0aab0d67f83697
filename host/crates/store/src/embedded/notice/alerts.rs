//! Alerts that stand. Each is told once: when it begins, when it becomes another one, and
//! again only where its task asks for that.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use mhost_model::alert::AlertChange;
use mhost_model::notify::{Event, EventKind, Notify, Standing};
use mhost_model::run::Run;
use mhost_model::task::Task;
use mhost_model::{Instant, Name, TaskId};
use redb::ReadableTable;

use super::super::holdings::holdings;
use super::super::read::Snapshot;
use super::super::record::{decode, encode, get};
use super::super::tables::ALERTS;
use super::super::trouble::Res;
use super::super::tx::Tx;
use super::route::Audience;

/// Whose an alert is; the beginning of its name in the table.
pub const HOST: &str = "host:";
pub const PLUGIN: &str = "plugin:";

/// What is to be told again while somebody works on it is looked at anew after this.
const WHILE_HELD: TimeDelta = TimeDelta::minutes(1);

/// The alert's name in the table.
fn slot(whose: &str, key: &str) -> String {
    format!("{whose}{key}")
}

impl Tx<'_> {
    /// What a run said of its alerts, in the transaction of its end.
    pub fn change_alerts(&mut self, task: &Task, run: &Run, changes: &[AlertChange]) -> Res<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let held = self.held_by_others(task)?;
        for change in changes {
            match change {
                AlertChange::Raise {
                    key,
                    severity,
                    message,
                    details,
                } => {
                    let said = (key.as_str(), *severity, message.as_str());
                    let event = Event::raised(task, run, said, details.clone(), self.now);
                    self.stand_unless(&held, task, PLUGIN, event, String::new())?;
                }
                AlertChange::Resolve { key, message } => {
                    let over = self.take_alert(task.id, &slot(PLUGIN, key))?;
                    let over: Vec<Standing> = over.into_iter().collect();
                    self.tell_recovery(task, &over, &format!("{key}: {message}"))?;
                }
                AlertChange::Silence { key } => self.silence_alert(task.id, &slot(PLUGIN, key))?,
            }
        }
        Ok(())
    }

    /// Lets an alert stand, and tells it if that is news. Nothing while somebody works on
    /// what it is about.
    pub(super) fn stand(
        &mut self,
        task: &Task,
        whose: &str,
        event: Event,
        instance: String,
    ) -> Res<()> {
        let held = self.held_by_others(task)?;
        self.stand_unless(&held, task, whose, event, instance)
    }

    fn stand_unless(
        &mut self,
        held: &BTreeSet<String>,
        task: &Task,
        whose: &str,
        event: Event,
        instance: String,
    ) -> Res<()> {
        if is_held(held, task, &event) {
            return Ok(());
        }
        let name = slot(whose, event.key.as_deref().unwrap_or_default());
        let before: Option<Standing> = get(&*self.tables.alerts, (task.id.0, name.as_str()))?;
        let mut standing = Standing::after(before.as_ref(), &event, instance);
        if standing.told == 0 {
            self.tell_standing(task, &mut standing)?;
        } else if before.is_some_and(|before| before.silent) {
            self.tell_again(task, &standing)?;
        }
        self.put_alert(task.id, &name, &standing)
    }

    fn silence_alert(&mut self, task: TaskId, name: &str) -> Res<()> {
        let standing: Option<Standing> = get(&*self.tables.alerts, (task.0, name))?;
        match standing {
            Some(standing) if !standing.silent => {
                let silent = Standing {
                    silent: true,
                    ..standing
                };
                self.put_alert(task, name, &silent)
            }
            _ => Ok(()),
        }
    }

    /// Tells what stands; a further telling is due as the task asks.
    fn tell_standing(&mut self, task: &Task, standing: &mut Standing) -> Res<()> {
        let event = standing.event(self.now);
        if self.tell(task, &event, Audience::News)? == 0 {
            return Ok(());
        }
        standing.told += 1;
        standing.told_at = Some(self.now);
        self.tell_again(task, standing)
    }

    /// A further telling is due as the task asks.
    fn tell_again(&mut self, task: &Task, standing: &Standing) -> Res<()> {
        let routes = self.routes()?;
        match routes.of(task).and_then(|notify| again(standing, notify)) {
            Some(at) => self.look_by(task.id, at),
            None => Ok(()),
        }
    }

    /// Tells again what is due for it; answers when the next telling is.
    pub(super) fn repeat(&mut self, task: &Task) -> Res<Option<Instant>> {
        let routes = self.routes()?;
        let Some(notify) = routes.of(task).filter(|notify| notify.repeat.is_some()) else {
            return Ok(None);
        };
        let held = self.held_by_others(task)?;
        let mut next: Option<Instant> = None;
        for (name, mut standing) in self.alerts_of(task.id, "")? {
            let Some(at) = again(&standing, notify) else {
                continue;
            };
            if at <= self.now {
                if is_held(&held, task, &standing.event(self.now)) {
                    let later = self.now.checked_add_signed(WHILE_HELD);
                    next = next.into_iter().chain(later).min();
                    continue;
                }
                self.tell_standing(task, &mut standing)?;
                self.put_alert(task.id, &name, &standing)?;
            }
            // Where nobody wants to hear it any more, no time brings anything.
            let at = again(&standing, notify).filter(|at| *at > self.now);
            next = next.into_iter().chain(at).min();
        }
        Ok(next)
    }

    /// What other tasks that are at work hold.
    fn held_by_others(&self, task: &Task) -> Res<BTreeSet<String>> {
        let tables = &self.tables;
        let all = holdings(&*tables.running, &*tables.runs, &*tables.tasks)?;
        let others = all.into_iter().filter(|one| one.task != task.name);
        Ok(others.flat_map(|one| one.holds).collect())
    }

    fn put_alert(&mut self, task: TaskId, name: &str, standing: &Standing) -> Res<()> {
        let bytes = encode(standing)?;
        self.tables.alerts.put((task.0, name), bytes.as_slice())
    }

    fn take_alert(&mut self, task: TaskId, name: &str) -> Res<Option<Standing>> {
        let key = (task.0, name);
        let standing = get(&*self.tables.alerts, key)?;
        if standing.is_some() {
            self.tables.alerts.remove(key)?;
        }
        Ok(standing)
    }

    /// The alerts of a task whose names begin so.
    fn alerts_of(&self, task: TaskId, begin: &str) -> Res<Vec<(String, Standing)>> {
        let mut found = Vec::new();
        let range = (task.0, begin)..(task.0 + 1, "");
        for row in self.tables.alerts.range::<(u64, &str)>(range)? {
            let (key, value) = row?;
            let (_, name) = key.value();
            if !name.starts_with(begin) {
                break;
            }
            found.push((name.to_owned(), decode(value.value())?));
        }
        Ok(found)
    }

    /// Takes the host's own alerts of a task back, where `over` says so.
    pub(super) fn settle_alerts(
        &mut self,
        task: &Task,
        over: impl Fn(&Standing) -> bool,
    ) -> Res<Vec<Standing>> {
        let mut settled = Vec::new();
        for (name, standing) in self.alerts_of(task.id, HOST)? {
            if over(&standing) {
                self.tables.alerts.remove((task.id.0, name.as_str()))?;
                settled.push(standing);
            }
        }
        Ok(settled)
    }

    /// Who was told of trouble is told of its end.
    pub(super) fn tell_recovery(&mut self, task: &Task, over: &[Standing], how: &str) -> Res<()> {
        let told: Vec<Standing> = over.iter().filter(|one| one.told > 0).cloned().collect();
        if let Some(event) = Event::recovered(task, &told, how, self.now) {
            self.tell(task, &event, Audience::News)?;
        }
        Ok(())
    }

    /// Nothing stands of a task that is gone.
    pub fn forget_alerts(&mut self, task: TaskId) -> Res<()> {
        for (name, _) in self.alerts_of(task, "")? {
            self.tables.alerts.remove((task.0, name.as_str()))?;
        }
        Ok(())
    }

    pub fn acknowledge(&mut self, task: Option<&Name>, key: Option<&str>) -> Res<Vec<Standing>> {
        let mut meant = Vec::new();
        for row in self.tables.alerts.iter()? {
            let (place, value) = row?;
            let (id, name) = place.value();
            let standing: Standing = decode(value.value())?;
            let fits = task.is_none_or(|task| *task == standing.task)
                && key.is_none_or(|key| key == standing.key);
            if fits && standing.acknowledged_at.is_none() {
                meant.push((TaskId(id), name.to_owned(), standing));
            }
        }
        for (id, name, standing) in &mut meant {
            standing.acknowledged_at = Some(self.now);
            self.put_alert(*id, name, standing)?;
        }
        Ok(meant.into_iter().map(|(_, _, standing)| standing).collect())
    }
}

/// Whether the task or the key is held; what happened to a fire is never passed over.
fn is_held(held: &BTreeSet<String>, task: &Task, event: &Event) -> bool {
    let names = [Some(task.name.as_str()), event.key.as_deref()];
    let mut names = names.into_iter().flatten();
    event.kind != EventKind::Lost && names.any(|name| held.contains(name))
}

/// When it is to be told again; none where it is not.
fn again(standing: &Standing, notify: &Notify) -> Option<Instant> {
    let quiet = standing.silent || standing.acknowledged_at.is_some();
    if quiet || !notify.on.contains(&standing.kind) {
        return None;
    }
    standing.told_at?.checked_add_signed(notify.repeat?.delta())
}

impl Snapshot {
    pub fn alerts(&self) -> Res<Vec<Standing>> {
        let table = self.txn().open_table(ALERTS)?;
        let rows = table.iter()?;
        rows.map(|row| decode(row?.1.value())).collect()
    }
}
