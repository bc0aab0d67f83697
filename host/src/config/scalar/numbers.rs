//! Numbers in a range, durations and sizes.

use std::time::Duration;

use mhost_model::{ByteSize, Span};
use serde_json::Value as Json;

use super::{Read, Refusal, short};
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
        return Err(beyond(text, "short", format!("at least `{least}`")));
    }
    if span > most {
        return Err(beyond(text, "long", format!("at most `{}`", days(most))));
    }
    Ok(Json::from(span.to_string()))
}

fn beyond(text: &str, how: &str, help: String) -> Refusal {
    Refusal::new(
        format!("`{}` is too {how}", short(text)),
        format!("write {help}"),
    )
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
    let exact = |bytes| String::from(ByteSize(bytes));
    if size.0 < least {
        return Err(beyond(
            text,
            "little",
            format!("at least `{}`", exact(least)),
        ));
    }
    if size.0 > most {
        return Err(beyond(text, "much", format!("at most `{}`", exact(most))));
    }
    Ok(Json::from(String::from(size)))
}
