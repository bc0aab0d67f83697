//! Who is told: the channels must be there, and a dead man's switch belongs to one task.

use std::collections::BTreeMap;

use mhost_model::Name;
use mhost_model::notify::Notify;

use super::{Finding, Show};
use crate::config::document::Document;
use crate::config::mistake::Refusal;
use crate::config::path::{KeyPath, Step};
use crate::config::suggest;
use crate::config::tree::Node;

/// Paths are below the root.
pub(super) fn judge(root: &Node, document: &Document) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut watched: BTreeMap<&Name, &Name> = BTreeMap::new();
    if let Some(notify) = &document.notify {
        let path = KeyPath::keys(&["notify"]);
        findings.extend(undefined(root, &path, notify));
        findings.extend(
            notify
                .channels
                .iter()
                .filter(|name| dead(document, name))
                .map(shared),
        );
    }
    for (task, entry) in &document.tasks {
        let Some(notify) = &entry.spec.notify else {
            continue;
        };
        let path = KeyPath::keys(&["tasks", task.as_str(), "notify"]);
        findings.extend(undefined(root, &path, notify));
        for channel in notify.channels.iter().filter(|name| dead(document, name)) {
            if let Some(other) = watched.insert(channel, task) {
                findings.push(twice(&path, channel, other));
            }
        }
    }
    findings
}

fn dead(document: &Document, name: &Name) -> bool {
    document
        .channels
        .get(name)
        .is_some_and(|channel| channel.is_dead_man())
}

fn undefined(root: &Node, path: &KeyPath, notify: &Notify) -> Vec<Finding> {
    let known = || {
        let table = root.at(&["channels"]).and_then(Node::table);
        table.into_iter().flatten().map(|(name, _)| name.as_str())
    };
    let missing = notify
        .channels
        .iter()
        .filter(|name| !known().any(|known| known == name.as_str()));
    missing
        .map(|name| {
            let help = suggest::remedy(name.as_str(), known(), || {
                format!("define it: `[channels.{name}]`")
            });
            let message = format!("there is no channel `{name}` in this file");
            Finding::error(
                path.key("channels"),
                Show::Value,
                Refusal::new(message, help),
            )
        })
        .collect()
}

/// The receiver would see a sign of life from any of the tasks.
fn shared(channel: &Name) -> Finding {
    let path = KeyPath(vec![
        Step::Key("notify".into()),
        Step::Key("channels".into()),
    ]);
    let message = format!("`{channel}` misses the signs of life of one task, not of all");
    let help = "name it in that task's own `notify`, with its other channels";
    Finding::error(path, Show::Value, Refusal::new(message, help))
}

fn twice(path: &KeyPath, channel: &Name, other: &Name) -> Finding {
    let message = format!("`{channel}` would take the signs of life of `{other}` for this task's");
    let help = "define a channel for each task";
    Finding::warning(
        path.key("channels"),
        Show::Value,
        Refusal::new(message, help),
    )
}
