//! How far each log was read, in the state of the task: one value for each log.

use std::collections::BTreeMap;

use mhost_sdk::{Context, Result};
use serde::{Deserialize, Serialize};

use super::marker::Marker;
use super::window::Window;

/// Set once the task has run.
const BEGUN: &str = "watch";
const BELOW: &str = "watch:";
/// A log that is gone is remembered so long, milliseconds.
pub const KEPT: u64 = 7 * 86_400_000;

/// Of one log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memory {
    /// The log itself, as it was last seen: device and inode.
    pub log: Option<(u64, u64)>,
    /// Up to where everything was read; in an archive, where a line was cut there.
    pub at: Marker,
    /// The end of the archive before the log, to which its writer may have written since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Marker>,
    /// Milliseconds.
    pub seen: u64,
    /// By the rules' names.
    pub windows: BTreeMap<String, Window>,
}

fn key(log: &str) -> String {
    format!("{BELOW}{log}")
}

/// Whether the task has never run.
pub fn is_first(context: &Context) -> Result<bool> {
    Ok(context.state().get(BEGUN)?.is_none())
}

pub fn begun(context: &Context) -> Result<()> {
    match is_first(context)? {
        true => context.state().set(BEGUN, b"1"),
        false => Ok(()),
    }
}

/// A memory that cannot be read is none.
pub fn recall(context: &Context, log: &str) -> Result<Option<Memory>> {
    let Some(bytes) = context.state().get(&key(log))? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(memory) => Ok(Some(memory)),
        Err(error) => {
            context.warn(format!(
                "what is remembered of `{log}` is damaged, and it is read anew: {error}"
            ));
            Ok(None)
        }
    }
}

pub fn keep(context: &Context, log: &str, memory: &Memory) -> Result<()> {
    context.state().set_json(&key(log), memory)?;
    context.keep_state()
}

pub fn forget(context: &Context, log: &str) -> Result<()> {
    context.state().delete(&key(log))
}

/// The logs of which something is remembered.
pub fn known(context: &Context) -> Result<Vec<String>> {
    let keys = context.state().keys()?.into_iter();
    Ok(keys
        .filter_map(|key| Some(key.strip_prefix(BELOW)?.to_owned()))
        .collect())
}
