//! Which backups were never proved: a task that backs up into a repository from which
//! no task has ever restored for a try.

use std::collections::BTreeSet;

use mhost_model::Name;
use mhost_store::TaskStatus;

/// The repositories of which a drill succeeded.
pub struct Drilled(BTreeSet<Name>);

impl Drilled {
    pub fn among(tasks: &[TaskStatus]) -> Self {
        let drills = tasks
            .iter()
            .filter(|status| is(status, "drill") && status.progress.last_success.is_some());
        Self(drills.flat_map(repositories).cloned().collect())
    }

    /// `None` for what is no backup.
    pub fn judge(&self, status: &TaskStatus) -> Option<bool> {
        is(status, "backup").then(|| repositories(status).all(|name| self.0.contains(name)))
    }
}

fn is(status: &TaskStatus, action: &str) -> bool {
    let spec = &status.task.spec;
    spec.plugin.name.as_str() == "backup" && spec.action == action
}

fn repositories(status: &TaskStatus) -> impl Iterator<Item = &Name> {
    status.task.spec.grants.repositories.keys()
}
