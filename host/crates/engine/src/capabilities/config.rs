//! `wasi:config`: the task's configuration as flat keys. Nested tables and lists
//! are reached by dotted keys (`retention.last`, `logs.0`); a text stands as it is,
//! anything else as JSON.

use serde_json::Value;
use wasmtime::component::Linker;

use crate::bindings::wasi::config::store::{self, Error, Host};
use crate::state::{Call, Calls, RunState, enter};

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, Error>> {
        let mut parts = key.split('.');
        let top = parts.next().and_then(|part| self.shared.config.get(part));
        let found = parts.try_fold(top, |value, part| Some(step(value?, part)));
        Ok(Ok(found.flatten().map(text)))
    }

    async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, Error>> {
        let mut all = Vec::new();
        for (key, value) in &self.shared.config {
            flatten(key.clone(), value, &mut all);
        }
        Ok(Ok(all))
    }
}

fn step<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields.get(part),
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Puts the leaves of `value` into `all`.
fn flatten(key: String, value: &Value, all: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| flatten(format!("{key}.{name}"), value, all)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| flatten(format!("{key}.{at}"), value, all)),
        leaf => all.push((key, text(leaf))),
    }
}
