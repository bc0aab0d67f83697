//! Points in time, zones and whole schedules. What a schedule means, and whether it can
//! ever fire, the scheduler says.

use chrono::{DateTime, Utc};
use mhost_model::schedule::Schedule;
use mhost_sched::{Compiled, ScheduleFault, parse_zone};
use serde_json::Value as Json;

use super::{Read, Refusal, short};
use crate::config::shape::{Blame, Scalar};

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

/// The scheduler's texts end with `: ` and the remedy.
fn refusal(fault: &ScheduleFault) -> Refusal {
    let text = fault.to_string();
    let message = text
        .strip_suffix(fault.remedy())
        .and_then(|text| text.strip_suffix(": "));
    Refusal::new(message.unwrap_or(&text), fault.remedy())
}
