//! Databases among the sources, several repositories, and drills.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;

use crate::bench::{Bench, contents};

fn site(bench: &Bench) -> Connection {
    let database = Connection::open(bench.path("src/site.db")).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database
        .busy_timeout(std::time::Duration::from_secs(10))
        .unwrap();
    database
        .execute_batch("CREATE TABLE IF NOT EXISTS pair (a INTEGER, b INTEGER); DELETE FROM pair; INSERT INTO pair VALUES (0, 0);")
        .unwrap();
    database
}

/// Both numbers of the row rise together in each transaction: a copy in which they
/// differ is no state that existed.
pub fn a_busy_sqlite_is_one_state() {
    let bench = Bench::new();
    let database = site(&bench);
    let (done, grant) = (
        AtomicBool::new(false),
        format!(
            "site=sqlite:{}:snapshot",
            bench.path("src/site.db").display()
        ),
    );
    let mut seen = Vec::new();
    thread::scope(|scope| {
        let ended = &done;
        // A connection belongs to one thread.
        scope.spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                database
                    .execute_batch("BEGIN IMMEDIATE; UPDATE pair SET a = a + 1; INSERT INTO pair VALUES (-1, -1); UPDATE pair SET b = b + 1 WHERE b >= 0; COMMIT;")
                    .unwrap();
            }
        });
        for _ in 0..3 {
            bench.backup(&["--db", &grant, "--set", r#"databases=["site"]"#]);
            let back = bench.restore(&[]);
            let names: Vec<_> = contents(&back).into_iter().map(|(path, _)| path).collect();
            assert!(names.contains(&"site.db".into()), "{names:?}");
            // Alone: what the source's own write-ahead log holds is in the copy.
            fs::copy(back.join("site.db"), bench.path("alone.db")).unwrap();
            let copy = Connection::open(bench.path("alone.db")).unwrap();
            let sound: String = copy
                .query_row("PRAGMA integrity_check", [], |row| row.get(0))
                .unwrap();
            assert_eq!(sound, "ok");
            let count: i64 = copy
                .query_row("SELECT count(*) FROM pair", [], |row| row.get(0))
                .unwrap();
            let top: i64 = copy
                .query_row("SELECT max(b) FROM pair", [], |row| row.get(0))
                .unwrap();
            assert_eq!(
                count,
                top + 1,
                "each transaction adds one row and one to `b`"
            );
            seen.push(top);
            drop(copy);
            fs::remove_file(bench.path("alone.db")).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(seen.is_sorted() && seen[2] > 0, "{seen:?}");
}

/// A database is restored beside, verified and swapped in; a drill verifies it too, and
/// finds a flipped bit.
pub fn a_drill_proves_a_backup() {
    let bench = Bench::new();
    let database = site(&bench);
    database.execute_batch("UPDATE pair SET a = 7").unwrap();
    drop(database);
    bench.write("src/index.html", "page".repeat(1000));
    let path = bench.path("src/site.db");
    let grant = |verb| format!("site=sqlite:{}:{verb}", path.display());
    let snapshot = grant("snapshot");
    let databases = ["--db", &snapshot, "--set", r#"databases=["site"]"#];
    bench.backup(&databases);
    // By now mhost has a database of its own, of redb's: a copy is one more to verify.
    fs::copy(bench.path("home/mhost.redb"), bench.path("src/own.redb")).unwrap();
    bench.backup(&databases);
    let (scratch, repo) = (
        bench.grant("scratch", "scratch", "rw"),
        bench.grant("main", "repo", "read"),
    );
    let drill = [
        "--dir",
        scratch.as_str(),
        "--repo",
        repo.as_str(),
        "--set",
        "scratch=/scratch",
    ];
    let report = bench.fine("drill", &drill);
    let summary = report["report"]["summary"].as_str().unwrap();
    assert!(summary.contains("2 databases sound"), "{summary}");
    assert_eq!(fs::read_dir(bench.path("scratch")).unwrap().count(), 0);
    let database = Connection::open(&path).unwrap();
    database.execute_batch("UPDATE pair SET a = 8").unwrap();
    drop(database);
    bench.restore(&["--db", &grant("restore"), "--set", r#"databases=["site"]"#]);
    let database = Connection::open(&path).unwrap();
    let a: i64 = database
        .query_row("SELECT max(a) FROM pair", [], |row| row.get(0))
        .unwrap();
    assert_eq!(a, 7);
    drop(database);
    flip(&bench);
    let output = bench.exec("drill", &drill);
    assert_eq!(output.status.code(), Some(1));
    let check = bench.grant("main", "repo", "check");
    let output = bench.exec("check", &["--repo", &check, "--set", "data_percent=100"]);
    assert_eq!(output.status.code(), Some(1));
}

/// One bit in the middle of the largest pack.
fn flip(bench: &Bench) {
    let data = bench.path("repo/data");
    let largest = contents(&data)
        .into_iter()
        .max_by_key(|(_, content)| content.len());
    let (path, mut content) = largest.unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(data.join(path), content).unwrap();
}

pub fn several_repositories_and_one_reading() {
    let bench = Bench::new();
    bench.write("src/a", "a".repeat(3 << 20));
    let (second, nowhere) = (
        bench.grant("second", "second", "append,read"),
        bench.grant("broken", "src/a", "append,read"),
    );
    let report = bench.backup(&[
        "--repo",
        &second,
        "--set",
        r#"repositories=["main","second"]"#,
    ]);
    let details = &report["report"]["details"]["repositories"];
    assert_eq!(details.as_array().unwrap().len(), 2, "{report}");
    bench.write("src/b", "b");
    let (src, main) = (
        bench.grant("src", "src", "ro"),
        bench.grant("main", "repo", "append,read"),
    );
    let given = [
        "--dir", &src, "--repo", &main, "--repo", &nowhere, "--repo", &second,
    ];
    let set = [
        "--set",
        r#"sources=["/src"]"#,
        "--set",
        r#"repositories=["broken","main","second"]"#,
    ];
    let output = bench.exec("backup", &[&given[..], &set[..]].concat());
    assert_eq!(output.status.code(), Some(1), "one of them cannot be");
    for (name, below) in [("main", "repo"), ("second", "second")] {
        let repo = bench.grant(name, below, "read");
        let set = format!("repository={name}");
        let listed = bench.fine("snapshots", &["--repo", &repo, "--set", &set]);
        let snapshots = &listed["report"]["details"]["snapshots"]["items"];
        assert_eq!(snapshots.as_array().unwrap().len(), 2, "{name}: {listed}");
    }
}
