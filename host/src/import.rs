//! What other programs' configurations become here: tasks for `mhost.toml`, and notes on
//! what has no counterpart. Pure: text in, text out.

pub mod blackbox;

use serde::Serialize;
use serde_json::{Map, Value};

/// What came of a file.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Imported {
    /// The configuration of the task.
    pub config: Map<String, Value>,
    /// Its grants, as they stand in `mhost.toml`.
    pub grants: Map<String, Value>,
    /// What has no counterpart, or needs a hand.
    pub notes: Vec<String>,
}
