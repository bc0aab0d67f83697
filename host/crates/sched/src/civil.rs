//! Wall-clock times that match, without a zone: the search for the next one.
//! Which instants they are is [`crate::zoned`]'s.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::months::Months;

/// The calendar repeats after 400 years: what is not found in that many months
/// is never found.
const SEARCH_MONTHS: u32 = 400 * 12 + 1;

/// Sets of seconds, minutes, hours (bit n is value n) and days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) seconds: u64,
    pub(crate) minutes: u64,
    pub(crate) hours: u32,
    pub(crate) months: Months,
}

impl Civil {
    /// The first match after `after`, which is a whole second.
    pub(crate) fn after(&self, after: NaiveDateTime) -> Option<NaiveDateTime> {
        self.at_or_after(after.checked_add_signed(chrono::TimeDelta::seconds(1))?)
    }

    /// The first match at or after `from`, which is a whole second.
    pub(crate) fn at_or_after(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        let date = from.date();
        let today = self.months.days_of(date.year(), date.month()) & 1 << date.day() != 0;
        if today && let Some(time) = self.time_from(from.time()) {
            return Some(date.and_time(time));
        }
        Some(self.day_after(date)?.and_time(self.first_time()?))
    }

    /// The first matching time of a day at or after `from`.
    fn time_from(&self, from: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        let hours = u64::from(self.hours);
        if bit(hours, hour) {
            if bit(self.minutes, minute)
                && let Some(second) = next_bit(self.seconds, second)
            {
                return NaiveTime::from_hms_opt(hour, minute, second);
            }
            if let Some(minute) = next_bit(self.minutes, minute + 1) {
                return NaiveTime::from_hms_opt(hour, minute, next_bit(self.seconds, 0)?);
            }
        }
        let hour = next_bit(hours, hour + 1)?;
        NaiveTime::from_hms_opt(hour, next_bit(self.minutes, 0)?, next_bit(self.seconds, 0)?)
    }

    fn first_time(&self) -> Option<NaiveTime> {
        self.time_from(NaiveTime::MIN)
    }

    /// The first matching day after `date`.
    fn day_after(&self, date: NaiveDate) -> Option<NaiveDate> {
        let (mut year, mut month, mut from) = (date.year(), date.month(), date.day() + 1);
        for _ in 0..SEARCH_MONTHS {
            let days = self.months.days_of(year, month);
            if let Some(day) = next_bit(u64::from(days), from) {
                return NaiveDate::from_ymd_opt(year, month, day);
            }
            from = 1;
            month += 1;
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        None
    }
}

fn bit(set: u64, at: u32) -> bool {
    set & 1 << at != 0
}

/// The smallest member that is at least `from`; `from` is at most 63.
fn next_bit(set: u64, from: u32) -> Option<u32> {
    match set >> from {
        0 => None,
        rest => Some(from + rest.trailing_zeros()),
    }
}
