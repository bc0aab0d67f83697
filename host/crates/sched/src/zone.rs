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

/// Abbreviations, and the zone that most of those who use them mean.
const ABBREVIATIONS: [(&str, &str); 38] = [
    ("ACST", "Australia/Darwin"),
    ("AEDT", "Australia/Sydney"),
    ("AEST", "Australia/Sydney"),
    ("AKDT", "America/Anchorage"),
    ("AKST", "America/Anchorage"),
    ("AST", "America/Halifax"),
    ("AWST", "Australia/Perth"),
    ("BRT", "America/Sao_Paulo"),
    ("BST", "Europe/London"),
    ("CDT", "America/Chicago"),
    ("CEST", "Europe/Paris"),
    ("CET", "Europe/Paris"),
    ("CST", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("EEST", "Europe/Kyiv"),
    ("EET", "Europe/Kyiv"),
    ("EST", "America/New_York"),
    ("HKT", "Asia/Hong_Kong"),
    ("HST", "Pacific/Honolulu"),
    ("ICT", "Asia/Bangkok"),
    ("IDT", "Asia/Jerusalem"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("MDT", "America/Denver"),
    ("MSK", "Europe/Moscow"),
    ("MST", "America/Denver"),
    ("NZDT", "Pacific/Auckland"),
    ("NZST", "Pacific/Auckland"),
    ("PDT", "America/Los_Angeles"),
    ("PHT", "Asia/Manila"),
    ("PKT", "Asia/Karachi"),
    ("PST", "America/Los_Angeles"),
    ("SAST", "Africa/Johannesburg"),
    ("SGT", "Asia/Singapore"),
    ("TRT", "Europe/Istanbul"),
    ("WEST", "Europe/Lisbon"),
    ("WIB", "Asia/Jakarta"),
];

/// Cities that name no zone, or not by this spelling.
const CITIES: [(&str, &str); 26] = [
    ("barcelona", "Europe/Madrid"),
    ("beijing", "Asia/Shanghai"),
    ("boston", "America/New_York"),
    ("dallas", "America/Chicago"),
    ("delhi", "Asia/Kolkata"),
    ("frankfurt", "Europe/Berlin"),
    ("geneva", "Europe/Zurich"),
    ("hamburg", "Europe/Berlin"),
    ("houston", "America/Chicago"),
    ("krakow", "Europe/Warsaw"),
    ("kharkiv", "Europe/Kyiv"),
    ("lviv", "Europe/Kyiv"),
    ("miami", "America/New_York"),
    ("milan", "Europe/Rome"),
    ("montreal", "America/Toronto"),
    ("mumbai", "Asia/Kolkata"),
    ("munich", "Europe/Berlin"),
    ("odesa", "Europe/Kyiv"),
    ("osaka", "Asia/Tokyo"),
    ("praha", "Europe/Prague"),
    ("san_francisco", "America/Los_Angeles"),
    ("seattle", "America/Los_Angeles"),
    ("st_petersburg", "Europe/Moscow"),
    ("warszawa", "Europe/Warsaw"),
    ("washington", "America/New_York"),
    ("wien", "Europe/Vienna"),
];

fn zone_remedy(name: &str) -> String {
    // Similarity costs the product of the lengths; no zone's name is that long.
    let name = if name.len() > 64 { "" } else { name.trim() };
    if name.eq_ignore_ascii_case("z") {
        return "did you mean `UTC`?".into();
    }
    if let Some(remedy) = offset(name) {
        return remedy;
    }
    let abbreviated = |(short, _): &&(&str, &str)| short.eq_ignore_ascii_case(name);
    if let Some((_, zone)) = ABBREVIATIONS.iter().find(abbreviated) {
        return format!("an abbreviation names an offset and not a zone; did you mean `{zone}`?");
    }
    let nearest = nearest_zones(&name.to_ascii_lowercase().replace(' ', "_"));
    if nearest.is_empty() {
        return "write an IANA name such as `Europe/Kyiv` or `UTC`".into();
    }
    let quoted: Vec<_> = nearest.iter().map(|zone| format!("`{zone}`")).collect();
    format!("did you mean {}?", quoted.join(" or "))
}

/// `UTC+3`, `GMT-5`, `+02:00`: the names of offsets have the sign of the direction to go, as
/// POSIX has it.
fn offset(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let bare = ["UTC", "GMT"]
        .iter()
        .find_map(|word| upper.strip_prefix(word));
    let bare = bare.unwrap_or(&upper).trim_start();
    let ahead = bare.starts_with('+');
    let time = bare.strip_prefix(['+', '-'])?;
    let (hours, minutes) = match time.split_once(':') {
        Some(parts) => parts,
        None if time.len() == 4 && time.is_ascii() => time.split_at(2),
        None => (time, "0"),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if (hours, minutes) == (0, 0) {
        return Some("did you mean `UTC`?".into());
    }
    // These names turn the sign around.
    let (sign, direction) = if ahead {
        ('-', "ahead of")
    } else {
        ('+', "behind")
    };
    let zone = format!("Etc/GMT{sign}{hours}");
    if minutes != 0 || zone.parse::<Tz>().is_err() {
        return Some(
            "no zone is named after this offset; write an IANA name such as `Europe/Kyiv`".into(),
        );
    }
    Some(format!(
        "write `{zone}`, in whose name the sign is reversed ({hours} h {direction} UTC all year), \
         or an IANA name such as `Europe/Kyiv`"
    ))
}

/// How far a worse suggestion may be below the best.
const BESIDE: f64 = 0.1;

/// Up to three names that look like it: as a whole, or by their city.
fn nearest_zones(wanted: &str) -> Vec<&'static str> {
    let city = wanted.rsplit('/').next().unwrap_or(wanted);
    if let Some((_, zone)) = CITIES.iter().find(|(name, _)| *name == city) {
        return vec![zone];
    }
    let mut scored: Vec<_> = TZ_VARIANTS
        .iter()
        .filter_map(|zone| Some((likeness(wanted, city, zone.name())?, zone.name())))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let least = scored.first().map_or(0.0, |(best, _)| best - BESIDE);
    let near = scored.into_iter().filter(|(score, _)| *score >= least);
    near.take(3).map(|(_, zone)| zone).collect()
}

/// How alike two names are, if they are.
fn likeness(wanted: &str, wanted_city: &str, zone: &str) -> Option<f64> {
    let zone = zone.to_ascii_lowercase();
    let city = zone.rsplit('/').next().unwrap_or(&zone);
    let whole = alike(wanted, &zone);
    // A little below the whole name's, so that that one wins where both fit.
    let by_city = alike(wanted_city, city).map(|score| score - 0.01);
    whole.into_iter().chain(by_city).reduce(f64::max)
}

/// One letter is a large part of a short name: there, one may differ.
fn alike(wanted: &str, name: &str) -> Option<f64> {
    let least = if wanted.len() <= 6 { 0.75 } else { 0.85 };
    let score = strsim::normalized_damerau_levenshtein(wanted, name);
    (score >= least).then_some(score)
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
            ("Europe/Kiyv", "`Europe/Kyiv`"),
            ("kyiv", "`Europe/Kyiv`"),
            ("europe/berlin", "did you mean `Europe/Berlin`?"),
            ("Europe/New_York", "`America/New_York`"),
            ("New York", "did you mean `America/New_York`?"),
            ("utc", "`UTC`"),
            ("Z", "did you mean `UTC`?"),
            ("Tokio", "did you mean `Asia/Tokyo`?"),
            ("Asia/Tokio", "did you mean `Asia/Tokyo`?"),
            ("Warszawa", "did you mean `Europe/Warsaw`?"),
            ("San Francisco", "did you mean `America/Los_Angeles`?"),
            ("America/San_Francisco", "`America/Los_Angeles`"),
            (
                "PST",
                "an offset and not a zone; did you mean `America/Los_Angeles`?",
            ),
            ("edt", "`America/New_York`"),
            ("MSK", "`Europe/Moscow`"),
            (
                "UTC+3",
                "write `Etc/GMT-3`, in whose name the sign is reversed (3 h ahead of UTC",
            ),
            ("GMT+2", "`Etc/GMT-2`"),
            (
                "gmt -5",
                "`Etc/GMT+5`, in whose name the sign is reversed (5 h behind UTC",
            ),
            ("+0200", "`Etc/GMT-2`"),
            ("-11", "`Etc/GMT+11`"),
            ("UTC+0", "did you mean `UTC`?"),
        ] {
            let fault = parse_zone(Some(name)).unwrap_err();
            assert_eq!(fault.key(), Some("tz"));
            assert!(fault.to_string().contains(expected), "{fault}");
            offered_zones_exist(&fault);
        }
        for nothing in [
            "",
            "local",
            "+02:00",
            "+05:30",
            "UTC-13",
            "+15",
            "+99999999999",
            "Mars/Olympus",
            &"x".repeat(100_000),
        ] {
            let fault = parse_zone(Some(nothing)).unwrap_err();
            offered_zones_exist(&fault);
            let fault = fault.to_string();
            assert!(fault.contains("IANA name"), "{fault}");
            assert!(fault.len() < 300);
        }
    }

    fn offered_zones_exist(fault: &ScheduleFault) {
        let offered: Vec<_> = fault.remedy().split('`').skip(1).step_by(2).collect();
        assert!(!offered.is_empty(), "{fault}");
        for name in offered {
            assert!(parse_zone(Some(name)).is_ok(), "{name}: {fault}");
        }
    }

    #[test]
    fn every_zone_of_the_tables_exists() {
        for (name, zone) in ABBREVIATIONS.iter().chain(&CITIES) {
            assert!(parse_zone(Some(zone)).is_ok(), "{name}: {zone}");
        }
    }

    /// An offset's name stands for the offset that was written.
    #[test]
    fn the_sign_of_an_offset_is_kept() {
        for (written, hours) in [("UTC+3", 3), ("GMT-5", -5), ("+14:00", 14), ("-12", -12)] {
            let fault = parse_zone(Some(written)).unwrap_err();
            let zone = parse_zone(fault.remedy().split('`').nth(1)).unwrap();
            let ahead = seconds_ahead(zone, Instant::UNIX_EPOCH);
            assert_eq!(ahead, hours * 3_600, "{fault}");
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
