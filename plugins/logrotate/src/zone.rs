//! The zone in which days begin and names are dated.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use mhost_sdk::Failure;

/// UTC, or a zone of the IANA database.
#[derive(Debug, Clone, Copy)]
pub struct Zone(Tz);

impl Zone {
    pub fn named(name: Option<&str>) -> Result<Self, Failure> {
        let Some(name) = name else {
            return Ok(Self(Tz::UTC));
        };
        name.parse().map(Self).map_err(|_| {
            Failure::permanent(format!(
                "`tz` names the zone `{name}`, which is none: write one such as `Europe/Kyiv`"
            ))
        })
    }

    /// The calendar's time at a moment in milliseconds.
    pub fn local(self, millis: u64) -> NaiveDateTime {
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        let at = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC);
        at.with_timezone(&self.0).naive_local()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_where_the_zone_says() {
        let millis = 1_772_323_200_000; // 2026-03-01T00:00:00Z
        for (zone, expected) in [
            (None, "2026-03-01 00:00:00"),
            (Some("Europe/Kyiv"), "2026-03-01 02:00:00"),
            (Some("America/New_York"), "2026-02-28 19:00:00"),
        ] {
            let zone = Zone::named(zone).unwrap();
            let local = zone.local(millis);
            assert_eq!(local.to_string(), expected);
        }
        assert!(Zone::named(Some("Mars/Base")).is_err());
    }
}
