//! The file itself: whose it is, what a broken or newer one answers, and what a new
//! life of the store knows of the former one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::common::options;
use mhost_conformance::{Subject, at, spec};
use mhost_model::FixedClock;
use mhost_model::plan::Ended;
use mhost_model::run::RunState;
use mhost_store::{FORMAT, RedbStore, StoreError};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

struct Home {
    _folder: TempDir,
    path: PathBuf,
    clock: FixedClock,
}

impl Home {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        Self {
            path: folder.path().join("store.redb"),
            _folder: folder,
            clock: FixedClock::new(at(0)),
        }
    }

    fn try_open(&self, create: bool) -> Result<Subject, StoreError> {
        let store = RedbStore::open(options(&self.path, &self.clock, create))?;
        Ok(Subject {
            store: Arc::new(store),
            clock: self.clock.clone(),
        })
    }

    fn open(&self) -> Subject {
        self.try_open(true).unwrap()
    }

    fn refusal(&self, create: bool) -> StoreError {
        self.try_open(create).err().unwrap()
    }

    /// A closed store with some history.
    async fn filled() -> Self {
        let home = Self::new();
        let s = home.open();
        for task in 0..50 {
            s.put(&format!("t{task}"), spec(60)).await;
        }
        s.set(60);
        for claim in s.claim(50).await.start {
            s.end(&claim, Ended::Succeeded).await;
        }
        home
    }
}

#[tokio::test]
async fn what_was_committed_is_there_after_an_opening() {
    let home = Home::new();
    let s = home.open();
    assert_eq!(s.store.node().0, 1);
    s.put("t", spec(60)).await;
    let before = s.task("t").await;
    drop(s);
    let s = home.try_open(false).unwrap();
    assert_eq!(s.store.node().0, 2);
    assert_eq!(s.task("t").await, before);
}

#[test]
fn a_missing_file_is_not_made_unasked() {
    let home = Home::new();
    assert!(matches!(
        home.refusal(false),
        StoreError::NotFound { kind: "store", .. }
    ));
    assert!(!home.path.exists());
    let folder = home.path.join("no/such/folder");
    let refused = RedbStore::open(options(&folder, &home.clock, true))
        .err()
        .unwrap();
    assert!(matches!(refused, StoreError::Failed { .. }), "{refused}");
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    drop(home.open());
    let mode = home.path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn an_open_file_is_busy() {
    let home = Home::new();
    let first = home.open();
    assert!(matches!(home.refusal(true), StoreError::Busy { .. }));
    drop(first);
    home.open();
}

/// A crash while the file was made leaves an unfinished one aside, or an empty one: neither is
/// in the way of the next try, and neither stays.
#[tokio::test]
async fn what_a_crash_left_of_a_new_file_is_in_nobodys_way() {
    let home = Home::new();
    let folder = home.path.parent().unwrap();
    let half = folder.join(".store.redb.new-x7Kq");
    std::fs::write(&half, b"redb, but not all of it").unwrap();
    let s = home.open();
    s.put("t", spec(60)).await;
    assert!(s.store.verify().await.unwrap().is_empty());
    drop(s);
    assert!(!half.exists());
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);

    let empty = Home::new();
    std::fs::write(&empty.path, b"").unwrap();
    assert!(empty.open().store.verify().await.unwrap().is_empty());
}

#[test]
fn a_store_that_two_make_at_once_is_one_store() {
    for _ in 0..20 {
        let home = Arc::new(Home::new());
        let make = |home: Arc<Home>| move || home.try_open(true).map(|s| s.store.node());
        let both = [0, 1].map(|_| std::thread::spawn(make(Arc::clone(&home))));
        for one in both {
            let made = one.join().unwrap();
            assert!(
                matches!(made, Ok(_) | Err(StoreError::Busy { .. })),
                "{made:?}"
            );
        }
        // Neither of them wrote to it.
        assert_eq!(home.open().store.node().0, 1);
    }
}

fn is_damaged(home: &Home, what: &str) {
    let refused = home.refusal(false);
    assert!(
        matches!(refused, StoreError::Damaged { .. }),
        "{what}: {refused}"
    );
    let path = home.path.display().to_string();
    assert!(refused.to_string().contains(&path), "{refused}");
}

#[test]
fn what_is_no_store_is_refused() {
    for (what, bytes) in [
        ("empty", Vec::new()),
        ("text", b"[tasks.a]\nplugin = \"pack\"\n".to_vec()),
        ("zeros", vec![0; 1 << 20]),
        ("SQLite", b"SQLite format 3\0".repeat(1000)),
    ] {
        let home = Home::new();
        std::fs::write(&home.path, bytes).unwrap();
        is_damaged(&home, what);
    }
    let home = Home::new();
    foreign(&home.path, |_| {});
    is_damaged(&home, "a redb database without a table");
    foreign(&home.path, |txn| {
        let table: TableDefinition<&str, u64> = TableDefinition::new("blogs");
        txn.open_table(table).unwrap().insert("posts", 7).unwrap();
    });
    is_damaged(&home, "somebody else's redb database");
}

fn foreign(path: &Path, write: impl Fn(&redb::WriteTransaction)) {
    let database = Database::create(path).unwrap();
    let txn = database.begin_write().unwrap();
    write(&txn);
    txn.commit().unwrap();
}

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

#[tokio::test]
async fn a_newer_file_is_refused_and_left_alone() {
    let home = Home::filled().await;
    let newer = FORMAT + 1;
    foreign(&home.path, |txn| {
        let bytes = newer.to_le_bytes();
        txn.open_table(META)
            .unwrap()
            .insert("format", bytes.as_slice())
            .unwrap();
    });
    for create in [false, true] {
        match home.refusal(create) {
            StoreError::TooNew { found, known, .. } => assert_eq!((found, known), (newer, FORMAT)),
            other => panic!("{other}"),
        }
    }
    foreign(&home.path, |txn| {
        let bytes = FORMAT.to_le_bytes();
        txn.open_table(META)
            .unwrap()
            .insert("format", bytes.as_slice())
            .unwrap();
    });
    // Refusals took no node id.
    assert_eq!(home.open().store.node().0, 2);
}

#[tokio::test]
async fn a_file_without_a_right_format_is_damaged() {
    for format in [[].as_slice(), &[1], &[0, 0, 0, 0], &[1, 0, 0, 0, 0]] {
        let home = Home::filled().await;
        foreign(&home.path, |txn| {
            txn.open_table(META)
                .unwrap()
                .insert("format", format)
                .unwrap();
        });
        is_damaged(&home, &format!("{format:?}"));
    }
}

/// Whatever a part of the file says, the answer is an error or a store that can say
/// what is wrong: never a panic, never a hang.
#[tokio::test]
async fn a_truncated_file_is_damaged() {
    let home = Home::filled().await;
    let bytes = std::fs::read(&home.path).unwrap();
    for part in 1..16 {
        std::fs::write(&home.path, &bytes[..bytes.len() * part / 16]).unwrap();
        is_damaged(&home, &format!("{part}/16 of the file"));
    }
}

#[tokio::test]
async fn a_scribbled_file_never_hangs_and_is_found_out() {
    let home = Home::filled().await;
    let bytes = std::fs::read(&home.path).unwrap();
    let mut found = 0;
    for page in (0..bytes.len()).step_by(4096) {
        // Pages that hold nothing tell nothing.
        if bytes[page..page + 4096].iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut scribbled = bytes.clone();
        scribbled[page + 8..page + 4096].fill(0x5a);
        std::fs::write(&home.path, scribbled).unwrap();
        found += usize::from(match home.try_open(false) {
            Ok(s) => s
                .store
                .verify()
                .await
                .map_or(true, |findings| !findings.is_empty()),
            Err(error) => matches!(error, StoreError::Damaged { .. }),
        });
    }
    assert!(found >= 5, "only {found} scribbled pages were found out");
}

#[tokio::test]
async fn a_broken_record_is_told_by_name() {
    let home = Home::filled().await;
    let tasks: TableDefinition<u64, &[u8]> = TableDefinition::new("tasks");
    let due: TableDefinition<(i64, u64), ()> = TableDefinition::new("due");
    let memories: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("memories");
    let observed: TableDefinition<(&str, u8, i64), &[u8]> = TableDefinition::new("observed");
    foreign(&home.path, |txn| {
        let mut table = txn.open_table(tasks).unwrap();
        table.insert(3, [99, 1, 2].as_slice()).unwrap();
        table.remove(4).unwrap();
        txn.open_table(due).unwrap().insert((0, 5), ()).unwrap();
        let mut table = txn.open_table(memories).unwrap();
        table.insert(("#2", "a"), [99].as_slice()).unwrap();
        let mut table = txn.open_table(observed).unwrap();
        table.insert(("ping", 0, 7), [99].as_slice()).unwrap();
        table.insert(("#4", 0, 0), [1, 0].as_slice()).unwrap();
    });
    let s = home.open();
    let findings = s.store.verify().await.unwrap();
    for expected in [
        "task 3: a task has the unknown version 99",
        "the name `t3` leads to no task",
        "task 5 would be woken for nothing",
        "there is progress of task 4, which is gone",
        "what is remembered of `a` for task 2: a value of a plugin's state has the unknown version 99",
        "what was observed from 7 on for runs of `ping` is of no stretch of time",
        "what was observed from 0 on for task 4, which is gone",
    ] {
        assert!(
            findings.iter().any(|finding| finding == expected),
            "{expected}: {findings:#?}"
        );
    }
    let refused = s.store.task(&"t2".parse().unwrap()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
}

/// Rule 7: whoever opens the file knows that the former claims are dead.
#[tokio::test]
async fn claims_of_a_former_life_are_reaped_at_once() {
    let home = Home::new();
    let s = home.open();
    s.put("t", spec(3600)).await;
    s.set(3600);
    let lost = s.claim_one().await;
    drop(s);
    let s = home.open();
    assert_eq!(s.store.next_wake().await.unwrap(), Some(at(3600)));
    assert!(s.claim(1).await.start.is_empty());
    let reaped = s.store.reap().await.unwrap();
    assert_eq!(reaped.len(), 1);
    assert!(matches!(reaped[0].run.state, RunState::Waiting { .. }));
    assert_eq!(reaped[0].next_wake, Some(at(3600)));
    let again = s.claim_one().await;
    assert_eq!((again.run.id, again.run.attempt), (lost.run.id, 2));
    assert!(again.run.fence > lost.run.fence);
    assert!(s.store.reap().await.unwrap().is_empty());
    let late = s.completion(&lost, Ended::Succeeded).await;
    assert!(matches!(
        s.store.complete(late).await,
        Err(StoreError::Stale(_))
    ));
}

/// What waited for a slot when the process died is not forgotten.
#[tokio::test]
async fn waiting_fires_survive_an_opening() {
    let home = Home::new();
    let s = home.open();
    s.put("a", spec(3600)).await;
    s.put("b", spec(3600)).await;
    s.set(3600);
    let first = s.claim_one().await;
    s.end(&first, Ended::Succeeded).await;
    drop(s);
    let s = home.open();
    assert_eq!(s.store.next_wake().await.unwrap(), Some(at(3600)));
    let second = s.claim_one().await;
    assert_ne!(second.run.task, first.run.task);
}
