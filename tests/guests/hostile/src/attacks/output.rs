//! Logs, progress and reports: too much of them, or with what must not stand there.

use std::io::Write as _;

use serde_json::Value;

use super::{number, text};
use crate::exports::mhost::plugin::plugin::{Artifact, Context, Failure, Metric, Report};
use crate::mhost::plugin::{progress as host, secrets};
use crate::wasi::logging::logging;

/// Writes so many mebibytes to standard output.
pub fn flood(_: &Context, config: &Value) -> Result<Report, Failure> {
    let piece = vec![b'x'; 1 << 20];
    let mut out = std::io::stdout().lock();
    for _ in 0..number(config, "mib") {
        out.write_all(&piece)?;
    }
    out.flush()?;
    Ok(crate::report("wrote it all", &[]))
}

/// Writes so many lines, to both streams and to the log.
pub fn lines(_: &Context, config: &Value) -> Result<Report, Failure> {
    for line in 0..number(config, "lines") {
        println!("out {line}");
        eprintln!("err {line}");
        logging::log(logging::Level::Info, "lines", &format!("log {line}"));
    }
    Ok(crate::report("wrote the lines", &[]))
}

/// Says a secret everywhere. `pieces` splits it over several writes of one line.
pub fn say(_: &Context, config: &Value) -> Result<Report, Failure> {
    let secret = secrets::get(text(config, "secret"))?;
    let middle = secret.len() / 2;
    let mut out = std::io::stdout();
    print!("in pieces: {}", &secret[..middle]);
    out.flush()?;
    println!("{} end", &secret[middle..]);
    eprintln!("as JSON: {}", serde_json::json!({ "key": secret }));
    logging::log(logging::Level::Warn, &secret, &format!("logged {secret}"));
    host::update(&host::State {
        phase: format!("with {secret}"),
        done: 1,
        total: None,
        unit: host::Unit::Steps,
    });
    if config["panic"].as_bool().unwrap_or_default() {
        panic!("panicked with {secret}");
    }
    if config["fail"].as_bool().unwrap_or_default() {
        return Err(crate::failed(format!("failed with {secret}")));
    }
    Ok(Report {
        summary: format!("said {secret}"),
        metrics: vec![Metric {
            name: secret.clone(),
            value: 1.0,
        }],
        artifacts: vec![Artifact {
            kind: "file".into(),
            name: secret.clone(),
            size: None,
        }],
        details: Some(serde_json::json!({ "deep": [{ secret.clone(): secret }] }).to_string()),
    })
}

/// Updates the progress so many times.
pub fn progress(_: &Context, config: &Value) -> Result<Report, Failure> {
    let total = number(config, "updates");
    for done in 0..total {
        host::update(&host::State {
            phase: "counting".into(),
            done,
            total: Some(total),
            unit: host::Unit::Items,
        });
    }
    Ok(crate::report("counted", &[]))
}

/// A report that is out of bounds everywhere.
pub fn report(_: &Context, config: &Value) -> Result<Report, Failure> {
    let many = usize::try_from(number(config, "size")).unwrap_or_default();
    let metric = |at: usize| Metric {
        name: format!("figure_{at}"),
        value: if at == 0 { f64::NAN } else { at as f64 },
    };
    Ok(Report {
        summary: "s".repeat(many),
        metrics: (0..10_000).map(metric).collect(),
        artifacts: Vec::new(),
        details: Some("d".repeat(many)),
    })
}
