//! A transaction's id as a time: minutes since 1900 in a calendar whose months all have 31
//! days, and a fraction of a minute in units of 60 / 2^32 seconds.

use std::fmt;

use crate::layout::Tid;

/// Seconds in a unit of the lower half.
const UNIT: f64 = 60.0 / 65_536.0 / 65_536.0;

impl Tid {
    /// The id of an instant, `seconds` since 1970-01-01T00:00:00Z and a part of one. `None`
    /// before 1900 and where the number does not suffice (about the year 9900).
    pub fn at(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let months = (year - 1900).checked_mul(12)? + i64::from(month) - 1;
        let minutes =
            ((months * 31 + i64::from(day) - 1) * 24 + second / 3600) * 60 + second / 60 % 60;
        let high = u32::try_from(minutes).ok()?;
        let rest = (second % 60) as f64 + f64::from(nanoseconds) / 1e9;
        let low = (rest / UNIT) as u32;
        Some(Self(u64::from(high) << 32 | u64::from(low)))
    }

    /// Seconds since 1970-01-01T00:00:00Z, and nanoseconds. A day that its month lacks is one of the next.
    pub fn instant(self) -> (i64, u32) {
        let (high, low) = ((self.0 >> 32) as i64, self.0 as u32);
        let (minute, hour) = (high % 60, high / 60 % 24);
        let (day, months) = (high / 1440 % 31, high / 1440 / 31);
        let days = days(1900 + months / 12, months % 12 + 1) + day;
        let rest = f64::from(low) * UNIT;
        let nanoseconds = ((rest.fract() * 1e9) as u32).min(999_999_999);
        (
            days * 86_400 + hour * 3600 + minute * 60 + rest as i64,
            nanoseconds,
        )
    }

    /// Whether it can be a time at all, and one after ZODB was made.
    pub fn plausible(self) -> bool {
        let (high, low) = (self.0 >> 32, f64::from(self.0 as u32));
        let year = 1900 + high / 1440 / 31 / 12;
        (1990..2200).contains(&year) && low * UNIT < 60.0
    }

    /// For people: `2024-01-01 00:00:01Z`.
    pub fn when(self) -> impl fmt::Display {
        let (seconds, _) = self.instant();
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of a day since 1970-01-01, counting from March so that the leap day comes last.
fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// Days from 1970-01-01 to the first of a month.
fn days(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
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
