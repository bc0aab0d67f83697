//! What a guest reports, as the ledger keeps it: bounded, masked, and with figures
//! that JSON can hold.

use mhost_model::receipt::Receipt;
use mhost_model::run::{Artifact, LogLevel, Report};
use serde_json::Value;

use crate::bindings::exports::mhost::plugin::plugin as contract;
use crate::state::Shared;

/// The largest `details`, bytes; see the contract.
const DETAILS: usize = 4 << 20;
/// The longest summary, name or message, bytes.
const TEXT: usize = 4 << 10;
/// The most figures and artifacts.
const ENTRIES: usize = 1000;

pub(crate) fn from_guest(shared: &Shared, report: contract::Report) -> Report {
    let figures = report
        .metrics
        .into_iter()
        .filter(|metric| metric.value.is_finite());
    let artifacts = report.artifacts.into_iter().map(|artifact| Artifact {
        kind: text(shared, &artifact.kind),
        name: text(shared, &artifact.name),
        size: artifact.size,
    });
    Report {
        summary: text(shared, &report.summary),
        metrics: figures
            .take(ENTRIES)
            .map(|metric| (text(shared, &metric.name), metric.value))
            .collect(),
        artifacts: artifacts.take(ENTRIES).collect(),
        details: report.details.and_then(|details| parsed(shared, details)),
    }
}

/// A text from the guest: masked and cut.
pub(crate) fn text(shared: &Shared, text: &str) -> String {
    let mut text = shared.masks.hide(text).into_owned();
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

/// The details as JSON; what is none stands as a text.
fn parsed(shared: &Shared, details: String) -> Option<Value> {
    if details.len() > DETAILS {
        let text = format!(
            "the report's details are left out: they have {} bytes, and {DETAILS} are allowed",
            details.len()
        );
        shared.log.message(LogLevel::Warn, "host", &text);
        return None;
    }
    let mut value = serde_json::from_str(&details).unwrap_or(Value::String(details));
    hide_in_value(shared, &mut value);
    Some(value)
}

pub(crate) fn hide_in_value(shared: &Shared, value: &mut Value) {
    match value {
        Value::String(text) => shared.masks.hide_in(text),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| hide_in_value(shared, item)),
        Value::Object(fields) => {
            let taken = std::mem::take(fields);
            fields.extend(taken.into_iter().map(|(mut name, mut value)| {
                shared.masks.hide_in(&mut name);
                hide_in_value(shared, &mut value);
                (name, value)
            }));
        }
        _ => {}
    }
}

/// Names and targets on a receipt come from the guest, too.
pub(crate) fn hide_in_receipt(shared: &Shared, receipt: &mut Receipt) {
    for text in &mut receipt.withheld {
        shared.masks.hide_in(text);
    }
    let denied = std::mem::take(&mut receipt.denied);
    receipt.denied.extend(denied.into_iter().map(|mut denial| {
        shared.masks.hide_in(&mut denial.target);
        shared.masks.hide_in(&mut denial.remedy);
        denial
    }));
    for entry in receipt.used.values_mut() {
        let parts = std::mem::take(&mut entry.parts);
        entry.parts = parts
            .into_iter()
            .map(|part| shared.masks.hide(&part).into_owned())
            .collect();
    }
}
