//! SQLite beside other processes, which hold locks, write, or crash.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, KeepOld, RecoverOptions, Value};
use rusqlite::Connection;

use super::{WAIT, folder, make, open, site};
use crate::place::{Step, suffixed};
use crate::sqlite::{SqliteDatabase, recover, restore, whole};
use crate::testing::{Other, all, count, crash, names, ready_and_wait, role, say_ready};

/// In the other process: crashes in a transaction that has spilled to the file.
fn crash_while_writing(path: &Path) -> ! {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "PRAGMA cache_size = 2; BEGIN; UPDATE t SET v = zeroblob(3000); DELETE FROM t WHERE id % 2",
    )
    .unwrap();
    crash();
}

fn crashed(test: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let (dir, path) = folder(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         INSERT INTO t SELECT i, randomblob(3000) FROM n;",
    );
    assert!(Other::start(test, "crash", &path).finish(), "crashed");
    assert!(suffixed(&path, "-journal").metadata().unwrap().len() > 512);
    (dir, path)
}

#[test]
fn a_hot_journal_is_left_alone_by_verify_and_rolled_back_by_reads() {
    if let Some((_, path)) = role() {
        crash_while_writing(&path);
    }
    let me =
        "sqlite::tests::processes::a_hot_journal_is_left_alone_by_verify_and_rolled_back_by_reads";
    let (dir, path) = crashed(me);
    let bytes = || ["", "-journal"].map(|s| std::fs::read(suffixed(&path, s)).unwrap());
    let before = bytes();
    let mut db = open(&path);
    let verdict = db.verify().unwrap();
    assert!(verdict.sound, "{verdict:?}");
    assert!(verdict.findings[0].contains("rolled back"), "{verdict:?}");
    assert!(before == bytes());
    assert_eq!(names(dir.path()), ["db", "db-journal"]);
    assert_eq!(count(&mut db, "t"), Some(500));
    assert_eq!(names(dir.path()), ["db"]);
}

#[test]
fn a_hot_journal_is_no_hindrance_to_whole_file_work() {
    if let Some((_, path)) = role() {
        crash_while_writing(&path);
    }
    let me = "sqlite::tests::processes::a_hot_journal_is_no_hindrance_to_whole_file_work";
    for verb in ["snapshot", "pack", "restore", "source"] {
        let (dir, path) = crashed(me);
        let mut db = open(&path);
        let other = dir.path().join("other");
        match verb {
            "snapshot" => drop(db.snapshot(&other).unwrap()),
            "pack" => drop(db.pack().unwrap()),
            "restore" => {
                drop(make(&other, "CREATE TABLE t (v)"));
                let old = db.restore(&other).unwrap();
                assert_eq!(count(&mut open(Path::new(&old)), "t"), Some(500));
                assert_eq!(count(&mut db, "t"), Some(0));
                continue;
            }
            _ => {
                drop(make(&other, "CREATE TABLE t (v)"));
                let fault = open(&other).restore(&path).unwrap_err();
                assert!(fault.to_string().contains("crashed"), "{fault}");
            }
        }
        assert_eq!(count(&mut db, "t"), Some(500), "{verb}");
    }
}

#[test]
fn locks_of_another_process() {
    if let Some((sql, path)) = role() {
        let _held = make(&path, &sql);
        return ready_and_wait();
    }
    let me = "sqlite::tests::processes::locks_of_another_process";
    let (dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let copy = dir.path().join("copy");
    let busy = |fault: Fault| assert!(matches!(fault, Fault::Busy(_)), "{fault}");
    let mut db = open(&path);
    // A writer: reads and snapshots go on, other writes do not.
    let other = Other::ready(me, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)", &path);
    busy(db.begin_write().err().unwrap());
    busy(db.pack().unwrap_err());
    db.snapshot(&copy).unwrap();
    busy(db.restore(&copy).unwrap_err());
    assert_eq!(count(&mut db, "t"), Some(1));
    other.finish();
    // A reader: only what needs the file alone is busy.
    let other = Other::ready(me, "BEGIN; SELECT * FROM t", &path);
    db.begin_write().unwrap();
    busy(db.pack().unwrap_err());
    busy(db.restore(&copy).unwrap_err());
    other.finish();
    // Somebody who shuts everybody out.
    let other = Other::ready(me, "BEGIN EXCLUSIVE", &path);
    busy(SqliteDatabase::open(&path, WAIT).err().unwrap());
    busy(db.tables().unwrap_err());
    busy(db.verify().unwrap_err());
    other.finish();
    db.restore(&copy).unwrap();
    assert!(db.verify().unwrap().sound);
}

/// In the other process: moves amounts between two accounts until it is killed.
fn transfer(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.busy_timeout(Duration::from_secs(60)).unwrap();
    say_ready();
    for amount in 0_i64.. {
        let n = amount % 100;
        db.execute_batch(&format!(
            "BEGIN IMMEDIATE; UPDATE a SET v = v - {n} WHERE id = 1; UPDATE a SET v = v + {n} WHERE id = 2;
             INSERT INTO log VALUES (zeroblob(5000)); DELETE FROM log WHERE rowid < (SELECT max(rowid) FROM log) - 20; COMMIT"
        ))
        .unwrap();
    }
}

#[test]
fn a_busy_writer_in_another_process() {
    if let Some((_, path)) = role() {
        return transfer(&path);
    }
    let me = "sqlite::tests::processes::a_busy_writer_in_another_process";
    for mode in ["DELETE", "WAL"] {
        let (dir, path) = folder(&format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE log (v);
             CREATE TABLE a (id INTEGER PRIMARY KEY, v);
             INSERT INTO a VALUES (1, 500), (2, 500);"
        ));
        let other = Other::ready(me, "transfer", &path);
        let mut db = SqliteDatabase::open(&path, Duration::from_secs(20)).unwrap();
        for round in 0..4 {
            let copy = dir.path().join(format!("copy{round}"));
            db.snapshot(&copy).unwrap();
            let rows = all(&mut *open(&copy).begin_read().unwrap(), "a", 9);
            let amounts: i64 = rows
                .iter()
                .map(|row| match row.columns[1] {
                    Value::Integer(amount) => amount,
                    _ => panic!("an amount"),
                })
                .sum();
            assert_eq!(amounts, 1_000, "one state of the database");
            match whole::pack(
                &site(&path),
                KeepOld::No,
                &crate::unattended(),
                &crate::space::free,
                &mut |_| {},
            ) {
                Ok(_) | Err(Fault::Busy(_)) => {}
                Err(fault) => panic!("{fault}"),
            }
        }
        other.kill();
        assert!(db.verify().unwrap().sound, "{mode}");
        assert_eq!(count(&mut db, "a"), Some(2));
    }
}

/// In the other process: packs, and crashes as soon as the journal or the log has
/// so many bytes, which are the pages that `VACUUM` is about to replace.
fn crash_in_vacuum(bytes: u64, path: &Path) {
    let watched = ["-journal", "-wal"].map(|suffix| suffixed(path, suffix));
    std::thread::spawn(move || {
        loop {
            let long = |p: &std::path::PathBuf| p.metadata().is_ok_and(|m| m.len() >= bytes);
            if watched.iter().any(long) {
                crash();
            }
        }
    });
    whole::pack(
        &site(path),
        KeepOld::No,
        &crate::unattended(),
        &crate::space::free,
        &mut |_| {},
    )
    .unwrap();
}

#[test]
fn a_crash_in_vacuum_leaves_a_whole_file() {
    if let Some((role, path)) = role() {
        return crash_in_vacuum(role.parse().unwrap(), &path);
    }
    let me = "sqlite::tests::processes::a_crash_in_vacuum_leaves_a_whole_file";
    let mut crashes = 0;
    for mode in ["DELETE", "WAL"] {
        for bytes in [1, 100_000, 2_000_000] {
            let (_dir, path) = folder(&format!(
                "PRAGMA journal_mode = {mode}; CREATE TABLE t (id INTEGER PRIMARY KEY, v);
                 WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
                 INSERT INTO t SELECT i, zeroblob(3000) FROM n; DELETE FROM t WHERE id % 2;"
            ));
            crashes += u32::from(Other::start(me, &bytes.to_string(), &path).finish());
            let mut db = open(&path);
            assert!(db.verify().unwrap().sound, "{mode} {bytes}");
            assert_eq!(count(&mut db, "t"), Some(2_000));
            let after = db.pack().unwrap().after;
            assert!(after < 9_000_000, "{mode} {bytes}: {after}");
            assert_eq!(count(&mut db, "t"), Some(2_000));
        }
    }
    assert!(crashes >= 4, "{crashes}");
}

const STEPS: [Step; 7] = [
    Step::Begun,
    Step::Copied,
    Step::Packed,
    Step::Verified,
    Step::Synced,
    Step::Kept,
    Step::Placed,
];

#[test]
fn a_crash_at_any_step_leaves_a_whole_file() {
    if let Some((role, path)) = role() {
        let (verb, step) = role.split_once(' ').unwrap();
        let at = STEPS[step.parse::<usize>().unwrap()];
        let hook = &mut |step| {
            if step == at {
                crash();
            }
        };
        let other = path.with_file_name("other");
        return match verb {
            "snapshot" => drop(whole::snapshot(&site(&path), &other, hook).unwrap()),
            "recover" => drop(
                recover::recover(
                    &site(&path),
                    &other,
                    RecoverOptions::default(),
                    &crate::unattended(),
                    &crate::space::free,
                    hook,
                )
                .unwrap(),
            ),
            "pack" => drop(
                whole::pack(
                    &site(&path),
                    KeepOld::UntilNext,
                    &crate::unattended(),
                    &crate::space::free,
                    hook,
                )
                .unwrap(),
            ),
            _ => drop(restore::restore(&site(&path), &other, hook).unwrap()),
        };
    }
    let me = "sqlite::tests::processes::a_crash_at_any_step_leaves_a_whole_file";
    let mut crashes = BTreeMap::new();
    for verb in ["snapshot", "restore", "recover", "pack"] {
        for step in 0..STEPS.len() {
            let (dir, path) =
                folder("PRAGMA journal_mode = WAL; CREATE TABLE t (v); INSERT INTO t VALUES (1)");
            let other = dir.path().join("other");
            if verb == "restore" {
                drop(make(&other, "CREATE TABLE t (v); INSERT INTO t VALUES (2)"));
            }
            let role = format!("{verb} {step}");
            let crashed = Other::start(me, &role, &path).finish();
            *crashes.entry(verb).or_insert(0) += u32::from(crashed);
            let mut db = open(&path);
            assert!(db.verify().unwrap().sound, "{role}");
            assert_eq!(count(&mut db, "t"), Some(1), "{role}");
            let old = path.with_file_name("db.old");
            if old.exists() {
                assert_eq!(count(&mut open(&old), "t"), Some(1), "{role}");
            }
            match verb {
                "restore" => drop(db.restore(&other).unwrap()),
                "pack" => {
                    db.pack_keeping(KeepOld::UntilNext, &crate::unattended())
                        .unwrap();
                    std::fs::rename(&old, &other).unwrap();
                }
                "recover" => {
                    // The next attempt to the same place takes away what this one left.
                    let _ = std::fs::remove_file(&other);
                    db.recover(&other, RecoverOptions::default(), &crate::unattended())
                        .unwrap();
                }
                _ if other.exists() => {}
                _ => drop(db.snapshot(&other).unwrap()),
            }
            assert_eq!(count(&mut open(&other), "t"), Some(1), "{role}");
            let left = names(dir.path());
            assert!(
                !left.iter().any(|n| n.contains("mhost-tmp")),
                "{role}: {left:?}"
            );
        }
    }
    assert_eq!(
        crashes,
        BTreeMap::from([("pack", 6), ("recover", 5), ("restore", 6), ("snapshot", 5)])
    );
}
