//! From a store back to text: a file that says the same, tidy enough to be kept by hand. What
//! holds without being said is left out; keys stand in the order of the reference page.

mod layout;

use mhost_model::task::Task;
use mhost_store::{Definitions, TaskStatus};
use serde::Serialize;
use serde_json::Value as Json;

use super::path::KeyPath;
use super::shape::{self, Fixed, Shape};
pub(super) use layout::inline;

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
