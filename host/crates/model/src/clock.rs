//! Where the time comes from. Everything else takes `now` as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, SubsecRound, Utc};

use crate::Instant;

/// The wall clock of the host, the store and the guests.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current time, cut to milliseconds.
    fn now(&self) -> Instant;

    /// Whether it goes on by itself: one that is set by hand does not jump, it is moved.
    fn goes_on(&self) -> bool {
        true
    }
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // The one place that reads the system's clock.
    fn now(&self) -> Instant {
        Utc::now().trunc_subsecs(3)
    }
}

/// A clock that stands still until it is set: for tests and for `MHOST_NOW`.
#[derive(Debug, Clone)]
pub struct FixedClock(Arc<AtomicI64>);

impl FixedClock {
    /// A clock that shows `now`.
    pub fn new(now: Instant) -> Self {
        Self(Arc::new(AtomicI64::new(now.timestamp_millis())))
    }

    /// Sets the clock, forward or backward.
    pub fn set(&self, now: Instant) {
        self.0.store(now.timestamp_millis(), Ordering::SeqCst);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        DateTime::from_timestamp_millis(self.0.load(Ordering::SeqCst)).unwrap_or_default()
    }

    fn goes_on(&self) -> bool {
        false
    }
}
