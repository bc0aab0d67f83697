//! Files, space, processes, databases.

use std::fs;

use mhost_sdk::processes::Outcome;
use mhost_sdk::tasks::TaskState;
use mhost_sdk::testing::{FakeDatabase, NativeHost};
use serde_json::{Value, json};

use super::{details, run, why};

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
            (
                json!({ "file": { "path": "/d" } }),
                Some("it is a directory"),
            ),
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

#[test]
fn other_tasks() {
    let state = |success: Option<u64>, due: Option<u64>, failures: u32, enabled: bool| TaskState {
        enabled,
        running: false,
        last_success: success.map(|hours| NOW - hours * HOUR),
        last_outcome: (failures > 0).then(|| "failed".to_owned()),
        failures,
        next_due: None,
        success_due: due,
    };
    let later = Some(NOW + HOUR);
    let host = NativeHost::new()
        .with_task("fresh", state(Some(20), later, 0, true))
        .with_task("stale", state(Some(50), Some(NOW - HOUR), 2, true))
        .with_task("new", state(None, later, 0, true))
        .with_task("never", state(None, Some(NOW - 1), 1, true))
        .with_task("by-hand", state(Some(20), None, 0, true))
        .with_task("failing", state(Some(20), later, 1, true))
        .with_task("off", state(Some(50), None, 0, false));
    let task = |name: &str| json!({ "task": { "name": name } });
    let within = |name: &str, age: &str| json!({ "task": { "name": name, "max_age": age } });
    table(
        &host,
        &[
            (task("fresh"), None),
            (within("fresh", "20h"), None),
            (
                within("fresh", "19h"),
                Some("due 20h 0m ago, which is more than 19h"),
            ),
            (
                task("stale"),
                Some(
                    "its newest 2 runs did not succeed (the last failed), its newest success was due 2d 2h ago; its schedule called for one by 2026-02-28 23:00Z",
                ),
            ),
            (within("stale", "3d"), None),
            (task("new"), None),
            (within("new", "1h"), None),
            (
                task("never"),
                Some("its newest run failed, it has not succeeded yet"),
            ),
            (within("never", "1h"), Some("not succeeded yet")),
            (task("by-hand"), Some("say after which `max_age`")),
            (within("by-hand", "1d"), None),
            (task("failing"), None),
            (task("off"), None),
            (within("off", "1d"), Some("due 2d 2h ago")),
            (task("none"), Some("no task `none`")),
        ],
    );
    for (name, degraded) in [
        ("fresh", None),
        ("new", Some("it has not succeeded yet")),
        ("failing", Some("its newest run failed")),
        (
            "off",
            Some("it is disabled; its newest success was due 2d 2h ago"),
        ),
    ] {
        let details = details(run(&host, json!([task(name)])));
        let found = &details["targets"][0];
        let state = if degraded.is_some() { "degraded" } else { "up" };
        assert_eq!(found["state"], state, "{found}");
        let why = found["error"].as_str().unwrap_or_default();
        assert!(why.starts_with(degraded.unwrap_or_default()), "{why}");
    }
}
