//! What is SQLite's own: shapes of tables, keys, journals, other processes.

mod processes;
mod recovering;

use std::path::Path;
use std::time::Duration;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, KeepOld, Transaction, Value};
use proptest::prelude::*;
use rusqlite::Connection;

use super::{Site, SqliteDatabase, whole};
use crate::place::suffixed;
use crate::testing::{all, blob, count, int, text};

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

#[test]
fn a_full_disk_stops_a_pack_before_it_begins() {
    let (_dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (zeroblob(100000))");
    let mut steps = Vec::new();
    let packed = whole::pack(
        &site(&path),
        KeepOld::No,
        &crate::unattended(),
        &|_| Ok(50_000),
        &mut |step| steps.push(step),
    );
    assert!(packed.unwrap_err().to_string().contains("free"));
    assert_eq!(steps, []);
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

#[test]
fn a_damaged_header_is_named_with_the_way_out() {
    let (dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let mut bytes = std::fs::read(&path).unwrap();
    // A page has no 3 bytes.
    bytes[16..18].copy_from_slice(&[0, 3]);
    std::fs::write(&path, &bytes).unwrap();
    let fault = open(&path).tables().unwrap_err();
    let said = fault.to_string();
    assert!(matches!(fault, Fault::Damaged(_)), "{said}");
    assert!(said.contains("its header is damaged"), "{said}");
    assert!(said.contains("pack recover"), "{said}");
    let options = mhost_model::ports::database::RecoverOptions::default();
    let new = dir.path().join("new");
    let recovered = open(&path).recover(&new, options, &crate::unattended());
    assert_eq!(recovered.unwrap().rows, 1);
}
