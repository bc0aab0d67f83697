//! The modules of Prometheus' blackbox_exporter (http, tcp, dns, icmp) as modules of the
//! plugin ping, with the same verdicts. What it measures beside them is not imported.

mod module;
mod shape;
mod targets;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::Imported;
use shape::File;

/// A file larger than this is none.
const LARGEST: usize = 4 << 20;

/// Why a file is no configuration of blackbox_exporter.
#[derive(Debug, Error)]
pub enum BlackboxError {
    #[error("it has {0} bytes, more than any such configuration")]
    Huge(usize),
    #[error("it is no configuration of blackbox_exporter: {0}")]
    Unreadable(String),
    #[error("there is no module `{0}` in it: there are {1}")]
    NoModule(String, String),
    #[error("`{0}` is no target: write MODULE=ADDRESS")]
    NoTarget(String),
    #[error("there is no module in it, so nothing could be checked")]
    Empty,
    #[error(
        "the module `{0}` has the prober `{1}`, which has no counterpart here, so it takes no target"
    )]
    NoProber(String, String),
    #[error(
        "a target of `{0}` holds a user or a password, which would stand in the configuration: leave it out, and give the module `basic_auth`"
    )]
    Password(String),
}

/// Imports a file, and targets as `MODULE=ADDRESS`.
pub fn import(text: &str, targets: &[String]) -> Result<Imported, BlackboxError> {
    if text.len() > LARGEST {
        return Err(BlackboxError::Huge(text.len()));
    }
    let file: File = serde_saphyr::from_str(text)
        .map_err(|error| BlackboxError::Unreadable(error.to_string()))?;
    if file.modules.is_empty() {
        return Err(BlackboxError::Empty);
    }
    let mut imported = Imported::default();
    let mut modules = Map::new();
    let mut secrets = Map::new();
    for (name, module) in &file.modules {
        let mut made = module::Made::new(name, secrets);
        match made.take(module) {
            true => drop(modules.insert(name.clone(), Value::Object(made.settings))),
            false => made.note("is left out"),
        }
        secrets = made.secrets;
        imported.notes.extend(made.notes);
    }
    let (list, net) = targets::read(targets, &file, &mut imported.notes)?;
    imported.notes.extend(advice(&list, &modules));
    imported.config.insert("targets".into(), Value::Array(list));
    imported
        .config
        .insert("modules".into(), Value::Object(modules));
    imported.grants.insert("net".into(), json!(net));
    if !secrets.is_empty() {
        imported
            .grants
            .insert("secrets".into(), Value::Object(secrets));
    }
    Ok(imported)
}

/// What the targets need beside what was made of them.
fn advice(targets: &[Value], modules: &Map<String, Value>) -> Vec<String> {
    let mut notes = Vec::new();
    if targets.is_empty() {
        notes.push("no target is named, and a check needs some: name them by `--target MODULE=ADDRESS`, or add them to `targets`".to_owned());
    }
    let follows = |target: &&Value| {
        let module = target["module"].as_str().and_then(|name| modules.get(name));
        module.is_some_and(|module| module.get("redirects").is_some())
    };
    if targets.iter().any(|target| follows(&target)) {
        notes.push("redirects are followed to granted origins alone: add to `net` those that the targets lead to".to_owned());
    }
    notes
}
