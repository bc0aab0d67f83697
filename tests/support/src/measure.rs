//! What processes cost, as the kernel counts it: for benches.

use std::fs;
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks of `/proc` a second; the kernel has it so on every machine that mhost runs on.
const TICKS: f64 = 100.0;
/// How often a running command is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// What a command cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    /// User and system, its children included.
    pub cpu: Duration,
    /// The most memory, KiB.
    pub peak: u64,
}

/// Runs a command to its good end, without its standard output.
pub fn run(command: &mut Command) -> Cost {
    let (begun, before) = (Instant::now(), cpu_of_ended());
    let child = command.stdout(Stdio::null()).spawn();
    let mut child = child.expect("the program is there");
    let mut peak = 0;
    let ended = loop {
        // It may have ended meanwhile.
        peak = peak.max(memory(child.id(), "VmHWM:").unwrap_or(0));
        match child.try_wait().expect("a child can be asked") {
            Some(ended) => break ended,
            None => std::thread::park_timeout(PAUSE),
        }
    };
    assert!(ended.success(), "{command:?}: {ended}");
    Cost {
        wall: begun.elapsed(),
        cpu: cpu_of_ended() - before,
        peak,
    }
}

/// Processor time of a process that is there, user and system, all threads.
pub fn cpu_of(pid: u32) -> Duration {
    ticks(pid, 14..=15)
}

/// With what its ended and reaped children used.
pub fn cpu_of_all(pid: u32) -> Duration {
    ticks(pid, 14..=17)
}

/// Of the children of this process that have ended.
fn cpu_of_ended() -> Duration {
    ticks(std::process::id(), 16..=17)
}

/// Resident memory of a process, MiB.
pub fn resident(pid: u32) -> u64 {
    memory(pid, "VmRSS:").expect("the process is there") >> 10
}

/// The sum of fields, by their numbers in the manual.
fn ticks(pid: u32, fields: RangeInclusive<usize>) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    // The state is the first field behind the name, field 3.
    let (_, behind) = stat.rsplit_once(')').expect("a name in brackets");
    let all: Vec<&str> = behind.split_ascii_whitespace().collect();
    let ticks = fields.map(|field| all[field - 3].parse::<f64>().expect("a number"));
    Duration::from_secs_f64(ticks.sum::<f64>() / TICKS)
}

/// A line of a process's status, KiB; none where the process is gone.
fn memory(pid: u32, what: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(what))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
