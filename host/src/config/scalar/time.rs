//! Points in time, zones and whole schedules. What a schedule means, and whether it can
//! ever fire, the scheduler says.

use chrono::{DateTime, Utc};
use mhost_model::schedule::Schedule;
use mhost_sched::{Compiled, ScheduleFault, parse_expr, parse_zone};
use serde_json::Value as Json;

use super::{Read, Refusal, short};
use crate::config::shape::{Blame, Scalar};

/// Right by itself: whether it ever fires, the whole schedule says.
pub(super) fn cron(text: &str) -> Read {
    let alone = Schedule::Cron {
        cron: text.to_owned(),
        tz: None,
    };
    match Compiled::read(&alone) {
        Ok(_) => Ok(Json::from(text)),
        Err(fault) => Err(refusal(&fault)),
    }
}

pub(super) fn zone(text: &str) -> Read {
    match parse_zone(Some(text)) {
        Ok(_) => Ok(Json::from(text)),
        Err(fault) => Err(refusal(&fault)),
    }
}

/// RFC 3339 with a zone; kept to the millisecond, as the store does.
pub(super) fn moment(text: &str) -> Read {
    let at = DateTime::parse_from_rfc3339(text.trim());
    let at = at
        .ok()
        .and_then(|at| DateTime::<Utc>::from_timestamp_millis(at.timestamp_millis()));
    let Some(at) = at else {
        let message = format!("`{}` is not a time", short(text));
        let help = "write date, time and zone, such as `2026-12-01T03:00:00Z` or `2026-12-01T05:00:00+02:00`";
        return Err(Refusal::new(message, help));
    };
    serde_json::to_value(at).map_err(Refusal::of)
}

/// Whether a schedule whose keys are right one by one is one.
pub(in crate::config) fn schedule(json: &Json) -> Result<(), Blame> {
    let schedule: Schedule = serde_json::from_value(json.clone()).map_err(|error| Blame {
        key: None,
        refusal: Refusal::of(error).or(&format!("write {}", Scalar::ScheduleWord.example())),
    })?;
    match Compiled::parse(&schedule) {
        Ok(_) => Ok(()),
        Err(fault) => Err(Blame {
            key: fault.key(),
            refusal: refusal(&fault),
        }),
    }
}

/// What to write for a text that is a schedule on the command line, or nearly one.
pub(super) fn nearest_schedule(text: &str) -> Option<String> {
    let read = |text: &str| Compiled::read(&parse_expr(text, None)?);
    let form = match read(text) {
        Ok(_) => text.trim().to_owned(),
        Err(fault) => {
            let offered = fault.remedy().split('`').nth(1)?.to_owned();
            read(&offered).ok().map(|_| offered)?
        }
    };
    Some(match form.starts_with('{') {
        true => form,
        false if form.starts_with('@') || form == "manual" => format!("\"{form}\""),
        false => format!("{{ cron = \"{form}\" }}"),
    })
}

/// The scheduler's texts end with `: ` and the remedy.
fn refusal(fault: &ScheduleFault) -> Refusal {
    let text = fault.to_string();
    let message = text
        .strip_suffix(fault.remedy())
        .and_then(|text| text.strip_suffix(": "));
    Refusal::new(message.unwrap_or(&text), fault.remedy())
}
