//! What people define: JSON, since the model's types read themselves from it.

use std::path::PathBuf;

use mhost_model::channel::ChannelDef;
use mhost_model::grant::Grants;
use mhost_model::limits::Limits;
use mhost_model::notify::Notify;
use mhost_model::plugin::PluginRecord;
use mhost_model::policy::Policy;
use mhost_model::resource::{DatabaseDef, PoolDef, RemoteDef, RepositoryDef};
use mhost_model::task::Task;
use serde::Serialize;
use serde_json::Value;

use super::{Record, from_json, json, unknown};
use crate::embedded::trouble::{Res, Trouble};

macro_rules! defined {
    ($($type:ty, $what:literal;)+) => {$(
        impl Record for $type {
            const VERSION: u8 = 1;

            fn write(&self) -> Res<Vec<u8>> {
                let bytes = json(self)?;
                readable::<Self>($what, bytes)
            }

            fn read(version: u8, body: &[u8]) -> Result<Self, String> {
                match version {
                    1 => from_json($what, body),
                    other => unknown($what, other),
                }
            }
        }
    )+};
}

impl Record for Task {
    const VERSION: u8 = 1;

    fn write(&self) -> Res<Vec<u8>> {
        let mut task = value(self)?;
        if let Some(spec) = task.get_mut("spec").and_then(Value::as_object_mut) {
            let defaults = [
                ("policy", value(&Policy::default())?),
                ("limits", value(&Limits::default())?),
                ("grants", value(&Grants::default())?),
            ];
            for (key, default) in defaults {
                shorten(spec, key, &default);
            }
        }
        readable::<Self>("a task", json(&task)?)
    }

    fn read(version: u8, body: &[u8]) -> Result<Self, String> {
        match version {
            1 => from_json("a task", body),
            other => unknown("a task", other),
        }
    }
}

fn value<T: Serialize>(of: &T) -> Res<Value> {
    serde_json::to_value(of)
        .map_err(|error| Trouble::Database(format!("cannot encode a record: {error}")))
}

/// Leaves out what is there by default: most of a task's record, and there may be a million.
/// So the defaults are a part of the format (a test holds them).
fn shorten(spec: &mut serde_json::Map<String, Value>, key: &str, default: &Value) {
    let Some(Value::Object(part)) = spec.get_mut(key) else {
        return;
    };
    part.retain(|key, value| default.get(key.as_str()) != Some(&*value));
    if part.is_empty() {
        spec.remove(key);
    }
}

defined! {
    PluginRecord, "a plugin";
    DatabaseDef, "a database's definition";
    RepositoryDef, "a repository's definition";
    RemoteDef, "a remote's definition";
    PoolDef, "a pool's definition";
    ChannelDef, "a channel's definition";
    Notify, "who is told";
    PathBuf, "the file of the configuration";
}

/// Refuses what could be written but not read back, such as a configuration that is
/// nested beyond what the JSON reader follows: the store must stay readable.
fn readable<T: serde::de::DeserializeOwned>(what: &str, bytes: Vec<u8>) -> Res<Vec<u8>> {
    match from_json::<T>(what, &bytes) {
        Ok(_) => Ok(bytes),
        Err(why) => Err(Trouble::conflict(format!("{why}: make it simpler"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks in stores lie there without these; to change one of them takes a new version
    /// of the record, which reads the old ones with what is written here.
    #[test]
    fn defaults_are_a_part_of_the_format() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let policy = r#"{"missed":"latest","catch_up_window":"1day","overlap":"skip","pool":"default",
            "delivery":"at-least-once","retry":{"attempts":1,"backoff":"30s","max_backoff":"1h",
            "past_next_fire":false}}"#;
        let limits = r#"{"memory":"256 MiB","time":"1h","host_calls":100000000,"handles":1024,
            "log":"1 MiB","free_space":"64 MiB"}"#;
        assert_eq!(value(&Policy::default()).unwrap(), read(policy));
        assert_eq!(value(&Limits::default()).unwrap(), read(limits));
        assert_eq!(value(&Grants::default()).unwrap(), read("{}"));
    }

    #[test]
    fn only_defaults_are_left_out() {
        let mut spec: serde_json::Map<_, _> = serde_json::from_str(
            r#"{"policy": {"overlap": "skip", "retry": {"attempts": 2}}, "limits": {"time": "1h"}}"#,
        )
        .unwrap();
        let default = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        shorten(
            &mut spec,
            "policy",
            &default(r#"{"overlap": "skip", "retry": {"attempts": 1}}"#),
        );
        shorten(&mut spec, "limits", &default(r#"{"time": "1h"}"#));
        shorten(&mut spec, "grants", &default("{}"));
        let left = default(r#"{"policy":{"retry":{"attempts":2}}}"#);
        assert_eq!(Value::Object(spec), left);
    }
}
