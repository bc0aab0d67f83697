//! The service with 200 tasks that are due every 2 seconds, while its processes are killed
//! and stopped, ticks come from everywhere at once, and the disk is full at times. In the
//! end the ledger must be whole: each due time has one row, what runs at most once was
//! started once at most, and nothing that was settled was settled again. A web server
//! that every run asks is the witness from outside.
//!
//! `MHOST_TORTURE_MINUTES=N` goes on for so long (`just torture N`), `MHOST_TORTURE_SEED=N`
//! sets in which order things happen.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.
#![allow(
    clippy::print_stdout,
    reason = "what a long run came to is for a person to read"
)]

#[path = "torture/arena.rs"]
mod arena;
#[path = "torture/faults.rs"]
mod faults;
#[path = "torture/full.rs"]
mod full;
#[path = "torture/ledger.rs"]
mod ledger;
#[path = "torture/witness.rs"]
mod witness;

use std::path::Path;
use std::time::Duration;

use arena::Arena;
use mhost_test_support::{Mount, harness, scratch};

/// In the suite, each of the two.
const SHORT: Duration = Duration::from_secs(15);
/// Enough for the state, compiled components included, many times over, MiB.
const DISK: u32 = 256;

fn main() {
    harness::main(vec![
        harness::trial("rule_1_through_kills_and_stops", &[], || {
            let folder = scratch("torture");
            torture(folder.path(), None);
        }),
        harness::trial_with(
            "rule_1_through_a_full_disk",
            || Mount::new(DISK),
            |mount| torture(mount.path(), Some(&mount)),
        ),
        harness::trial_with(
            "what_only_reads_works_on_a_full_disk",
            || Mount::new(DISK),
            |mount| full::check(&mount),
        ),
    ])
}

fn torture(folder: &Path, disk: Option<&Mount>) {
    let seed = variable("MHOST_TORTURE_SEED").unwrap_or_else(|| std::process::id().into());
    let span = variable("MHOST_TORTURE_MINUTES")
        .map_or(SHORT, |minutes| Duration::from_secs(minutes * 60));
    println!("again with MHOST_TORTURE_SEED={seed}");
    let mut arena = Arena::new(folder);
    arena.serve();
    let (told, mut settled) = faults::happen(&mut arena, disk, seed, span);
    arena.come_to_rest();
    settled.look(&arena);
    let rows = ledger::check(&arena);
    println!("{told}; {rows}");
}

/// Where the service's log goes.
fn scratch_log() -> std::path::PathBuf {
    mhost_test_support::target_dir().join("torture.log")
}

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}
