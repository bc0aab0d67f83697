//! What a task says of others: its pool, its former name, its directory to watch.

use mhost_model::Name;
use mhost_model::grant::Access;
use mhost_model::policy::default_pool;
use mhost_model::receive::Receiver;
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;

use super::{Finding, Show};
use crate::config::document::Document;
use crate::config::mistake::Refusal;
use crate::config::path::KeyPath;
use crate::config::suggest;
use crate::config::tree::Node;

/// Paths are below the task.
pub(super) fn judge(root: &Node, name: &Name, document: &Document) -> Vec<Finding> {
    let Some(task) = document.tasks.get(name) else {
        return Vec::new();
    };
    let spec = &task.spec;
    let mut findings = Vec::new();
    findings.extend(pool(root, &spec.policy.pool));
    if let Some(former) = &spec.renamed_from {
        findings.extend(renamed(root, name, former, document));
    }
    findings.extend(receive(spec));
    if let Schedule::OnChange { on_change, .. } = &spec.schedule {
        findings.extend(watched(root, name, on_change));
        findings.extend(echo(spec, on_change));
    }
    findings
}

fn pool(root: &Node, pool: &Name) -> Option<Finding> {
    if *pool == default_pool() || root.at(&["pools", pool.as_str()]).is_some() {
        return None;
    }
    let help = suggest::remedy(pool.as_str(), names(root, &["pools"]), || {
        format!("define it: `[pools.{pool}]` with `size = 2`")
    });
    let message = format!("there is no pool `{pool}` in this file");
    let path = KeyPath::keys(&["policy", "pool"]);
    Some(Finding::error(
        path,
        Show::Value,
        Refusal::new(message, help),
    ))
}

fn renamed(root: &Node, name: &Name, former: &Name, document: &Document) -> Option<Finding> {
    let mut others = document.tasks.iter().filter(|(other, _)| *other != name);
    let twin = others.find(|(_, task)| task.spec.renamed_from.as_ref() == Some(former));
    // Told once, of the later one.
    let twin = twin.filter(|(other, _)| *other < name);
    let (message, help) = if former == name {
        (
            "a task cannot take its own name over".to_owned(),
            "remove `renamed_from`".to_owned(),
        )
    } else if root.at(&["tasks", former.as_str()]).is_some() {
        (
            format!("there still is a task `{former}` in this file"),
            format!("remove `[tasks.{former}]`, or remove `renamed_from`"),
        )
    } else {
        let (twin, _) = twin?;
        (
            format!("the task `{twin}` was renamed from `{former}` too"),
            "let one of them keep the history".to_owned(),
        )
    };
    let path = KeyPath::keys(&["renamed_from"]);
    Some(Finding::error(
        path,
        Show::Value,
        Refusal::new(message, help),
    ))
}

fn watched(root: &Node, name: &Name, directory: &Name) -> Option<Finding> {
    let dirs = ["tasks", name.as_str(), "grants", "dirs"];
    let granted: Vec<&str> = names(root, &dirs).collect();
    if granted.contains(&directory.as_str()) {
        return None;
    }
    let help = suggest::remedy(directory.as_str(), granted.iter().copied(), || {
        format!("grant it: `grants.dirs.{directory} = {{ path = \"…\" }}`")
    });
    let message = format!("this task is granted no directory `{directory}`");
    let path = KeyPath::keys(&["schedule", "on_change"]);
    Some(Finding::error(
        path,
        Show::Value,
        Refusal::new(message, help),
    ))
}

/// Others write where the task itself may, and nowhere else.
fn receive(spec: &TaskSpec) -> Vec<Finding> {
    let wrong = |(queue, receiver): (&Name, &Receiver)| {
        let refusal = misplaced(spec, receiver)?;
        let path = KeyPath::keys(&["receive", queue.as_str(), "queues"]);
        Some(Finding::error(path, Show::Value, refusal))
    };
    spec.receive.iter().filter_map(wrong).collect()
}

fn misplaced(spec: &TaskSpec, receiver: &Receiver) -> Option<Refusal> {
    let queues = &receiver.queues;
    let Some((grant, _)) = receiver.place() else {
        return Some(Refusal::new(
            format!("`{queues}` is no directory of the task"),
            "write it as the task sees it, such as `/queues`",
        ));
    };
    let mut granted = spec.grants.dirs.iter();
    match granted.find(|(name, _)| name.as_str() == grant) {
        None => Some(Refusal::new(
            format!("this task is granted no directory `{grant}`"),
            format!(
                "grant it: `grants.dirs.{grant} = {{ path = \"…\", access = \"read-write\" }}`"
            ),
        )),
        Some((_, dir)) if dir.access == Access::ReadOnly => Some(Refusal::new(
            format!(
                "the directory `{grant}` is read-only for this task, and nothing can be received there"
            ),
            format!("`grants.dirs.{grant}.access = \"read-write\"`"),
        )),
        Some(_) => None,
    }
}

/// A task that changes what it watches.
fn echo(spec: &TaskSpec, directory: &Name) -> Option<Finding> {
    let grant = spec.grants.dirs.get(directory)?;
    if grant.access == Access::ReadOnly {
        return None;
    }
    let message = "the task may write into the directory that it watches: each change of its own sets it off again";
    let help = format!("if reading is enough: `grants.dirs.{directory}.access = \"read-only\"`");
    let path = KeyPath::keys(&["schedule", "on_change"]);
    Some(Finding::warning(
        path,
        Show::Value,
        Refusal::new(message, help),
    ))
}

fn names<'a>(root: &'a Node, keys: &[&str]) -> impl Iterator<Item = &'a str> {
    let table = root.at(keys).and_then(Node::table).into_iter().flatten();
    table.map(|(name, _)| name.as_str())
}
