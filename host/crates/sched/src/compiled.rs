//! A schedule, parsed once: what comes next.

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound};
use chrono_tz::Tz;
use mhost_model::plan::ZoneChange;
use mhost_model::schedule::{AfterOn, Fields, Schedule};
use mhost_model::{Instant, Name, Span};

use crate::civil::Civil;
use crate::cron;
use crate::fault::{ScheduleFault, shown};
use crate::interval::Interval;
use crate::months::Months;
use crate::zone::{Zone, parse_zone};
use crate::zoned::{Beat, Zoned};

/// The last year that a schedule reaches; a four-digit year is what RFC 3339 has.
const LAST_YEAR: i32 = 9999;

/// A schedule that is known to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiled {
    Cron(Box<Zoned>),
    Every(Interval),
    Fields(Box<Zoned>),
    Once(Instant),
    After { after: Name, on: AfterOn },
    OnChange { on_change: Name, settle: Span },
    Manual,
}

impl Compiled {
    /// Checks and parses the schedule of a task. Refuses what could never fire.
    pub fn parse(schedule: &Schedule) -> Result<Self, ScheduleFault> {
        let compiled = Self::read(schedule)?;
        if compiled.fires_ever() {
            Ok(compiled)
        } else {
            Err(never(schedule))
        }
    }

    /// Like [`Self::parse`], for questions: a well-formed schedule that never fires,
    /// such as `0 0 31 2 *`, is one without due times.
    pub fn read(schedule: &Schedule) -> Result<Self, ScheduleFault> {
        Ok(match schedule {
            Schedule::Cron { cron, tz } => {
                let zone = parse_zone(tz.as_deref()).map(Zone::Named);
                match (cron::parse(cron), zone) {
                    (Ok((civil, beat)), Ok(zone)) => {
                        Self::Cron(Box::new(Zoned { civil, zone, beat }))
                    }
                    (Err(fault), Ok(_)) | (Ok(_), Err(fault)) => return Err(fault),
                    (Err(cron), Err(zone)) => {
                        return Err(ScheduleFault::Both {
                            cron: Box::new(cron),
                            zone: Box::new(zone),
                        });
                    }
                }
            }
            Schedule::Fields(fields) => Self::Fields(Box::new(fields_form(fields)?)),
            Schedule::Every { every, from } => Self::Every(Interval::parse(*every, *from)?),
            Schedule::Once { at } => Self::Once(at.trunc_subsecs(3)),
            Schedule::After { after, on } => Self::After {
                after: after.clone(),
                on: *on,
            },
            Schedule::OnChange { on_change, settle } => Self::OnChange {
                on_change: on_change.clone(),
                settle: *settle,
            },
            Schedule::Manual => Self::Manual,
        })
    }

    /// Whether any day of any year matches; true for forms that go by no calendar.
    pub fn fires_ever(&self) -> bool {
        match self {
            Self::Cron(zoned) | Self::Fields(zoned) => !zoned.civil.months.never(),
            _ => true,
        }
    }

    /// The first due time strictly after `after`. `anchor` is where intervals
    /// without `from` begin: the task's creation. None when there is none up to the
    /// end of the year 9999, or when the form knows no due times.
    pub fn next_after(&self, after: Instant, anchor: Instant) -> Option<Instant> {
        let after = after.max(first_instant());
        if after.year() > LAST_YEAR {
            return None;
        }
        let next = match self {
            Self::Cron(zoned) | Self::Fields(zoned) => zoned.after(after),
            Self::Every(interval) => interval.after(after, anchor),
            Self::Once(at) => Some(*at).filter(|at| *at > after),
            Self::After { .. } | Self::OnChange { .. } | Self::Manual => None,
        };
        next.filter(|at| at.year() <= LAST_YEAR)
    }

    /// The due times strictly after `after`, in order.
    pub fn fires(&self, after: Instant, anchor: Instant) -> Fires<'_> {
        Fires {
            compiled: self,
            after: Some(after),
            anchor,
        }
    }

    /// The due times strictly after `after`, up to and including `until`.
    pub fn between(
        &self,
        after: Instant,
        until: Instant,
        anchor: Instant,
    ) -> impl Iterator<Item = Instant> {
        self.fires(after, anchor).take_while(move |at| *at <= until)
    }

    /// The same with a zone as former data had it; for forms without a zone the same.
    #[must_use]
    pub fn with_zone(mut self, changes: &[ZoneChange]) -> Self {
        if let Self::Cron(zoned) | Self::Fields(zoned) = &mut self
            && !changes.is_empty()
        {
            zoned.zone = Zone::Recorded(changes.into());
        }
        self
    }

    /// The zone whose wall clock the schedule follows; UTC for forms without one.
    pub fn zone(&self) -> Tz {
        match self {
            Self::Cron(zoned) | Self::Fields(zoned) => match zoned.zone {
                Zone::Named(tz) => tz,
                Zone::Recorded(_) => Tz::UTC,
            },
            _ => Tz::UTC,
        }
    }

    /// The zone's IANA name.
    pub fn zone_name(&self) -> &'static str {
        self.zone().name()
    }
}

/// See [`Compiled::next_after`].
pub fn next_after(compiled: &Compiled, after: Instant, anchor: Instant) -> Option<Instant> {
    compiled.next_after(after, anchor)
}

/// The due times of a schedule in order; see [`Compiled::fires`].
#[derive(Debug, Clone)]
pub struct Fires<'a> {
    compiled: &'a Compiled,
    after: Option<Instant>,
    anchor: Instant,
}

impl Iterator for Fires<'_> {
    type Item = Instant;

    fn next(&mut self) -> Option<Instant> {
        self.after = self.compiled.next_after(self.after?, self.anchor);
        self.after
    }
}

/// The beginning of the year 1: the calendar is not searched before it.
fn first_instant() -> Instant {
    NaiveDate::from_ymd_opt(1, 1, 2)
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map_or(DateTime::UNIX_EPOCH, |first| first.and_utc())
}

/// A field left out is "every" where a coarser one is left out too, and its lowest
/// value where a coarser one is set.
fn fields_form(fields: &Fields) -> Result<Zoned, ScheduleFault> {
    let zone = Zone::Named(parse_zone(fields.tz.as_deref())?);
    let mut coarser = false;
    let mut set = |key, value: Option<u32>, low: u32, high: u32| {
        let value = in_range(key, value, low, high)?.or(coarser.then_some(low));
        coarser = value.is_some();
        Ok(value.map_or(u64::MAX >> (63 - high) & u64::MAX << low, |v| 1 << v))
    };
    let months = set("month", fields.month, 1, 12)?;
    let days = set("day", fields.day, 1, 31)?;
    let hours = set("hour", fields.hour, 0, 23)?;
    let minutes = set("minute", fields.minute, 0, 59)?;
    let beat = if hours.is_power_of_two() {
        Beat::Fixed
    } else {
        Beat::Wild
    };
    let months = Months::new(months as u16, |_, day, _| days & 1 << day != 0);
    let civil = Civil {
        seconds: 1,
        minutes,
        hours: hours as u32,
        months,
    };
    Ok(Zoned { civil, zone, beat })
}

fn never(schedule: &Schedule) -> ScheduleFault {
    let text = match schedule {
        Schedule::Cron { cron, .. } => shown(cron),
        Schedule::Fields(Fields { month, day, .. }) => {
            let part = |key, value: Option<u32>| value.map(|value| format!("{key} = {value}"));
            let parts = [part("month", *month), part("day", *day)];
            parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    };
    ScheduleFault::Never {
        text,
        why: "its months never have such a day",
        remedy: "choose a day that they have, or `L` in a cron expression for the last one",
    }
}

fn in_range(
    key: &'static str,
    value: Option<u32>,
    low: u32,
    high: u32,
) -> Result<Option<u32>, ScheduleFault> {
    match value {
        Some(value) if !(low..=high).contains(&value) => Err(ScheduleFault::Value {
            key,
            value: value.to_string(),
            why: "is out of range",
            remedy: format!("write {low} to {high}"),
        }),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_expr;

    #[test]
    fn what_never_fires_is_no_schedule_of_a_task() {
        for expr in [
            "0 0 31 2 *",
            "0 0 31 4,6,9,11 *",
            "0 0 30 2 */2",
            "{ month = 2, day = 30 }",
        ] {
            let schedule = parse_expr(expr, None).unwrap();
            let fault = Compiled::parse(&schedule).unwrap_err();
            assert!(matches!(fault, ScheduleFault::Never { .. }), "{fault}");
            let read = Compiled::read(&schedule).unwrap();
            let now = DateTime::UNIX_EPOCH;
            assert_eq!(read.next_after(now, now), None);
        }
    }

    #[test]
    fn values_are_refused_with_their_key() {
        for (expr, key, remedy) in [
            ("{ month = 13 }", "month", "1 to 12"),
            ("{ day = 0 }", "day", "1 to 31"),
            ("{ hour = 24 }", "hour", "0 to 23"),
            ("{ minute = 4000000000 }", "minute", "0 to 59"),
            ("{ every = \"0s\" }", "every", "`1s`"),
            ("{ every = \"999ms\" }", "every", "`1s`"),
            ("{ every = \"1s 1us\" }", "every", "milliseconds"),
            ("{ every = \"500000000000y\" }", "every", "3650 days"),
            ("{ hour = 3, tz = \"Europe/Kiyv\" }", "tz", "`Europe/Kyiv`"),
        ] {
            let fault = Compiled::parse(&parse_expr(expr, None).unwrap()).unwrap_err();
            assert_eq!(fault.key(), Some(key), "{fault}");
            assert!(fault.remedy().contains(remedy), "{fault}");
        }
    }

    /// The search is over months, so the rarest dates cost no more than others, and
    /// the calendar's end is an end.
    #[test]
    fn rare_and_far_dates() {
        for (expr, after, expected) in [
            (
                "0 0 29 2 *",
                "2096-03-01T00:00:00Z",
                Some("2104-02-29T00:00:00Z"),
            ),
            (
                "0 0 */28 2 MON",
                "2026-01-01T00:00:00Z",
                Some("2027-02-01T00:00:00Z"),
            ),
            (
                "0 0 * 2 MON#5",
                "2072-03-01T00:00:00Z",
                Some("2112-02-29T00:00:00Z"),
            ),
            ("0 0 29 2 *", "9996-03-01T00:00:00Z", None),
            ("* * * * * *", "9999-12-31T23:59:59Z", None),
            (
                "0 0 1 1 *",
                "-5000-01-01T00:00:00Z",
                Some("0002-01-01T00:00:00Z"),
            ),
            (
                "{ at = \"2026-12-01T03:00:00Z\" }",
                "2026-12-01T02:59:59Z",
                Some("2026-12-01T03:00:00Z"),
            ),
            (
                "{ at = \"2026-12-01T03:00:00Z\" }",
                "2026-12-01T03:00:00Z",
                None,
            ),
            (
                "{ every = \"10s\", from = \"2026-01-01T00:00:05Z\" }",
                "2025-01-01T00:00:00Z",
                Some("2026-01-01T00:00:05Z"),
            ),
            (
                "{ every = \"10s\", from = \"2026-01-01T00:00:05Z\" }",
                "2026-01-01T00:00:05Z",
                Some("2026-01-01T00:00:15Z"),
            ),
            (
                "{ every = \"10s\", from = \"2026-01-01T00:00:05Z\" }",
                "2026-01-01T00:00:14.999Z",
                Some("2026-01-01T00:00:15Z"),
            ),
            ("{ every = \"9000y\" }", "2026-01-01T00:00:00Z", None),
            ("manual", "2026-01-01T00:00:00Z", None),
            ("{ after = \"backup\" }", "2026-01-01T00:00:00Z", None),
            ("{ on_change = \"content\" }", "2026-01-01T00:00:00Z", None),
        ] {
            let compiled = Compiled::parse(&parse_expr(expr, None).unwrap()).unwrap();
            let after: Instant = after.parse().unwrap();
            let next = compiled.next_after(after, after);
            assert_eq!(next, expected.map(|at| at.parse().unwrap()), "{expr}");
        }
        let daily =
            Compiled::parse(&parse_expr("@daily", Some("Pacific/Auckland")).unwrap()).unwrap();
        for end in [Instant::MIN_UTC, Instant::MAX_UTC] {
            assert_eq!(
                daily.next_after(end, end).is_some(),
                end == Instant::MIN_UTC
            );
        }
        let every = Compiled::parse(&parse_expr("{ every = \"1s\" }", None).unwrap()).unwrap();
        assert_eq!(every.next_after(Instant::MIN_UTC, Instant::MAX_UTC), None);
    }
}
