//! `every`: elapsed time from an anchor, whatever the clock on the wall does.

use chrono::DateTime;
use mhost_model::{Instant, Span};

use crate::fault::ScheduleFault;

/// An interval of whole milliseconds, one second at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    millis: i64,
    from: Option<Instant>,
}

impl Interval {
    pub(crate) fn parse(every: Span, from: Option<Instant>) -> Result<Self, ScheduleFault> {
        let fault = |why, remedy: &str| ScheduleFault::Value {
            key: "every",
            value: format!("\"{every}\""),
            why,
            remedy: remedy.into(),
        };
        if every < Span::seconds(1) {
            return Err(fault("is shorter than a second", "write `1s` or more"));
        }
        if !every.0.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(fault(
                "is finer than a millisecond",
                "write whole milliseconds",
            ));
        }
        let millis = i64::try_from(every.0.as_millis())
            .map_err(|_| fault("is longer than time lasts", "write `3650 days` or less"))?;
        Ok(Self { millis, from })
    }

    /// The first `anchor + n * every` after `after`, n being 0 or more.
    pub(crate) fn after(&self, after: Instant, anchor: Instant) -> Option<Instant> {
        let anchor = self.from.unwrap_or(anchor).timestamp_millis();
        let past = after.timestamp_millis().checked_sub(anchor)?;
        if past < 0 {
            return DateTime::from_timestamp_millis(anchor);
        }
        let steps = (past / self.millis).checked_add(1)?;
        let at = steps.checked_mul(self.millis)?.checked_add(anchor)?;
        DateTime::from_timestamp_millis(at)
    }
}
