//! The operator: rules 1, 2 and 3 as to edits.

use mhost_model::plugin::Digest;
use mhost_model::resource::PoolDef;
use mhost_model::run::{Outcome, Run, RunState, Trigger};
use mhost_model::task::TaskSpec;
use mhost_model::{Name, RunId, TaskId};
use mhost_store::{Edit, TaskStore};

use super::{Checked, World, hold, is_running};
use crate::model::Task;

impl World {
    pub async fn edit(&mut self) -> Checked {
        self.tally.edits += 1;
        match self.dice.below(10) {
            0..=3 => self.put().await?,
            4 => self.rename().await?,
            5 => self.remove().await?,
            6..=7 => self.set_enabled().await?,
            _ => self.set_quarantine().await?,
        }
        self.observe().await?;
        self.stay_away()?;
        self.check_progress(3).await
    }

    /// Rule 3: what waited to start when its task was paused never will.
    fn stay_away(&mut self) -> Checked {
        for run in std::mem::take(&mut self.resumed) {
            let run = &self.runs[&run];
            let expected = match run.attempt {
                0 => Outcome::Skipped,
                _ => Outcome::Cancelled,
            };
            let outcome = run.outcome();
            hold!(3, outcome == Some(expected), "its task was paused: {run:?}");
        }
        Ok(())
    }

    /// Takes note of what must not start when a task is resumed.
    fn resume(&mut self, task: TaskId) {
        let idle = |run: &&&Run| !is_running(run) && run.trigger != Trigger::Manual;
        let open = self.open_of(task);
        self.resumed = open.iter().filter(idle).map(|run| run.id).collect();
    }

    fn some_task(&mut self) -> Option<Task> {
        let tasks: Vec<&Task> = self.tasks.values().collect();
        match tasks.is_empty() {
            true => None,
            false => Some((*self.dice.pick(&tasks)).clone()),
        }
    }

    fn named(&self, name: &str) -> Option<TaskId> {
        let mut tasks = self.tasks.values();
        tasks.find(|task| task.name == name).map(|task| task.id)
    }

    /// Creates a task, or gives one another schedule or policy.
    async fn put(&mut self) -> Checked {
        let name = self.some_name();
        let id = self.named(&name);
        let mut spec = self.some_spec(&name);
        if let Some(old) = id.map(|id| &self.tasks[&id].spec)
            && old.schedule == spec.schedule
        {
            spec.policy.jitter = old.policy.jitter;
        }
        if let Some(id) = id
            && self.dice.one_in(2)
        {
            // Another policy, and nothing else.
            let old = &self.tasks[&id].spec;
            spec.policy.jitter = old.policy.jitter;
            spec.schedule = old.schedule.clone();
        }
        let enabled = !self.dice.one_in(8);
        self.note(format!(
            "`{name}` is {:?}, {:?}, enabled {enabled}",
            spec.schedule, spec.policy
        ));
        self.apply(put(&name, &spec, enabled)).await;
        self.take_over(id, &name, spec, enabled).await
    }

    /// The same task under another name keeps its id, its rows and its due time.
    async fn rename(&mut self) -> Checked {
        let Some(task) = self.some_task() else {
            return Ok(());
        };
        let name = self.some_name();
        let class = |name: &str| name.chars().next();
        if self.named(&name).is_some() || class(&name) != class(&task.name) {
            return Ok(());
        }
        let mut spec = task.spec.clone();
        spec.renamed_from = Some(task.name.parse().unwrap());
        self.note(format!("`{}` is called `{name}` from now on", task.name));
        self.apply(put(&name, &spec, task.enabled)).await;
        self.take_over(Some(task.id), &name, spec, task.enabled)
            .await
    }

    /// What the model makes of a task that was put.
    async fn take_over(
        &mut self,
        id: Option<TaskId>,
        name: &str,
        spec: TaskSpec,
        enabled: bool,
    ) -> Checked {
        let stored = self.store().task(&name.parse().unwrap()).await.unwrap();
        let stored = stored.map(|status| status.task.id);
        hold!(1, stored.is_some(), "`{name}` was put and is not there");
        let found = stored.unwrap_or(TaskId(0));
        let newest = self.fences.keys().chain(self.tasks.keys()).max();
        let sound = match id {
            Some(id) => found == id,
            None => newest.is_none_or(|newest| found > *newest),
        };
        hold!(1, sound, "`{name}` has id {found}: it was {id:?}");
        if enabled && self.tasks.get(&found).is_some_and(|task| !task.enabled) {
            self.resume(found);
        }
        let now = self.now;
        let task = self.tasks.entry(found).or_insert_with(|| Task {
            id: found,
            name: name.to_owned(),
            spec: spec.clone(),
            enabled: false,
            quarantined: false,
            created_at: now,
            next: None,
            last: None,
            since: None,
            off_since: None,
            offset: None,
            held: false,
            doubt: false,
        });
        let again = task.enabled != enabled || task.spec.schedule != spec.schedule;
        if again {
            let overdue = task.close(now);
            self.overdue.entry(found).or_default().extend(overdue);
        }
        if task.policy().jitter != spec.policy.jitter {
            task.offset = None;
        }
        task.name = name.to_owned();
        task.spec = spec;
        task.enabled = enabled;
        if again {
            task.arm(now);
        }
        task.reconsider(now);
        self.fences.entry(found).or_default();
        Ok(())
    }

    /// What waits to start never will; the rows stay.
    async fn remove(&mut self) -> Checked {
        let Some(task) = self.some_task() else {
            return Ok(());
        };
        let idle = self.open_of(task.id).into_iter();
        let idle = idle.filter(|run| !matches!(run.state, RunState::Running { .. }));
        let idle: Vec<RunId> = idle.map(|run| run.id).collect();
        self.note(format!("`{}` is removed", task.name));
        self.apply(Edit::RemoveTask(name(&task.name))).await;
        let removed = self.tasks.get_mut(&task.id).unwrap();
        let overdue = removed.close(self.now);
        self.overdue.entry(task.id).or_default().extend(overdue);
        self.observe().await?;
        for run in idle {
            let outcome = self.runs[&run].outcome();
            let cancelled = outcome == Some(Outcome::Cancelled);
            hold!(1, cancelled, "run {run} of a removed task is {outcome:?}");
        }
        self.tasks.remove(&task.id);
        Ok(())
    }

    /// Rule 3: who resumes catches nothing up, unless that is asked for.
    async fn set_enabled(&mut self) -> Checked {
        let Some(task) = self.some_task() else {
            return Ok(());
        };
        let enabled = !self.dice.one_in(3);
        let catch_up = enabled && !task.enabled && self.dice.one_in(2);
        self.note(format!(
            "`{}` is enabled: {enabled}, catching up: {catch_up}",
            task.name
        ));
        let name = name(&task.name);
        let asked = catch_up.then(|| Edit::CatchUp(name.clone()));
        let batch = asked
            .into_iter()
            .chain([Edit::SetEnabled { name, enabled }]);
        self.store().edit(batch.collect()).await.unwrap();
        if enabled && !task.enabled && !catch_up {
            self.resume(task.id);
        }
        self.tally.caught_up += usize::from(catch_up);
        let now = self.now;
        let task = self.tasks.get_mut(&task.id).unwrap();
        if task.enabled != enabled {
            let overdue = task.close(now);
            self.overdue.entry(task.id).or_default().extend(overdue);
            task.enabled = enabled;
            match catch_up {
                true => task.catch_up(),
                false => task.arm(now),
            }
        }
        Ok(())
    }

    async fn set_quarantine(&mut self) -> Checked {
        let Some(task) = self.some_task() else {
            return Ok(());
        };
        let quarantined = self.dice.one_in(3);
        self.note(format!("`{}` is in quarantine: {quarantined}", task.name));
        let edit = Edit::SetQuarantine {
            name: name(&task.name),
            quarantine: quarantined.then(|| "look at it".into()),
        };
        self.apply(edit).await;
        let task = self.tasks.get_mut(&task.id).unwrap();
        task.quarantined = quarantined;
        (task.held, task.doubt) = (false, false);
        Ok(())
    }

    pub async fn edit_pool(&mut self) -> Checked {
        let pool = (*self.dice.pick(&["default", "p", "q"])).to_owned();
        let size = self.dice.below(4) as u32;
        self.note(format!("the pool `{pool}` takes {size}"));
        self.apply(Edit::PutPool(name(&pool), PoolDef { size }))
            .await;
        self.pools.insert(pool, size);
        Ok(())
    }

    async fn apply(&self, edit: Edit) {
        self.store().edit(vec![edit]).await.unwrap();
    }
}

fn put(name: &str, spec: &TaskSpec, enabled: bool) -> Edit {
    Edit::PutTask {
        name: self::name(name),
        spec: Box::new(spec.clone()),
        pin: Digest([1; 32]),
        enabled,
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}
