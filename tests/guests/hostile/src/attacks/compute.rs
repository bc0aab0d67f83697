//! Time, memory, stack, calls.

use std::hint::black_box;
use std::time::Duration;

use serde_json::Value;

use super::{number, text};
use crate::exports::mhost::plugin::plugin::{Context, Failure, Report};
use crate::mhost::plugin::progress;
use crate::{failed, report};

pub fn nothing(_: &Context, _: &Value) -> Result<Report, Failure> {
    Ok(report("did nothing", &[]))
}

pub fn endless(_: &Context, _: &Value) -> Result<Report, Failure> {
    let mut rounds = 0u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

/// Takes memory in pieces of a mebibyte, `mib` of them.
pub fn memory(_: &Context, config: &Value) -> Result<Report, Failure> {
    let mut pieces = Vec::new();
    for _ in 0..number(config, "mib") {
        pieces.push(black_box(vec![1u8; 1 << 20]));
    }
    Ok(report("took it", &[("mib", pieces.len() as f64)]))
}

#[allow(unconditional_recursion)]
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    deeper(depth + 1) + frame[3]
}

/// Needs no memory of the guest's own, only the engine's stack.
fn plainly_deeper(depth: u64, end: u64) -> u64 {
    if depth == end {
        return 1;
    }
    plainly_deeper(depth + 1, end).rotate_left(3) ^ depth
}

pub fn recursion(_: &Context, config: &Value) -> Result<Report, Failure> {
    let depth = if config["frames"].as_bool().unwrap_or_default() {
        deeper(0)
    } else {
        plainly_deeper(0, black_box(u64::MAX))
    };
    Ok(report("came back", &[("depth", depth as f64)]))
}

pub fn panic(_: &Context, config: &Value) -> Result<Report, Failure> {
    panic!("{}", text(config, "message"));
}

pub fn exit(_: &Context, _: &Value) -> Result<Report, Failure> {
    std::process::exit(1)
}

/// Calls the host so many times.
pub fn calls(_: &Context, config: &Value) -> Result<Report, Failure> {
    let wanted = number(config, "calls");
    for _ in 0..wanted {
        match text(config, "which") {
            "clock" => drop(black_box(std::time::Instant::now())),
            _ => drop(black_box(progress::cancelled())),
        }
    }
    Ok(report("called", &[("calls", wanted as f64)]))
}

/// Asks for random bytes, all in one call.
pub fn random(_: &Context, config: &Value) -> Result<Report, Failure> {
    let bytes = wasip2::random::random::get_random_bytes(number(config, "bytes"));
    Ok(report("got them", &[("bytes", bytes.len() as f64)]))
}

/// Works until it is asked to end; then ends, or goes on all the same.
pub fn wait(_: &Context, config: &Value) -> Result<Report, Failure> {
    let deaf = config["deaf"].as_bool().unwrap_or_default();
    loop {
        if progress::cancelled() && !deaf {
            return Err(failed("was asked to end"));
        }
    }
}

/// Sleeps in the host.
pub fn sleep(_: &Context, config: &Value) -> Result<Report, Failure> {
    // In a guest this is a call of the host, which is what is tried here.
    #[allow(clippy::disallowed_methods)]
    std::thread::sleep(Duration::from_millis(number(config, "ms")));
    Ok(report("slept", &[]))
}

/// The wall clock, seconds.
pub fn clock(_: &Context, _: &Value) -> Result<Report, Failure> {
    #[allow(clippy::disallowed_methods)]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now.map(|since| since.as_secs()).unwrap_or_default();
    Ok(report("read the clock", &[("seconds", seconds as f64)]))
}
