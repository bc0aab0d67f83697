//! Recovering SQLite files: settings, logs, journals, who is in the way, and what a hostile schema
//! may not do. What comes out of each kind of damage is compared with SQLite's own program in
//! `tests/recover.rs`.

use std::path::Path;
use std::sync::Arc;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, RecoverOptions, Recovered};
use rusqlite::Connection;

use super::{WAIT, folder, make, open, site};
use crate::place::suffixed;
use crate::sqlite::{SqliteDatabase, recover as driver};
use crate::testing::{count, names};
use crate::unattended;

fn recover(from: &Path, to: &Path) -> Recovered {
    let options = RecoverOptions::default();
    let recovered = SqliteDatabase::open(from, WAIT).unwrap();
    let mut db = recovered;
    db.recover(to, options, &unattended()).unwrap()
}

fn one<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    let db = Connection::open(path).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_sound_file_is_recovered_with_its_settings() {
    for (encoding, vacuum, size) in [
        ("UTF-8", 0, 512),
        ("UTF-16le", 1, 1024),
        ("UTF-16be", 2, 65536),
    ] {
        let (dir, path) = folder(&format!(
            "PRAGMA page_size = {size}; PRAGMA encoding = '{encoding}'; PRAGMA auto_vacuum = {vacuum};
             PRAGMA user_version = -7; PRAGMA application_id = 77;
             CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT, r REAL, n NUMERIC);
             INSERT INTO t (v, r, n) VALUES ('Grüße ☹', 2.0, '12'), (NULL, -0.5, 9223372036854775807), ('', 1e300, x'00ff');
             DELETE FROM t WHERE id = 3;
             CREATE TABLE w (b, a TEXT, c AS (a || 'x'), d AS (b + 1) STORED, e DEFAULT 5, PRIMARY KEY (a, b)) WITHOUT ROWID;
             INSERT INTO w (b, a) VALUES (1, 'q'), (2, 'p');
             CREATE TABLE wide (a); INSERT INTO wide VALUES (1);
             ALTER TABLE wide ADD COLUMN late DEFAULT 'later';
             CREATE TABLE rowid (rowid TEXT, x); INSERT INTO rowid (oid, rowid, x) VALUES (77, 'a', 'b');
             CREATE TABLE descending (k INTEGER PRIMARY KEY DESC, v); INSERT INTO descending VALUES (5, 'five');
             CREATE UNIQUE INDEX tv ON t (v); CREATE INDEX tr ON t (r) WHERE r > 0;
             CREATE VIEW seen AS SELECT v FROM t;
             CREATE TRIGGER tt AFTER INSERT ON t BEGIN DELETE FROM w; END;
             CREATE VIRTUAL TABLE words USING fts5(w); INSERT INTO words VALUES ('lost and found');"
        ));
        let to = dir.path().join("new");
        let recovered = recover(&path, &to);
        assert_eq!(recovered.findings, [""; 0], "{encoding}");
        assert_eq!(
            (recovered.orphans, recovered.rows_lost, recovered.pages_lost),
            (0, 0, 0)
        );
        let dump = |path: &Path| -> String {
            let db = Connection::open(path).unwrap();
            let mut text = String::new();
            for sql in [
                "SELECT group_concat(type || name || coalesce(sql, '')) FROM (SELECT * FROM sqlite_schema ORDER BY 1, 2)",
                "SELECT group_concat(id || quote(v) || quote(r) || typeof(r) || quote(n)) FROM t",
                "SELECT group_concat(b || a || c || d || e) FROM w",
                "SELECT group_concat(a || late) FROM wide",
                "SELECT group_concat(oid || rowid || x) FROM rowid",
                "SELECT group_concat(_rowid_ || k || v) FROM descending",
                "SELECT group_concat(name || seq) FROM sqlite_sequence",
                "SELECT group_concat(rowid || w) FROM words WHERE words MATCH 'found'",
                "SELECT user_version || ' ' || application_id FROM pragma_user_version, pragma_application_id",
                "SELECT encoding || page_size || auto_vacuum FROM pragma_encoding, pragma_page_size, pragma_auto_vacuum",
            ] {
                text.push_str(
                    &db.query_row(sql, [], |row| row.get::<_, String>(0))
                        .unwrap(),
                );
                text.push('\n');
            }
            text
        };
        assert_eq!(dump(&path), dump(&to));
        assert!(open(&to).verify().unwrap().sound);
        assert_eq!(names(dir.path()), ["db", "new"]);
    }
}

#[test]
fn a_log_counts_as_far_as_it_was_committed() {
    let (dir, path) =
        folder("PRAGMA journal_mode = WAL; CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO t VALUES (2); PRAGMA cache_size = 1;
        CREATE TABLE later AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, zeroblob(3000) AS b FROM n;
        BEGIN; DELETE FROM t; UPDATE later SET b = zeroblob(2999)").unwrap();
    let copy = dir.path().join("copy");
    for suffix in ["", "-wal"] {
        std::fs::copy(suffixed(&path, suffix), suffixed(&copy, suffix)).unwrap();
    }
    drop(db);
    // The file's own first page is lost; the log has a newer one.
    let mut bytes = std::fs::read(&copy).unwrap();
    bytes[..4096].fill(0);
    std::fs::write(&copy, bytes).unwrap();
    let new = dir.path().join("new");
    recover(&copy, &new);
    assert_eq!(count(&mut open(&new), "t"), Some(2));
    assert_eq!(count(&mut open(&new), "later"), Some(100));
    assert_eq!(
        one::<i64>(&new, "SELECT sum(length(b)) FROM later"),
        300_000
    );
}

#[test]
fn deleted_rows_come_back_only_when_they_are_asked_for() {
    let (dir, path) = folder(
        "PRAGMA secure_delete = OFF; CREATE TABLE t (v); CREATE TABLE u (v);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO t SELECT printf('%0900d', i) FROM n;
         DROP TABLE t;",
    );
    let new = dir.path().join("new");
    let mut db = open(&path);
    let without = recover(&path, &new);
    assert_eq!((without.orphans, without.findings.len()), (0, 0));
    std::fs::remove_file(&new).unwrap();
    let with = db
        .recover(&new, RecoverOptions { deleted: true }, &unattended())
        .unwrap();
    assert!(with.orphans >= 40, "{with:?}");
    let found: i64 = one(
        &new,
        "SELECT count(*) FROM lost_and_found WHERE c0 LIKE '0000%'",
    );
    assert!(found >= 40, "{found}");
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_is_written() {
    let (dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let at = |name: &str| dir.path().join(name);
    let options = RecoverOptions::default();
    let mut db = open(&path);
    std::fs::write(at("there"), "mine").unwrap();
    let exists = db
        .recover(&at("there"), options, &unattended())
        .unwrap_err();
    assert!(matches!(exists, Fault::Exists(_)), "{exists}");
    let read = db.begin_read().unwrap();
    let busy = db.recover(&at("new"), options, &unattended()).unwrap_err();
    assert!(matches!(busy, Fault::Busy(_)), "{busy}");
    drop(read);
    let ended = crate::Around {
        cancelled: Arc::new(|| true),
        ..unattended()
    };
    let ended = db.recover(&at("new"), options, &ended).unwrap_err();
    assert!(ended.to_string().contains("asked to end"), "{ended}");
    let full = driver::recover(
        &site(&path),
        &at("new"),
        options,
        &unattended(),
        &|_| Ok(100),
        &mut |_| {},
    );
    assert!(full.unwrap_err().to_string().contains("free some space"));
    std::fs::write(at("text"), "no database, ".repeat(1000)).unwrap();
    let text = open(&at("text"))
        .recover(&at("new"), options, &unattended())
        .unwrap_err();
    assert!(matches!(text, Fault::Invalid(_)), "{text}");
    assert!(text.to_string().contains("a text file"), "{text}");
    assert_eq!(names(dir.path()), ["db", "text", "there"]);
}

#[test]
fn a_schema_can_make_things_and_no_more() {
    let (dir, path) = folder("CREATE TABLE t (v); INSERT INTO t VALUES (1)");
    let other = dir.path().join("other");
    let db = make(&path, "PRAGMA writable_schema = ON");
    for sql in [
        "CREATE TABLE filled AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        &format!("ATTACH '{}' AS other", other.display()),
        "CREATE TABLE two (a); DROP TABLE t",
    ] {
        db.execute(
            "INSERT INTO sqlite_schema SELECT 'table', 'x' || count(*), 'x' || count(*), 2, ?1 FROM sqlite_schema",
            [sql],
        )
        .unwrap();
    }
    drop(db);
    let new = dir.path().join("new");
    let recovered = recover(&path, &new);
    assert!(recovered.findings.len() >= 3, "{recovered:?}");
    assert_eq!(count(&mut open(&new), "t"), Some(1));
    assert!(!other.exists());
}

#[test]
fn whatever_page_is_damaged_in_whatever_way_it_ends() {
    let (dir, path) = folder(
        "PRAGMA page_size = 512; CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE w (k PRIMARY KEY, v) WITHOUT ROWID;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO t SELECT i, randomblob(i * 30) FROM n;
         INSERT INTO w SELECT hex(id), v FROM t; CREATE INDEX tv ON t (v); DELETE FROM t WHERE id % 3 = 0;",
    );
    let sound = std::fs::read(&path).unwrap();
    let damaged = dir.path().join("damaged");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    for round in 0..300 {
        let mut bytes = sound.clone();
        for _ in 0..=random(12) {
            let at = random(bytes.len());
            let end = (at + 1 + random(40)).min(bytes.len());
            match random(3) {
                0 => bytes[at..end].fill(random(256) as u8),
                1 => bytes[at] ^= 1 << random(8),
                _ => {
                    let from = random(bytes.len() - (end - at));
                    bytes.copy_within(from..from + end - at, at);
                }
            }
        }
        if round % 5 == 0 {
            bytes.truncate(random(bytes.len()));
        }
        std::fs::write(&damaged, &bytes).unwrap();
        let new = dir.path().join("new");
        let options = RecoverOptions {
            deleted: round % 2 == 0,
        };
        let Ok(mut db) = SqliteDatabase::open(&damaged, WAIT) else {
            continue;
        };
        match db.recover(&new, options, &unattended()) {
            Ok(recovered) => {
                let verdict = open(&new).verify().unwrap();
                assert!(verdict.sound, "{round}: {verdict:?} {recovered:?}");
                std::fs::remove_file(&new).unwrap();
            }
            Err(Fault::Invalid(_) | Fault::Damaged(_)) => {}
            Err(other) => panic!("{round}: {other}"),
        }
    }
}
