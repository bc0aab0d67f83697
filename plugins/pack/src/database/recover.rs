//! Getting out of a damaged database what is sound.

use mhost_sdk::database::{RecoverOptions, Recovered};
use mhost_sdk::units::human_bytes;
use mhost_sdk::{Capped, Context, Doing as _, Failure, Optional as _, Report};
use serde_json::json;

use super::pack::{label, open};
use crate::config::Recover;

/// Has the host write all that is sound to the output. A dry run asks for it too, which the host
/// withholds, so that it stands on the receipt; what there is to recover is not known before.
pub fn recover(context: &Context, name: &str, config: &Recover) -> Result<Report, Failure> {
    let label = label(name);
    let database = open(context, name)?;
    context.check_cancelled()?;
    let options = RecoverOptions {
        deleted: config.deleted,
    };
    let recovered = database
        .recover(&config.output, options)
        .unless_dry_run()
        .doing(|| format!("recover {label}"))?;
    let Some(recovered) = recovered else {
        return Ok(Report::new(format!(
            "would write what is sound in {label} to {}",
            config.output
        )));
    };
    let lost = recovered.rows_lost + recovered.pages_lost + recovered.orphans;
    if lost > 0 {
        context.warn(format!(
            "{label}: {}",
            recovered.findings.first().map_or("", String::as_str)
        ));
    }
    Ok(report(&label, &config.output, &recovered))
}

fn report(label: &str, output: &str, recovered: &Recovered) -> Report {
    let mut summary = format!(
        "recovered {} rows of {} tables of {label} to {output}",
        recovered.rows, recovered.tables
    );
    if recovered.findings.is_empty() {
        summary.push_str("; nothing was damaged");
    } else {
        summary.push_str(&format!(
            "; {} rows are in `lost_and_found`, {} rows and {} pages are lost",
            recovered.orphans, recovered.rows_lost, recovered.pages_lost
        ));
    }
    let findings: Capped<_> = recovered.findings.iter().collect();
    Report::new(summary)
        .metric("bytes_before", recovered.before)
        .metric("bytes_after", recovered.after)
        .metric("tables", recovered.tables)
        .metric("rows_recovered", recovered.rows)
        .metric("rows_without_a_table", recovered.orphans)
        .metric("rows_lost", recovered.rows_lost)
        .metric("pages_lost", recovered.pages_lost)
        .artifact("file", output, Some(recovered.after))
        .details(&json!({ "size": human_bytes(recovered.after), "findings": findings }))
}
