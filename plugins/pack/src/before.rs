//! The pack time, as people write it.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use mhost_filestorage::Tid;
use mhost_sdk::Failure;
use mhost_sdk::units::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

/// What is older than this is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Before {
    #[default]
    Now,
    /// So long before now.
    Ago(Duration),
    At(DateTime<Utc>),
    Tid(Tid),
}

impl TryFrom<String> for Before {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("now") {
            return Ok(Self::Now);
        }
        if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return u64::from_str_radix(text, 16)
                .map(|tid| Self::Tid(Tid(tid)))
                .map_err(|error| error.to_string());
        }
        if let Some(instant) = instant(text) {
            return Ok(Self::At(instant));
        }
        let span: Result<Span, _> = serde_json::from_value(text.into());
        span.map(|span| Self::Ago(span.duration())).map_err(|_| {
            let shown: String = text.chars().take(40).collect();
            format!(
                "`{shown}` is no pack time: write `now`, a length of time such as `7 days`, an instant such as \
                 `2026-01-31T00:00:00Z`, or the 16 hexadecimal digits of a transaction's id"
            )
        })
    }
}

/// The same for who checks a configuration before anything runs: now, an id, a day or an instant, a length of time.
const FORMS: [&str; 4] = [
    r"^\s*[nN][oO][wW]\s*$",
    r"^\s*[0-9a-fA-F]{16}\s*$",
    r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([zZ]|[+-][0-9]{2}:[0-9]{2})?)?\s*$",
    concat!(
        r"^\s*(0|([0-9][0-9 ]*(\.[0-9]+)?\s*(nanos|nsec|ns|usec|us|\u00b5s|millis|msec|ms|seconds|second|secs|sec|s",
        r"|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M",
        r"|years|year|yrs|yr|y)\s*)+)$",
    ),
];

fn instant(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.to_utc());
    }
    let plain = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(plain, form).ok());
    let day = || {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    };
    Some(naive.or_else(day)?.and_utc())
}

impl Before {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    fn nanoseconds(self, now_millis: u64) -> i128 {
        let at = |seconds: i64, part: u32| i128::from(seconds) * 1_000_000_000 + i128::from(part);
        match self {
            Self::Now => i128::from(now_millis) * 1_000_000,
            Self::Ago(span) => i128::from(now_millis) * 1_000_000 - span.as_nanos() as i128,
            Self::At(instant) => at(instant.timestamp(), instant.timestamp_subsec_nanos()),
            Self::Tid(tid) => {
                let (seconds, part) = tid.instant();
                at(seconds, part)
            }
        }
    }

    /// Days before now, as a server's control panel takes them; not below 0.
    pub fn days(self, now_millis: u64) -> f64 {
        let before = i128::from(now_millis) * 1_000_000 - self.nanoseconds(now_millis);
        (before as f64 / 86_400e9).max(0.0)
    }

    /// The id of the last transaction that is packed.
    pub fn tid(self, now_millis: u64) -> Result<Tid, Failure> {
        if let Self::Tid(tid) = self {
            return Ok(tid);
        }
        let nanos = self.nanoseconds(now_millis);
        let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok();
        let tid =
            seconds.and_then(|seconds| Tid::at(seconds, nanos.rem_euclid(1_000_000_000) as u32));
        tid.ok_or_else(|| {
            Failure::misconfigured(
                "`before` lies outside of what a transaction's id can say (1900 to 9900)",
            )
        })
    }
}

impl JsonSchema for Before {
    fn schema_name() -> Cow<'static, str> {
        "Before".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`now`, a length of time such as `7 days`, an instant such as `2026-01-31T00:00:00Z`, or the \
                            16 hexadecimal digits of a transaction's id.",
            "type": "string",
            "anyOf": FORMS.map(|form| json!({ "pattern": form })),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tid(text: &str) -> Tid {
        let before = Before::try_from(text.to_owned()).unwrap();
        before.tid(1_772_323_200_000).unwrap()
    }

    #[test]
    fn pack_times_are_read() {
        assert_eq!(tid("now"), Tid::at(1_772_323_200, 0).unwrap());
        assert_eq!(
            tid("7 days"),
            Tid::at(1_772_323_200 - 7 * 86_400, 0).unwrap()
        );
        assert_eq!(tid("03f58e0186666666"), Tid(0x03f5_8e01_8666_6666));
        for instant in [
            "2024-01-01T00:01:31.5Z",
            "2024-01-01T01:01:31.5+01:00",
            "2024-01-01 00:01:31.5",
        ] {
            assert_eq!(tid(instant), Tid(0x03f5_8e01_8666_6666), "{instant}");
        }
        assert_eq!(tid("2024-01-01"), Tid::at(1_704_067_200, 0).unwrap());
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in ["soon", "", "7", "03f58e018666666", "2024-13-01", "7 moons"] {
            let error = Before::try_from(wrong.to_owned()).unwrap_err();
            assert!(error.contains("is no pack time"), "{error}");
        }
        assert!(Before::Ago(Duration::from_secs(1 << 40)).tid(0).is_err());
    }

    /// What the schema lets through can be read, and what can be read is let through; but for days that no month has.
    #[test]
    fn the_schema_knows_pack_times() {
        let forms = FORMS.map(|form| regex_lite::Regex::new(form).unwrap());
        let fits = |text: &str| forms.iter().any(|form| form.is_match(text));
        for text in [
            "now",
            " Now ",
            "7 days",
            "1h 30m",
            "1day12h",
            "500ms",
            "03f58e0186666666",
            "f3f58e0186666666",
            "abcdefabcdefabcd",
            "2024-01-01",
            "2024-01-01T00:01:31.5Z",
            "2024-01-01T01:01:31.5+01:00",
            "2024-01-01 00:01:31",
        ] {
            assert!(fits(text), "{text}");
            assert!(Before::try_from(text.to_owned()).is_ok(), "{text}");
        }
        for text in [
            "",
            "soon",
            "7",
            "7 moons",
            "03f58e018666666",
            "7 days ago",
            "f",
            "2024-13",
        ] {
            assert!(!fits(text), "{text}");
            assert!(Before::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
