//! Trust: a task runs the component that it was approved with. When a plugin's
//! component changes, tasks follow by themselves only where the new one asks for
//! nothing more; else they are quarantined until the operator has seen the difference.

use mhost_model::plugin::{Action, Digest, Manifest, Need, PluginRecord};
use mhost_model::task::Task;
use mhost_store::Edit;

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
    let capability = serde_json::to_value(need.capability).unwrap_or_default();
    let writes = if need.writes { ", to change them" } else { "" };
    format!(
        "{}{writes}: {}",
        capability.as_str().unwrap_or_default(),
        need.reason
    )
}

/// The edits by which one task follows its plugin from `old` to `new`.
pub fn follow(
    task: &Task,
    old: Option<&PluginRecord>,
    new: &Manifest,
    digest: Digest,
) -> Vec<Edit> {
    let name = task.name.clone();
    let known = old.filter(|old| old.digest == task.pin);
    let more = match known {
        Some(old) => asks_more(&old.manifest, new, &task.spec.action),
        None => vec!["the approved component is not known any more".to_owned()],
    };
    if more.is_empty() {
        return vec![Edit::SetPin { name, pin: digest }];
    }
    let quarantine = format!(
        "{} {} asks for more than was approved: {}",
        new.name,
        new.version,
        more.join("; ")
    );
    vec![Edit::SetQuarantine {
        name,
        quarantine: Some(quarantine),
    }]
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
