//! Probes without a guest, of peers on the loopback.

mod batch;
mod names;
mod tcp;
mod tls;

use std::time::{Duration, Instant};

use mhost_model::{Fault, FaultResult};

fn soon(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}

/// The kind of an answer, for tables.
fn kind<T>(answer: &FaultResult<T>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(Fault::Denied(_)) => "denied",
        Err(Fault::DryRun(_)) => "dry-run",
        Err(Fault::NotFound(_)) => "not-found",
        Err(Fault::Invalid(_)) => "invalid",
        Err(Fault::TimedOut(_)) => "timed-out",
        Err(Fault::Failed(_)) => "failed",
        Err(_) => "another",
    }
}
