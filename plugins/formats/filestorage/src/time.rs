//! A transaction's id as a time: minutes since 1900 in a calendar whose months all have 31
//! days, and a fraction of a minute in units of 60 / 2^32 seconds.

use std::fmt;

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Timelike as _, Utc};

use crate::layout::Tid;

/// The year that is counted from.
const FIRST: i32 = 1900;
const START: NaiveDate = match NaiveDate::from_ymd_opt(FIRST, 1, 1) {
    Some(start) => start,
    None => unreachable!(),
};

/// Seconds in a unit of the lower half.
const UNIT: f64 = 60.0 / 65_536.0 / 65_536.0;

impl Tid {
    /// The id of an instant, `seconds` since 1970-01-01T00:00:00Z and a part of one. `None`
    /// before 1900 and where the number does not suffice (about the year 9900).
    pub fn at(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let time = DateTime::from_timestamp(seconds, 0)?;
        let months = i64::from(time.year() - FIRST) * 12 + i64::from(time.month0());
        let days = months * 31 + i64::from(time.day0());
        let minutes = (days * 24 + i64::from(time.hour())) * 60 + i64::from(time.minute());
        let high = u32::try_from(minutes).ok()?;
        let rest = f64::from(time.second()) + f64::from(nanoseconds) / 1e9;
        let low = (rest / UNIT) as u32;
        Some(Self(u64::from(high) << 32 | u64::from(low)))
    }

    /// Seconds since 1970-01-01T00:00:00Z, and nanoseconds. A day that its month lacks is one of the next.
    pub fn instant(self) -> (i64, u32) {
        let (high, low) = ((self.0 >> 32) as u32, self.0 as u32);
        let (minutes, days) = (high % 1440, high / 1440);
        let date = START + Months::new(days / 31) + Days::new(u64::from(days % 31));
        let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp();
        let rest = f64::from(low) * UNIT;
        let nanoseconds = ((rest.fract() * 1e9) as u32).min(999_999_999);
        let seconds = midnight + i64::from(minutes) * 60 + rest as i64;
        (seconds, nanoseconds)
    }

    /// Whether it can be a time at all, and one after ZODB was made.
    pub fn plausible(self) -> bool {
        let (high, low) = (self.0 >> 32, f64::from(self.0 as u32));
        let year = FIRST as u64 + high / 1440 / 31 / 12;
        (1990..2200).contains(&year) && low * UNIT < 60.0
    }

    /// For people: `2024-01-01 00:00:01Z`.
    pub fn when(self) -> impl fmt::Display {
        let (seconds, _) = self.instant();
        let time = DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        time.format("%Y-%m-%d %H:%M:%SZ").to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made with `persistent.TimeStamp`.
    #[test]
    fn ids_are_those_of_zodb() {
        for (seconds, nanoseconds, tid) in [
            (1_704_067_201, 0, 0x03f5_8e00_0444_4444),
            (1_704_067_291, 500_000_000, 0x03f5_8e01_8666_6666),
            (1_709_210_096, 250_000_000, 0x03f6_dcd2_f000_0000),
            (951_868_799, 0, 0x0332_b37f_fbbb_bbbb),
        ] {
            let made = Tid::at(seconds, nanoseconds).unwrap();
            assert_eq!(made, Tid(tid), "{made}");
        }
    }

    #[test]
    fn an_id_reads_as_a_time() {
        assert_eq!(
            Tid(0x03f5_8e00_0444_4444).when().to_string(),
            "2024-01-01 00:00:00Z"
        );
        assert!(Tid::at(1_704_067_201, 0).unwrap().plausible());
        assert!(!Tid(0).plausible() && !Tid(u64::MAX).plausible());
        assert_eq!(Tid::at(-3_000_000_000_000, 0), None);
        assert_eq!(Tid::at(i64::from(i32::MAX) * 1000, 0), None);
    }

    proptest! {
        #[test]
        fn instants_come_back(seconds in 0_i64..10_000_000_000, nanoseconds in 0_u32..1_000_000_000) {
            let (back, fraction) = Tid::at(seconds, nanoseconds).unwrap().instant();
            let lost = (seconds - back) * 1_000_000_000 + i64::from(nanoseconds) - i64::from(fraction);
            prop_assert!((0..30).contains(&lost), "{lost}");
        }

        #[test]
        fn later_is_greater(a in 0_i64..10_000_000_000, b in 0_i64..10_000_000_000) {
            prop_assert_eq!(a.cmp(&b), Tid::at(a, 0).cmp(&Tid::at(b, 0)));
        }

        #[test]
        fn any_id_can_be_shown(tid: u64) {
            prop_assert!(!Tid(tid).when().to_string().is_empty());
            Tid(tid).plausible();
        }
    }
}
