//! Whether a log's time has come.

use chrono::{Datelike as _, NaiveDateTime, TimeDelta, Timelike as _};

use crate::options::{Options, When};

/// What the rules look at; times in the zone of the calendar.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Bytes of the log.
    pub size: u64,
    pub modified: NaiveDateTime,
    pub now: NaiveDateTime,
    /// When it was last rotated, or first seen.
    pub last: NaiveDateTime,
    pub force: bool,
}

/// Whether it is time, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    Yes(String),
    No(String),
}

/// A last rotation further in the future than this is a clock that was wrong.
const FUTURE: TimeDelta = TimeDelta::hours(25);

pub fn due(options: &Options, facts: Facts) -> Due {
    if !options.ifempty && facts.size == 0 {
        return Due::No("it is empty".to_owned());
    }
    if facts.force {
        return Due::Yes("it was asked for".to_owned());
    }
    by_size_or_time(options, facts)
}

/// Holds back a rotation whose time has come; sizes overrule it.
fn young(options: &Options, facts: Facts) -> Option<String> {
    let days = options.minage?;
    let age = facts.now - facts.modified;
    let young = age < TimeDelta::days(i64::from(days));
    young.then(|| format!("it was written to less than {days} days ago"))
}

fn by_size_or_time(options: &Options, facts: Facts) -> Due {
    // 0 is as if it were not said.
    if let Some(most) = options.maxsize.filter(|most| *most > 0)
        && facts.size > most
    {
        return Due::Yes(format!("it has more than {most} bytes"));
    }
    if let When::Size(least) = options.when {
        return match facts.size >= least {
            true => Due::Yes(format!("it has at least {least} bytes")),
            false => Due::No(format!("it has less than {least} bytes")),
        };
    }
    match by_time(options.when, facts) {
        Due::Yes(why) => match options.minsize {
            Some(least) if facts.size < least => Due::No(format!("it has less than {least} bytes")),
            _ => young(options, facts).map_or(Due::Yes(why), Due::No),
        },
        no => no,
    }
}

fn by_time(when: When, facts: Facts) -> Due {
    let Facts { now, last, .. } = facts;
    if when == When::Always {
        return Due::Yes("every run rotates".to_owned());
    }
    if last > now + FUTURE {
        return Due::Yes("its last rotation lies in the future".to_owned());
    }
    let word = format!("{when:?}").to_lowercase();
    let word = word.split('(').next().unwrap_or_default();
    match period_over(when, last, now) {
        true => Due::Yes(format!("its {word} rotation is due")),
        false => Due::No(format!(
            "its {word} rotation was at {}",
            last.format("%Y-%m-%d %H:%M")
        )),
    }
}

fn period_over(when: When, last: NaiveDateTime, now: NaiveDateTime) -> bool {
    let day = (last.year(), last.month(), last.day()) != (now.year(), now.month(), now.day());
    match when {
        When::Hourly => day || last.hour() != now.hour(),
        When::Daily => day,
        When::Weekly(weekday) => {
            let days = (now.date() - last.date()).num_days();
            let today = u8::try_from(now.weekday().num_days_from_sunday()).unwrap_or(0);
            days >= 7 || (days >= 1 && today == weekday)
        }
        When::Monthly => (last.year(), last.month()) != (now.year(), now.month()),
        When::Yearly => last.year() != now.year(),
        When::Size(_) | When::Always => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap()
    }

    fn is_due(options: &Options, size: u64, last: &str, now: &str, force: bool) -> bool {
        let facts = Facts {
            size,
            modified: at(now) - TimeDelta::days(3),
            now: at(now),
            last: at(last),
            force,
        };
        matches!(due(options, facts), Due::Yes(_))
    }

    #[test]
    fn periods() {
        for (when, last, now, expected) in [
            // 2026-03-01 is a Sunday.
            (When::Hourly, "2026-03-01T10:59", "2026-03-01T11:00", true),
            (When::Hourly, "2026-03-01T10:00", "2026-03-01T10:59", false),
            (When::Hourly, "2026-03-01T10:00", "2026-03-02T10:00", true),
            (When::Daily, "2026-03-01T23:59", "2026-03-02T00:00", true),
            (When::Daily, "2026-03-01T00:00", "2026-03-01T23:59", false),
            (
                When::Weekly(0),
                "2026-03-02T00:00",
                "2026-03-07T23:59",
                false,
            ),
            (
                When::Weekly(0),
                "2026-03-02T00:00",
                "2026-03-08T00:00",
                true,
            ),
            (
                When::Weekly(0),
                "2026-03-01T03:00",
                "2026-03-01T23:00",
                false,
            ),
            (
                When::Weekly(3),
                "2026-03-03T12:00",
                "2026-03-04T00:00",
                true,
            ),
            (
                When::Weekly(7),
                "2026-03-01T12:00",
                "2026-03-07T23:00",
                false,
            ),
            (
                When::Weekly(7),
                "2026-03-01T12:00",
                "2026-03-08T00:00",
                true,
            ),
            (When::Monthly, "2026-02-28T23:59", "2026-03-01T00:00", true),
            (When::Monthly, "2026-03-01T00:00", "2026-03-31T23:59", false),
            (When::Monthly, "2025-03-01T00:00", "2026-03-01T00:00", true),
            (When::Yearly, "2026-12-31T23:59", "2027-01-01T00:00", true),
            (When::Yearly, "2026-01-01T00:00", "2026-12-31T23:59", false),
            // A clock that was a little wrong, and one that was very wrong.
            (When::Daily, "2026-03-02T00:30", "2026-03-01T23:59", true),
            (When::Monthly, "2026-03-02T00:30", "2026-03-01T23:59", false),
            (When::Yearly, "2026-05-02T00:30", "2026-03-01T23:59", true),
            (When::Always, "2026-03-01T00:00", "2026-03-01T00:00", true),
        ] {
            let options = Options {
                when,
                ..Options::default()
            };
            assert_eq!(
                is_due(&options, 1, last, now, false),
                expected,
                "{when:?} {last} {now}"
            );
        }
    }

    #[test]
    fn sizes_ages_and_switches() {
        let day = Options {
            when: When::Daily,
            ..Options::default()
        };
        let sized = Options {
            when: When::Size(10),
            ..Options::default()
        };
        let with = |base: &Options, change: fn(&mut Options)| {
            let mut options = base.clone();
            change(&mut options);
            options
        };
        for (options, size, new_day, force, expected) in [
            (sized.clone(), 9, true, false, false),
            (sized.clone(), 10, false, false, true),
            (sized.clone(), 1, false, true, true),
            (with(&sized, |o| o.ifempty = false), 0, true, true, false),
            (with(&day, |o| o.minsize = Some(10)), 9, true, false, false),
            (with(&day, |o| o.minsize = Some(10)), 10, true, false, true),
            (
                with(&day, |o| o.maxsize = Some(10)),
                10,
                false,
                false,
                false,
            ),
            (with(&day, |o| o.maxsize = Some(10)), 11, false, false, true),
            (with(&day, |o| o.maxsize = Some(0)), 11, false, false, false),
            (with(&day, |o| o.minage = Some(4)), 1, true, false, false),
            (with(&day, |o| o.minage = Some(3)), 1, true, false, true),
            (with(&day, |o| o.minage = Some(4)), 1, true, true, true),
            (with(&sized, |o| o.minage = Some(4)), 10, true, false, true),
        ] {
            let last = if new_day {
                "2026-02-27T00:00"
            } else {
                "2026-03-01T00:00"
            };
            let answer = is_due(&options, size, last, "2026-03-01T10:00", force);
            assert_eq!(answer, expected, "{options:?} {size}");
        }
    }
}
