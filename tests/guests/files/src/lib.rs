//! A plugin that does what its configuration says: a list of calls into the host's
//! capabilities for files, the network and processes. The engine's tests compare what
//! each call was answered. It uses the contract's raw bindings, so that nothing of an
//! SDK stands between.

#![cfg(target_family = "wasm")]

mod calls;

wit_bindgen::generate!({
    path: "../../../wit",
    world: "maintenance",
    generate_all,
});

use exports::mhost::plugin::plugin::{
    Action, Capability, Context, Error, Failure, Guest, Manifest, Need, Report,
};
use serde_json::Value;

/// What the calls reach.
const KINDS: [Capability; 3] = [
    Capability::Directories,
    Capability::Network,
    Capability::Processes,
];

fn need(capability: Capability) -> Need {
    Need {
        capability,
        reason: "To do the calls".into(),
        required: false,
        writes: true,
    }
}

struct Calls;

impl Guest for Calls {
    fn describe() -> Manifest {
        Manifest {
            name: "calls".into(),
            version: "0.1.0".into(),
            summary: "Does the calls of its configuration".into(),
            actions: vec![Action {
                name: "calls".into(),
                summary: "Does the calls".into(),
                config_schema: "{\"type\":\"object\"}".into(),
                needs: KINDS.map(need).to_vec(),
            }],
        }
    }

    /// The report's details are the answers in order: what the call returned, or its
    /// error's kind and text.
    fn run(context: Context) -> Result<Report, Failure> {
        let config: Value = serde_json::from_str(&context.config).unwrap_or_default();
        let calls = config["calls"].as_array().cloned().unwrap_or_default();
        let answers: Vec<Value> = calls.iter().map(calls::answer).collect();
        Ok(Report {
            summary: "called".into(),
            metrics: Vec::new(),
            artifacts: Vec::new(),
            details: Some(Value::Array(answers).to_string()),
        })
    }
}

/// The kind of a fault, as the contract spells it, and its text.
fn told(error: &Error) -> (&'static str, String) {
    match error {
        Error::Denied(denial) => ("denied", denial.remedy.clone()),
        Error::DryRun(text) => ("dry-run", text.clone()),
        Error::NotFound(text) => ("not-found", text.clone()),
        Error::Exists(text) => ("exists", text.clone()),
        Error::Busy(text) => ("busy", text.clone()),
        Error::Invalid(text) => ("invalid", text.clone()),
        Error::Unsupported(text) => ("unsupported", text.clone()),
        Error::Limit(text) => ("limit", text.clone()),
        Error::TimedOut(text) => ("timed-out", text.clone()),
        Error::Damaged(text) => ("damaged", text.clone()),
        Error::Failed(text) => ("failed", text.clone()),
    }
}

export!(Calls);
