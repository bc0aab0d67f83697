//! The action `report`: what was observed, as a table.

use mhost_sdk::watch::Summary;
use mhost_sdk::{Context, Failure, Report};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Which of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Only of this task; for `exec`, which sees what all tasks of this plugin observed.
    #[serde(default)]
    pub task: Option<String>,
    /// Only of these targets.
    #[serde(default)]
    pub targets: Vec<String>,
}

/// A line of the table.
#[derive(Debug, Serialize)]
struct Line {
    task: String,
    target: String,
    span: String,
    checks: u64,
    /// Per cent, rounded down.
    uptime: Option<f64>,
    down: u64,
    p50_ms: Option<f64>,
    p90_ms: Option<f64>,
    p99_ms: Option<f64>,
    max_ms: Option<f64>,
    /// Milliseconds since 1970.
    seen: u64,
}

impl From<&Summary> for Line {
    fn from(one: &Summary) -> Self {
        let checks = one.up + one.degraded + one.down;
        let millis = |micros: Option<u64>| micros.map(|micros| micros as f64 / 1e3);
        let good = (one.up + one.degraded) as f64;
        Self {
            task: one.task.clone(),
            target: one.subject.clone(),
            span: one.span.clone(),
            checks,
            uptime: (checks > 0).then(|| (good * 1e5 / checks as f64).floor() / 1e3),
            down: one.down,
            p50_ms: millis(one.p50),
            p90_ms: millis(one.p90),
            p99_ms: millis(one.p99),
            max_ms: millis(one.max),
            seen: one.seen,
        }
    }
}

/// Tells.
pub fn report(context: &Context, config: Config) -> Result<Report, Failure> {
    let summaries = context.watch().summaries()?;
    let wanted = |one: &&Summary| {
        config.task.as_ref().is_none_or(|task| *task == one.task)
            && (config.targets.is_empty() || config.targets.contains(&one.subject))
    };
    let wanted: Vec<&Summary> = summaries.iter().filter(wanted).collect();
    let month = wanted.iter().filter(|one| one.span == "month");
    let (targets, worst) = month.fold((0u64, 100.0f64), |(targets, worst), one| {
        let uptime = Line::from(*one).uptime.unwrap_or(100.0);
        (targets + 1, worst.min(uptime))
    });
    let text = match targets {
        0 => "nothing was observed yet".to_owned(),
        _ => format!("{targets} targets in the last month, {worst} % up at least"),
    };
    let lines: Vec<_> = wanted.into_iter().map(Line::from).collect();
    let columns = [
        "task", "target", "span", "checks", "uptime", "down", "p50_ms", "p90_ms", "p99_ms",
    ];
    Ok(Report::new(text)
        .metric("targets", targets)
        .metric("uptime_percent_min", worst)
        .details(&json!({
            "history": lines,
            "show": { "list": "history", "columns": columns },
        })))
}
