//! Dry runs, stale claims, budgets and the end of the run.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use mhost_model::ByteSize;
use mhost_model::limits::Limits;
use mhost_test_support::noise;

use super::super::compress::{Format, compress};
use super::super::copy::{CopyOptions, copy, copy_range};
use super::bench::{Bench, READERS, WRITERS, kind, roomy};

#[test]
fn a_dry_run_changes_nothing_and_says_what_it_would_have() {
    for (verb, run) in &WRITERS {
        let bench = Bench::dry();
        bench.write("logs/file", "content");
        bench.write("logs/there", "untouched");
        assert_eq!(kind(&run(&bench, "/logs/there")), "dry-run", "{verb}");
        assert_eq!(bench.names("logs"), ["file", "there"], "{verb}");
        assert_eq!(bench.read("logs/there"), b"untouched", "{verb}");
        assert_eq!(bench.receipt().withheld.len(), 1, "{verb}");
    }
    let bench = Bench::dry();
    bench.write("logs/file", "content");
    assert_eq!(kind(&READERS[0].1(&bench, "/logs/file")), "ok");
}

#[test]
fn a_run_whose_claim_was_taken_over_changes_nothing() {
    for (verb, run) in &WRITERS {
        let bench = Bench::new();
        bench.write("logs/file", "content");
        bench.write("logs/there", "untouched");
        bench.take_claim_over();
        assert_eq!(kind(&run(&bench, "/logs/there")), "failed", "{verb}");
        assert_eq!(bench.names("logs"), ["file", "there"], "{verb}");
        assert_eq!(bench.read("logs/there"), b"untouched", "{verb}");
    }
}

/// The claim may be lost after the permit was made.
#[test]
fn a_claim_lost_meanwhile_leaves_no_file() {
    let bench = Bench::new();
    bench.write("logs/file", noise(3 << 20, 1));
    let (from, to) = (
        bench.to_read("/logs/file").unwrap(),
        bench.to_write("/logs/new").unwrap(),
    );
    bench.take_claim_over();
    assert_eq!(
        kind(&copy(bench.work(), &from, &to, CopyOptions::default())),
        "failed"
    );
    assert_eq!(
        kind(&compress(bench.work(), &from, &to, Format::Gzip, Some(1))),
        "failed"
    );
    assert_eq!(bench.names("logs"), ["file"]);
}

#[test]
fn an_ended_run_stops_and_leaves_nothing_half() {
    for stop in ["over", "deadline"] {
        for (verb, run) in READERS.iter().take(5).chain(&WRITERS) {
            let mut bench = Bench::new();
            bench.write("logs/file", noise(2 << 20, 1));
            bench.write("logs/there", noise(2 << 20, 1));
            match stop {
                "over" => bench.over.store(true, SeqCst),
                _ => bench.deadline = Instant::now(),
            }
            let path = match *verb {
                "copy to" | "compress to" | "rename to" | "hard-link to" | "symbolic-link" => {
                    "/logs/new"
                }
                _ => "/logs/there",
            };
            assert_eq!(kind(&run(&bench, path)), "timed-out", "{stop}: {verb}");
            assert_eq!(bench.names("logs"), ["file", "there"], "{stop}: {verb}");
            assert_eq!(bench.read("logs/there").len(), 2 << 20, "{stop}: {verb}");
        }
    }
}

fn copying_verbs_with(limits: &Limits) {
    let bench = Bench::with(limits.clone(), false);
    bench.write("logs/file", noise(3 << 20, 1));
    bench.write("logs/there", "");
    let from = bench.to_read("/logs/file").unwrap();
    let new = bench.to_write("/logs/new").unwrap();
    let there = bench.to_write("/logs/there").unwrap();
    assert_eq!(
        kind(&copy(bench.work(), &from, &new, CopyOptions::default())),
        "limit"
    );
    assert_eq!(
        kind(&compress(bench.work(), &from, &new, Format::Gzip, Some(1))),
        "limit"
    );
    assert_eq!(
        kind(&compress(bench.work(), &from, &new, Format::Zstd, None)),
        "limit"
    );
    assert_eq!(
        kind(&copy_range(bench.work(), (&from, 0), None, (&there, 0))),
        "limit"
    );
    assert_eq!(bench.names("logs"), ["file", "there"]);
}

#[test]
fn the_write_budget_ends_a_copy_and_leaves_nothing_half() {
    copying_verbs_with(&Limits {
        write: Some(ByteSize::mib(2)),
        ..roomy()
    });
}

#[test]
fn the_floor_of_free_space_holds() {
    copying_verbs_with(&Limits {
        free_space: ByteSize(1 << 60),
        ..roomy()
    });
}

#[test]
fn the_receipt_counts_bytes_and_files() {
    let bench = Bench::new();
    bench.write("logs/file", noise(1 << 20, 1));
    let from = bench.to_read("/logs/file").unwrap();
    let new = bench.to_write("/logs/new").unwrap();
    copy(bench.work(), &from, &new, CopyOptions::default()).unwrap();
    let receipt = bench.receipt();
    assert_eq!(receipt.bytes_read, 1 << 20);
    assert_eq!(receipt.bytes_written, 1 << 20);
    assert_eq!((receipt.files_opened, receipt.files_changed), (1, 1));
}
