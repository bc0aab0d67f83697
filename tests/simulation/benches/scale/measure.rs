//! Clocks, and what processes use.

use std::fs;
use std::time::{Duration, Instant};

pub use mhost_test_support::measure::{cpu_of, cpu_of_all, resident};

pub fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "unknown".into())
}

/// A stretch of time in this process.
pub struct Stretch {
    begun: Instant,
    cpu: Duration,
}

impl Stretch {
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            cpu: cpu_of_all(std::process::id()),
        }
    }

    /// Clock and processor.
    pub fn end(&self) -> (Duration, Duration) {
        let cpu = cpu_of_all(std::process::id()).saturating_sub(self.cpu);
        (self.begun.elapsed(), cpu)
    }
}

/// So many in such a time: a second of the clock, and microseconds of the processor each.
pub fn rate(count: u64, (wall, cpu): (Duration, Duration)) -> String {
    let a_second = count as f64 / wall.as_secs_f64();
    let each = cpu.as_secs_f64() * 1e6 / count as f64;
    format!("{count}: {a_second:.0} a second by the clock, {each:.1} µs of processor each")
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Waits: a bench may.
pub fn pause(span: Duration) {
    let (_sender, receiver) = std::sync::mpsc::channel::<()>();
    let _ = receiver.recv_timeout(span);
}
