//! The pack plugin on fake databases and real files, through the native host.

#![allow(clippy::unwrap_used)] // Also in the helpers of the tests.

mod blobs;
mod filestorage;
mod options;
mod swapping;
mod zope;

use mhost_sdk::Error;
use mhost_sdk::database::Value;
use mhost_sdk::testing::{FakeDatabase, NativeHost};
use serde_json::json;

use crate::plugin;

/// Gives what lies there to a user of its own, where this one may: another could not.
fn chown_if_root(path: &std::path::Path) {
    let _ = std::os::unix::fs::chown(path, Some(12_345), Some(12_346));
}

fn host(database: FakeDatabase) -> NativeHost {
    NativeHost::new().with_database("site", database)
}

fn site() -> serde_json::Value {
    json!({ "target": { "database": "site" } })
}

#[test]
fn packing_gives_space_back_once() {
    let host = host(FakeDatabase::new("redb", 1000, 600));
    for (reclaimed, after) in [(600.0, 400.0), (0.0, 400.0)] {
        let report = host.run(&plugin(), "pack", site()).unwrap();
        assert_eq!(report.figure("bytes_reclaimed"), Some(reclaimed));
        assert_eq!(report.figure("bytes_after"), Some(after));
    }
}

#[test]
fn the_old_file_of_a_database_stays_where_it_is_asked_for() {
    for (keep, old) in [
        (json!(null), json!(null)),
        (json!(false), json!(null)),
        (json!(true), json!("db.old")),
        (json!("7 days"), json!("db.old-20260131T040000Z")),
    ] {
        let host = host(FakeDatabase::new("redb", 1000, 600));
        let mut config = site();
        config["keep_old"] = keep;
        let report = host.run(&plugin(), "pack", config).unwrap();
        let held = if old.is_null() { 0.0 } else { 1000.0 };
        assert_eq!(report.figure("bytes_held"), Some(held));
        let reclaimed = if old.is_null() { 600.0 } else { 0.0 };
        assert_eq!(report.figure("bytes_reclaimed"), Some(reclaimed));
        assert_eq!(report.details.unwrap()["old"], old);
    }
}

#[test]
fn what_is_sound_in_a_database_is_written_to_a_new_file() {
    let database = {
        FakeDatabase::new("sqlite", 1000, 0)
            .with_row("a", vec![Value::Integer(1)], vec![Value::Null])
            .damaged("page 7 is lost")
    };
    let host = NativeHost::new()
        .with_directory("data")
        .with_database("site", database);
    let config = json!({ "source": { "database": "site" }, "output": "/data/new.db" });
    let report = host.dry_run(&plugin(), "recover", config.clone()).unwrap();
    assert!(
        report.summary.starts_with("would write"),
        "{}",
        report.summary
    );
    assert!(!host.path("/data/new.db").exists());
    let report = host.run(&plugin(), "recover", config).unwrap();
    assert_eq!(report.figure("rows_recovered"), Some(1.0));
    assert!(host.path("/data/new.db").exists());
    for source in [
        json!({}),
        json!({ "database": "a", "filestorage": "/data/a" }),
    ] {
        let config = json!({ "source": source, "output": "/data/x" });
        let failure = host.run(&plugin(), "recover", config).unwrap_err();
        assert!(failure.message.contains("one thing"), "{}", failure.message);
    }
}

#[test]
fn a_dry_run_says_what_it_would_do() {
    let host = host(FakeDatabase::new("sqlite", 1000, 600));
    let report = host.dry_run(&plugin(), "pack", site()).unwrap();
    assert_eq!(report.figure("bytes_reclaimed"), Some(600.0));
    assert!(
        report.summary.starts_with("would pack"),
        "{}",
        report.summary
    );
    let report = host.run(&plugin(), "pack", site()).unwrap();
    assert_eq!(
        report.figure("bytes_before"),
        Some(1000.0),
        "nothing was packed before"
    );
}

#[test]
fn a_damaged_database_fails_for_good_and_says_why() {
    let sound = host(FakeDatabase::new("redb", 1000, 0));
    let report = sound.run(&plugin(), "verify", site()).unwrap();
    assert_eq!(report.figure("findings"), Some(0.0));
    let broken = host(FakeDatabase::new("redb", 1000, 0).damaged("page 7: bad checksum"));
    let failure = broken.run(&plugin(), "verify", site()).unwrap_err();
    assert!(!failure.retryable);
    assert!(
        failure.message.contains("page 7: bad checksum"),
        "{}",
        failure.message
    );
    assert_eq!(failure.partial.unwrap().figure("findings"), Some(1.0));
}

#[test]
fn inspection_counts_rows() {
    let database = FakeDatabase::new("redb", 1000, 10)
        .with_row("a", vec![Value::Integer(1)], vec![Value::Null])
        .with_row("a", vec![Value::Integer(2)], vec![Value::Null])
        .with_row("b", vec![Value::Text("x".into())], vec![Value::Null]);
    let report = host(database).run(&plugin(), "inspect", site()).unwrap();
    assert_eq!(report.figure("rows"), Some(3.0));
    assert_eq!(report.figure("tables"), Some(2.0));
    assert_eq!(report.figure("bytes_reclaimable"), Some(10.0));
}

#[test]
fn what_is_not_granted_is_named() {
    let failure = NativeHost::new()
        .run(&plugin(), "pack", site())
        .unwrap_err();
    assert!(
        failure
            .message
            .starts_with("cannot open the database `site`")
    );
    assert!(matches!(failure.cause.as_deref(), Some(Error::NotFound(_))));
}

#[test]
fn a_mistake_in_the_configuration_is_named() {
    let host = NativeHost::new();
    for (config, named) in [
        (json!({ "target": { "databse": "site" } }), "databse"),
        (
            json!({ "target": { "database": "site" }, "verbose": true }),
            "verbose",
        ),
        (json!({}), "target"),
    ] {
        let failure = host.run(&plugin(), "pack", config).unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
    }
}
