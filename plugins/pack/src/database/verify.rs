//! Checking a database, and showing what is there.

use mhost_sdk::progress::Unit;
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Report};
use serde_json::json;

use super::pack::{info, label, open};

/// Checks; a database that is not sound fails the run, for good.
pub fn verify(context: &Context, name: &str) -> Result<Report, Failure> {
    let label = label(name);
    let database = open(context, name)?;
    let info = info(database.as_ref(), &label)?;
    context.report_progress(&format!("checking {label}"), 0, None, Unit::Bytes);
    let verdict = database.verify().doing(|| format!("verify {label}"))?;
    let summary = match verdict.sound {
        true => format!("{label} is sound ({})", human_bytes(info.size)),
        false => format!("{label} is damaged"),
    };
    let findings: Capped<_> = verdict.findings.iter().collect();
    let report = Report::new(summary)
        .metric("bytes_checked", info.size)
        .metric(
            "findings",
            if verdict.sound {
                0
            } else {
                verdict.findings.len()
            },
        )
        .details(&json!({ "sound": verdict.sound, "engine": info.engine, "findings": findings }));
    if verdict.sound {
        return Ok(report);
    }
    Err(Failure::permanent(damaged(&label, &verdict.findings)).with_partial(report))
}

fn damaged(label: &str, findings: &[String]) -> String {
    let first = findings
        .first()
        .map_or("no finding was given", String::as_str);
    let count = findings.len();
    let findings = if count == 1 { "finding" } else { "findings" };
    format!(
        "{label} is damaged: {first} ({count} {findings} in the report); keep a copy of the file as it is, stop what writes \
         to it, and restore the last backup that verifies, or `recover` what is sound"
    )
}

/// Tables, rows and sizes.
pub fn inspect(context: &Context, name: &str) -> Result<Report, Failure> {
    let label = label(name);
    let database = open(context, name)?;
    let info = info(database.as_ref(), &label)?;
    let tables = database
        .tables()
        .doing(|| format!("list the tables of {label}"))?;
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let summary = format!(
        "{label} holds {rows} rows in {} tables, {}",
        tables.len(),
        human_bytes(info.size)
    );
    let report = Report::new(summary)
        .metric("tables", tables.len())
        .metric("rows", rows)
        .metric("bytes_size", info.size);
    let report = match info.reclaimable {
        Some(bytes) => report.metric("bytes_reclaimable", bytes),
        None => report,
    };
    let mut listed = Capped::default();
    tables.into_iter().for_each(|table| listed.push(table));
    Ok(report.details(&json!({
        "engine": info.engine,
        "version": info.version,
        "tables": listed,
    })))
}
