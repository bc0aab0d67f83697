//! Rule 6: noticing that the wall clock was set, or that the machine slept.
//!
//! What follows needs no decision of its own: due times are compared with the
//! store's clock, so a jump forward is rule 3, and after a jump backward nothing is
//! due until the clock has come back.

use std::time::Duration;

use chrono::TimeDelta;
use mhost_model::Instant;

/// A larger difference between the clocks is an event in the log.
pub const NOTICED: TimeDelta = TimeDelta::seconds(60);

/// By how much the wall clock went ahead of (negative: fell behind) the monotonic
/// clock between two looks at both, if that is worth an event. `elapsed` is the
/// monotonic time between the looks.
pub fn jump(earlier: Instant, later: Instant, elapsed: Duration) -> Option<TimeDelta> {
    let elapsed = TimeDelta::from_std(elapsed).unwrap_or(TimeDelta::MAX);
    let by = (later - earlier).checked_sub(&elapsed)?;
    (by.abs() > NOTICED).then_some(by)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_6_a_jump_of_more_than_a_minute_is_noticed() {
        let at = |seconds: i64| chrono::DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap();
        for (wall, elapsed, expected) in [
            (10, 10, None),
            (70, 10, None),
            (71, 10, Some(61)),
            (3_600, 0, Some(3_600)),
            (-50, 10, None),
            (-51, 10, Some(-61)),
        ] {
            let found = jump(at(0), at(wall), Duration::from_secs(elapsed));
            assert_eq!(found, expected.map(TimeDelta::seconds), "{wall} {elapsed}");
        }
        assert!(jump(at(0), at(1), Duration::MAX).is_some());
    }
}
