//! What is SQLite's own: shapes of tables, keys, journals, other processes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, Transaction, Value};
use proptest::prelude::*;
use rusqlite::Connection;

use super::{Site, SqliteDatabase, restore, whole};
use crate::place::{Step, suffixed};
use crate::testing::{
    Other, all, blob, count, crash, int, names, ready_and_wait, role, say_ready, text,
};

const WAIT: Duration = Duration::from_millis(50);

fn make(path: &Path, sql: &str) -> Connection {
    let db = Connection::open(path).unwrap();
    db.execute_batch(sql).unwrap();
    db
}

fn open(path: &Path) -> SqliteDatabase {
    SqliteDatabase::open(path, WAIT).unwrap()
}

fn site(path: &Path) -> Site {
    Site {
        path: path.to_path_buf(),
        wait: WAIT,
    }
}

/// A folder with a database made by this SQL.
fn folder(sql: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    drop(make(&path, sql));
    (dir, path)
}

#[test]
fn tables_and_their_shapes() {
    let (_dir, path) = folder(
        "CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, x);
         CREATE TABLE pairs (v, b INT, a TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         CREATE TABLE plain (a, b AS (a + 1), c AS (a * 2) STORED, d DEFAULT 5);
         CREATE VIEW seen AS SELECT name FROM people;
         CREATE VIRTUAL TABLE words USING fts5(w);
         INSERT INTO people (name) VALUES ('Ada'), ('Bob');",
    );
    let mut db = open(&path);
    let tables = db.tables().unwrap();
    let seen: Vec<_> = tables
        .iter()
        .map(|t| (&*t.name, &*t.shape, t.rows, t.columns.len()))
        .collect();
    assert_eq!(
        seen,
        [
            ("pairs", "v, b INT, a TEXT", 0, 3),
            ("people", "id INTEGER, name TEXT, x", 2, 3),
            ("plain", "a, d", 0, 2),
        ]
    );
    let mut read = db.begin_read().unwrap();
    for hidden in [
        "seen",
        "words",
        "words_data",
        "sqlite_sequence",
        "sqlite_schema",
        "PEOPLE",
    ] {
        let fault = read.scan(hidden, None, 1).unwrap_err();
        assert!(matches!(fault, Fault::NotFound(_)), "{hidden}: {fault}");
    }
    let info = db.info().unwrap();
    assert_eq!(info.engine, "sqlite");
    assert_eq!(info.size, path.metadata().unwrap().len());
}

fn put(write: &mut dyn Transaction, table: &str, key: &[Value], columns: &[Value]) {
    write.put(table, key, columns).unwrap();
    let row = write.get(table, key).unwrap().unwrap();
    assert_eq!((row.key, row.columns), (key.to_vec(), columns.to_vec()));
}

#[test]
fn keys_of_every_kind() {
    let (_dir, path) = folder(
        "CREATE TABLE pairs (v, b INT, a TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         CREATE TABLE plain (a, b AS (a + 1), d);
         CREATE TABLE shadow (rowid TEXT, a);
         CREATE TABLE hidden (rowid, _rowid_, OID);
         CREATE TABLE loose (k TEXT PRIMARY KEY COLLATE NOCASE, v);",
    );
    let mut db = open(&path);
    let mut write = db.begin_write().unwrap();
    let pair = [text("x"), int(2)].concat();
    put(
        &mut *write,
        "pairs",
        &pair,
        &[int(9), int(2), text("x")].concat(),
    );
    put(
        &mut *write,
        "pairs",
        &pair,
        &[int(8), int(2), text("x")].concat(),
    );
    put(
        &mut *write,
        "plain",
        &int(7),
        &[int(1), blob(b"d")].concat(),
    );
    put(
        &mut *write,
        "shadow",
        &int(-7),
        &[text("r"), text("a")].concat(),
    );
    put(
        &mut *write,
        "loose",
        &text("K"),
        &[text("K"), int(1)].concat(),
    );
    let hidden = write.scan("hidden", None, 1).unwrap_err();
    assert!(matches!(hidden, Fault::Unsupported(_)), "{hidden}");
    // The collation finds the row, and the new key's letters are stored.
    put(
        &mut *write,
        "loose",
        &text("k"),
        &[text("k"), int(2)].concat(),
    );
    assert_eq!(write.scan("loose", None, 9).unwrap().rows.len(), 1);
    for (table, key, columns) in [
        ("pairs", text("x"), [int(9), int(2), text("x")].concat()),
        ("pairs", pair.clone(), [int(9), int(3), text("x")].concat()),
        ("pairs", pair, int(9)),
        ("plain", text("no rowid"), [int(1), int(1)].concat()),
        ("plain", int(1), vec![Value::Real(f64::NAN), Value::Null]),
        (
            "plain",
            vec![Value::Real(f64::NAN)],
            [int(1), int(1)].concat(),
        ),
    ] {
        let fault = write.put(table, &key, &columns).unwrap_err();
        assert!(
            matches!(fault, Fault::Invalid(_)),
            "{table} {key:?}: {fault}"
        );
    }
}

#[test]
fn nulls_in_a_primary_key() {
    let (_dir, path) = folder(
        "CREATE TABLE t (a TEXT, b TEXT, PRIMARY KEY (a, b));
         INSERT INTO t VALUES (NULL, 'x'), (NULL, NULL), ('p', NULL), ('p', 'q'), ('z', NULL);
         CREATE TABLE twice (a TEXT PRIMARY KEY);
         INSERT INTO twice VALUES (NULL), ('x'), (NULL);",
    );
    let mut db = open(&path);
    let mut write = db.begin_write().unwrap();
    for limit in 1..7 {
        let rows = all(&mut *write, "t", limit);
        assert_eq!(rows.len(), 5, "{limit}");
        let twice = write.scan("twice", None, limit).unwrap_err();
        assert!(matches!(twice, Fault::Unsupported(_)), "{twice}");
    }
    let key = [Value::Null, Value::Text("x".into())];
    assert!(write.delete("t", &key).unwrap());
    assert_eq!(write.get("t", &key).unwrap(), None);
    assert_eq!(all(&mut *write, "t", 2).len(), 4);
}

#[test]
fn a_put_deletes_no_other_row() {
    let (_dir, path) = folder(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT UNIQUE);
         CREATE TABLE child (id INTEGER PRIMARY KEY, t REFERENCES t ON DELETE CASCADE);
         INSERT INTO t VALUES (1, 'a'), (2, 'b');
         INSERT INTO child VALUES (5, 1);",
    );
    let mut db = open(&path);
    let mut write = db.begin_write().unwrap();
    let taken = write.put("t", &int(1), &[int(1), text("b")].concat());
    assert!(matches!(taken, Err(Fault::Invalid(_))), "{taken:?}");
    write
        .put("t", &int(1), &[int(1), text("c")].concat())
        .unwrap();
    let orphan = write.put("child", &int(6), &[int(6), int(99)].concat());
    assert!(matches!(orphan, Err(Fault::Invalid(_))), "{orphan:?}");
    write.commit().unwrap();
    assert_eq!(count(&mut db, "t"), Some(2));
    assert_eq!(count(&mut db, "child"), Some(1), "no cascade");
}

#[test]
fn a_text_that_is_not_utf_8_is_damage() {
    let (_dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (CAST(x'ff' AS TEXT))");
    let mut read = open(&path).begin_read().unwrap();
    let fault = read.scan("t", None, 1).unwrap_err();
    assert!(matches!(fault, Fault::Damaged(_)), "{fault}");
}

#[test]
fn a_row_beyond_the_limit_is_refused_before_it_is_copied() {
    let (_dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(70000000))");
    let mut read = open(&path).begin_read().unwrap();
    for fault in [
        read.scan("t", None, 1).unwrap_err(),
        read.get("t", &int(1)).unwrap_err(),
    ] {
        assert!(matches!(fault, Fault::Limit(_)), "{fault}");
    }
}

#[test]
fn a_dangling_reference_is_found() {
    let (_dir, path) = folder(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE t (id INTEGER PRIMARY KEY);
         CREATE TABLE c (t REFERENCES t);
         INSERT INTO c VALUES (7);",
    );
    let mut db = open(&path);
    let verdict = db.verify().unwrap();
    assert!(!verdict.sound);
    assert!(
        verdict.findings.iter().any(|f| f.contains("table `c`")),
        "{verdict:?}"
    );
    // It is the application's matter: the structure is sound, and can be packed.
    db.pack().unwrap();
    assert_eq!(count(&mut db, "c"), Some(1));
}

#[test]
fn a_database_in_wal_mode() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let application = make(
        &at("db"),
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
         CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(500000)), ('x'); DELETE FROM t WHERE v <> 'x';",
    );
    let bytes = || ["db", "db-wal"].map(|name| std::fs::read(at(name)).unwrap());
    let before = bytes();
    assert!(before[1].len() > 500_000);
    let mut db = open(&at("db"));
    assert!(db.verify().unwrap().sound);
    assert_eq!(count(&mut db, "t"), Some(1));
    assert!(before == bytes(), "verify and read change nothing");
    db.snapshot(&at("copy")).unwrap();
    assert_eq!(count(&mut open(&at("copy")), "t"), Some(1));
    assert!(before == bytes());
    // Packed beside an idle connection; a reader keeps its pages.
    application.execute_batch("BEGIN; SELECT * FROM t").unwrap();
    let fault = db.pack().unwrap_err();
    assert!(matches!(fault, Fault::Busy(_)), "{fault}");
    application.execute_batch("COMMIT").unwrap();
    let packed = db.pack().unwrap();
    assert!(packed.after < 20_000, "{packed:?}");
    assert_eq!(at("db-wal").metadata().unwrap().len(), 0);
    let busy = db.restore(&at("copy")).unwrap_err();
    assert!(matches!(busy, Fault::Busy(_)), "{busy}");
    drop(application);
    db.restore(&at("copy")).unwrap();
    assert_eq!(count(&mut db, "t"), Some(1));
    let mode: String = Connection::open(at("db"))
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal", "the restored file keeps its mode");
}

#[test]
fn a_source_with_a_log_is_restored_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    drop(make(&at("db"), "CREATE TABLE old (v)"));
    let live = make(
        &at("live"),
        "PRAGMA journal_mode = WAL; CREATE TABLE t (v); INSERT INTO t VALUES (1)",
    );
    for suffix in ["", "-wal"] {
        std::fs::copy(
            suffixed(&at("live"), suffix),
            suffixed(&at("source"), suffix),
        )
        .unwrap();
    }
    drop(live);
    let mut db = open(&at("db"));
    db.restore(&at("source")).unwrap();
    assert_eq!(count(&mut db, "t"), Some(1));
}

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
    let me = "sqlite::tests::a_hot_journal_is_left_alone_by_verify_and_rolled_back_by_reads";
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
    let me = "sqlite::tests::a_hot_journal_is_no_hindrance_to_whole_file_work";
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
    let me = "sqlite::tests::locks_of_another_process";
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
    let me = "sqlite::tests::a_busy_writer_in_another_process";
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
            match whole::pack(&site(&path), &crate::space::free, &mut |_| {}) {
                Ok(_) | Err(Fault::Busy(_)) => {}
                Err(fault) => panic!("{fault}"),
            }
        }
        other.kill();
        assert!(db.verify().unwrap().sound, "{mode}");
        assert_eq!(count(&mut db, "a"), Some(2));
    }
}

#[test]
fn a_full_disk_stops_a_pack_before_it_begins() {
    let (_dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(100000))");
    let mut steps = Vec::new();
    let packed = whole::pack(&site(&path), &|_| Ok(50_000), &mut |step| steps.push(step));
    assert!(packed.unwrap_err().to_string().contains("free"));
    assert_eq!(steps, []);
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
    whole::pack(&site(path), &crate::space::free, &mut |_| {}).unwrap();
}

#[test]
fn a_crash_in_vacuum_leaves_a_whole_file() {
    if let Some((role, path)) = role() {
        return crash_in_vacuum(role.parse().unwrap(), &path);
    }
    let me = "sqlite::tests::a_crash_in_vacuum_leaves_a_whole_file";
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

const STEPS: [Step; 6] = [
    Step::Begun,
    Step::Copied,
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
            _ => drop(restore::restore(&site(&path), &other, hook).unwrap()),
        };
    }
    let me = "sqlite::tests::a_crash_at_any_step_leaves_a_whole_file";
    let mut crashes = BTreeMap::new();
    for verb in ["snapshot", "restore"] {
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
            match verb {
                "restore" => drop(db.restore(&other).unwrap()),
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
    assert_eq!(crashes, BTreeMap::from([("restore", 6), ("snapshot", 5)]));
}

/// Any value but NaN. A real key is never whole: SQLite takes 5 and 5.0 for one.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Integer(i64::MIN)),
        Just(Value::Integer(i64::MAX)),
        any::<i64>().prop_map(Value::Integer),
        (-1_000_000..1_000_000_i32).prop_map(|n| Value::Real(f64::from(n) + 0.5)),
        Just(Value::Real(f64::INFINITY)),
        "(\\PC|\0){0,12}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Blob),
    ]
}

fn columns() -> impl Strategy<Value = [Value; 3]> {
    [
        value().boxed(),
        value().boxed(),
        prop_oneof![value(), Just(Value::Null)].boxed(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn rows_round_trip(
        rows in prop::collection::vec(columns(), 1..40),
        limit in 1_u32..20,
        gone in any::<prop::sample::Index>(),
        rowids in any::<bool>(),
    ) {
        let option = if rowids { "" } else { "WITHOUT ROWID" };
        let (_dir, path) = folder(&format!("CREATE TABLE t (b, v, a, PRIMARY KEY (a, b)) {option}"));
        let mut db = open(&path);
        let mut write = db.begin_write().unwrap();
        let mut model: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
        for [a, b, v] in rows {
            let (key, columns) = (vec![a.clone(), b.clone()], vec![b, v, a]);
            write.put("t", &key, &columns).unwrap();
            model.retain(|(other, _)| *other != key);
            model.push((key, columns));
        }
        let (key, _) = model.swap_remove(gone.index(model.len()));
        prop_assert!(write.delete("t", &key).unwrap());
        prop_assert_eq!(write.get("t", &key).unwrap(), None);
        write.commit().unwrap();
        let mut read = db.begin_read().unwrap();
        let seen = all(&mut *read, "t", limit);
        prop_assert_eq!(seen.len(), model.len());
        for (key, columns) in model {
            let row = read.get("t", &key).unwrap().unwrap();
            prop_assert_eq!(&row.columns, &columns);
            prop_assert!(seen.contains(&row));
        }
    }
}
