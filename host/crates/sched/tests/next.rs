//! Properties of the next due time, for expressions and instants of all kinds.

#![allow(clippy::unwrap_used)] // A test stops at the first surprise.

use chrono::{Datelike, TimeDelta, Timelike};
use mhost_model::Instant;
use mhost_sched::{Compiled, parse_expr};
use proptest::prelude::*;

/// Zones whose clocks do unusual things: half hours, midnight, a skipped day.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Kyiv",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Nuuk",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Sao_Paulo",
];

fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        1 => (1..high - low).prop_map(|step| format!("*/{step}")),
        2 => (low..=high).prop_map(|value| value.to_string()),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    let day = prop_oneof![
        6 => field(1, 31),
        1 => Just("L".to_owned()),
        1 => Just("LW".to_owned()),
        1 => (1u32..=31).prop_map(|day| format!("{day}W")),
    ];
    let weekday = prop_oneof![
        6 => field(0, 7),
        1 => (0u32..=6, 1u32..=5).prop_map(|(day, nth)| format!("{day}#{nth}")),
        1 => (0u32..=6).prop_map(|day| format!("{day}L")),
    ];
    let second = proptest::option::of(field(0, 59));
    (
        second,
        field(0, 59),
        field(0, 23),
        day,
        field(1, 12),
        weekday,
    )
        .prop_map(|(second, minute, hour, day, month, weekday)| {
            let second = second
                .map(|second| format!("{second} "))
                .unwrap_or_default();
            format!("{second}{minute} {hour} {day} {month} {weekday}")
        })
}

fn instant() -> impl Strategy<Value = Instant> {
    // 1900 to 2150: before the zones' first rules, and after their last.
    (-2_208_988_800i64..5_680_281_600, 0u32..1_000).prop_map(|(seconds, millis)| {
        chrono::DateTime::from_timestamp(seconds, millis * 1_000_000).unwrap()
    })
}

fn compiled(expr: &str, tz: &str) -> Compiled {
    Compiled::read(&parse_expr(expr, Some(tz)).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn fires_are_strictly_increasing_and_never_before_after(
        expr in expression(),
        zone in 0..ZONES.len(),
        after in instant(),
    ) {
        let compiled = compiled(&expr, ZONES[zone]);
        let mut last = after;
        let mut count = 0;
        for fire in compiled.fires(after, after).take(30) {
            prop_assert!(fire > last, "{fire} after {last}");
            prop_assert_eq!(fire.nanosecond(), 0);
            last = fire;
            count += 1;
        }
        prop_assert_eq!(count == 30, compiled.fires_ever());
    }

    /// Asking from anywhere between two fires gives the second of them: the answer
    /// hangs on nothing but the schedule.
    #[test]
    fn the_way_to_a_fire_does_not_matter(
        expr in expression(),
        zone in 0..ZONES.len(),
        after in instant(),
        part in 0.0f64..1.0,
    ) {
        let compiled = compiled(&expr, ZONES[zone]);
        if let Some(next) = compiled.next_after(after, after) {
            let way = ((next - after).num_milliseconds() as f64 * part) as i64;
            let between = after + TimeDelta::milliseconds(way);
            prop_assume!(between < next);
            prop_assert_eq!(compiled.next_after(between, after), Some(next));
            let just_before = next - TimeDelta::milliseconds(1);
            prop_assert_eq!(compiled.next_after(just_before, after), Some(next));
        }
    }

    /// Second by second over some hours in UTC, where the clock is never set.
    #[test]
    fn in_utc_every_matching_second_fires(
        second in field(0, 59),
        minute in field(0, 59),
        hour in field(0, 23),
        after in instant(),
    ) {
        let compiled = compiled(&format!("{second} {minute} {hour} * * *"), "UTC");
        let start = after.with_nanosecond(0).unwrap();
        let until = start + TimeDelta::hours(3);
        let fires: Vec<_> = compiled.between(start, until, start).collect();
        let slow: Vec<_> = (1..=3 * 3_600)
            .map(|step| start + TimeDelta::seconds(step))
            .filter(|at| matches(&second, at.second(), 0))
            .filter(|at| matches(&minute, at.minute(), 0))
            .filter(|at| matches(&hour, at.hour(), 0))
            .collect();
        prop_assert_eq!(fires, slow);
    }

    #[test]
    fn intervals_stay_on_their_grid(every in 1_000i64..10_000_000, after in instant(), anchor in instant()) {
        let expr = format!("{{ every = \"{every}ms\" }}");
        let compiled = compiled(&expr, "UTC");
        let next = compiled.next_after(after, anchor).unwrap();
        prop_assert!(next > after && next >= anchor);
        prop_assert_eq!((next - anchor).num_milliseconds() % every, 0);
        prop_assert!(next == anchor || (next - after).num_milliseconds() <= every);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}", tz in proptest::option::of("\\PC{0,20}")) {
        if let Ok(schedule) = parse_expr(&text, tz.as_deref())
            && let Ok(compiled) = Compiled::parse(&schedule)
        {
            let now = chrono::DateTime::UNIX_EPOCH;
            if let Some(next) = compiled.next_after(now, now) {
                prop_assert!(next > now && next.year() <= 9_999);
            }
        }
    }

    #[test]
    fn nothing_like_an_expression_makes_the_parser_panic(text in "[0-9*,/#LW@?A-Z -]{0,60}") {
        if let Ok(schedule) = parse_expr(&text, None) {
            let _ = Compiled::parse(&schedule).map_err(|fault| fault.to_string());
        }
    }
}

/// The fields that [`field`] makes, read the slow way.
fn matches(field: &str, value: u32, low: u32) -> bool {
    field
        .split(',')
        .any(|part| match part.split_once(['-', '/']) {
            _ if part == "*" => true,
            Some(("*", step)) => (value - low).is_multiple_of(step.parse().unwrap()),
            Some((from, to)) => (from.parse().unwrap()..=to.parse().unwrap()).contains(&value),
            None => part.parse() == Ok(value),
        })
}
