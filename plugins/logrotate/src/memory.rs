//! When each log was last rotated: in the task's state, or in a file. A record
//! that cannot be read is as good as none; it never stops a rotation.

use std::collections::BTreeMap;

use mhost_sdk::{Context, Doing as _, Failure, Optional as _};
use serde::{Deserialize, Serialize};

const KEY: &str = "rotated";
const MOST: u64 = 64 << 20;
/// What was not seen for so long is forgotten: 400 days, in milliseconds.
const FORGOTTEN: u64 = 400 * 86_400_000;

/// Milliseconds by log.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    rotated: BTreeMap<String, u64>,
}

impl Memory {
    pub fn load(context: &Context, file: Option<&str>) -> Result<Self, Failure> {
        let loaded = match file {
            Some(path) => from_file(context, path)?,
            None => context
                .state()
                .get_json(KEY)
                .map_err(|error| error.to_string()),
        };
        Ok(loaded.map(Option::unwrap_or_default).unwrap_or_else(|why| {
            context.warn(format!("every log counts as new: {why}"));
            Self::default()
        }))
    }

    pub fn last(&self, log: &str) -> Option<u64> {
        self.rotated.get(log).copied()
    }

    pub fn set(&mut self, log: &str, at: u64) {
        self.rotated.insert(log.to_owned(), at);
    }

    /// Keeps what is young, or is a log of this run.
    pub fn save(
        mut self,
        context: &Context,
        file: Option<&str>,
        current: impl Fn(&str) -> bool,
    ) -> Result<(), Failure> {
        let oldest = context.now().saturating_sub(FORGOTTEN);
        self.rotated.retain(|log, at| *at >= oldest || current(log));
        match file {
            Some(path) => to_file(context, path, &self),
            None => {
                let kept = context.state().set_json(KEY, &self);
                kept.doing(|| "remember the rotations".to_owned())
            }
        }
    }
}

type Loaded = Result<Option<Memory>, String>;

fn from_file(context: &Context, path: &str) -> Result<Loaded, Failure> {
    let content = context.files().read(path, MOST).optional();
    let Some(content) = content.doing(|| format!("read the state `{path}`"))? else {
        return Ok(Ok(None));
    };
    let parsed = serde_json::from_slice(&content).map(Some);
    Ok(parsed.map_err(|error| format!("the state `{path}` is damaged: {error}")))
}

fn to_file(context: &Context, path: &str, memory: &Memory) -> Result<(), Failure> {
    let new = format!("{path}.new");
    let files = context.files();
    let content = serde_json::to_vec_pretty(memory).unwrap_or_default();
    let written = files
        .remove_file(&new)
        .optional()
        .and_then(|_| files.create(&new, &content))
        .and_then(|()| files.replace(&new, path));
    written.doing(|| format!("write the state `{path}`"))
}
