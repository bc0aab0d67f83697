//! Which days of a month match, for every shape that a month can have.
//!
//! A month is 28 to 31 days long and begins on one of seven weekdays. Rules such
//! as "last Friday" or "weekday nearest to the 15th" depend on nothing else, so 28
//! sets of days hold a rule for all time, and a search skips whole months.

use chrono::{Datelike, NaiveDate};

/// Sets of days (bit n is day n) by the month's length and first weekday.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Months {
    /// Bit n is month n.
    months: u16,
    /// By length - 28, then by the weekday of the first, Sunday being 0.
    days: [[u32; 7]; 4],
}

impl Months {
    /// Asks `matches(length, day, weekday)` once for every day of every shape.
    pub(crate) fn new(months: u16, matches: impl Fn(u32, u32, u32) -> bool) -> Self {
        let mut days = [[0; 7]; 4];
        for (length, row) in (28..).zip(days.iter_mut()) {
            for (first, set) in (0..).zip(row.iter_mut()) {
                *set = (1..=length)
                    .filter(|day| matches(length, *day, (first + day - 1) % 7))
                    .fold(0, |set, day| set | 1 << day);
            }
        }
        Self { months, days }
    }

    /// The days of that month that match.
    pub(crate) fn days_of(&self, year: i32, month: u32) -> u32 {
        if self.months & 1 << month == 0 {
            return 0;
        }
        let Some(first) = NaiveDate::from_ymd_opt(year, month, 1) else {
            return 0;
        };
        let length = usize::from(first.num_days_in_month());
        self.days[length - 28][first.weekday().num_days_from_sunday() as usize]
    }

    /// Whether no day matches in any year. Every month meets all seven first
    /// weekdays, and February both lengths, within the calendar's 400 years.
    pub(crate) fn never(&self) -> bool {
        let lengths = |month: u32| match month {
            2 => 28..=29,
            4 | 6 | 9 | 11 => 30..=30,
            _ => 31usize..=31,
        };
        (1..=12u32)
            .filter(|month| self.months & 1 << month != 0)
            .flat_map(lengths)
            .all(|length| self.days[length - 28].iter().all(|set| *set == 0))
    }
}
