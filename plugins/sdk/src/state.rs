//! The task's own state over runs: bytes by key, `wasi:keyvalue` underneath.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A run sees its own changes; they are committed with its success.
pub trait State {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;
    fn set(&self, key: &str, value: &[u8]) -> Result<()>;
    fn delete(&self, key: &str) -> Result<()>;
    fn keys(&self) -> Result<Vec<String>>;
}

impl dyn State + '_ {
    /// A value kept as JSON.
    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let Some(bytes) = self.get(key)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::Damaged(format!("cannot read the state kept as `{key}`: {error}"))
        })
    }

    /// Keeps a value as JSON.
    pub fn set_json<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            Error::Invalid(format!("cannot write the state kept as `{key}`: {error}"))
        })?;
        self.set(key, &bytes)
    }
}
