//! Asks a plugin what it is, and checks the answer: from then on the host trusts
//! its shape.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use mhost_model::grant::Grants;
use mhost_model::limits::Limits;
use mhost_model::plugin::{Action, Capability, Declared, Manifest, Need};
use mhost_model::{ByteSize, Name, SystemClock};

use crate::api::GrantedBy;
use crate::bindings::exports::mhost::plugin::plugin as contract;
use crate::budget::WriteBudget;
use crate::capabilities::alerts::Alerts;
use crate::capabilities::progress::Progress;
use crate::capabilities::state::Overlay;
use crate::directories::Directories;
use crate::guest::{self, End};
use crate::log::Log;
use crate::meter::Meter;
use crate::permits::{Basis, Granter};
use crate::plugin::Plugin;
use crate::state::Shared;
use crate::{Cancel, EngineError, failure};

pub(crate) mod nothing;

use nothing::Nothing;

/// The most actions, and needs of one.
const ENTRIES: usize = 100;
/// The longest sentence, bytes.
const SENTENCE: usize = 1000;
/// The largest schema, bytes.
const SCHEMA: usize = 1 << 20;

pub(crate) async fn describe(plugin: &Plugin, time: Duration) -> Result<Manifest, EngineError> {
    let shared = shared(plugin, time);
    let body: guest::Body<contract::Manifest> = Box::new(|instance, store| {
        Box::pin(async move { instance.mhost_plugin_plugin().call_describe(store).await })
    });
    let Some(slot) = plugin.core.slots.take(&shared.cancel).await else {
        return Err(EngineError::BadManifest("it was cancelled".into()));
    };
    let ended = guest::call(plugin, &shared, Duration::ZERO, body, slot).await;
    let bad = |why: String| Err(EngineError::BadManifest(why));
    match ended.end {
        End::Returned(manifest) => checked(manifest).map_err(EngineError::BadManifest),
        End::Trapped(error) => bad(failure::trapped(&shared, &error, ended.refused).message),
        End::Cut(_) => bad(format!("it took longer than {} seconds", time.as_secs())),
        End::Lost => bad("mhost itself failed while asking for it; please report this".into()),
    }
}

/// A run without any grant.
fn shared(plugin: &Plugin, time: Duration) -> Arc<Shared> {
    let limits = Limits {
        memory: ByteSize::mib(256),
        host_calls: 100_000,
        ..Limits::default()
    };
    let meter = Arc::new(Meter::default());
    let (nothing, masks) = (Arc::new(Nothing), Arc::default());
    let clock = Arc::new(SystemClock);
    let log = Log::new(
        nothing.clone(),
        clock.clone(),
        &limits,
        Arc::clone(&masks),
        Arc::clone(&meter),
    );
    let name = "describe".to_owned();
    Arc::new(Shared {
        granter: Granter::new(
            Basis {
                task: name.clone(),
                action: name,
                grants: Grants::default(),
                granted_by: GrantedBy::Task,
                declared: Declared::default(),
            },
            true,
            nothing.clone(),
            Arc::clone(&meter),
        ),
        budget: WriteBudget::new(&limits, Arc::clone(&meter)),
        meter,
        masks,
        directories: Directories::new(&plugin.core.protected),
        databases: nothing.clone(),
        repositories: nothing.clone(),
        remotes: nothing.clone(),
        secrets: nothing.clone(),
        tasks: nothing.clone(),
        messenger: nothing.clone(),
        clock,
        network: Arc::clone(&plugin.core.network),
        cancel: Cancel::default(),
        deadline: guest::deadline(time),
        config: Default::default(),
        limits,
        log,
        overlay: Overlay::new(nothing.clone()),
        alerts: Alerts::default(),
        watched: nothing.clone(),
        observed: Default::default(),
        progress: Progress::new(nothing),
        over: AtomicBool::new(false),
    })
}

fn checked(manifest: contract::Manifest) -> Result<Manifest, String> {
    let name: Name = manifest
        .name
        .parse()
        .map_err(|error| format!("its name: {error}"))?;
    if !is_version(&manifest.version) {
        return Err(format!(
            "its version `{}` is none: write three numbers, such as `1.2.0`",
            clip(&manifest.version)
        ));
    }
    sentence("its summary", &manifest.summary)?;
    if manifest.actions.is_empty() || manifest.actions.len() > ENTRIES {
        let count = manifest.actions.len();
        return Err(format!(
            "it has {count} actions; there must be 1 to {ENTRIES}"
        ));
    }
    let mut names = BTreeSet::new();
    let mut actions = Vec::new();
    for action in manifest.actions {
        let action = checked_action(action)?;
        if !names.insert(action.name.clone()) {
            return Err(format!("two of its actions are called `{}`", action.name));
        }
        actions.push(action);
    }
    Ok(Manifest {
        name,
        version: manifest.version,
        summary: manifest.summary,
        actions,
    })
}

fn checked_action(action: contract::Action) -> Result<Action, String> {
    let name: Name = action
        .name
        .parse()
        .map_err(|error| format!("the name of an action: {error}"))?;
    sentence(&format!("the summary of action `{name}`"), &action.summary)?;
    if action.config_schema.len() > SCHEMA {
        return Err(format!(
            "the schema of action `{name}` has more than {SCHEMA} bytes"
        ));
    }
    let schema: serde_json::Value = serde_json::from_str(&action.config_schema)
        .map_err(|error| format!("the schema of action `{name}` is not JSON: {error}"))?;
    if !schema.is_object() {
        return Err(format!(
            "the schema of action `{name}` is not a JSON object"
        ));
    }
    if action.needs.len() > ENTRIES {
        return Err(format!("action `{name}` has more than {ENTRIES} needs"));
    }
    let needs: Result<_, String> = action
        .needs
        .into_iter()
        .map(|need| checked_need(&name, need))
        .collect();
    Ok(Action {
        name: name.to_string(),
        summary: action.summary,
        config_schema: schema,
        needs: needs?,
    })
}

fn checked_need(action: &Name, need: contract::Need) -> Result<Need, String> {
    sentence(
        &format!("the reason of a need of action `{action}`"),
        &need.reason,
    )?;
    Ok(Need {
        capability: match need.capability {
            contract::Capability::Directories => Capability::Directories,
            contract::Capability::Databases => Capability::Databases,
            contract::Capability::Network => Capability::Network,
            contract::Capability::Repositories => Capability::Repositories,
            contract::Capability::Remotes => Capability::Remotes,
            contract::Capability::Secrets => Capability::Secrets,
            contract::Capability::Processes => Capability::Processes,
        },
        reason: need.reason,
        required: need.required,
        writes: need.writes,
    })
}

/// One that can be shown to a person.
fn sentence(what: &str, text: &str) -> Result<(), String> {
    if text.trim().is_empty() || text.len() > SENTENCE || text.contains(|c: char| c.is_control()) {
        return Err(format!(
            "{what} must be one line of 1 to {SENTENCE} bytes; it is `{}`",
            clip(text)
        ));
    }
    Ok(())
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// Three numbers, perhaps with a pre-release or build behind them.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let number = |part: &str| {
        !part.is_empty()
            && part.len() < 10
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
    text.len() <= 64
        && text.bytes().all(plain)
        && core.split('.').count() == 3
        && core.split('.').all(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> contract::Manifest {
        contract::Manifest {
            name: "good".into(),
            version: "1.2.3".into(),
            summary: "Does good".into(),
            actions: vec![contract::Action {
                name: "act".into(),
                summary: "Acts".into(),
                config_schema: "{\"type\":\"object\"}".into(),
                needs: Vec::new(),
            }],
        }
    }

    #[test]
    fn a_good_one_passes() {
        assert_eq!(checked(manifest()).unwrap().name.as_str(), "good");
    }

    #[test]
    fn bad_ones_are_named() {
        let check = |change: fn(&mut contract::Manifest), expected: &str| {
            let mut bad = manifest();
            change(&mut bad);
            let why = checked(bad).unwrap_err();
            assert!(why.contains(expected), "{why}");
        };
        check(|m| m.name = "Bad Name".into(), "its name");
        check(|m| m.version = "1.2".into(), "its version");
        check(|m| m.version = "01.2.3".into(), "its version");
        check(|m| m.summary = "two\nlines".into(), "its summary");
        check(|m| m.actions.clear(), "0 actions");
        check(
            |m| m.actions.push(m.actions[0].clone()),
            "two of its actions",
        );
        check(
            |m| m.actions[0].config_schema = "[]".into(),
            "not a JSON object",
        );
        check(|m| m.actions[0].config_schema = "{".into(), "not JSON");
        check(
            |m| m.actions[0].name = "\u{1b}[31m".into(),
            "name of an action",
        );
    }
}
