//! Rule 6: the wall clock held against the monotonic one. What follows from a jump needs no
//! doing here, since due times are compared with the wall clock at every look; a person wants
//! to know of it all the same.

use mhost_model::{Clock, Instant};
use mhost_sched::clock::jump;
use tokio::time::Instant as Moment;

/// Both clocks at the last look.
pub struct Clocks {
    wall: Instant,
    monotonic: Moment,
}

impl Clocks {
    pub fn new(clock: &dyn Clock) -> Self {
        Self {
            wall: clock.now(),
            monotonic: Moment::now(),
        }
    }

    /// Looks again, and tells of a jump since the last time.
    pub fn look(&mut self, clock: &dyn Clock) {
        let now = Self::new(clock);
        let elapsed = now.monotonic - self.monotonic;
        if let Some(by) = jump(self.wall, now.wall, elapsed).filter(|_| clock.goes_on()) {
            let seconds = by.num_seconds().unsigned_abs();
            let by_how_much = mhost_model::Span::seconds(seconds);
            match by.num_seconds() > 0 {
                true => tracing::warn!(
                    by = %by_how_much, from = %self.wall, to = %now.wall,
                    "the clock jumped forward: it was set, or the machine slept; what came due meanwhile is missed"
                ),
                false => tracing::warn!(
                    by = %by_how_much, from = %self.wall, to = %now.wall,
                    "the clock was set back: nothing runs twice, and nothing is due until it has come back"
                ),
            }
        }
        *self = now;
    }
}
