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
    Action, Context, Error, Failure, Guest, Manifest, Metric, Report,
};

struct Hostile;

impl Guest for Hostile {
    fn describe() -> Manifest {
        Manifest {
            name: "hostile".into(),
            version: "0.1.0".into(),
            summary: "Attacks the host".into(),
            actions: attacks::NAMES.iter().map(|name| action(name)).collect(),
        }
    }

    fn run(context: Context) -> Result<Report, Failure> {
        let config =
            serde_json::from_str(&context.config).map_err(|error| failed(error.to_string()))?;
        attacks::run(&context, &config)
    }
}

fn action(name: &str) -> Action {
    Action {
        name: name.into(),
        summary: "An attack".into(),
        config_schema: "{\"type\":\"object\"}".into(),
        needs: Vec::new(),
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
