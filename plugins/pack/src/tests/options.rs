//! What means nothing to what is named is refused, and nothing is done.

use mhost_filestorage::testing as make;
use mhost_sdk::Error;
use mhost_sdk::testing::{FakeDatabase, NativeHost};
use serde_json::{Value, json};

use super::filestorage::{host, names};
use crate::plugin;

fn refused(host: &NativeHost, action: &str, config: &Value, named: &str) {
    for outcome in [
        host.run(&plugin(), action, config.clone()),
        host.dry_run(&plugin(), action, config.clone()),
    ] {
        let failure = outcome.unwrap_err();
        assert!(
            failure.message.contains(named),
            "{config}: {}",
            failure.message
        );
        // The host ends with the code of a mistake in the configuration.
        assert!(
            matches!(failure.cause.as_deref(), Some(Error::Invalid(_))),
            "{config}"
        );
        assert!(!failure.retryable);
    }
}

fn with(base: &Value, key: &str, value: &Value) -> Value {
    let mut config = base.clone();
    config[key] = value.clone();
    config
}

#[test]
fn options_for_another_kind_of_target_are_refused() {
    let database = FakeDatabase::new("redb", 1000, 600);
    let host = host(&make::site().file)
        .with_database("site", database)
        .with_http(|_| panic!("a request"));
    let database = json!({ "target": { "database": "site" } });
    let file = json!({ "target": { "filestorage": "/data/a.fs" } });
    let zope = json!({ "target": { "zope": "http://z", "database": "main", "login_secret": "s" } });
    for (key, value) in [
        ("output", json!("/data/x")),
        ("before", json!("now")),
        ("gc", json!(false)),
        ("blobs", json!("/data/blobs")),
        ("timeout", json!("1h")),
    ] {
        refused(
            &host,
            "pack",
            &with(&database, key, &value),
            &format!("`{key}"),
        );
    }
    for (key, value) in [
        ("output", json!("/data/x")),
        ("keep_old", json!(true)),
        ("gc", json!(false)),
        ("blobs", json!("/data/blobs")),
    ] {
        refused(&host, "pack", &with(&zope, key, &value), &format!("`{key}"));
    }
    refused(
        &host,
        "pack",
        &with(&file, "timeout", &json!("1h")),
        "`timeout`",
    );
    let beside = with(&file, "output", &json!("/data/x"));
    refused(
        &host,
        "pack",
        &with(&beside, "keep_old", &json!("7 days")),
        "`keep_old`",
    );
    refused(
        &host,
        "verify",
        &with(&database, "level", &json!("records")),
        "`level`",
    );
    for (key, value) in [("before", json!("now")), ("gc", json!(false))] {
        refused(
            &host,
            "inspect",
            &with(&database, key, &value),
            &format!("`{key}"),
        );
    }
    let recover = json!({ "output": "/data/x", "source": { "database": "site" } });
    refused(
        &host,
        "recover",
        &with(&recover, "partial", &json!(true)),
        "`partial`",
    );
    let recover = json!({ "output": "/data/x", "source": "/data/a.fs" });
    refused(
        &host,
        "recover",
        &with(&recover, "deleted", &json!(true)),
        "`deleted`",
    );
    assert_eq!(names(&host, "/data"), ["a.fs"]);
    let report = host.run(&plugin(), "pack", database).unwrap();
    assert_eq!(report.figure("bytes_before"), Some(1000.0), "packed before");
}

#[test]
fn names_of_something_else_are_no_output() {
    let host = host(&make::site().file);
    for output in [
        "/data/a.fs.lock",
        "/data/b.fs.index",
        "/data/b.fs.mhost-new",
    ] {
        let pack = json!({ "target": { "filestorage": "/data/a.fs" }, "output": output });
        refused(&host, "pack", &pack, "`output`");
        let recover = json!({ "source": "/data/a.fs", "output": output });
        refused(&host, "recover", &recover, "`output`");
    }
    assert_eq!(names(&host, "/data"), ["a.fs"]);
}

#[test]
fn the_schemas_refuse_what_names_nothing_or_two_things() {
    let manifest = plugin().manifest();
    let schema = |action: &str| -> Value {
        let action = manifest.actions.iter().find(|known| known.name == action);
        serde_json::from_str(&action.unwrap().config_schema).unwrap()
    };
    let forms =
        |schema: &Value, name: &str| schema["$defs"][name]["oneOf"].as_array().unwrap().len();
    for action in ["pack", "verify", "inspect"] {
        assert_eq!(forms(&schema(action), "Target"), 3, "{action}");
    }
    assert_eq!(forms(&schema("recover"), "Damaged"), 2);
    let level = &schema("verify")["properties"]["level"];
    assert_eq!(
        level["enum"],
        json!(["structure", "pointers", "records", "references"])
    );
    assert!(level["description"].as_str().unwrap().contains("`records`"));
}
