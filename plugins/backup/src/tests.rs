//! The backup plugin against a fake repository, through the native host.

use std::fs;

use mhost_sdk::testing::{FakeDatabase, FakeRepository, NativeHost};
use mhost_sdk::{Failure, Report};
use serde_json::{Value, json};

use crate::plugin;

const DAY: u64 = 86_400_000;
const START: u64 = 1_772_323_200_000;

fn host(repository: FakeRepository) -> NativeHost {
    let host = NativeHost::new()
        .with_directory("src")
        .with_directory("out")
        .with_repository("main", repository)
        .with_database("site", FakeDatabase::new("redb", 10, 0));
    host.write_file("/src/a/one.txt", "one", START);
    host.write_file("/src/two.txt", "two", START);
    host
}

fn run(host: &NativeHost, action: &str, config: Value) -> Result<Report, Failure> {
    host.run(&plugin(), action, config)
}

fn id(report: &Report) -> String {
    report.artifacts[0].name.clone()
}

#[test]
fn what_is_backed_up_is_restored() {
    let host = host(FakeRepository::default());
    let config = json!({ "sources": ["/src"], "databases": ["site"], "tags": ["nightly"] });
    let report = run(&host, "backup", config.clone()).unwrap();
    assert_eq!(report.figure("files_new"), Some(3.0));
    assert_eq!(report.artifacts[0].kind, "snapshot");
    let report = run(&host, "backup", config).unwrap();
    assert_eq!(report.figure("files_unmodified"), Some(3.0));
    let report = run(&host, "restore", json!({ "to": "/out", "paths": ["/src"] })).unwrap();
    assert_eq!(report.figure("files_restored"), Some(2.0));
    let restored = fs::read_to_string(host.path("/out/src/a/one.txt")).unwrap();
    assert_eq!(restored, "one");
}

#[test]
fn a_repository_is_created_only_where_that_is_wished() {
    let host = host(FakeRepository::default());
    let config = json!({ "sources": ["/src"], "create": false });
    let failure = run(&host, "backup", config).unwrap_err();
    assert!(
        failure.message.contains("open the repository `main`"),
        "{}",
        failure.message
    );
}

#[test]
fn nothing_to_back_up_is_a_mistake() {
    let failure = run(&host(FakeRepository::empty()), "backup", json!({})).unwrap_err();
    assert!(failure.message.contains("`sources`"), "{}", failure.message);
}

#[test]
fn dry_runs_change_nothing_and_say_what_they_would() {
    let host = host(FakeRepository::default());
    let config = json!({ "sources": ["/src"] });
    let report = host.dry_run(&plugin(), "backup", config.clone()).unwrap();
    assert_eq!(report.figure("files_found"), Some(2.0));
    assert!(
        report.summary.contains("create the repository"),
        "{}",
        report.summary
    );
    assert!(
        run(&host, "snapshots", json!({})).is_err(),
        "there is none yet"
    );
    run(&host, "backup", config).unwrap();
    let to = json!({ "to": "/out" });
    let report = host.dry_run(&plugin(), "restore", to).unwrap();
    assert_eq!(report.figure("files_found"), Some(2.0));
    assert!(!host.path("/out/src").exists());
    // What stands in the way is told, and what is right already.
    host.write_file("/out/src/two.txt", "other", START);
    host.write_file("/out/src/a/one.txt", "one", START);
    let report = host
        .dry_run(&plugin(), "restore", json!({ "to": "/out" }))
        .unwrap();
    assert_eq!(
        (report.figure("conflicts"), report.figure("files_unchanged")),
        (Some(1.0), Some(1.0))
    );
    assert!(
        report.summary.contains("would refuse"),
        "{}",
        report.summary
    );
    let shown = &report.details.unwrap()["table"]["items"][0];
    assert!(shown["path"].as_str().unwrap().starts_with("/src/two.txt"));
    // A target that is not there yet is empty.
    let report = host
        .dry_run(&plugin(), "restore", json!({ "to": "/out/new/deep" }))
        .unwrap();
    assert_eq!(report.figure("files_found"), Some(2.0));
    assert!(!host.path("/out/new").exists());
    let report = host.dry_run(&plugin(), "prune", json!({})).unwrap();
    assert_eq!(report.figure("bytes_removed"), Some(10.0));
    let report = host
        .dry_run(&plugin(), "drill", json!({ "scratch": "/out" }))
        .unwrap();
    assert_eq!(report.figure("files_found"), Some(2.0));
}

#[test]
fn an_instant_chooses_the_newest_snapshot_before_it() {
    let host = host(FakeRepository::empty());
    let config = json!({ "sources": ["/src"] });
    let ids: Vec<_> = (0..3)
        .map(|day| {
            host.set_now(START + day * DAY);
            host.write_file("/src/two.txt", day.to_string(), START);
            id(&run(&host, "backup", config.clone()).unwrap())
        })
        .collect();
    for (at, expected) in [
        ("2026-03-01T00:00:00Z", Some(&ids[0])),
        ("2026-03-02T23:59:59Z", Some(&ids[1])),
        ("2026-03-03T02:00:00+02:00", Some(&ids[2])),
        ("2026-02-28T00:00:00Z", None),
        ("yesterday", None),
    ] {
        let config = json!({ "to": "/out", "at": at, "overwrite": true });
        let chosen = run(&host, "restore", config).map(|report| report.details.unwrap());
        match expected {
            Some(id) => assert_eq!(chosen.unwrap()["snapshot"], id.as_str(), "{at}"),
            None => assert!(!chosen.unwrap_err().retryable, "{at}"),
        }
    }
    let both = json!({ "to": "/out", "snapshot": ids[0], "at": "2026-03-02T00:00:00Z" });
    assert!(run(&host, "restore", both).is_err());
}

#[test]
fn a_policy_keeps_and_says_why() {
    let host = host(FakeRepository::empty());
    for _ in 0..3 {
        run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    }
    let judged = host
        .dry_run(&plugin(), "forget", json!({ "keep_last": 1 }))
        .unwrap();
    assert_eq!(judged.figure("snapshots_removed"), Some(2.0));
    let before = run(&host, "snapshots", json!({})).unwrap();
    assert_eq!(before.figure("snapshots"), Some(3.0));
    let report = run(&host, "forget", json!({ "keep_last": 1, "prune": true })).unwrap();
    assert_eq!(report.figure("snapshots_kept"), Some(1.0));
    assert_eq!(report.figure("bytes_removed"), Some(10.0));
    let details = report.details.unwrap();
    assert_eq!(details["snapshots"]["items"][2]["reasons"], json!(["last"]));
}

/// Also where nothing would be pruned, and in a dry run.
#[test]
fn what_is_not_granted_is_found_before_anything_is_done() {
    let host = host(FakeRepository::empty())
        .without_verb("main", "prune")
        .without_verb("site", "restore");
    for _ in 0..3 {
        let config = json!({ "sources": ["/src"], "databases": ["site"] });
        run(&host, "backup", config).unwrap();
    }
    let forget = json!({ "keep_last": 1, "prune": true });
    let restore = json!({ "to": "/out/new", "databases": ["site"] });
    for (action, config, verb) in [("forget", forget, "prune"), ("restore", restore, "restore")] {
        for dry in [true, false] {
            let done = match dry {
                true => host.dry_run(&plugin(), action, config.clone()),
                false => run(&host, action, config.clone()),
            };
            let failure = done.unwrap_err();
            assert!(
                failure.message.contains(&format!("grant `{verb}`")),
                "{}",
                failure.message
            );
        }
    }
    let left = run(&host, "snapshots", json!({})).unwrap();
    assert_eq!(left.figure("snapshots"), Some(3.0));
    assert!(!host.path("/out/new").exists());
    run(&host, "forget", json!({ "keep_last": 1 })).unwrap();
}

/// One restored database that is broken leaves all as they are.
#[test]
fn databases_come_back_together_or_not_at_all() {
    let host = NativeHost::new()
        .with_directory("out")
        .with_repository("main", FakeRepository::empty())
        .with_database("good", FakeDatabase::new("redb", 10, 0))
        .with_database(
            "broken",
            FakeDatabase::new("redb", 10, 0).with_row("broken", Vec::new(), Vec::new()),
        );
    run(&host, "backup", json!({ "databases": ["good", "broken"] })).unwrap();
    let config = json!({ "to": "/out", "databases": ["good", "broken"] });
    let failure = run(&host, "restore", config).unwrap_err();
    assert!(
        failure.message.contains("no database was replaced"),
        "{}",
        failure.message
    );
    let partial = failure.partial.unwrap();
    assert_eq!(partial.figure("databases_restored"), Some(0.0));
    assert_eq!(partial.figure("files_restored"), Some(2.0));
    let config = json!({ "to": "/out", "databases": ["good"] });
    let report = run(&host, "restore", config).unwrap();
    assert_eq!(report.figure("databases_restored"), Some(1.0));
}

/// The folders above it, too.
#[test]
fn a_target_that_is_missing_is_made() {
    let host = host(FakeRepository::empty());
    run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    run(&host, "restore", json!({ "to": "/out/new/deep/" })).unwrap();
    assert!(host.path("/out/new/deep/src/two.txt").exists());
    let both = json!({ "to": "/out", "overwrite": true, "existing": "keep" });
    let failure = run(&host, "restore", both).unwrap_err();
    assert!(
        failure.message.contains("leave one out"),
        "{}",
        failure.message
    );
    let nobody = json!({ "sources": ["/src"], "host": "" });
    assert!(run(&host, "backup", nobody).is_err());
}

/// For people: the answers stand in a table.
#[test]
fn answers_are_shown() {
    let host = host(FakeRepository::empty().locked(false));
    for _ in 0..2 {
        run(
            &host,
            "backup",
            json!({ "sources": ["/src"], "tags": ["nightly"] }),
        )
        .unwrap();
    }
    let shown = |action: &str, config: Value, column: &str| -> Vec<String> {
        let report = run(&host, action, config).unwrap();
        let details = report.details.unwrap();
        assert_eq!(details["show"]["list"], "table", "{action}");
        let columns = details["show"]["columns"].as_array().unwrap();
        assert!(columns.contains(&json!(column)), "{action}: {columns:?}");
        let rows = details["table"]["items"].as_array().unwrap();
        let cell = |row: &Value| row[column].as_str().unwrap().to_owned();
        rows.iter().map(cell).collect()
    };
    assert_eq!(
        shown("snapshots", json!({}), "tags"),
        ["nightly", "nightly"]
    );
    assert_eq!(
        shown("find", json!({ "patterns": ["*two.txt"] }), "path"),
        ["/src/two.txt", "/src/two.txt"]
    );
    assert_eq!(shown("keys", json!({}), "current"), ["in use"]);
    assert_eq!(shown("locks", json!({}), "explanation"), ["a test says so"]);
    let judged = host
        .dry_run(&plugin(), "forget", json!({ "keep_last": 1 }))
        .unwrap();
    let rows = judged.details.unwrap()["table"]["items"].clone();
    assert_eq!(rows[0]["kept for"], "nothing: would remove");
    assert_eq!(rows[1]["kept for"], "last");
}

#[test]
fn a_policy_that_keeps_nothing_is_refused() {
    let host = host(FakeRepository::empty());
    run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    let failure = run(&host, "forget", json!({ "keep_within": "0s" })).unwrap_err();
    assert!(failure.message.contains("keep_last"), "{}", failure.message);
    let left = run(&host, "snapshots", json!({})).unwrap();
    assert_eq!(left.figure("snapshots"), Some(1.0));
}

#[test]
fn a_damaged_repository_fails_for_good() {
    let sound = run(
        &host(FakeRepository::empty()),
        "check",
        json!({ "data_percent": 5 }),
    );
    assert_eq!(sound.unwrap().figure("bytes_checked"), Some(5.0));
    let damaged = host(FakeRepository::empty().damaged("pack 1234 is missing"));
    let failure = run(&damaged, "check", json!({})).unwrap_err();
    assert!(!failure.retryable);
    assert!(
        failure.message.contains("pack 1234 is missing"),
        "{}",
        failure.message
    );
}

#[test]
fn a_snapshot_with_gaps_is_kept_but_fails_the_run() {
    let host = host(FakeRepository::empty().unread("/src/locked: permission denied"));
    let config = json!({ "sources": ["/src"] });
    let failure = run(&host, "backup", config).unwrap_err();
    assert!(
        failure.message.contains("/src/locked"),
        "{}",
        failure.message
    );
    assert_eq!(failure.partial.unwrap().artifacts.len(), 1);
    let config = json!({ "sources": ["/src"], "tolerate_unread": true });
    let report = run(&host, "backup", config).unwrap();
    assert_eq!(report.figure("files_unread"), Some(1.0));
}

fn both() -> NativeHost {
    NativeHost::new()
        .with_directory("src")
        .with_directory("scratch")
        .with_repository("main", FakeRepository::default())
        .with_repository("far", FakeRepository::default())
}

#[test]
fn several_repositories_get_the_same() {
    let host = both();
    host.write_file("/src/one.txt", "one", START);
    let config = json!({ "sources": ["/src"], "repositories": ["main", "far"] });
    let report = run(&host, "backup", config).unwrap();
    assert_eq!(report.artifacts.len(), 2);
    for repository in ["main", "far"] {
        let listed = run(&host, "snapshots", json!({ "repository": repository })).unwrap();
        assert_eq!(listed.figure("snapshots"), Some(1.0), "{repository}");
    }
}

/// One that cannot be reached fails the run, and the other has its snapshot.
#[test]
fn one_repository_that_fails_does_not_stop_the_other() {
    let host = both();
    host.write_file("/src/one.txt", "one", START);
    let config = json!({ "sources": ["/src"], "repositories": ["main", "nowhere"] });
    let failure = run(&host, "backup", config).unwrap_err();
    assert!(failure.message.contains("`nowhere`"), "{}", failure.message);
    assert_eq!(failure.partial.unwrap().artifacts.len(), 1);
    let listed = run(&host, "snapshots", json!({})).unwrap();
    assert_eq!(listed.figure("snapshots"), Some(1.0));
}

#[test]
fn lists_of_patterns_and_sources() {
    let host = both();
    host.write_file("/src/deep/one.txt", "one", START);
    host.write_file("/src/list", "# sources\n\n  /src/deep \n", START);
    let config = json!({ "files_from": ["/src/list"], "exclude_file": ["/src/list"] });
    let report = run(&host, "backup", config).unwrap();
    let details = report.details.unwrap();
    assert_eq!(details["snapshot"]["paths"], json!(["/src/deep"]));
    let failure = run(&host, "backup", json!({ "files_from": ["/src/none"] })).unwrap_err();
    assert!(failure.message.contains("/src/none"), "{}", failure.message);
}

fn ends(code: i32) -> mhost_sdk::processes::Outcome {
    mhost_sdk::processes::Outcome {
        code,
        stdout: String::new(),
        stderr: "no lock".to_owned(),
    }
}

#[test]
fn a_command_that_fails_before_stops_the_backup() {
    let host = both()
        .with_command("stop", ends(3))
        .with_command("start", ends(0));
    host.write_file("/src/one.txt", "one", START);
    let config =
        |before: &str| json!({ "sources": ["/src"], "before": [before], "after": ["start"] });
    let failure = run(&host, "backup", config("stop")).unwrap_err();
    assert!(failure.message.contains("no lock"), "{}", failure.message);
    assert!(
        run(&host, "snapshots", json!({})).is_err(),
        "nothing was made"
    );
    assert_eq!(host.processed(), ["run stop"]);
    run(&host, "backup", config("start")).unwrap();
    assert_eq!(host.processed(), ["run stop", "run start", "run start"]);
}

/// What failed afterwards fails the run, which has its snapshot all the same.
#[test]
fn a_command_that_fails_after_is_told_with_the_snapshot() {
    let host = both().with_command("start", ends(1));
    host.write_file("/src/one.txt", "one", START);
    let config = json!({ "sources": ["/src"], "after": ["start"] });
    let failure = run(&host, "backup", config).unwrap_err();
    assert_eq!(failure.partial.unwrap().artifacts.len(), 1);
    let config = json!({ "sources": ["/src/none"], "after": ["start"], "create": false });
    run(&host, "backup", config).unwrap_err();
    assert_eq!(host.processed().len(), 2, "it runs after a failure, too");
}

#[test]
fn parts_of_the_data_are_checked_in_turn() {
    let host = both();
    host.write_file("/src/one.txt", "one", START);
    run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    for part in ["1", "2", "3", "1"] {
        run(&host, "check", json!({ "rotate": 3 })).unwrap();
        let told = host.logged().pop().unwrap().1;
        assert!(told.contains(&format!("part {part} of 3")), "{told}");
    }
}

#[test]
fn a_drill_restores_compares_and_tidies_up() {
    let host = both();
    host.write_file("/src/site.db", "SQLite format", START);
    run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    let config = json!({ "scratch": "/scratch", "sources": ["/src"] });
    let planned = host.dry_run(&plugin(), "drill", config.clone()).unwrap();
    assert!(
        planned.summary.contains("would restore"),
        "{}",
        planned.summary
    );
    let report = run(&host, "drill", config.clone()).unwrap();
    assert_eq!(report.figure("databases_verified"), Some(1.0));
    assert_eq!(report.details.unwrap()["changed_since"], json!(0));
    assert_eq!(fs::read_dir(host.path("/scratch")).unwrap().count(), 0);
    host.write_file("/src/site.db", "SQLite broken", START);
    let report = run(&host, "drill", config.clone()).unwrap();
    assert_eq!(report.details.unwrap()["changed_since"], json!(1));
    run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    let failure = run(&host, "drill", config).unwrap_err();
    assert!(failure.message.contains("/site.db"), "{}", failure.message);
    assert_eq!(fs::read_dir(host.path("/scratch")).unwrap().count(), 0);
}

/// Names of any bytes, folders that are closed, and what an earlier drill left.
#[test]
fn a_drill_tidies_up_whatever_lies_there() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::PermissionsExt as _;
    let host = both();
    host.write_file("/src/one.txt", "one", START);
    let report = run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    let left = host.path(&format!("/scratch/drill-{}", &id(&report)[..8]));
    fs::create_dir_all(left.join("deep/er")).unwrap();
    fs::write(left.join(OsStr::from_bytes(b"\xff no text")), "").unwrap();
    fs::write(left.join("deep/er/file"), "").unwrap();
    std::os::unix::fs::symlink("/", left.join("deep/root")).unwrap();
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(left.join("deep"), closed).unwrap();
    run(&host, "drill", json!({ "scratch": "/scratch" })).unwrap();
    assert_eq!(fs::read_dir(host.path("/scratch")).unwrap().count(), 0);
}

#[test]
fn what_changed_and_where_it_is() {
    let host = both();
    host.write_file("/src/one.txt", "one", START);
    run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    let failure = run(&host, "diff", json!({})).unwrap_err();
    assert!(failure.message.contains("before"), "{}", failure.message);
    host.set_now(START + DAY);
    host.write_file("/src/two.txt", "two", START);
    run(&host, "backup", json!({ "sources": ["/src"] })).unwrap();
    let report = run(&host, "diff", json!({})).unwrap();
    assert_eq!(
        (report.figure("added"), report.figure("removed")),
        (Some(1.0), Some(0.0))
    );
    let report = run(&host, "find", json!({ "patterns": ["*two.txt"] })).unwrap();
    assert_eq!(report.figure("matches"), Some(1.0));
}

#[test]
fn keys_and_locks() {
    let host = NativeHost::new()
        .with_secret("second", "more")
        .with_repository("main", FakeRepository::empty().locked(true).locked(false));
    let report = run(&host, "keys", json!({ "add": "second" })).unwrap();
    assert_eq!(report.figure("keys"), Some(2.0));
    let report = run(&host, "keys", json!({ "remove": "key-of-more" })).unwrap();
    assert_eq!(report.figure("keys"), Some(1.0));
    let report = run(&host, "locks", json!({})).unwrap();
    assert_eq!(
        (report.figure("locks"), report.figure("locks_stale")),
        (Some(2.0), Some(1.0))
    );
    let would = host.dry_run(&plugin(), "unlock", json!({})).unwrap();
    assert_eq!(would.figure("locks_removed"), Some(1.0));
    run(&host, "unlock", json!({})).unwrap();
    let left = run(&host, "locks", json!({})).unwrap();
    assert_eq!(left.figure("locks"), Some(1.0));
    run(&host, "unlock", json!({ "all": true })).unwrap();
    assert_eq!(
        run(&host, "locks", json!({})).unwrap().figure("locks"),
        Some(0.0)
    );
}
