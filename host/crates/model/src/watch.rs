//! What tasks find out about the things that they watch: single observations, and what
//! is kept of them, as counts and a histogram of latencies per stretch of time.

mod histogram;

use serde::{Deserialize, Serialize};

use crate::Instant;
pub use histogram::Histogram;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    Up,
    Degraded,
    Down,
    /// It does not count.
    Unknown,
}

/// What one run found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub subject: String,
    pub condition: Condition,
    /// Microseconds.
    pub latency_us: Option<u64>,
    /// What the plugin wants to know of it next time.
    pub memory: Vec<u8>,
}

/// What a stretch of time holds of one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub up: u64,
    pub degraded: u64,
    pub down: u64,
    pub latencies: Histogram,
}

impl Counts {
    /// Takes an observation in.
    pub fn add(&mut self, condition: Condition, latency_us: Option<u64>) {
        let counter = match condition {
            Condition::Up => &mut self.up,
            Condition::Degraded => &mut self.degraded,
            Condition::Down => &mut self.down,
            Condition::Unknown => return,
        };
        *counter = counter.saturating_add(1);
        if let Some(latency) = latency_us {
            self.latencies.add(latency);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        self.up = self.up.saturating_add(other.up);
        self.degraded = self.degraded.saturating_add(other.degraded);
        self.down = self.down.saturating_add(other.down);
        self.latencies.merge(&other.latencies);
    }

    pub fn checks(&self) -> u64 {
        self.up
            .saturating_add(self.degraded)
            .saturating_add(self.down)
    }

    /// The share of checks that found it up or degraded, 0 to 1.
    pub fn uptime(&self) -> Option<f64> {
        let good = self.up.saturating_add(self.degraded);
        (self.checks() > 0).then(|| good as f64 / self.checks() as f64)
    }
}

/// The lengths of time that are looked back over. Each is kept in stretches, the newest of
/// which is not over yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lookback {
    Hour,
    Day,
    Month,
}

impl Lookback {
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// Milliseconds of one stretch: 5 minutes, an hour, a day.
    pub fn stretch(self) -> i64 {
        match self {
            Self::Hour => 300_000,
            Self::Day => 3_600_000,
            Self::Month => 86_400_000,
        }
    }

    /// Milliseconds in all; a month has 30 days.
    pub fn length(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
            Self::Month => 30 * 86_400_000,
        }
    }

    /// The beginning of the stretch that an instant lies in, milliseconds since 1970.
    pub fn begin(self, at: i64) -> i64 {
        at.div_euclid(self.stretch()) * self.stretch()
    }

    /// Stretches that begin before are forgotten. The one that the length begins in
    /// counts whole.
    pub fn horizon(self, now: i64) -> i64 {
        self.begin(now.saturating_sub(self.length()))
    }
}

/// One subject over one length of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The task that watches it, or the plugin's name for `exec`.
    pub task: String,
    pub subject: String,
    pub span: Lookback,
    pub counts: Counts,
    /// When it was observed last.
    pub seen: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts() {
        let mut counts = Counts::default();
        assert_eq!(counts.uptime(), None);
        for (condition, latency) in [
            (Condition::Up, Some(1000)),
            (Condition::Degraded, Some(5000)),
            (Condition::Down, None),
            (Condition::Unknown, Some(9)),
            (Condition::Up, Some(1000)),
        ] {
            counts.add(condition, latency);
        }
        assert_eq!((counts.up, counts.degraded, counts.down), (2, 1, 1));
        assert_eq!(counts.uptime(), Some(0.75));
        assert_eq!(counts.latencies.count(), 3);
    }

    #[test]
    fn stretches_begin_at_round_times() {
        let at = 1_772_323_299_999;
        assert_eq!(Lookback::Hour.begin(at), 1_772_323_200_000);
        assert_eq!(Lookback::Day.begin(at), 1_772_323_200_000);
        assert_eq!(Lookback::Month.begin(at), 1_772_323_200_000);
        assert_eq!(Lookback::Hour.horizon(at), 1_772_323_200_000 - 3_600_000);
        assert_eq!(Lookback::Day.begin(-1), -3_600_000);
    }
}
