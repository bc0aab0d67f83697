//! Time zones by their IANA names, and how wall-clock times relate to instants in
//! them. The zones' data are compiled in (chrono-tz, up to the year 2100; after it a
//! zone keeps its last offset), so the same mhost gives the same answer on every machine.

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};
use mhost_model::Instant;

use crate::fault::{ScheduleFault, shown};

/// The release of the zones' data. When an upgrade changes it, stored due times are
/// to be computed anew; see [`crate::Scheduler::realigned`].
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

/// Resolves a wall-clock time.
pub(crate) fn wall(tz: Tz, local: NaiveDateTime) -> Wall {
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
            let until = wall_clock(tz, at);
            Wall::Never { at, until }
        }
        // No zone's data begin with a gap.
        None => Wall::Once(local.and_utc()),
    }
}

/// What a clock on the wall shows, to the second.
pub(crate) fn wall_clock(tz: Tz, at: Instant) -> NaiveDateTime {
    let at = at.with_nanosecond(0).unwrap_or(at);
    at.with_timezone(&tz).naive_local()
}

/// The instant at which the clock was set back, given two passes of one
/// wall-clock time: it lies after the first and at or before the second.
pub(crate) fn set_back_at(tz: Tz, first: Instant, second: Instant) -> Instant {
    let offset = |at: i64| {
        DateTime::<Utc>::from_timestamp(at, 0)
            .map(|at| tz.offset_from_utc_datetime(&at.naive_utc()).fix())
    };
    let (mut before, mut from) = (first.timestamp(), second.timestamp());
    let old = offset(before);
    while from - before > 1 {
        let middle = before + (from - before) / 2;
        if offset(middle) == old {
            before = middle;
        } else {
            from = middle;
        }
    }
    DateTime::from_timestamp(from, 0).unwrap_or(second)
}

/// The offset at an instant.
pub(crate) fn offset_at(tz: Tz, at: Instant) -> TimeDelta {
    let seconds = tz
        .offset_from_utc_datetime(&at.naive_utc())
        .fix()
        .local_minus_utc();
    TimeDelta::seconds(i64::from(seconds))
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
    fn set_back_is_found_to_the_second() {
        let tz = Tz::Europe__London;
        let local = "2025-10-26T01:30:00".parse().unwrap();
        let Wall::Twice { first, second } = wall(tz, local) else {
            panic!("01:30 happens twice");
        };
        let at = set_back_at(tz, first, second);
        assert_eq!(at, "2025-10-26T01:00:00Z".parse::<Instant>().unwrap());
    }
}
