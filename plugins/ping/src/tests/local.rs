//! Files, space, processes, databases.

use std::fs;

use mhost_sdk::processes::Outcome;
use mhost_sdk::testing::{FakeDatabase, NativeHost};
use serde_json::{Value, json};

use super::why;

const HOUR: u64 = 3_600_000;
const NOW: u64 = 1_772_323_200_000;

fn table(host: &NativeHost, cases: &[(Value, Option<&str>)]) {
    for (target, expected) in cases {
        let found = why(host, target.clone());
        match expected {
            None => assert_eq!(found, None, "{target}"),
            Some(text) => assert!(
                found.as_ref().is_some_and(|found| found.contains(text)),
                "{target}: {found:?}"
            ),
        }
    }
}

#[test]
fn files_and_space() {
    let host = NativeHost::new().with_directory("d");
    fs::write(host.path("/d/a"), "content").unwrap();
    let modified = std::time::UNIX_EPOCH + std::time::Duration::from_millis(NOW - 2 * HOUR);
    let file = fs::File::options()
        .write(true)
        .open(host.path("/d/a"))
        .unwrap();
    file.set_modified(modified).unwrap();
    table(
        &host,
        &[
            (json!({ "file": { "path": "/d/a" } }), None),
            (json!({ "file": { "path": "/d/b" } }), Some("no such file")),
            (json!({ "file": { "path": "/d/a", "max_age": "3h" } }), None),
            (
                json!({ "file": { "path": "/d/a", "max_age": "90m" } }),
                Some("written 2h 0m ago"),
            ),
            (
                json!({ "file": { "path": "/d/a", "min_size": 8 } }),
                Some("it has 7 bytes"),
            ),
            (
                json!({ "file": { "path": "/d/a", "max_size": 6 } }),
                Some("more than"),
            ),
            (json!({ "disk": { "path": "/d", "min_free": 1 } }), None),
            (
                json!({ "disk": { "path": "/d", "min_free": "9000 TiB" } }),
                Some("less than"),
            ),
            (
                json!({ "disk": { "path": "/d", "min_free_percent": 100.0 } }),
                Some("less than 100 %"),
            ),
        ],
    );
}

#[test]
fn processes() {
    let ended = |code| Outcome {
        code,
        stdout: String::new(),
        stderr: String::new(),
    };
    let host = NativeHost::new()
        .with_command("web", ended(0))
        .with_command("mail", ended(1));
    table(
        &host,
        &[
            (json!({ "process": "web" }), None),
            (json!({ "process": "mail" }), Some("no process")),
        ],
    );
}

#[test]
fn databases() {
    let host = NativeHost::new().with_database("site", FakeDatabase::new("sqlite", 4096, 0));
    assert_eq!(why(&host, json!({ "database": "site" })), None);
    let found = why(&host, json!({ "database": "other" })).unwrap();
    assert!(found.contains("no database `other`"), "{found}");
}
