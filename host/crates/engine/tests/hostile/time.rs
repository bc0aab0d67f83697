//! Whatever a guest does, its run ends in time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mhost_model::Span;
use mhost_model::grant::{Access, DatabaseGrant, DatabaseVerb};
use mhost_model::plan::Ended;
use serde_json::json;

use crate::support::{Attack, Went, block_on};

/// Far more than any of these should take, far less than for ever.
const SOON: Duration = Duration::from_secs(20);

fn short(attack: Attack) -> Attack {
    attack.limits(|limits| limits.time = Span(Duration::from_millis(300)))
}

/// It ends, and so does its thread: nobody but the test holds the ports any more.
fn check_ends(attack: Attack) {
    let went = check_times_out(attack);
    assert_eq!(Arc::strong_count(&went.fake), 1);
}

fn check_times_out(attack: Attack) -> Went {
    let begun = Instant::now();
    let went = short(attack).go();
    assert_eq!(went.finished.ended, Ended::TimedOut);
    assert!(begun.elapsed() < SOON);
    assert!(
        went.log_text().contains("limits.time"),
        "{}",
        went.log_text()
    );
    went
}

#[test]
fn an_endless_loop_times_out() {
    check_ends(Attack::new("loop", json!({})));
}

#[test]
fn an_endless_loop_of_calls_times_out() {
    check_ends(Attack::new(
        "calls",
        json!({"calls": u64::MAX, "which": "progress"}),
    ));
}

#[test]
fn sleeping_in_the_host_times_out() {
    check_ends(Attack::new("sleep", json!({"ms": 3_600_000})));
}

#[test]
fn a_stuck_database_times_out_and_its_thread_changes_nothing_later() {
    let attack = with_database(Attack::new("database", put()));
    let fake = attack.fake.clone();
    fake.holder.hold();
    let receipt = check_times_out(attack).finished.receipt;
    // What it waited for is not laid to the plugin's charge.
    assert!(receipt.host_time_us > receipt.guest_time_us, "{receipt:?}");
    assert_eq!(fake.holder.waiting.load(Ordering::SeqCst), 1);
    fake.holder.release();
    // The next run waits for nothing of the old one.
    let mut next = with_database(Attack::new("database", put()));
    next.fake = fake.clone();
    next.go().report();
    assert_eq!(fake.committed.lock().unwrap().len(), 1);
}

fn put() -> serde_json::Value {
    json!({"name": "site", "verb": "put", "table": "open"})
}

fn with_database(attack: Attack) -> Attack {
    let grant = DatabaseGrant {
        verbs: [DatabaseVerb::Write].into(),
        tables: None,
    };
    attack.grants(|grants| drop(grants.databases.insert("site".parse().unwrap(), grant)))
}

#[test]
fn a_fifo_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    std::os::unix::fs::symlink("fifo", folder.path().join("link")).unwrap();
    for (action, path) in [
        ("read-file", "/data/fifo"),
        ("read-file", "/data/link"),
        ("write-file", "/data/fifo"),
    ] {
        let begun = Instant::now();
        let went = Attack::new(action, json!({"path": path, "bytes": 1}))
            .dir("data", folder.path(), Access::ReadWrite)
            .go();
        assert!(
            went.error().message.contains("Unsupported"),
            "{}",
            went.error().message
        );
        assert!(begun.elapsed() < SOON, "{action} {path}");
    }
}

#[test]
fn a_device_is_not_opened() {
    for (action, name, access) in [
        ("read-file", "zero", Access::ReadOnly),
        ("read-file", "null", Access::ReadWrite),
        ("write-file", "null", Access::ReadWrite),
        ("append-file", "null", Access::ReadWrite),
        ("truncate", "null", Access::ReadWrite),
    ] {
        let config = json!({"path": format!("/dev/{name}"), "bytes": 1});
        let went = Attack::new(action, config)
            .limits(|limits| limits.free_space = mhost_model::ByteSize(0))
            .dir("dev", std::path::Path::new("/dev"), access)
            .go();
        assert!(
            went.error().message.contains("Unsupported"),
            "{}",
            went.error().message
        );
    }
}

#[test]
fn a_run_that_is_asked_to_end_may_end_by_itself() {
    let mut attack = Attack::new("wait", json!({}));
    attack.grace = SOON;
    let went = cancelled(attack);
    assert_eq!(went, Ended::Cancelled);
}

#[test]
fn a_run_that_is_deaf_is_cut_off_after_the_grace() {
    let begun = Instant::now();
    let went = cancelled(Attack::new("wait", json!({"deaf": true})));
    assert_eq!(went, Ended::Cancelled);
    assert!(begun.elapsed() >= Duration::from_millis(100));
    assert!(begun.elapsed() < SOON);
}

fn cancelled(attack: Attack) -> Ended {
    let cancel = attack.cancel.clone();
    let plugin = attack.plugin.clone();
    let job = attack.job();
    block_on(async move {
        let running = tokio::spawn(async move { plugin.run(job).await });
        cancel.cancel("a test");
        running.await.unwrap().ended
    })
}

#[test]
fn the_guest_sees_the_clock_that_it_is_given() {
    let went = Attack::new("clock", json!({})).go();
    let expected: mhost_model::Instant = "2031-02-03T04:05:06Z".parse().unwrap();
    assert_eq!(
        went.report().metrics["seconds"],
        expected.timestamp() as f64
    );
}
