//! Rule 5 and the fields form against recorded answers: every one, no tolerance.

#![allow(clippy::unwrap_used)] // A test stops at the first surprise.

use std::path::Path;

use mhost_model::Instant;
use mhost_model::schedule::{Fields, Schedule};
use mhost_sched::Compiled;
use serde::Deserialize;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let file = std::fs::File::open(path.join(name)).unwrap();
    String::from_utf8(zstd::decode_all(file).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct CronVector {
    expr: String,
    tz: String,
    start: i64,
    end: i64,
    fires: Vec<i64>,
}

fn epoch(seconds: i64) -> Instant {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap()
}

fn cron_vectors(name: &str, count: usize) {
    let text = read(name);
    let vectors: Vec<CronVector> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(vectors.len(), count);
    let wrong: Vec<_> = vectors.iter().filter_map(difference).collect();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

fn difference(vector: &CronVector) -> Option<String> {
    let CronVector { expr, tz, .. } = vector;
    let schedule = mhost_sched::parse_expr(expr, Some(tz)).unwrap();
    let compiled = match Compiled::read(&schedule) {
        Ok(compiled) => compiled,
        Err(fault) => return Some(fault.to_string()),
    };
    let (start, end) = (epoch(vector.start), epoch(vector.end));
    let fires: Vec<_> = compiled
        .between(start, end, start)
        .map(|fire| fire.timestamp())
        .collect();
    (fires != vector.fires).then(|| format!("{expr} in {tz} from {start}"))
}

#[test]
fn rule_5_cronie_over_changes_of_the_clock() {
    cron_vectors("cron_dst.jsonl.zst", 1_500);
}

#[test]
fn rule_5_cronie_over_the_calendar() {
    cron_vectors("cron_cal.jsonl.zst", 700);
}

#[derive(Debug, Deserialize)]
struct FieldsVector {
    month: String,
    day: String,
    hour: String,
    minute: String,
    now: String,
    last: String,
    next_from_now: String,
    next_from_last: String,
}

const DEAD_END: &str = "2500-12-31T00:00";

fn minute(text: &str) -> Instant {
    format!("{text}:00Z").parse().unwrap()
}

#[test]
fn fields_as_the_ancestor_computed_them() {
    let vectors: Vec<FieldsVector> =
        serde_json::from_str(&read("fields_schedule.json.zst")).unwrap();
    assert_eq!(vectors.len(), 1_250);
    for vector in &vectors {
        let number = |text: &str| (text != "*").then(|| text.parse().unwrap());
        let fields = Fields {
            month: number(&vector.month),
            day: number(&vector.day),
            hour: number(&vector.hour),
            minute: number(&vector.minute),
            tz: None,
        };
        check(vector, &fields, &vector.now, &vector.next_from_now);
        check(vector, &fields, &vector.last, &vector.next_from_last);
    }
}

fn check(vector: &FieldsVector, fields: &Fields, from: &str, expected: &str) {
    let compiled = Compiled::read(&Schedule::Fields(fields.clone())).unwrap();
    let from = minute(from);
    let before = from - chrono::TimeDelta::seconds(1);
    let next = compiled.next_after(before, before);
    let expected = match expected {
        DEAD_END => minute_by_minute(fields, from),
        minutes => Some(minute(minutes)),
    };
    assert_eq!(next, expected, "{vector:?}");
    assert_eq!(compiled.fires_ever(), expected.is_some());
}

/// The obvious way to find the next date that exists: a day without the fields'
/// values is passed over, one after another. Within nine years there is every date.
fn minute_by_minute(fields: &Fields, from: Instant) -> Option<Instant> {
    use chrono::{Datelike, Timelike};
    let wanted = |own: Option<u32>, coarser: bool, low| own.or(coarser.then_some(low));
    let (month, day) = (fields.month, wanted(fields.day, fields.month.is_some(), 1));
    let hour = wanted(fields.hour, day.is_some(), 0);
    let minute = wanted(fields.minute, hour.is_some(), 0);
    let fits = |value: u32, wanted: Option<u32>| wanted.is_none_or(|wanted| wanted == value);
    let mut at = from;
    while at < from + chrono::TimeDelta::days(9 * 366) {
        if !(fits(at.month(), month) && fits(at.day(), day)) {
            at = (at.date_naive() + chrono::Days::new(1))
                .and_hms_opt(0, 0, 0)
                .unwrap()
                .and_utc();
        } else if fits(at.hour(), hour) && fits(at.minute(), minute) {
            return Some(at);
        } else {
            at += chrono::TimeDelta::minutes(1);
        }
    }
    None
}
