//! Numbers in a range, durations and sizes.

use std::time::Duration;

use mhost_model::{ByteSize, Span};
use serde_json::Value as Json;

use super::{Read, Refusal};
use crate::config::shape::Least;

/// "a number from 1 to 10000".
pub(super) fn range(least: i64, most: i64) -> String {
    match most {
        i64::MAX => format!("a whole number, at least {least}"),
        _ => format!("a whole number from {least} to {most}"),
    }
}

pub(super) fn count(number: i64, least: i64, most: i64) -> Read {
    if (least..=most).contains(&number) {
        return Ok(Json::from(number));
    }
    let message = format!("{number} is out of range");
    Err(Refusal::new(
        message,
        format!("write {}", range(least, most)),
    ))
}

pub(super) fn duration(text: &str, least: Least, most: u64) -> Read {
    let span: Span = text.parse().map_err(Refusal::of)?;
    let (least, most) = (Span(least.duration()), Span(Duration::from_secs(most)));
    if span < least {
        let message = format!("`{span}` is too short");
        return Err(Refusal::new(message, format!("write at least `{least}`")));
    }
    if span > most {
        let message = format!("`{span}` is too long");
        return Err(Refusal::new(
            message,
            format!("write at most `{}`", days(most)),
        ));
    }
    Ok(Json::from(span.to_string()))
}

/// Whole days, where it is some: the exact form of years reads badly.
fn days(span: Span) -> String {
    match span.0.as_secs() {
        secs if secs > 86_400 && secs.is_multiple_of(86_400) => format!("{} days", secs / 86_400),
        _ => span.to_string(),
    }
}

pub(super) fn size(text: &str, least: u64, most: u64) -> Read {
    let size: ByteSize = text.parse().map_err(Refusal::of)?;
    if size.0 < least {
        let message = format!("{size} is too little");
        return Err(Refusal::new(
            message,
            format!("write at least {}", ByteSize(least)),
        ));
    }
    if size.0 > most {
        let message = format!("{size} is too much");
        return Err(Refusal::new(
            message,
            format!("write at most {}", ByteSize(most)),
        ));
    }
    Ok(Json::from(String::from(size)))
}
