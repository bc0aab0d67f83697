//! What is told of a run that watched.

use std::collections::BTreeMap;

use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Error, Failure, Report};
use serde::Serialize;
use serde_json::json;

use super::config::Config;
use super::tally::{CLASSES, Tally};

/// One log and what was found in it.
#[derive(Debug, Serialize)]
pub struct Item {
    pub log: String,
    /// The files that were read, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<String>,
    #[serde(flatten)]
    pub tally: Tally,
    /// Lines by the rules that they hit.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hits: BTreeMap<String, u64>,
    /// What is too much.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<String>,
    /// Why lines may be missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

impl Item {
    pub fn new(log: &str) -> Self {
        Self {
            log: log.to_owned(),
            read: Vec::new(),
            tally: Tally::default(),
            hits: BTreeMap::new(),
            alerts: Vec::new(),
            gap: None,
            error: None,
        }
    }
}

/// All of a run.
#[derive(Debug, Default)]
pub struct Told {
    pub items: Vec<Item>,
    /// Alerts that stand of logs that are not there.
    pub gone: usize,
}

pub fn report(config: &Config, told: &Told) -> Report {
    let mut all = Tally::default();
    told.items.iter().for_each(|item| all.add(&item.tally));
    let mut standing = told.items.iter().flat_map(|item| &item.alerts);
    let first = standing.next();
    let alerts = told.gone + usize::from(first.is_some()) + standing.count();
    let gaps = told.items.iter().filter(|item| item.gap.is_some()).count();
    let first = first.map(|alert| format!(": {alert}"));
    let text = format!(
        "read {} lines ({}) of {} logs, {}",
        all.lines,
        human_bytes(all.bytes),
        told.items.len(),
        match alerts {
            0 => "nothing is too much".to_owned(),
            1 => format!("1 alert stands{}", first.unwrap_or_default()),
            alerts => format!("{alerts} alerts stand{}", first.unwrap_or_default()),
        }
    );
    let mut report = Report::new(text)
        .metric("lines_read", all.lines)
        .metric("bytes_read", all.bytes)
        .metric("lines_cut", all.cut_lines)
        .metric("alerts", alerts)
        .metric("gaps", gaps);
    if config.format.access().is_some() {
        report = requests(report, &all);
    }
    if config.format.access().is_some() || !all.levels.is_empty() {
        report = report.metric("lines_other", all.other_lines);
    }
    for (level, count) in &all.levels {
        report = report.metric(&format!("events_{level}"), *count);
    }
    let items: Capped<_> = told.items.iter().collect();
    report.details(&json!({ "logs": items }))
}

fn requests(mut report: Report, all: &Tally) -> Report {
    let count = |class: &str| all.status.get(class).copied().unwrap_or(0);
    for class in CLASSES {
        report = report.metric(&format!("status_{class}"), count(class));
    }
    let requests: u64 = all.status.values().sum();
    match requests {
        0 => report,
        // A part of all, 0 to 1.
        requests => report.metric("rate_5xx", count("5xx") as f64 / requests as f64),
    }
}

/// Whether all logs could be read.
pub fn judge(config: &Config, told: &Told, report: Report) -> Result<Report, Failure> {
    let missing = |error: &Error| config.missingok && matches!(error, Error::NotFound(_));
    let bad: Vec<_> = told
        .items
        .iter()
        .filter_map(|item| Some((item, item.error.as_ref().filter(|error| !missing(error))?)))
        .collect();
    let Some((first, error)) = bad.first() else {
        return Ok(report);
    };
    let others = match bad.len() - 1 {
        0 => String::new(),
        1 => ", and 1 other log cannot be read either".to_owned(),
        count => format!(", and {count} other logs cannot be read either"),
    };
    let hint = match error {
        Error::NotFound(_) => "; set `missingok` if that is fine",
        _ => "",
    };
    let failure = Failure {
        message: format!("cannot watch `{}`: {error}{hint}{others}", first.log),
        ..Failure::from((*error).clone())
    };
    Err(failure.with_partial(report))
}
