//! Trust: a task runs the component that it was approved with. When a plugin's
//! component changes, tasks follow by themselves only where the new one asks for
//! nothing more; else they are quarantined until the operator has seen the difference.

use mhost_model::plugin::{Action, Manifest, Need, PluginRecord};
use mhost_model::task::Task;
use mhost_store::Edit;

use crate::config::check_task;

/// What a new component asks for beyond the old one, for one action; empty where it
/// asks for nothing more.
pub fn asks_more(old: &Manifest, new: &Manifest, action: &str) -> Vec<String> {
    let (Some(before), Some(after)) = (old.action(action), new.action(action)) else {
        return vec![format!("the action `{action}` is not in both versions")];
    };
    after
        .needs
        .iter()
        .filter(|need| !covered(need, before))
        .map(describe)
        .collect()
}

/// Whether the old action asked for this already, with at least this much.
fn covered(need: &Need, before: &Action) -> bool {
    before
        .needs
        .iter()
        .any(|had| had.capability == need.capability && (had.writes || !need.writes))
}

fn describe(need: &Need) -> String {
    let writes = if need.writes { ", to change them" } else { "" };
    format!("{}{writes}: {}", need.capability.as_str(), need.reason)
}

/// The edits by which one task follows its plugin to `new`. `approved` is what the component
/// declared that the task is pinned to, where that is known.
pub fn follow(task: &Task, approved: Option<&Manifest>, new: &PluginRecord) -> Vec<Edit> {
    let quarantine = match task.pin == new.digest {
        // The approved component is back.
        true => None,
        false => objection(task, approved, &new.manifest).map(|why| {
            let Manifest { name, version, .. } = &new.manifest;
            format!("{name} {version} ({}) {why}", new.digest.short())
        }),
    };
    let name = &task.name;
    let mut edits = Vec::new();
    if quarantine.is_none() && task.pin != new.digest {
        edits.push(Edit::SetPin {
            name: name.clone(),
            pin: new.digest,
        });
    }
    if quarantine.is_some() || task.quarantine.is_some() {
        edits.push(Edit::SetQuarantine {
            name: name.clone(),
            quarantine,
        });
    }
    edits
}

/// Why a task does not follow by itself.
fn objection(task: &Task, approved: Option<&Manifest>, new: &Manifest) -> Option<String> {
    let Some(approved) = approved else {
        return Some("takes the place of a component that is not known any more".to_owned());
    };
    let more = asks_more(approved, new, &task.spec.action);
    if !more.is_empty() {
        let more = more.join("; ");
        return Some(format!("asks for more than was approved: {more}"));
    }
    let unfit = check_task(&task.name, &task.spec, new).err()?;
    let mistakes: Vec<String> = unfit.mistakes.into_iter().map(|one| one.message).collect();
    Some(format!(
        "does not take the task as it is: {}",
        mistakes.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_model::plugin::Capability;

    fn manifest(needs: &[(Capability, bool)]) -> Manifest {
        Manifest {
            name: "p".parse().unwrap(),
            version: "1.0.0".into(),
            summary: String::new(),
            actions: vec![Action {
                name: "go".into(),
                summary: String::new(),
                config_schema: serde_json::json!({}),
                needs: needs
                    .iter()
                    .map(|(capability, writes)| Need {
                        capability: *capability,
                        reason: "because".into(),
                        required: true,
                        writes: *writes,
                    })
                    .collect(),
            }],
        }
    }

    #[test]
    fn more_is_a_new_capability_or_a_write() {
        use Capability::{Directories, Network};
        let check = |old: &[_], new: &[_], expected: usize| {
            assert_eq!(
                asks_more(&manifest(old), &manifest(new), "go").len(),
                expected
            );
        };
        check(&[(Directories, true)], &[(Directories, false)], 0);
        check(&[(Directories, false)], &[(Directories, true)], 1);
        check(
            &[(Directories, false)],
            &[(Directories, false), (Network, false)],
            1,
        );
        check(&[], &[], 0);
        assert_eq!(asks_more(&manifest(&[]), &manifest(&[]), "gone").len(), 1);
    }
}
