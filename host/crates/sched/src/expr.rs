//! A schedule as it is typed on the command line: a cron expression, a word, or an
//! inline TOML table of any form.

mod table;

use mhost_model::schedule::{Fields, Schedule};
use serde::Deserialize as _;
use toml::Value;

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
        _ if text.contains('=') => return Err(without_braces(text)),
        cron => Schedule::Cron {
            cron: cron.into(),
            tz: None,
        },
    };
    in_zone(schedule, tz)
}

/// No expression has a `=` in it: what was meant is a table.
fn without_braces(text: &str) -> ScheduleFault {
    let table = format!("{{ {text} }}");
    match from_toml(&table) {
        Ok(_) => fault(
            text,
            "its braces are missing",
            &format!("write `{}`", shown(&table)),
        ),
        Err(_) => fault(text, "it is no cron expression", FORMS),
    }
}

/// What there is to write instead.
const FORMS: &str = "write a cron expression, `manual`, or a table such as `{ every = \"6h\" }`";

fn from_toml(text: &str) -> Result<Schedule, ScheduleFault> {
    let value = toml::de::ValueDeserializer::parse(text)
        .and_then(Value::deserialize)
        .map_err(|error| fault(text, error.message().trim_end(), FORMS))?;
    match value {
        Value::Table(table) if table.is_empty() => Ok(Schedule::Fields(Fields::default())),
        Value::Table(table) => table::read(text, table),
        Value::String(word) if word == "manual" => Ok(Schedule::Manual),
        // An expression in quotes too many.
        Value::String(cron) => Ok(Schedule::Cron { cron, tz: None }),
        _ => Err(fault(text, "it is neither a text nor a table", FORMS)),
    }
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
        Schedule::Cron { cron, tz } => {
            let tz = choose(tz)?;
            Schedule::Cron { cron, tz }
        }
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
            (
                "{ at = 2026-12-01T03:00:00Z }",
                None,
                Schedule::Once {
                    at: "2026-12-01T03:00:00Z".parse().unwrap(),
                },
            ),
        ] {
            assert_eq!(parse_expr(text, tz), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refused() {
        for (text, tz, expected) in [
            ("{ every = \"6h\"", None, "not a schedule"),
            ("{ evry = \"6h\" }", None, "did you mean `every`?"),
            ("{ every = \"6h\", tz = \"UTC\" }", None, "tz"),
            ("{ hour = 3 }\nother = 1", None, "not a schedule"),
            ("{ hour = -3 }", None, "`hour = -3` is no number"),
            ("{ hour = \"3\" }", None, "write 3 without quotes"),
            ("{ hour = [3, 4] }", None, "cron expression for lists"),
            ("{ month = 8, dya = 31 }", None, "did you mean `day`?"),
            ("{ second = 3 }", None, "`{ cron = \"30 0 3 * * MON\" }`"),
            ("{ hour = 3, timezone = \"UTC\" }", None, "`tz`"),
            (
                "{ cron = \"60 3 * * *\", tz = \"Europe/Kiyv\" }",
                None,
                "`60` is out of range: write 0 to 59, such as `59`; and time zone `Europe/Kiyv` is not known: did",
            ),
            ("60 3 * * *", Some("Europe/Kiyv"), "`59`; and time zone"),
            (
                "cron = \"0 3 * * *\"",
                None,
                "braces are missing: write `{ cron = \"0 3 * * *\" }`",
            ),
            ("at = 3am", None, "write a cron expression"),
            ("0-70 * * * *", None, "write `0-59`"),
            ("0 3 * 1-13 *", None, "write `1-12`"),
            ("0 3 0 * *", None, "such as `1`"),
            ("{ every = 6 }", None, "such as \"6s\" or \"6h\""),
            (
                "{ every = \"6 hour s\" }",
                None,
                "write a number and a unit",
            ),
            ("{ at = \"tomorrow\" }", None, "write RFC 3339"),
            ("{ at = 2026-12-01 }", None, "write RFC 3339"),
            ("{ after = \"Bad Name\" }", None, "is no name"),
            ("{ after = \"a\", on = \"fail\" }", None, "\"failed\"?"),
            ("{ cron = \"@daily\", every = \"6h\" }", None, "keep one"),
            ("{ from = \"2026-12-01T03:00:00Z\" }", None, "needs one of"),
            (
                "{ hour = 3, tz = \"UTC\" }",
                Some("Europe/Kyiv"),
                "leave out",
            ),
            (&"{".repeat(100_000), None, "4096"),
            (
                &format!("{{ a = {} }}", "[".repeat(4_000)),
                None,
                "not a schedule",
            ),
        ] {
            let read = |schedule| crate::Compiled::read(&schedule);
            let fault = parse_expr(text, tz).and_then(read).unwrap_err().to_string();
            assert!(fault.contains(expected), "{text:.80}: {fault}");
            assert!(fault.len() < 600, "{fault}");
        }
    }

    /// What is no table is taken for a cron expression, and judged as one.
    #[test]
    fn what_is_no_table() {
        let schedule = parse_expr("[1, 2]x", None).unwrap();
        let fault = crate::Compiled::parse(&schedule).unwrap_err().to_string();
        assert!(fault.contains("5 or 6"), "{fault}");
    }
}
