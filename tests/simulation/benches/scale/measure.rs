//! Clocks, and what processes use.

use std::fs;
use std::time::{Duration, Instant};

/// Clock ticks of `/proc` a second; the kernel has it so on every machine that mhost runs on.
const TICKS: f64 = 100.0;

pub fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_else(|_| "unknown".into())
}

/// Processor time of a process that is there, user and system, all threads.
pub fn cpu_of(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    // The state is the first field behind the name, field 3 of the manual.
    let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
    Duration::from_secs_f64((ticks(14) + ticks(15)) / TICKS)
}

/// With what its ended and reaped children used.
pub fn cpu_of_all(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks = |field: usize| fields[field - 3].parse::<f64>().unwrap();
    Duration::from_secs_f64((14..=17).map(ticks).sum::<f64>() / TICKS)
}

/// Resident memory of a process, MiB.
pub fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
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
