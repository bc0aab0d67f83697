//! A zone by its recorded changes: what the clock on the wall showed by data that were
//! replaced since, for the proof of a ledger that was written by them.

use chrono::{NaiveDateTime, TimeDelta};
use mhost_model::Instant;
use mhost_model::plan::ZoneChange;

use super::Wall;

/// The offset at a second since 1970.
pub(super) fn offset_at(changes: &[ZoneChange], at: i64) -> i32 {
    let after = changes.partition_point(|change| change.at <= at);
    let change = changes.get(after.saturating_sub(1));
    change.map_or(0, |change| change.offset)
}

/// A wall-clock time is what one, two or no stretches between changes show.
pub(super) fn wall(changes: &[ZoneChange], local: NaiveDateTime) -> Wall {
    let shown = local.and_utc().timestamp();
    // Offsets are below a day or so: only changes near by matter.
    let near = |at: i64| changes.partition_point(|change| change.at <= at);
    let first = near(shown - 2 * 86_400).saturating_sub(1);
    let last = near(shown + 2 * 86_400);
    let mut times = Vec::new();
    for number in first..last.max(first + 1) {
        let Some(change) = changes.get(number) else {
            continue;
        };
        let at = shown - i64::from(change.offset);
        let begun = number == 0 || change.at <= at;
        let over = changes.get(number + 1).is_some_and(|next| next.at <= at);
        if begun && !over {
            times.push(instant(at, local));
        }
    }
    match times[..] {
        [at] => Wall::Once(at),
        [first, .., second] => Wall::Twice { first, second },
        [] => gap(&changes[first..last], shown, local),
    }
}

/// The change whose jump forward left the time out.
fn gap(changes: &[ZoneChange], shown: i64, local: NaiveDateTime) -> Wall {
    let over = changes.windows(2).find(|pair| {
        let before = pair[1].at + i64::from(pair[0].offset);
        let after = pair[1].at + i64::from(pair[1].offset);
        (before..after).contains(&shown)
    });
    match over {
        Some(pair) => {
            let at = instant(pair[1].at, local);
            let until = at.naive_utc() + TimeDelta::seconds(i64::from(pair[1].offset));
            Wall::Never { at, until }
        }
        None => Wall::Once(local.and_utc()),
    }
}

fn instant(at: i64, local: NaiveDateTime) -> Instant {
    Instant::from_timestamp(at, 0).unwrap_or(local.and_utc())
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::super::{Zone, zone_changes};

    const ZONES: [Tz; 8] = [
        Tz::Europe__Kyiv,
        Tz::America__New_York,
        Tz::Australia__Lord_Howe,
        Tz::Pacific__Apia,
        Tz::America__Nuuk,
        Tz::Africa__Casablanca,
        Tz::Asia__Kolkata,
        Tz::Antarctica__Troll,
    ];

    fn changes(zone: usize) -> &'static [super::ZoneChange] {
        static CHANGES: OnceLock<Vec<Vec<super::ZoneChange>>> = OnceLock::new();
        &CHANGES.get_or_init(|| ZONES.into_iter().map(zone_changes).collect())[zone]
    }

    /// Around the changes most of all.
    fn second() -> impl Strategy<Value = i64> {
        prop_oneof![
            946_771_200i64..4_102_358_400,
            (0usize..200, -100_000i64..100_000).prop_map(|(n, by)| {
                let changes = changes(n % ZONES.len());
                let at = changes[n % changes.len()].at + by;
                at.clamp(946_771_200, 4_102_358_400)
            }),
        ]
    }

    proptest! {
        #[test]
        fn rule_5_a_recorded_zone_is_the_zone(zone in 0..ZONES.len(), at in second()) {
            let named = Zone::Named(ZONES[zone]);
            let recorded = Zone::Recorded(changes(zone).into());
            let at = super::super::Instant::from_timestamp(at, 0).unwrap();
            prop_assert_eq!(recorded.offset_at(at), named.offset_at(at));
            prop_assert_eq!(recorded.clock(at), named.clock(at));
            let local = at.naive_utc();
            prop_assert_eq!(recorded.wall(local), named.wall(local));
        }
    }
}
