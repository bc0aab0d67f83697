//! The difference between a document and a store: the edits that make the store match, and
//! the same for people. Applying it and planning again gives nothing.
//!
//! Plugins' records are left alone, and so are runs. An approved component stays approved
//! as long as the task names the same plugin; only the operator's own choice of another
//! plugin approves what that one is now.

mod change;
mod diff;

use std::collections::{BTreeMap, BTreeSet};

use mhost_model::Name;
use mhost_model::notify::Notify;
use mhost_model::task::{Task, TaskSpec};
use mhost_store::{Definitions, Edit, TaskStatus};
use serde::Serialize;

use super::check::Plugins;
use super::document::{Document, TaskEntry};
use super::mistake::{ConfigError, Mistake, Refusal};
pub use change::{Change, Detail, Kind, Sign};

/// What the store holds.
#[derive(Debug, Clone, Default)]
pub struct Current {
    pub definitions: Definitions,
    /// All of them.
    pub tasks: Vec<TaskStatus>,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In the order in which they hold at every step; meant for one transaction.
    pub edits: Vec<Edit>,
    /// For people: one for each thing that changes.
    pub changes: Vec<Change>,
}

impl Plan {
    fn push(&mut self, change: Change, edits: impl IntoIterator<Item = Edit>) {
        self.changes.push(change);
        self.edits.extend(edits);
    }
}

/// Plans. Fails where a task needs a plugin that is not there, which a document that was
/// checked against the same plugins has not.
pub fn plan(
    document: &Document,
    current: &Current,
    plugins: &dyn Plugins,
) -> Result<Plan, ConfigError> {
    let (old, mut plan) = (&current.definitions, Plan::default());
    let databases = Section(Kind::Database, &old.databases, &document.databases);
    let repositories = Section(Kind::Repository, &old.repositories, &document.repositories);
    let remotes = Section(Kind::Remote, &old.remotes, &document.remotes);
    let pools = Section(Kind::Pool, &old.pools, &document.pools);
    databases.put(&mut plan, Edit::PutDatabase);
    repositories.put(&mut plan, Edit::PutRepository);
    remotes.put(&mut plan, Edit::PutRemote);
    pools.put(&mut plan, Edit::PutPool);
    let channels = Section(Kind::Channel, &old.channels, &document.channels);
    channels.put(&mut plan, |name, def| Edit::PutChannel(name, Box::new(def)));
    notify(&mut plan, old.notify.as_ref(), document.notify.as_ref());
    tasks(&mut plan, document, current, plugins)?;
    databases.remove(&mut plan, Edit::RemoveDatabase);
    repositories.remove(&mut plan, Edit::RemoveRepository);
    remotes.remove(&mut plan, Edit::RemoveRemote);
    pools.remove(&mut plan, Edit::RemovePool);
    channels.remove(&mut plan, Edit::RemoveChannel);
    Ok(plan)
}

/// Who is told where a task does not say.
fn notify(plan: &mut Plan, old: Option<&Notify>, new: Option<&Notify>) {
    let (sign, details) = match (old, new) {
        (old, new) if old == new => return,
        (Some(old), Some(new)) => (Sign::Changed, diff::changed(old, new)),
        (_, None) => (Sign::Removed, Vec::new()),
        (None, Some(new)) => (Sign::Added, diff::whole(new)),
    };
    let change = Change {
        name: "default".to_owned(),
        sign,
        kind: Kind::Notify,
        renamed_from: None,
        details,
    };
    plan.push(change, [Edit::SetNotify(new.cloned())]);
}

/// Definitions of one kind: what there is and what is wanted.
struct Section<'a, T>(Kind, &'a BTreeMap<Name, T>, &'a BTreeMap<Name, T>);

impl<T: Serialize + Clone + PartialEq> Section<'_, T> {
    /// New and changed ones.
    fn put(&self, plan: &mut Plan, put: fn(Name, T) -> Edit) {
        let Self(kind, old, new) = self;
        for (name, wanted) in *new {
            let (sign, details) = match old.get(name) {
                Some(there) if there == wanted => continue,
                Some(there) => (Sign::Changed, diff::definition(there, wanted)),
                None => (Sign::Added, diff::whole(wanted)),
            };
            let change = Change::new(sign, *kind, name, details);
            plan.push(change, [put(name.clone(), wanted.clone())]);
        }
    }

    /// Those that are wanted no more.
    fn remove(&self, plan: &mut Plan, remove: fn(Name) -> Edit) {
        let Self(kind, old, new) = self;
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            let change = Change::new(Sign::Removed, *kind, name, Vec::new());
            plan.push(change, [remove(name.clone())]);
        }
    }
}

fn tasks(
    plan: &mut Plan,
    document: &Document,
    current: &Current,
    plugins: &dyn Plugins,
) -> Result<(), ConfigError> {
    let there: BTreeMap<&Name, &Task> = current
        .tasks
        .iter()
        .map(|status| (&status.task.name, &status.task))
        .collect();
    let mut taken_over = BTreeSet::new();
    let mut unknown = Vec::new();
    for (name, entry) in &document.tasks {
        let former = entry.spec.renamed_from.as_ref();
        let former =
            former.filter(|former| !there.contains_key(name) && there.contains_key(former));
        let old = there.get(former.unwrap_or(name)).copied();
        taken_over.extend(former);
        let wanted = Wanted { name, entry, old };
        match wanted.edits(plugins) {
            Some(edits) if edits.is_empty() => {}
            Some(edits) => plan.push(wanted.change(), edits),
            None => unknown.push(wanted.no_plugin()),
        }
    }
    for name in there
        .keys()
        .filter(|name| !document.tasks.contains_key(**name))
    {
        if !taken_over.contains(*name) {
            let change = Change::new(Sign::Removed, Kind::Task, name, Vec::new());
            plan.push(change, [Edit::RemoveTask((*name).clone())]);
        }
    }
    ConfigError::of(unknown).map_or(Ok(()), Err)
}

/// A task of the document and what the store has of it, perhaps under its former name.
struct Wanted<'a> {
    name: &'a Name,
    entry: &'a TaskEntry,
    old: Option<&'a Task>,
}

impl Wanted<'_> {
    fn renamed(&self) -> Option<&Name> {
        self.old
            .map(|old| &old.name)
            .filter(|former| *former != self.name)
    }

    /// The spec as the store is to keep it: a former name is an instruction, and once
    /// followed it has no meaning.
    fn spec(&self) -> TaskSpec {
        TaskSpec {
            renamed_from: self.renamed().cloned(),
            ..self.entry.spec.clone()
        }
    }

    /// None where the plugin is not there.
    fn edits(&self, plugins: &dyn Plugins) -> Option<Vec<Edit>> {
        let (name, enabled) = (self.name.clone(), self.entry.enabled);
        let spec = self.spec();
        let same = |old: &&Task| self.renamed().is_none() && lasting(&old.spec) == spec;
        if let Some(old) = self.old.filter(same) {
            let edit = (old.enabled != enabled).then_some(Edit::SetEnabled { name, enabled });
            return Some(edit.into_iter().collect());
        }
        let approved = self.old.filter(|old| old.spec.plugin == spec.plugin);
        let pin = match approved {
            Some(old) => old.pin,
            None => plugins.digest(&spec.plugin)?,
        };
        let mut edits = vec![Edit::PutTask {
            name: name.clone(),
            spec: Box::new(spec),
            pin,
            enabled,
        }];
        if approved.is_none() && self.old.is_some_and(|old| old.quarantine.is_some()) {
            let quarantine = None;
            edits.push(Edit::SetQuarantine { name, quarantine });
        }
        Some(edits)
    }

    fn no_plugin(&self) -> Mistake {
        let message = format!("there is no plugin `{}`", self.entry.spec.plugin);
        let refusal = Refusal::new(message, "install it: `mhost plugin install FILE`");
        Mistake::outside(format!("tasks.{}", self.name), refusal)
    }

    fn change(&self) -> Change {
        let spec = &self.entry.spec;
        let Some(old) = self.old else {
            let mut details = diff::new_task(spec);
            if !self.entry.enabled {
                details.push(Detail::added("enabled", "false"));
            }
            return Change::new(Sign::Added, Kind::Task, self.name, details);
        };
        let mut details = diff::changed(&lasting(&old.spec), &lasting(spec));
        if old.enabled != self.entry.enabled {
            details.push(diff::enabled(old.enabled, self.entry.enabled));
        }
        Change {
            renamed_from: self.renamed().map(ToString::to_string),
            ..Change::new(Sign::Changed, Kind::Task, self.name, details)
        }
    }
}

/// A spec without what is an instruction only.
fn lasting(spec: &TaskSpec) -> TaskSpec {
    TaskSpec {
        renamed_from: None,
        ..spec.clone()
    }
}
