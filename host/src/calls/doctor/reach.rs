//! Whether what tasks were given is there: the secrets that they may read, and the databases
//! that they may name. What a run would only find out at night is told by day.

use std::collections::BTreeMap;

use mhost_model::Name;
use mhost_store::{Definitions, TaskStatus};

use super::{Finding, Weight};
use crate::execute::read_secret;

/// What a task cannot reach.
pub fn secrets(status: &TaskStatus) -> impl Iterator<Item = Finding> {
    let task = &status.task;
    let unreadable = |(name, source)| {
        let fault = read_secret(source).err()?;
        Some(Finding::wrong(
            Weight::Warning,
            format!("task {}", task.name),
            format!("the secret `{name}` cannot be read here: {fault}"),
            "put it there, or name another source in its grants",
        ))
    };
    task.spec.grants.secrets.iter().filter_map(unreadable)
}

/// Databases whose file is not there, each with the tasks that may use it.
pub fn databases(definitions: &Definitions, tasks: &[TaskStatus]) -> Vec<Finding> {
    let mut users: BTreeMap<&Name, Vec<&str>> = BTreeMap::new();
    for status in tasks {
        for name in status.task.spec.grants.databases.keys() {
            users
                .entry(name)
                .or_default()
                .push(status.task.name.as_str());
        }
    }
    let missing = |(name, database): (&Name, &mhost_model::resource::DatabaseDef)| {
        let why = match std::fs::metadata(&database.path) {
            Ok(found) if found.is_file() => return None,
            Ok(_) => "is no file".to_owned(),
            Err(error) => error.to_string(),
        };
        let used = match users.get(name) {
            Some(tasks) => format!("; {} may use it", tasks.join(", ")),
            None => String::new(),
        };
        Some(Finding::wrong(
            Weight::Warning,
            format!("database {name}"),
            format!("{}: {why}{used}", database.path.display()),
            "mend its path in mhost.toml, or make the database",
        ))
    };
    definitions.databases.iter().filter_map(missing).collect()
}
