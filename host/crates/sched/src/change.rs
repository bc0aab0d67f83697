//! When a burst of file changes has settled. Watching files is the host's.

use mhost_model::{Instant, Span};

/// A directory that changes without pause still gets its run after so many times
/// the settling time.
pub const PATIENCE: i32 = 30;

/// Changes of one directory that have not led to a run yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    first: Instant,
    last: Instant,
}

impl Burst {
    /// The first change after a quiet time.
    pub fn begin(at: Instant) -> Self {
        Self {
            first: at,
            last: at,
        }
    }

    /// A further change; a clock that was set back moves nothing.
    pub fn change(self, at: Instant) -> Self {
        Self {
            last: self.last.max(at),
            ..self
        }
    }

    /// When the fire is due: `settle` after the last change, and at the latest
    /// [`PATIENCE`] times `settle` after the first.
    pub fn due_at(self, settle: Span) -> Instant {
        let quiet = self.last.checked_add_signed(settle.delta());
        let patience = settle.delta().checked_mul(PATIENCE);
        let latest = patience.and_then(|patience| self.first.checked_add_signed(patience));
        match (quiet, latest) {
            (Some(quiet), Some(latest)) => quiet.min(latest),
            (quiet, latest) => quiet.or(latest).unwrap_or(self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        chrono::DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_burst_settles_after_its_last_change() {
        let settle = Span::seconds(2);
        let burst = Burst::begin(at(100));
        assert_eq!(burst.due_at(settle), at(102));
        assert_eq!(burst.change(at(101)).due_at(settle), at(103));
        assert_eq!(burst.change(at(50)).due_at(settle), at(102));
    }

    #[test]
    fn endless_changes_do_not_put_a_run_off_for_ever() {
        let burst = (100..1_000).fold(Burst::begin(at(100)), |burst, s| burst.change(at(s)));
        assert_eq!(burst.due_at(Span::seconds(2)), at(160));
    }
}
