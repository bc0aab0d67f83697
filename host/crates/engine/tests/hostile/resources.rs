//! Memory, handles, calls, stack, bytes: each has a limit that is named when it is
//! reached.

use mhost_model::ByteSize;
use mhost_model::grant::Access;
use mhost_model::limits::Limits;
use mhost_model::run::ErrorKind;
use serde_json::json;

use crate::support::{Attack, Went};

/// The attack passes without the limit, and is refused by it in these words.
fn check(attack: impl Fn() -> Attack, limit: impl FnOnce(&mut Limits), words: &[&str]) -> Went {
    attack().go().report();
    let went = attack().limits(limit).go();
    assert_eq!(
        went.error().kind,
        ErrorKind::Limit,
        "{}",
        went.error().message
    );
    for word in words {
        assert!(
            went.error().message.contains(word),
            "{}",
            went.error().message
        );
    }
    went
}

#[test]
fn memory_is_limited() {
    let went = check(
        || Attack::new("memory", json!({"mib": 64})),
        |limits| limits.memory = ByteSize::mib(32),
        &["limits.memory", "32.0 MiB are allowed", "asked for"],
    );
    assert!(went.finished.receipt.peak_memory <= 32 << 20);
    assert!(went.finished.receipt.peak_memory > 16 << 20);
}

#[test]
fn calls_are_limited() {
    for which in ["clock", "progress"] {
        check(
            || Attack::new("calls", json!({"calls": 20_000, "which": which})),
            |limits| limits.host_calls = 10_000,
            &["limits.host_calls", "10000"],
        );
    }
}

#[test]
fn open_files_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    check(
        || {
            Attack::new("open-many", json!({"path": "/data/file", "times": 200})).dir(
                "data",
                folder.path(),
                Access::ReadOnly,
            )
        },
        |limits| limits.handles = 100,
        &["limits.handles"],
    );
}

#[test]
fn other_handles_are_limited() {
    let attack = || Attack::new("buckets", json!({"times": 200}));
    attack().go().report();
    let went = attack().limits(|limits| limits.handles = 100).go();
    assert!(
        went.error().message.contains("limits.handles"),
        "{}",
        went.error().message
    );
}

#[test]
fn listings_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let attack = |times| {
        Attack::new("list-many", json!({"path": "/data", "times": times}))
            .dir("data", folder.path(), Access::ReadOnly)
            .go()
    };
    attack(200).report();
    assert!(attack(300).error().message.contains("OutOfMemory"));
}

#[test]
fn written_bytes_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    for action in ["write-file", "append-file"] {
        std::fs::write(folder.path().join("file"), "").unwrap();
        let went = check(
            || {
                Attack::new(action, json!({"path": "/data/file", "bytes": 300_000})).dir(
                    "data",
                    folder.path(),
                    Access::ReadWrite,
                )
            },
            |limits| limits.write = Some(ByteSize(100_000)),
            &["limits.write", "100000"],
        );
        let receipt = &went.finished.receipt;
        assert!(
            receipt.bytes_written <= 100_000,
            "{}",
            receipt.bytes_written
        );
    }
    let size = std::fs::metadata(folder.path().join("file")).unwrap().len();
    assert!(size <= 400_000, "{size}");
}

#[test]
fn room_is_left_on_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    check(
        || {
            Attack::new("write-file", json!({"path": "/data/file", "bytes": 10})).dir(
                "data",
                folder.path(),
                Access::ReadWrite,
            )
        },
        |limits| limits.free_space = ByteSize(u64::MAX / 2),
        &["limits.free_space"],
    );
}

#[test]
fn random_bytes_come_in_pieces() {
    Attack::new("random", json!({"bytes": 1 << 20}))
        .go()
        .report();
    let went = Attack::new("random", json!({"bytes": 10 << 20})).go();
    assert_eq!(went.error().kind, ErrorKind::Limit);
    assert!(
        went.error().message.contains("random"),
        "{}",
        went.error().message
    );
}

#[test]
fn deep_recursion_ends_the_run_alone() {
    for (frames, words) in [
        (false, "stack is exhausted"),
        (true, "too deep a recursion"),
    ] {
        let went = Attack::new("recursion", json!({"frames": frames})).go();
        assert_eq!(went.error().kind, ErrorKind::Trap);
        assert!(
            went.error().message.contains(words),
            "{}",
            went.error().message
        );
    }
}

#[test]
fn one_call_carries_only_so_much() {
    let attack = |bytes: u64| {
        Attack::new("state-huge", json!({"bytes": bytes, "times": 1}))
            .limits(|limits| limits.memory = ByteSize::mib(1024))
            .go()
    };
    attack(1 << 20).report();
    assert!(attack((1 << 20) + 1).error().message.contains("1048576"));
    let went = attack(100 << 20);
    assert_eq!(
        went.error().kind,
        ErrorKind::Limit,
        "{}",
        went.error().message
    );
}

#[test]
fn the_state_of_one_run_is_limited() {
    let attack =
        |times: u64| Attack::new("state-huge", json!({"bytes": 1 << 20, "times": times})).go();
    attack(10).report();
    assert!(attack(17).error().message.contains("add up"));
}
