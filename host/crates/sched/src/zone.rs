//! Time zones by their IANA names, and how wall-clock times relate to instants in
//! them. The zones' data are compiled in (chrono-tz, up to the year 2100; after it a
//! zone keeps its last offset), so the same mhost gives the same answer on every machine.

mod recorded;

use std::sync::Arc;

use chrono::{NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use mhost_model::Instant;
use mhost_model::plan::ZoneChange;

use crate::fault::{ScheduleFault, shown};

/// The release of the zones' data. When an upgrade changes it, stored due times are
/// to be computed anew; see [`mhost_model::plan::Planner::realigned`].
pub fn zone_data_version() -> &'static str {
    chrono_tz::IANA_TZDB_VERSION
}

/// A zone by its IANA name; UTC where none is given, never the machine's.
pub fn parse_zone(name: Option<&str>) -> Result<Tz, ScheduleFault> {
    let Some(name) = name else { return Ok(Tz::UTC) };
    name.parse().map_err(|_| ScheduleFault::Zone {
        name: shown(name),
        remedy: zone_remedy(name),
    })
}

fn zone_remedy(name: &str) -> String {
    let nearest = nearest_zones(name);
    if nearest.is_empty() {
        return "write an IANA name such as `Europe/Kyiv` or `UTC`".into();
    }
    let quoted: Vec<_> = nearest.iter().map(|zone| format!("`{zone}`")).collect();
    format!("did you mean {}?", quoted.join(" or "))
}

/// Up to three names that look like it: as a whole, or by their city.
fn nearest_zones(name: &str) -> Vec<&'static str> {
    // Similarity costs the product of the lengths; no zone's name is that long.
    if name.len() > 64 {
        return Vec::new();
    }
    let wanted = name.trim().to_ascii_lowercase().replace(' ', "_");
    let mut scored: Vec<_> = TZ_VARIANTS
        .iter()
        .map(|zone| (likeness(&wanted, zone.name()), zone.name()))
        .filter(|(score, _)| *score >= 0.85)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.into_iter().take(3).map(|(_, zone)| zone).collect()
}

fn likeness(wanted: &str, zone: &str) -> f64 {
    let zone = zone.to_ascii_lowercase();
    let city = zone.rsplit('/').next().unwrap_or(&zone);
    let wanted_city = wanted.rsplit('/').next().unwrap_or(wanted);
    let whole = strsim::normalized_damerau_levenshtein(wanted, &zone);
    // A little below the whole name's, so that that one wins where both fit.
    let by_city = strsim::normalized_damerau_levenshtein(wanted_city, city) - 0.01;
    whole.max(by_city)
}

/// What a wall-clock time is in a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wall {
    Once(Instant),
    /// The clock was set back over it.
    Twice {
        first: Instant,
        second: Instant,
    },
    /// The clock was set forward over it, at the instant `at`, to `until`.
    Never {
        at: Instant,
        until: NaiveDateTime,
    },
}

/// A zone: as the present data have it, or as former data had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Zone {
    Named(Tz),
    Recorded(Arc<[ZoneChange]>),
}

impl Zone {
    /// Resolves a wall-clock time.
    pub(crate) fn wall(&self, local: NaiveDateTime) -> Wall {
        match self {
            Self::Named(tz) => wall(*tz, local),
            Self::Recorded(changes) => recorded::wall(changes, local),
        }
    }

    /// What a clock on the wall shows, to the second.
    pub(crate) fn clock(&self, at: Instant) -> NaiveDateTime {
        let at = at.with_nanosecond(0).unwrap_or(at);
        at.naive_utc() + self.offset_at(at)
    }

    /// By how much the clock on the wall is ahead of UTC.
    pub(crate) fn offset_at(&self, at: Instant) -> TimeDelta {
        let seconds = match self {
            Self::Named(tz) => seconds_ahead(*tz, at),
            Self::Recorded(changes) => recorded::offset_at(changes, at.timestamp()),
        };
        TimeDelta::seconds(i64::from(seconds))
    }

    /// The instant at which the clock was set, given two instants with one change between
    /// them, such as the two passes of one wall-clock time: it lies after the first and at or
    /// before the second.
    pub(crate) fn changed_at(&self, first: Instant, second: Instant) -> Instant {
        let old = self.offset_at(first);
        let (mut before, mut from) = (first.timestamp(), second.timestamp());
        while from - before > 1 {
            let middle = before + (from - before) / 2;
            let at = Instant::from_timestamp(middle, 0);
            if at.is_some_and(|at| self.offset_at(at) == old) {
                before = middle;
            } else {
                from = middle;
            }
        }
        Instant::from_timestamp(from, 0).unwrap_or(second)
    }
}

fn seconds_ahead(tz: Tz, at: Instant) -> i32 {
    tz.offset_from_utc_datetime(&at.naive_utc())
        .fix()
        .local_minus_utc()
}

fn wall(tz: Tz, local: NaiveDateTime) -> Wall {
    use chrono::offset::LocalResult;
    let instant = |offset: &<Tz as TimeZone>::Offset| (local - offset.fix()).and_utc();
    match tz.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) => Wall::Once(instant(&offset)),
        LocalResult::Ambiguous(first, second) => Wall::Twice {
            first: instant(&first),
            second: instant(&second),
        },
        LocalResult::None => gap(tz, local),
    }
}

fn gap(tz: Tz, local: NaiveDateTime) -> Wall {
    match GapInfo::new(&local, &tz).and_then(|gap| gap.begin) {
        Some((begin, before)) => {
            let at = (begin - before.fix()).and_utc();
            let until = Zone::Named(tz).clock(at);
            Wall::Never { at, until }
        }
        // No zone's data begin with a gap.
        None => Wall::Once(local.and_utc()),
    }
}

/// Changes are recorded from 2000 to 2100: the data's own end, and a beginning before any ledger.
const RECORDED: std::ops::Range<i64> = 946_684_800..4_102_444_800;
/// No zone's clock was changed twice within so many seconds since 2000.
const STEP: usize = 6 * 60 * 60;

/// The changes of a zone's clock as the present data have them, after a first one that says
/// what it shows before them.
pub(crate) fn zone_changes(tz: Tz) -> Vec<ZoneChange> {
    let zone = Zone::Named(tz);
    let instant = |at: i64| Instant::from_timestamp(at, 0).unwrap_or_default();
    let offset = |at: i64| seconds_ahead(tz, instant(at));
    let mut last = offset(RECORDED.start);
    let mut changes = vec![ZoneChange {
        at: RECORDED.start,
        offset: last,
    }];
    for at in RECORDED.step_by(STEP).skip(1) {
        let now = offset(at);
        if now != last {
            let before = at - STEP as i64;
            changes.push(ZoneChange {
                at: zone.changed_at(instant(before), instant(at)).timestamp(),
                offset: now,
            });
            last = now;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_zones_get_suggestions() {
        for (name, expected) in [
            ("Europe/Kiyv", "Europe/Kyiv"),
            ("kyiv", "Europe/Kyiv"),
            ("europe/berlin", "Europe/Berlin"),
            ("Europe/New_York", "America/New_York"),
            ("New York", "America/New_York"),
            ("utc", "UTC"),
        ] {
            let fault = parse_zone(Some(name)).unwrap_err();
            assert_eq!(fault.key(), Some("tz"));
            assert!(fault.to_string().contains(expected), "{fault}");
        }
        for nothing in ["", "local", "+02:00", &"x".repeat(100_000)] {
            let fault = parse_zone(Some(nothing)).unwrap_err().to_string();
            assert!(fault.contains("IANA name"), "{fault}");
            assert!(fault.len() < 300);
        }
    }

    #[test]
    fn a_change_is_found_to_the_second() {
        let tz = Tz::Europe__London;
        let local = "2025-10-26T01:30:00".parse().unwrap();
        let zone = Zone::Named(tz);
        let Wall::Twice { first, second } = zone.wall(local) else {
            panic!("01:30 happens twice");
        };
        let at = zone.changed_at(first, second);
        assert_eq!(at, "2025-10-26T01:00:00Z".parse::<Instant>().unwrap());
    }
}
