//! From a store back to text: a file that says the same, tidy enough to be kept by hand. What
//! holds without being said is left out; keys stand in the order of the reference page.

mod layout;

use mhost_model::Name;
use mhost_model::grant::Grants;
use mhost_model::task::Task;
use mhost_store::{Definitions, TaskStatus};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::path::KeyPath;
use super::shape::{self, Fixed, Shape};
pub use layout::inline;

/// The configuration file of these definitions and tasks. Parsing it gives them back; what
/// is no configuration (ids, approvals, former names) is not in it. A setting of a plugin
/// that TOML cannot say (null) stands there as a comment.
pub fn export(definitions: &Definitions, tasks: &[TaskStatus]) -> String {
    let mut out = String::new();
    section(&mut out, "databases", definitions.databases.iter());
    section(&mut out, "repositories", definitions.repositories.iter());
    section(&mut out, "remotes", definitions.remotes.iter());
    section(&mut out, "pools", definitions.pools.iter());
    section(&mut out, "channels", definitions.channels.iter());
    if let (Some(notify), Some(fixed)) = (&definitions.notify, shape_of("notify")) {
        let json = serde_json::to_value(notify).unwrap_or_default();
        layout::table(&mut out, &KeyPath::keys(&["notify"]), fixed, &json);
    }
    let tasks = tasks
        .iter()
        .map(|status| (&status.task.name, json(&status.task)));
    let mut tasks: Vec<_> = tasks.collect();
    tasks.sort_by_key(|(name, _)| *name);
    section(
        &mut out,
        "tasks",
        tasks.iter().map(|(name, task)| (*name, task)),
    );
    out
}

/// The same as objects, by the names of the file's tables; nothing is left out.
pub fn export_tables(definitions: &Definitions, tasks: &[TaskStatus]) -> Map<String, Json> {
    fn entries<'a, T: Serialize + 'a>(
        entries: impl Iterator<Item = (&'a mhost_model::Name, &'a T)>,
    ) -> Json {
        let value = |entry| serde_json::to_value(entry).unwrap_or_default();
        let named = entries.map(|(name, entry)| (name.to_string(), value(entry)));
        Json::Object(named.collect())
    }
    let all: Vec<_> = tasks
        .iter()
        .map(|status| (&status.task.name, json(&status.task)))
        .collect();
    let tables = [
        ("databases", entries(definitions.databases.iter())),
        ("repositories", entries(definitions.repositories.iter())),
        ("remotes", entries(definitions.remotes.iter())),
        ("pools", entries(definitions.pools.iter())),
        ("channels", entries(definitions.channels.iter())),
        (
            "notify",
            serde_json::to_value(&definitions.notify).unwrap_or_default(),
        ),
        (
            "tasks",
            entries(all.iter().map(|(name, task)| (*name, task))),
        ),
    ];
    let told = tables.into_iter().filter(|(_, table)| !table.is_null());
    told.map(|(name, table)| (name.to_owned(), table)).collect()
}

/// The grants of a task under its header, as they stand in the configuration file.
pub fn export_grants(task: &Name, grants: &Grants) -> String {
    let mut out = String::new();
    let shape = shape_of("tasks").and_then(|task| {
        let key = task.keys.iter().find(|key| key.name == "grants")?;
        match &key.shape {
            Shape::Table(fixed) => Some(fixed),
            _ => None,
        }
    });
    if let Some(fixed) = shape {
        let path = KeyPath::keys(&["tasks", task.as_str(), "grants"]);
        let json = serde_json::to_value(grants).unwrap_or_default();
        layout::grants_table(&mut out, &path, fixed, &json);
    }
    out
}

/// One task as it stands in the configuration file.
pub fn export_task(task: &Task) -> String {
    let mut out = String::new();
    section(&mut out, "tasks", [(&task.name, &json(task))].into_iter());
    out
}

fn section<'a, T: Serialize + 'a>(
    out: &mut String,
    section: &str,
    entries: impl Iterator<Item = (&'a mhost_model::Name, &'a T)>,
) {
    let Some(fixed) = shape_of(section) else {
        return;
    };
    for (name, entry) in entries {
        let path = KeyPath::keys(&[section, name.as_str()]);
        let json = serde_json::to_value(entry).unwrap_or_default();
        layout::table(out, &path, fixed, &json);
    }
}

fn shape_of(section: &str) -> Option<&'static Fixed> {
    let key = shape::ROOT.keys.iter().find(|key| key.name == section)?;
    match &key.shape {
        Shape::Named(Shape::Table(fixed)) | Shape::Table(fixed) => Some(fixed),
        _ => None,
    }
}

/// A task as it stands in a file.
fn json(task: &Task) -> Json {
    let mut json = serde_json::to_value(&task.spec).unwrap_or_default();
    if let Some(keys) = json.as_object_mut() {
        keys.remove("renamed_from");
        keys.insert("enabled".into(), Json::Bool(task.enabled));
    }
    json
}
