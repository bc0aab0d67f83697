//! An inline table as it is typed: which key is wrong, why, and what would be right. What keys
//! mean together is the model's to say.

use std::str::FromStr;

use mhost_model::schedule::Schedule;
use mhost_model::{Instant, Name, Span};
use serde::Deserialize;
use toml::Value;

use crate::cron::nearest;
use crate::fault::{ScheduleFault, shown};

/// What stands behind a key.
enum Kind {
    Text,
    Duration,
    Moment,
    Number,
    Name,
    End,
}

const KEYS: [(&str, Kind); 13] = [
    ("cron", Kind::Text),
    ("every", Kind::Duration),
    ("from", Kind::Moment),
    ("month", Kind::Number),
    ("day", Kind::Number),
    ("hour", Kind::Number),
    ("minute", Kind::Number),
    ("at", Kind::Moment),
    ("after", Kind::Name),
    ("on", Kind::End),
    ("on_change", Kind::Name),
    ("settle", Kind::Duration),
    ("tz", Kind::Text),
];

/// Keys that other schedulers have in the place of one of these.
const SYNONYMS: [(&str, &str); 3] = [("interval", "every"), ("timezone", "tz"), ("zone", "tz")];

/// What the fields form leaves to cron.
const CRON_ONLY: [&str; 5] = ["second", "seconds", "weekday", "day_of_week", "dow"];

/// The schedule of a table.
pub(super) fn read(text: &str, mut table: toml::Table) -> Result<Schedule, ScheduleFault> {
    for (key, value) in &mut table {
        let Some((key, kind)) = KEYS.iter().find(|(known, _)| known == key) else {
            return Err(unknown(text, key));
        };
        // TOML's own times are meant as they are.
        if let (Kind::Moment, Value::Datetime(moment)) = (kind, &*value) {
            *value = Value::String(moment.to_string());
        }
        judge(kind, value).map_err(|(why, remedy)| ScheduleFault::Value {
            key,
            value: shown(&value.to_string()),
            why,
            remedy,
        })?;
    }
    Schedule::deserialize(table).map_err(|error| {
        let said = error.message().trim_end().to_owned();
        let (why, remedy) = match said.rsplit_once(": ") {
            Some((why, remedy)) => (why.to_owned(), remedy.to_owned()),
            None => (said, super::FORMS.to_owned()),
        };
        super::fault(text, &why, &remedy)
    })
}

fn unknown(text: &str, key: &str) -> ScheduleFault {
    let keys = || KEYS.iter().map(|(known, _)| *known);
    let known = SYNONYMS.iter().find(|(word, _)| *word == key);
    let remedy = match known.map(|(_, meant)| *meant).or(nearest(key, keys())) {
        _ if CRON_ONLY.contains(&key) => {
            "a cron expression has it: six fields are second, minute, hour, day of the month, \
             month, day of the week, such as `{ cron = \"30 0 3 * * MON\" }`"
                .into()
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", keys().collect::<Vec<_>>().join(", ")),
    };
    super::fault(text, &format!("`{}` is no key of one", shown(key)), &remedy)
}

type Wrong = (&'static str, String);

fn judge(kind: &Kind, value: &Value) -> Result<(), Wrong> {
    match kind {
        Kind::Number => number(value),
        Kind::Text => string(value, "write it in quotes").map(drop),
        Kind::Duration => duration(value),
        Kind::Moment => parsed::<Instant>(
            value,
            "is no point in time",
            "write RFC 3339, such as \"2026-12-01T03:00:00Z\"",
        ),
        Kind::Name => parsed::<Name>(
            value,
            "is no name",
            "use 1 to 64 lower-case letters, digits, `-`, `_` or `.`, in quotes",
        ),
        Kind::End => match string(value, "write it in quotes")? {
            "succeeded" | "failed" | "any" => Ok(()),
            other => {
                let near = nearest(other, ["succeeded", "failed", "any"].into_iter());
                let near = near.unwrap_or("succeeded");
                Err(("is no end of a run", format!("did you mean \"{near}\"?")))
            }
        },
    }
}

fn number(value: &Value) -> Result<(), Wrong> {
    match value {
        Value::Integer(0..=0xffff_ffff) => Ok(()),
        Value::String(text) if text.trim().parse::<u32>().is_ok() => {
            Err(("is a text", format!("write {} without quotes", text.trim())))
        }
        Value::Array(_) | Value::String(_) => Err((
            "is no single number",
            "write one, or use a cron expression for lists and ranges".into(),
        )),
        _ => Err(("is no number", "write a whole one without a sign".into())),
    }
}

fn string<'v>(value: &'v Value, remedy: &str) -> Result<&'v str, Wrong> {
    value.as_str().ok_or(("is no text", remedy.into()))
}

fn duration(value: &Value) -> Result<(), Wrong> {
    const WHY: &str = "is no duration";
    if let Value::Integer(number) = value {
        return Err((
            WHY,
            format!("add a unit, such as \"{number}s\" or \"{number}h\""),
        ));
    }
    let remedy = "write a number and a unit, such as \"30s\", \"6h\" or \"7 days\"";
    parsed::<Span>(value, WHY, remedy)
}

fn parsed<T: FromStr>(value: &Value, why: &'static str, remedy: &str) -> Result<(), Wrong> {
    let text = string(value, remedy)?;
    match text.parse::<T>() {
        Ok(_) => Ok(()),
        Err(_) => Err((why, remedy.into())),
    }
}
