//! What goes wrong with one item, one file or one target stops nothing else.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use serde_json::json;

use super::{SENT, T, THERE, equal, export, host, import, items, names, round, run, transfer};

#[test]
fn what_is_not_exported_is_reported() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    fs::create_dir_all(host.path("/east/content/empty")).unwrap();
    fs::create_dir_all(host.path("/east/content/full")).unwrap();
    host.write_file("/east/content/full/b", "two", T);
    symlink("a", host.path("/east/content/link")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff");
    fs::write(host.path("/east/content").join(odd), "x").unwrap();
    let report = export(&host).unwrap();
    assert_eq!(report.figure("entries_skipped"), Some(3.0));
    let skipped = report.details.as_ref().unwrap()["skipped"]["items"].clone();
    let told = |path: &str| {
        let all = skipped.as_array().unwrap().iter();
        let found = all.clone().find(|one| one["path"] == path);
        found.map(|one| one["why"].as_str().unwrap().to_owned())
    };
    assert_eq!(told("/east/content/empty").unwrap(), "an empty folder");
    assert_eq!(told("/east/content/link").unwrap(), "a symbolic link");
    assert_eq!(
        told("/east/content/odd\\xff").unwrap(),
        "its name is not UTF-8"
    );
    assert!(report.summary.contains("3 entries"), "{}", report.summary);
}

/// One target's brake is no other's.
#[test]
fn a_braked_target_stops_no_other() {
    let host = host();
    let queues = json!({ "queues": "/east/queues", "targets": ["north"] });
    run(&host, "create-queue", queues).unwrap();
    for n in 0..20 {
        host.write_file(&format!("/east/content/{n}"), "x", T);
    }
    export(&host).unwrap();
    for n in 0..20 {
        fs::remove_file(host.path(&format!("/east/content/{n}"))).unwrap();
    }
    host.write_file("/east/content/new", "x", T);
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }, { "name": "north" }],
        "files": [{ "from": "/east/content" }],
    });
    let failure = run(&host, "export", config).unwrap_err();
    assert!(failure.message.contains("west"), "{failure:?}");
    let north = items(&host, "/east/queues/north/EXPORT/TO_PROCESS");
    assert_eq!(north.len(), 1);
    let west = items(&host, &format!("{SENT}/TO_PROCESS"));
    assert_eq!(west.len(), 20, "what was exported before, and no deletion");
}

/// A sender whose numbers begin anew must not seem to have sent it all before.
#[test]
fn a_queue_that_was_lost_loses_nothing() {
    let host = host();
    host.write_file("/east/content/a", "one", T);
    round(&host);
    fs::remove_dir_all(host.path("/east/queues/west")).unwrap();
    host.write_file("/east/content/a", "two", T + 1000);
    host.set_now(1_772_323_200_000 + 60_000);
    round(&host);
    equal(&host);
    fs::write(host.path(&format!("{SENT}/sequence")), "seven").unwrap();
    host.write_file("/east/content/a", "three", T + 2000);
    let failure = export(&host).unwrap_err();
    assert!(
        failure.message.contains("sequence is damaged"),
        "{failure:?}"
    );
    fs::remove_file(host.path(&format!("{SENT}/sequence"))).unwrap();
    host.set_now(1_772_323_200_000 + 120_000);
    round(&host);
    equal(&host);
}

#[test]
fn a_directory_becomes_a_file_and_back() {
    let host = host();
    host.write_file("/east/content/d/deep/x", "one", T);
    host.write_file("/east/content/stays", "one", T);
    round(&host);
    fs::remove_dir_all(host.path("/east/content/d")).unwrap();
    host.write_file("/east/content/d", "a file", T);
    round(&host);
    equal(&host);
    fs::remove_file(host.path("/east/content/d")).unwrap();
    host.write_file("/east/content/d/deep/x", "two", T + 1000);
    round(&host);
    equal(&host);
    // What is in the way and not empty is one item's error, and leaves nothing behind.
    host.write_file("/west/content/f/own", "theirs", T);
    host.write_file("/east/content/f", "ours", T);
    host.write_file("/east/content/g", "goes on", T);
    export(&host).unwrap();
    transfer(&host).unwrap();
    import(&host, json!({})).unwrap_err();
    assert_eq!(fs::read(host.path("/west/content/g")).unwrap(), b"goes on");
    assert_eq!(items(&host, &format!("{THERE}/ERROR")).len(), 2);
    let hidden = fs::read_dir(host.path("/west/content")).unwrap();
    let hidden = hidden.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with('.')
    });
    assert_eq!(hidden.count(), 0);
}

#[test]
fn one_key_has_one_source() {
    let host = host();
    fs::create_dir(host.path("/east/more")).unwrap();
    host.write_file("/east/content/a", "one", T);
    host.write_file("/east/more/a", "two", T);
    let config = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }],
        "files": [{ "from": "/east/content" }, { "from": "/east/more" }],
    });
    let failure = run(&host, "export", config).unwrap_err();
    assert!(failure.message.contains("`prefix`"), "{failure:?}");
}

#[test]
fn queues_that_are_not_there_are_named() {
    let host = host();
    let config = json!({
        "queues": "/west/queues", "sources": ["nope"], "importers": [{ "files": "/west/content" }],
    });
    for (action, config) in [
        ("import", config),
        (
            "retry",
            json!({ "queues": "/west/queues", "targets": ["nope"] }),
        ),
    ] {
        let failure = run(&host, action, config).unwrap_err();
        assert!(failure.message.contains("create-queue"), "{failure:?}");
    }
    assert_eq!(names(&host.path("/west/queues")), ["east"]);
}

/// An operator repairs an item where it lies, and lets it vouch for itself again.
#[test]
fn an_item_can_be_repaired() {
    let host = host();
    host.write_file("/east/content/a", "broken", T);
    export(&host).unwrap();
    transfer(&host).unwrap();
    let name = items(&host, &format!("{THERE}/TO_PROCESS"))[0].clone();
    let path = host.path(&format!("{THERE}/TO_PROCESS/{name}"));
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("broken", "quite repaired")).unwrap();
    import(&host, json!({})).unwrap_err();
    run(&host, "retry", json!({ "queues": "/west/queues" })).unwrap();
    import(&host, json!({})).unwrap_err();
    let again = json!({ "queues": "/west/queues", "reseal": true });
    run(&host, "retry", again.clone()).unwrap();
    import(&host, json!({})).unwrap();
    assert_eq!(
        fs::read(host.path("/west/content/a")).unwrap(),
        b"quite repaired"
    );
    // Without a header there is nothing to repair.
    fs::write(host.path(&format!("{THERE}/ERROR/{name}")), "no item").unwrap();
    let failure = run(&host, "retry", again).unwrap_err();
    assert!(failure.message.contains("its second line"), "{failure:?}");
}
