//! Tasks that follow others: the other one must be there, and somebody must begin.

use std::collections::BTreeMap;

use mhost_model::Name;
use mhost_model::schedule::Schedule;
use mhost_sched::after::cycle;

use super::{Finding, Show};
use crate::config::document::Document;
use crate::config::mistake::Refusal;
use crate::config::path::KeyPath;
use crate::config::suggest;

/// So many circles are told at once.
const CIRCLES: usize = 20;

/// Paths are below the root.
pub(super) fn judge(document: &Document) -> Vec<Finding> {
    let mut follows: BTreeMap<Name, Name> = document
        .tasks
        .iter()
        .filter_map(|(name, task)| match &task.spec.schedule {
            Schedule::After { after, .. } => Some((name.clone(), after.clone())),
            _ => None,
        })
        .collect();
    let unknown = follows
        .iter()
        .filter(|(_, after)| !document.tasks.contains_key(*after));
    let mut findings: Vec<Finding> = unknown
        .map(|(name, after)| nobody(document, name, after))
        .collect();
    for _ in 0..CIRCLES {
        let Some(circle) = cycle(&follows) else { break };
        follows.retain(|name, _| !circle.contains(name));
        findings.push(told(&circle));
    }
    findings
}

fn place(name: &Name) -> KeyPath {
    KeyPath::keys(&["tasks", name.as_str(), "schedule", "after"])
}

fn nobody(document: &Document, name: &Name, after: &Name) -> Finding {
    let others = document.tasks.keys().filter(|other| *other != name);
    let help = suggest::remedy(after.as_str(), others.map(Name::as_str), || {
        format!("define it: `[tasks.{after}]`")
    });
    let message = format!("there is no task `{after}` in this file");
    Finding::error(place(name), Show::Value, Refusal::new(message, help))
}

fn told(circle: &[Name]) -> Finding {
    let message = match circle {
        [only] => format!("`{only}` waits for itself and would never run"),
        _ => {
            let chain: Vec<String> = circle
                .iter()
                .chain(circle.first())
                .map(|name| format!("`{name}`"))
                .collect();
            let chain = chain.join(" after ");
            format!("these tasks wait for each other and would never run: {chain}")
        }
    };
    let path = circle.first().map(place).unwrap_or_default();
    Finding::error(
        path,
        Show::Value,
        Refusal::new(message, "give one of them a schedule of its own"),
    )
}
