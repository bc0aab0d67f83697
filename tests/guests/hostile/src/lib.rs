//! A plugin that attacks the host: each action is one attack, told by its name and
//! configuration. The engine's tests run it and look at what the host let happen.
//!
//! It is no example to copy: it uses the contract's raw bindings, so that nothing of
//! an SDK stands between the attack and the host.

#![cfg(target_family = "wasm")]
#![allow(clippy::print_stdout)]

mod attacks;

wit_bindgen::generate!({
    path: "../../../wit",
    world: "maintenance",
    generate_all,
});

use exports::mhost::plugin::plugin::{
    Action, Capability, Context, Error, Failure, Guest, Manifest, Metric, Need, Report,
};

struct Hostile;

impl Guest for Hostile {
    fn describe() -> Manifest {
        Manifest {
            name: "hostile".into(),
            version: "0.1.0".into(),
            summary: "Attacks the host".into(),
            actions: attacks::NAMES
                .iter()
                .map(|name| action(name, ALL.map(|kind| need(kind, true)).to_vec()))
                .chain([
                    action(attacks::UNDECLARED, Vec::new()),
                    action(attacks::LOOKS, ALL.map(|kind| need(kind, false)).to_vec()),
                ])
                .collect(),
        }
    }

    fn run(context: Context) -> Result<Report, Failure> {
        let config =
            serde_json::from_str(&context.config).map_err(|error| failed(error.to_string()))?;
        attacks::run(&context, &config)
    }
}

/// All kinds of power.
const ALL: [Capability; 7] = [
    Capability::Directories,
    Capability::Databases,
    Capability::Network,
    Capability::Repositories,
    Capability::Remotes,
    Capability::Secrets,
    Capability::Processes,
];

fn need(capability: Capability, writes: bool) -> Need {
    Need {
        capability,
        reason: "To attack".into(),
        required: false,
        writes,
    }
}

fn action(name: &str, needs: Vec<Need>) -> Action {
    Action {
        name: name.into(),
        summary: "An attack".into(),
        config_schema: "{\"type\":\"object\"}".into(),
        needs,
    }
}

/// A report that says `summary`, with figures.
fn report(summary: impl Into<String>, figures: &[(&str, f64)]) -> Report {
    let metric = |(name, value): &(&str, f64)| Metric {
        name: (*name).to_owned(),
        value: *value,
    };
    Report {
        summary: summary.into(),
        metrics: figures.iter().map(metric).collect(),
        artifacts: Vec::new(),
        details: None,
    }
}

/// A failure without a cause.
fn failed(message: impl Into<String>) -> Failure {
    Failure {
        message: message.into(),
        retryable: false,
        cause: None,
        partial: None,
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            message: format!("{error:?}"),
            retryable: false,
            cause: Some(error),
            partial: None,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        failed(format!("{:?}: {error}", error.kind()))
    }
}

export!(Hostile);
