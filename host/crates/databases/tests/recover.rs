//! What is recovered from each kind of damage of a SQLite file, beside what SQLite's own program finds.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use mhost_databases::ManagedDatabases;
use mhost_model::ByteSize;
use mhost_model::ports::database::{Around, Databases as _, RecoverOptions, Recovered};
use mhost_model::resource::{DatabaseDef, Engine};
use mhost_test_support::{Tool, scratch, tools, trial};
use rusqlite::Connection;

const PAGE: usize = 1024;

fn main() {
    let trials = KINDS.iter().map(|(name, damage, least)| {
        trial(name, &[Tool::Sqlite], move || {
            for encoding in ["UTF-8", "UTF-16le"] {
                check(name, encoding, *damage, *least);
            }
        })
    });
    mhost_test_support::main(trials.collect())
}

type Damage = fn(&mut Vec<u8>, &Places);

/// Each kind of damage, and how many of the 2,600 rows must be in their own tables afterwards.
const KINDS: [(&str, Damage, usize); 10] = [
    ("nothing", |_, _| {}, 2600),
    ("header", |bytes, _| bytes[..100].fill(0xa5), 2600),
    (
        "header_of_the_schema",
        |bytes, _| bytes[100..112].fill(0xff),
        0,
    ),
    ("schema_page", |bytes, _| bytes[..PAGE].fill(0), 0),
    (
        "schema_leaf",
        |bytes, places| fill(bytes, places.schema_leaf),
        0,
    ),
    ("inner_page", |bytes, places| fill(bytes, places.inner), 600),
    ("leaf", |bytes, places| fill(bytes, places.leaf), 2500),
    (
        "overflow",
        |bytes, places| fill(bytes, places.overflow),
        2599,
    ),
    (
        "list_of_unused_pages",
        |bytes, places| fill(bytes, places.unused),
        2600,
    ),
    (
        "truncated",
        |bytes, _| bytes.truncate(bytes.len() / 2 / PAGE * PAGE + 300),
        100,
    ),
];

fn fill(bytes: &mut [u8], page: u32) {
    bytes[(page as usize - 1) * PAGE..][..PAGE].fill(0xa5);
}

/// Pages of each kind of the file that is to be damaged.
struct Places {
    schema_leaf: u32,
    inner: u32,
    leaf: u32,
    overflow: u32,
    unused: u32,
}

/// Three tables: 2,000 rows, 500 without rowids, and 100 with overflow pages; and so many empty
/// ones that the schema is a tree.
fn make(path: &Path, encoding: &str) -> Places {
    let more: String = (0..12)
        .map(|n| {
            format!(
                "CREATE TABLE empty{n} (a INTEGER PRIMARY KEY, b TEXT NOT NULL, c TEXT DEFAULT 'of no consequence');"
            )
        })
        .collect();
    let db = Connection::open(path).unwrap();
    db.execute_batch(&format!(
        "PRAGMA secure_delete = OFF; PRAGMA page_size = {PAGE}; PRAGMA encoding = '{encoding}';
         CREATE TABLE people (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, born REAL);
         CREATE TABLE pairs (v, a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
         CREATE TABLE pictures (name TEXT, content BLOB);
         CREATE TABLE gone (v); {more}
         CREATE INDEX born ON people (born);
         CREATE VIEW names AS SELECT name FROM people;
         CREATE TRIGGER born_later AFTER DELETE ON people BEGIN DELETE FROM pairs; END;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
           INSERT INTO people (name, born) SELECT 'person ' || i, 1900.25 + i % 100 FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
           INSERT INTO pairs SELECT i * 7, 'pair ' || (i % 50), i FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
           INSERT INTO pictures SELECT 'picture ' || i, CAST(printf('%05d', i) || hex(zeroblob(1500)) AS BLOB) FROM n;
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
           INSERT INTO gone SELECT zeroblob(500) FROM n;
         DELETE FROM gone;"
    ))
    .unwrap();
    drop(db);
    let stat = |table: &str, kind: &str| {
        ask(
            path,
            &format!(
                "SELECT pageno FROM dbstat WHERE name = '{table}' AND pagetype = '{kind}' ORDER BY pageno LIMIT 1 OFFSET 1"
            ),
        )
    };
    let bytes = std::fs::read(path).unwrap();
    Places {
        schema_leaf: stat("sqlite_schema", "leaf"),
        inner: ask(
            path,
            "SELECT rootpage FROM sqlite_schema WHERE name = 'people'",
        ),
        leaf: stat("people", "leaf"),
        overflow: stat("pictures", "overflow"),
        unused: u32::from_be_bytes(bytes[32..36].try_into().unwrap()),
    }
}

/// A number from SQLite's program.
fn ask(path: &Path, sql: &str) -> u32 {
    let mut shell = Command::new(tools::sqlite().unwrap());
    let output = shell.arg(path).arg(sql).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{sql}: {text}"))
}

/// Rows as text, each with how often it is there.
type Rows = BTreeMap<Vec<String>, u32>;

fn rows(db: &Connection, table: &str) -> Rows {
    let mut rows = Rows::new();
    let Ok(mut statement) = db.prepare(&format!("SELECT * FROM \"{table}\"")) else {
        return rows;
    };
    let width = statement.column_count();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let value = |n| format!("{:?}", row.get_ref(n).unwrap());
        *rows.entry((0..width).map(value).collect()).or_default() += 1;
    }
    rows
}

fn tables(db: &Connection) -> Vec<String> {
    let mut statement = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
        .unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

/// Of each row the values that are not null, sorted: a row without its table has them in other columns.
/// Sorted as a whole.
fn contents(db: &Connection) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for table in tables(db) {
        let lost = table == "lost_and_found";
        for (row, count) in rows(db, &table) {
            let id = row.get(3).filter(|_| lost);
            let values = row.iter().skip(if lost { 4 } else { 0 }).chain(id);
            let mut values: Vec<_> = values.filter(|v| *v != "Null").cloned().collect();
            values.sort();
            (0..count).for_each(|_| all.push(values.clone()));
        }
    }
    all.sort();
    all
}

fn recover(from: &Path, to: &Path) -> Recovered {
    let def = DatabaseDef {
        engine: Engine::Sqlite,
        path: from.to_path_buf(),
    };
    let databases = ManagedDatabases::new([("db".parse().unwrap(), def)].into());
    let mut db = databases.open(&"db".parse().unwrap()).unwrap();
    let around = Around {
        now: "2026-01-31T00:00:00Z".parse().unwrap(),
        cancelled: Arc::new(|| false),
        keep_free: ByteSize(0),
        progress: Arc::new(|_, _, _| {}),
    };
    db.recover(to, RecoverOptions::default(), &around).unwrap()
}

/// What SQLite's program recovers.
fn theirs(from: &Path, to: &Path) -> Connection {
    let shell = tools::sqlite().unwrap();
    let script = Command::new(&shell)
        .arg(from)
        .arg(".recover --ignore-freelist")
        .output()
        .unwrap();
    let mut run = Command::new(&shell)
        .arg(to)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = run.stdin.take().unwrap();
    input.write_all(&script.stdout).unwrap();
    drop(input);
    run.wait().unwrap();
    Connection::open(to).unwrap()
}

fn check(name: &str, encoding: &str, damage: Damage, least: usize) {
    let folder = scratch("recover");
    let at = |name: &str| folder.path().join(name);
    let places = make(&at("original"), encoding);
    let mut bytes = std::fs::read(at("original")).unwrap();
    damage(&mut bytes, &places);
    std::fs::write(at("damaged"), &bytes).unwrap();
    let report = recover(&at("damaged"), &at("ours"));
    assert!(
        bytes == std::fs::read(at("damaged")).unwrap(),
        "{name}: it was changed"
    );
    let original = Connection::open(at("original")).unwrap();
    let ours = Connection::open(at("ours")).unwrap();
    let theirs = theirs(&at("damaged"), &at("theirs"));
    let kept = nothing_is_invented(name, &original, &ours);
    assert!(
        kept >= least,
        "{name} {encoding}: {kept} rows in their tables\n{report:#?}"
    );
    assert_eq!(report.rows, kept as u64, "{name}");
    assert_eq!(
        report.findings.is_empty(),
        name == "nothing",
        "{name}: {report:#?}"
    );
    nothing_of_theirs_is_missing(name, &original, &ours, &theirs);
    let verdict: String = ours
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok", "{name}");
}

/// Each row of a table was one of its rows. Answers how many there are.
fn nothing_is_invented(name: &str, original: &Connection, ours: &Connection) -> usize {
    let mut kept = 0;
    for table in tables(ours)
        .iter()
        .filter(|table| *table != "lost_and_found")
    {
        let was = rows(original, table);
        for (row, count) in rows(ours, table) {
            assert!(
                was.get(&row).is_some_and(|n| *n >= count),
                "{name}: {table} {row:?}"
            );
            kept += count as usize;
        }
    }
    kept
}

/// Every whole row that they have in its table is in ours, and what they have elsewhere is somewhere in ours.
fn nothing_of_theirs_is_missing(
    name: &str,
    original: &Connection,
    ours: &Connection,
    theirs: &Connection,
) {
    let named = tables(theirs);
    for table in named.iter().filter(|table| *table != "lost_and_found") {
        let (was, found) = (rows(original, table), rows(ours, table));
        for (row, count) in rows(theirs, table) {
            // They keep cut rows there too.
            let sound = was.get(&row).is_some_and(|n| *n >= count);
            let have = found.get(&row).copied().unwrap_or(0);
            assert!(!sound || have >= count, "{name}: {table} {row:?}");
        }
    }
    let (known, have) = (contents(original), contents(ours));
    for row in contents(theirs) {
        let sound = known.binary_search(&row).is_ok();
        assert!(
            !sound || have.binary_search(&row).is_ok(),
            "{name}: {row:?}"
        );
    }
}
