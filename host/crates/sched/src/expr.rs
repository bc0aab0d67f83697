//! A schedule as it is typed on the command line: a cron expression, a word, or an
//! inline TOML table of any form.

use mhost_model::schedule::{Fields, Schedule};
use serde::Deserialize;

use crate::fault::{ScheduleFault, shown};

/// Longer than any schedule.
const LONGEST: usize = 4_096;

/// Parses `30 2 * * MON-FRI`, `@daily`, `manual`, `{ every = "6h" }`. `tz` is the zone
/// of forms that have one and name none; `{}` is every minute, as the fields form is
/// defined. Whether the schedule can be used is [`crate::Compiled::parse`]'s to say.
pub fn parse_expr(text: &str, tz: Option<&str>) -> Result<Schedule, ScheduleFault> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(fault(
            text,
            "it is longer than 4096 characters",
            "write a shorter one",
        ));
    }
    let schedule = match text {
        "manual" => Schedule::Manual,
        _ if text.starts_with(['{', '"', '\'']) => from_toml(text)?,
        cron => Schedule::Cron {
            cron: cron.into(),
            tz: None,
        },
    };
    in_zone(schedule, tz)
}

fn from_toml(text: &str) -> Result<Schedule, ScheduleFault> {
    let nothing: String = text.split_whitespace().collect();
    if nothing == "{}" {
        return Ok(Schedule::Fields(Fields::default()));
    }
    toml::de::ValueDeserializer::parse(text)
        .and_then(Schedule::deserialize)
        .map_err(|error| {
            fault(
                text,
                error.message().trim_end(),
                "write a cron expression, `manual`, or a table such as `{ every = \"6h\" }`",
            )
        })
}

/// Gives the zone to forms that follow a wall clock.
fn in_zone(schedule: Schedule, zone: Option<&str>) -> Result<Schedule, ScheduleFault> {
    let choose = |own: Option<String>| match (own, zone) {
        (Some(own), Some(zone)) if own != zone => Err(ScheduleFault::Value {
            key: "tz",
            value: format!("\"{}\"", shown(&own)),
            why: "is not the zone asked for",
            remedy: format!("leave out one of it and `{}`", shown(zone)),
        }),
        (own, zone) => Ok(own.or(zone.map(Into::into))),
    };
    Ok(match schedule {
        Schedule::Cron { cron, tz } => Schedule::Cron {
            cron,
            tz: choose(tz)?,
        },
        Schedule::Fields(fields) => Schedule::Fields(Fields {
            tz: choose(fields.tz)?,
            ..fields
        }),
        other => other,
    })
}

fn fault(text: &str, why: &str, remedy: &str) -> ScheduleFault {
    ScheduleFault::Text {
        text: shown(text),
        why: why.into(),
        remedy: remedy.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mhost_model::Span;

    fn cron(cron: &str, tz: Option<&str>) -> Schedule {
        Schedule::Cron {
            cron: cron.into(),
            tz: tz.map(Into::into),
        }
    }

    #[test]
    fn every_form() {
        let kyiv = Some("Europe/Kyiv");
        for (text, tz, expected) in [
            (" 0 3 * * * ", None, cron("0 3 * * *", None)),
            ("@daily", kyiv, cron("@daily", kyiv)),
            ("'@daily'", None, cron("@daily", None)),
            ("{ cron = \"0 3 * * *\" }", kyiv, cron("0 3 * * *", kyiv)),
            ("manual", kyiv, Schedule::Manual),
            ("\"manual\"", None, Schedule::Manual),
            (
                "{ every = \"6h\" }",
                kyiv,
                Schedule::Every {
                    every: Span::seconds(21_600),
                    from: None,
                },
            ),
            (
                "{ month = 8, day = 31, minute = 11 }",
                kyiv,
                Schedule::Fields(Fields {
                    month: Some(8),
                    day: Some(31),
                    minute: Some(11),
                    hour: None,
                    tz: kyiv.map(Into::into),
                }),
            ),
            ("{ }", None, Schedule::Fields(Fields::default())),
        ] {
            assert_eq!(parse_expr(text, tz), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refused() {
        for (text, tz, expected) in [
            ("{ every = \"6h\"", None, "not a schedule"),
            ("{ evry = \"6h\" }", None, "every"),
            ("{ every = \"6h\", tz = \"UTC\" }", None, "tz"),
            ("{ hour = 3 }\nother = 1", None, "not a schedule"),
            ("{ hour = -3 }", None, "not a schedule"),
            (
                "{ hour = 3, tz = \"UTC\" }",
                Some("Europe/Kyiv"),
                "leave out",
            ),
            ("\"sometimes\"", None, "sometimes"),
            (&"{".repeat(100_000), None, "4096"),
            (
                &format!("{{ a = {} }}", "[".repeat(4_000)),
                None,
                "not a schedule",
            ),
        ] {
            let fault = parse_expr(text, tz).unwrap_err().to_string();
            assert!(fault.contains(expected), "{text:.80}: {fault}");
            assert!(fault.len() < 600, "{fault}");
        }
    }
}
