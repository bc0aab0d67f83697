//! Rule 5 and the forms of schedules, by brute force: every minute (or second) of a day
//! is asked whether it fires. Days are remembered, since worlds share them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Weekday};
use chrono_tz::Tz;
use mhost_model::schedule::{Fields, Schedule};

const DAY: i64 = 86_400_000;
/// Nothing is looked for further ahead, days.
const REACH: i64 = 400;

/// What fires, second by second, of the days that were asked about.
type Memory = HashMap<(String, i64), Arc<Vec<i64>>>;
static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

/// The first due time after `after`, in milliseconds since 1970; none if there is none
/// within [`reach`]. `anchor` is when the task was created.
pub fn next(schedule: &Schedule, anchor: i64, after: i64) -> Option<i64> {
    match schedule {
        Schedule::Cron { .. } | Schedule::Fields(_) => zoned(schedule, after),
        Schedule::Every { every, from } => {
            let every = every.0.as_millis() as i64;
            let anchor = from.map_or(anchor, |from| from.timestamp_millis());
            match after < anchor {
                true => Some(anchor),
                false => Some(anchor + ((after - anchor) / every + 1) * every),
            }
        }
        Schedule::Once { at } => Some(at.timestamp_millis()).filter(|at| *at > after),
        Schedule::After { .. } | Schedule::OnChange { .. } | Schedule::Manual => None,
    }
}

/// No answer of [`next`] is later.
pub fn reach(after: i64) -> i64 {
    (after.div_euclid(DAY) + REACH + 1) * DAY
}

fn zoned(schedule: &Schedule, after: i64) -> Option<i64> {
    let first = after.div_euclid(DAY);
    (first..=first + REACH).find_map(|day| {
        let fires = fires_of(schedule, day);
        fires.iter().copied().find(|fire| *fire > after)
    })
}

/// The fires of a day of UTC, in order.
fn fires_of(schedule: &Schedule, day: i64) -> Arc<Vec<i64>> {
    let key = (serde_json::to_string(schedule).unwrap(), day);
    if let Some(known) = MEMORY.lock().unwrap().get(&key) {
        return Arc::clone(known);
    }
    let pattern = Pattern::of(schedule);
    let fires = match pattern.wild {
        true => pattern.every_instant(day),
        false => pattern.every_reading(day),
    };
    let fires = Arc::new(fires.into_iter().collect());
    MEMORY.lock().unwrap().insert(key, Arc::clone(&fires));
    fires
}

/// A schedule as what it says of each field.
struct Pattern {
    seconds: Vec<u32>,
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: String,
    months: Vec<u32>,
    weekdays: String,
    tz: Tz,
    wild: bool,
}

impl Pattern {
    fn of(schedule: &Schedule) -> Self {
        match schedule {
            Schedule::Cron { cron, tz } => Self::cron(cron, tz.as_deref()),
            Schedule::Fields(fields) => Self::fields(fields),
            other => unreachable!("{other:?} has no calendar"),
        }
    }

    fn cron(text: &str, tz: Option<&str>) -> Self {
        let text = match text {
            "@yearly" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            text => text,
        };
        let mut fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        Self {
            seconds: numbers(fields[0], 0, 59),
            minutes: numbers(fields[1], 0, 59),
            hours: numbers(fields[2], 0, 23),
            days: fields[3].to_owned(),
            months: numbers(fields[4], 1, 12),
            weekdays: fields[5].to_owned(),
            tz: tz.unwrap_or("UTC").parse().unwrap(),
            wild: fields[..3].iter().any(|field| field.starts_with('*')),
        }
    }

    /// Every where nothing coarser is set, the lowest value where something is.
    fn fields(fields: &Fields) -> Self {
        let left_out = |set: bool, low: u32, high: u32| match set {
            true => vec![low],
            false => (low..=high).collect(),
        };
        let month = fields.month.is_some();
        let day = month || fields.day.is_some();
        let hour = day || fields.hour.is_some();
        let one = |value: Option<u32>, set, low, high| {
            value.map_or_else(|| left_out(set, low, high), |value| vec![value])
        };
        let days = one(fields.day, month, 1, 31);
        let days: Vec<String> = days.iter().map(u32::to_string).collect();
        Self {
            seconds: vec![0],
            minutes: one(fields.minute, hour, 0, 59),
            hours: one(fields.hour, day, 0, 23),
            days: days.join(","),
            months: one(fields.month, false, 1, 12),
            weekdays: "*".to_owned(),
            tz: fields.tz.as_deref().unwrap_or("UTC").parse().unwrap(),
            wild: !hour,
        }
    }

    /// Each instant whose reading of the clock on the wall matches.
    fn every_instant(&self, day: i64) -> BTreeSet<i64> {
        let instants = (0..1440).flat_map(|minute| {
            let start = day * DAY + minute * 60_000;
            self.seconds
                .iter()
                .map(move |second| start + i64::from(*second) * 1000)
        });
        let matches = |at: &i64| self.matches(self.reading(*at));
        instants.filter(matches).collect()
    }

    /// Each reading that matches, wherever it falls: at the earlier of two passes, or
    /// at the first instant after a gap.
    fn every_reading(&self, day: i64) -> BTreeSet<i64> {
        let date = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + TimeDelta::days(day - 1);
        let mut fires = BTreeSet::new();
        for date in (0..3).map(|later| date + Days::new(later)) {
            if !self.matches_date(date) {
                continue;
            }
            for (hour, minute) in (0..24).flat_map(|hour| (0..60).map(move |m| (hour, m))) {
                if !self.hours.contains(&hour) || !self.minutes.contains(&minute) {
                    continue;
                }
                for second in &self.seconds {
                    let reading = date.and_hms_opt(hour, minute, *second).unwrap();
                    fires.insert(self.instant(reading));
                }
            }
        }
        fires.retain(|at| at.div_euclid(DAY) == day);
        fires
    }

    fn reading(&self, at: i64) -> NaiveDateTime {
        let at = DateTime::from_timestamp_millis(at).unwrap();
        at.with_timezone(&self.tz).naive_local()
    }

    fn instant(&self, reading: NaiveDateTime) -> i64 {
        if let Some(first) = self.tz.from_local_datetime(&reading).earliest() {
            return first.timestamp_millis();
        }
        let mut at = (reading.and_utc().timestamp_millis() - DAY).div_euclid(60_000) * 60_000;
        while self.reading(at) < reading {
            at += 60_000;
        }
        at
    }

    fn matches(&self, reading: NaiveDateTime) -> bool {
        use chrono::Timelike;
        self.minutes.contains(&reading.minute())
            && self.hours.contains(&reading.hour())
            && self.matches_date(reading.date())
    }

    /// Day and weekday are ANDed where either starts with a star, else ORed.
    fn matches_date(&self, date: NaiveDate) -> bool {
        if !self.months.contains(&date.month()) {
            return false;
        }
        let day = self.days.split(',').any(|part| is_day(part, date));
        let weekday = self.weekdays.split(',').any(|part| is_weekday(part, date));
        match self.days.starts_with('*') || self.weekdays.starts_with('*') {
            true => day && weekday,
            false => day || weekday,
        }
    }
}

fn last_of_month(date: NaiveDate) -> NaiveDate {
    let mut last = date;
    while (last + Days::new(1)).month() == date.month() {
        last = last + Days::new(1);
    }
    last
}

fn is_day(part: &str, date: NaiveDate) -> bool {
    if part == "L" {
        return date == last_of_month(date);
    }
    if let Some(day) = part.strip_suffix('W') {
        let day = date.with_day(day.parse().unwrap());
        return day.is_some_and(|day| date == nearest_workday(day));
    }
    numbers(part, 1, 31).contains(&date.day())
}

/// Within the month.
fn nearest_workday(day: NaiveDate) -> NaiveDate {
    let work = |date: &NaiveDate| {
        date.month() == day.month() && !matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
    };
    let near = [0, -1, 1, -2, 2].map(|days| day + TimeDelta::days(days));
    near.into_iter().find(work).unwrap()
}

fn is_weekday(part: &str, date: NaiveDate) -> bool {
    let of = |text: &str| numbers(text, 0, 7).contains(&date.weekday().num_days_from_sunday());
    if let Some((weekday, nth)) = part.split_once('#') {
        return of(weekday) && (date.day() - 1) / 7 + 1 == nth.parse::<u32>().unwrap();
    }
    if let Some(weekday) = part.strip_suffix('L') {
        return of(weekday) && date.day() + 7 > last_of_month(date).day();
    }
    of(part)
}

const NAMES: [&str; 19] = [
    "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "JAN", "FEB", "MAR", "APR", "MAY", "JUN",
    "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];

/// All numbers that a field of numbers, names, ranges, steps and stars means.
fn numbers(field: &str, low: u32, high: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (number(first), number(last)),
            None => (number(range), number(range)),
        };
        all.extend((first..=last).step_by(step.parse().unwrap()));
    }
    // Sunday has two numbers.
    if high == 7 && all.contains(&7) {
        all.push(0);
    }
    all
}

fn number(text: &str) -> u32 {
    match NAMES.iter().position(|name| *name == text) {
        Some(weekday) if weekday < 7 => weekday as u32,
        Some(month) => month as u32 - 6,
        None => text.parse().unwrap(),
    }
}
