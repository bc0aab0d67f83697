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
}

/// Imports a file, and targets as `MODULE=ADDRESS`.
pub fn import(text: &str, targets: &[String]) -> Result<Imported, BlackboxError> {
    if text.len() > LARGEST {
        return Err(BlackboxError::Huge(text.len()));
    }
    let file: File = serde_saphyr::from_str(text)
        .map_err(|error| BlackboxError::Unreadable(error.to_string()))?;
    let mut imported = Imported::default();
    let mut modules = Map::new();
    let mut secrets = Map::new();
    for (name, module) in &file.modules {
        let mut made = module::Made::new(name);
        match made.take(module) {
            true => drop(modules.insert(name.clone(), Value::Object(made.settings))),
            false => made.note("is left out"),
        }
        secrets.extend(made.secrets);
        imported.notes.extend(made.notes);
    }
    let (list, net) = targets::read(targets, &file, &mut imported.notes)?;
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
