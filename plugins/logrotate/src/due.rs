//! Whether a log's time has come: logrotate's rules, by UTC's calendar.

use chrono::{DateTime, Datelike as _, NaiveDateTime, Timelike as _, Weekday};

use crate::config::{Config, Frequency};

/// What the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Bytes of the log.
    pub size: u64,
    /// Milliseconds.
    pub now: u64,
    /// When it was last rotated, milliseconds; `None` when it was never seen.
    pub last: Option<u64>,
}

/// Whether it is time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// With the reason.
    Due(String),
    /// With the reason.
    NotDue(String),
    /// Seen for the first time: its period starts now.
    First,
}

/// A last rotation further in the future than this is a clock that was wrong.
const FUTURE: u64 = 25 * 3_600_000;

pub fn due(config: &Config, facts: Facts) -> Verdict {
    if !config.ifempty && facts.size == 0 {
        return Verdict::NotDue("it is empty".to_owned());
    }
    if config.force {
        return Verdict::Due("it was asked for".to_owned());
    }
    if let Some(most) = config.maxsize
        && facts.size > most.bytes()
    {
        return Verdict::Due(format!("it has more than {most}"));
    }
    if let Some(least) = config.size {
        return match facts.size >= least.bytes() {
            true => Verdict::Due(format!("it has at least {least}")),
            false => Verdict::NotDue(format!("it has less than {least}")),
        };
    }
    let verdict = by_time(config, facts);
    match config.minsize {
        Some(least) if matches!(verdict, Verdict::Due(_)) && facts.size < least.bytes() => {
            Verdict::NotDue(format!("it has less than {least}"))
        }
        _ => verdict,
    }
}

fn by_time(config: &Config, facts: Facts) -> Verdict {
    let Some(frequency) = config.frequency else {
        return match config.maxsize {
            Some(most) => Verdict::NotDue(format!("it has no more than {most}")),
            None => Verdict::Due("every run rotates".to_owned()),
        };
    };
    let Some(last) = facts.last else {
        return Verdict::First;
    };
    if last > facts.now.saturating_add(FUTURE) {
        return Verdict::Due("its last rotation lies in the future".to_owned());
    }
    let word = format!("{frequency:?}").to_lowercase();
    match period_over(frequency, at(last), at(facts.now)) {
        true => Verdict::Due(format!("its {word} rotation is due")),
        false => Verdict::NotDue(format!("its {word} rotation was at {}", text(last))),
    }
}

fn period_over(frequency: Frequency, last: NaiveDateTime, now: NaiveDateTime) -> bool {
    if now <= last {
        return false;
    }
    let month = |at: NaiveDateTime| (at.year(), at.month());
    match frequency {
        Frequency::Hourly => (last.date(), last.hour()) != (now.date(), now.hour()),
        Frequency::Daily => last.date() != now.date(),
        Frequency::Weekly => {
            let days = (now.date() - last.date()).num_days();
            days >= 7 || (days >= 1 && now.weekday() == Weekday::Sun)
        }
        Frequency::Monthly => month(last) != month(now),
        Frequency::Yearly => last.year() != now.year(),
    }
}

fn at(millis: u64) -> NaiveDateTime {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    DateTime::from_timestamp_millis(millis)
        .unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
        .naive_utc()
}

fn text(millis: u64) -> String {
    at(millis).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The day, or with `hourly` the hour, as it stands in archives' names.
pub fn stamp(config: &Config, now: u64) -> String {
    let format = match config.frequency {
        Some(Frequency::Hourly) => "%Y%m%d%H",
        _ => "%Y%m%d",
    };
    at(now).format(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> u64 {
        let at = DateTime::parse_from_rfc3339(&format!("{text}:00Z")).unwrap();
        u64::try_from(at.timestamp_millis()).unwrap()
    }

    fn config(json: serde_json::Value) -> Config {
        let mut json = json;
        json["logs"] = serde_json::json!(["/logs/a"]);
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn periods() {
        let cases = [
            // 2026-03-01 is a Sunday.
            ("hourly", "2026-03-01T10:59", "2026-03-01T11:00", true),
            ("hourly", "2026-03-01T10:00", "2026-03-01T10:59", false),
            ("daily", "2026-03-01T23:59", "2026-03-02T00:00", true),
            ("daily", "2026-03-01T00:00", "2026-03-01T23:59", false),
            ("weekly", "2026-03-02T00:00", "2026-03-07T23:59", false),
            ("weekly", "2026-03-02T00:00", "2026-03-08T00:00", true),
            ("weekly", "2026-03-01T03:00", "2026-03-01T23:00", false),
            ("weekly", "2026-03-04T12:00", "2026-03-11T00:00", true),
            ("monthly", "2026-02-28T23:59", "2026-03-01T00:00", true),
            ("monthly", "2026-03-01T00:00", "2026-03-31T23:59", false),
            ("yearly", "2026-12-31T23:59", "2027-01-01T00:00", true),
            ("yearly", "2026-01-01T00:00", "2026-12-31T23:59", false),
            ("daily", "2026-03-02T00:30", "2026-03-01T23:59", false),
            ("daily", "2026-03-09T00:00", "2026-03-01T00:00", true),
        ];
        for (frequency, last, now, expected) in cases {
            let config = config(serde_json::json!({ "frequency": frequency }));
            let facts = Facts {
                size: 1,
                now: millis(now),
                last: Some(millis(last)),
            };
            let verdict = due(&config, facts);
            assert_eq!(
                matches!(verdict, Verdict::Due(_)),
                expected,
                "{frequency} {last} {now}"
            );
        }
    }

    #[test]
    fn sizes_and_switches() {
        use serde_json::json;
        let day = 86_400_000;
        for (settings, size, last, expected) in [
            (json!({}), 0, None, true),
            (json!({ "ifempty": false }), 0, None, false),
            (json!({ "force": true, "ifempty": false }), 0, None, false),
            (json!({ "size": 10 }), 9, None, false),
            (json!({ "size": 10 }), 10, None, true),
            (json!({ "size": 10, "force": true }), 1, None, true),
            (json!({ "minsize": 10 }), 9, None, false),
            (json!({ "maxsize": 10 }), 10, None, false),
            (json!({ "maxsize": 10 }), 11, None, true),
            (json!({ "frequency": "daily" }), 99, None, false),
            (
                json!({ "frequency": "daily", "maxsize": 10 }),
                11,
                None,
                true,
            ),
            (
                json!({ "frequency": "daily", "minsize": 10 }),
                9,
                Some(day),
                false,
            ),
            (
                json!({ "frequency": "daily", "minsize": 10 }),
                10,
                Some(day),
                true,
            ),
            (
                json!({ "frequency": "daily", "maxsize": 10 }),
                5,
                Some(9 * day),
                false,
            ),
        ] {
            let facts = Facts {
                size,
                now: 9 * day + 1,
                last,
            };
            let verdict = due(&config(settings.clone()), facts);
            assert_eq!(
                matches!(verdict, Verdict::Due(_)),
                expected,
                "{settings} {size}"
            );
        }
    }
}
