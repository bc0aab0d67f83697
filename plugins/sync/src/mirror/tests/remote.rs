//! A remote at an end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use mhost_sdk::testing::{FakeRemote, NativeHost};
use mhost_sdk::{Failure, Report};
use serde_json::{Value, json};

use super::{T, figure};

/// The clock of the remote, which is after every change of these files.
const LATER: u64 = 4_000_000_000_000;

fn host(remote: &FakeRemote) -> NativeHost {
    let host = NativeHost::new()
        .with_directory("a")
        .with_directory("b")
        .with_remote("far", remote.clone());
    host.set_now(LATER);
    host
}

fn config(ends: (&str, &str), more: Value) -> Value {
    let mut config = json!({ "from": ends.0, "to": ends.1 });
    let config_map = config.as_object_mut().unwrap();
    config_map.extend(more.as_object().unwrap().clone());
    config
}

fn mirror(host: &NativeHost, ends: (&str, &str), more: Value) -> Result<Report, Failure> {
    host.run(&crate::plugin(), "mirror", config(ends, more))
}

const UP: (&str, &str) = ("/a", "far:site");
const DOWN: (&str, &str) = ("far:site", "/b");

fn steps(report: &Report) -> Vec<String> {
    let steps = report.details.as_ref().unwrap()["steps"]["items"].clone();
    let step = |step: &Value| {
        format!(
            "{} {}",
            step["change"].as_str().unwrap(),
            step["path"].as_str().unwrap()
        )
    };
    steps.as_array().unwrap().iter().map(step).collect()
}

fn contents(remote: &FakeRemote) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let files: BTreeMap<_, _> = remote.files();
    files.into_iter().map(|(k, v)| (k, text(v))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    all.iter().map(own).collect()
}

#[test]
fn a_directory_goes_to_a_remote_and_only_changes_follow() {
    let remote = FakeRemote::default();
    let host = host(&remote);
    host.write_file("/a/x", "one", T);
    host.write_file("/a/d/y", "two", T);
    fs::create_dir(host.path("/a/empty")).unwrap();
    symlink("x", host.path("/a/link")).unwrap();
    let report = mirror(&host, UP, json!({})).unwrap();
    assert_eq!(
        steps(&report),
        ["<f+++++++++ d/y", "cd+++++++++ empty", "<f+++++++++ x"]
    );
    assert_eq!(
        report.details.as_ref().unwrap()["left_out"]["items"],
        json!(["link"])
    );
    assert_eq!(
        contents(&remote),
        pairs(&[("site/d/y", "two"), ("site/x", "one")])
    );
    let report = mirror(&host, UP, json!({ "delete": true })).unwrap();
    assert_eq!(steps(&report), Vec::<String>::new());
    assert_eq!(figure(&report, "files_unchanged"), 2);
    host.write_file("/a/x", "three", T + 1000);
    fs::remove_file(host.path("/a/d/y")).unwrap();
    let report = mirror(&host, UP, json!({ "delete": true })).unwrap();
    assert_eq!(steps(&report), ["<f.s....... x", "*deleting d/y"]);
    assert_eq!(contents(&remote), pairs(&[("site/x", "three")]));
}

/// A change that neither size nor the order of times shows is seen by what the task
/// remembers; without it, contents must be compared.
#[test]
fn what_both_ends_had_is_remembered() {
    let remote = FakeRemote::default();
    let host = host(&remote);
    host.write_file("/a/x", "one", T);
    mirror(&host, UP, json!({})).unwrap();
    host.write_file("/a/x", "two", T - 5000);
    assert_eq!(
        figure(&mirror(&host, UP, json!({})).unwrap(), "files_copied"),
        1
    );
    assert_eq!(contents(&remote), pairs(&[("site/x", "two")]));
    let other = FakeRemote::default().with_file("site/x", b"six", LATER);
    let bare = self::host(&other);
    bare.write_file("/a/x", "two", T);
    assert_eq!(
        figure(&mirror(&bare, UP, json!({})).unwrap(), "files_copied"),
        0,
        "the copy seems to be newer"
    );
    let report = mirror(&bare, UP, json!({ "checksum": true })).unwrap();
    assert_eq!(figure(&report, "files_copied"), 1);
    assert_eq!(contents(&other), pairs(&[("site/x", "two")]));
}

#[test]
fn a_remote_comes_to_a_directory_and_only_changes_follow() {
    let remote = FakeRemote::default()
        .with_file("site/x", b"one", T)
        .with_file("site/d/y", b"two", T + 7)
        .with_file("other/z", b"no", T);
    let host = host(&remote);
    host.write_file("/b/old", "gone", T);
    let report = mirror(&host, DOWN, json!({ "delete": true, "verify": "all" })).unwrap();
    assert_eq!(
        steps(&report),
        [
            "cd+++++++++ d",
            ">f+++++++++ d/y",
            ">f+++++++++ x",
            "*deleting old"
        ]
    );
    assert_eq!(fs::read(host.path("/b/d/y")).unwrap(), b"two");
    let time = fs::metadata(host.path("/b/d/y"))
        .unwrap()
        .modified()
        .unwrap();
    let time = time.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(time.as_millis(), u128::from(T + 7));
    assert!(!host.path("/b/z").exists() && !host.path("/b/old").exists());
    let report = mirror(&host, DOWN, json!({ "delete": true })).unwrap();
    assert_eq!(steps(&report), Vec::<String>::new());
    // Without what is remembered, too: the copies have the remote's times.
    let fresh = self::host(&remote);
    fresh.write_file("/b/x", "one", T);
    fresh.write_file("/b/d/y", "two", T);
    let report = mirror(&fresh, DOWN, json!({})).unwrap();
    assert_eq!(steps(&report), [">f..t...... d/y"]);
}

#[test]
fn the_brake_holds_for_remotes() {
    let mut remote = FakeRemote::default();
    for n in 0..30 {
        remote = remote.with_file(&format!("site/{n}"), b"x", T);
    }
    let host = host(&remote);
    let failure = mirror(&host, UP, json!({ "delete": true })).unwrap_err();
    assert!(failure.message.contains("is empty"), "{failure:?}");
    for n in 0..5 {
        host.write_file(&format!("/a/{n}"), "x", T);
    }
    let failure = mirror(&host, UP, json!({ "delete": true })).unwrap_err();
    assert!(
        failure.message.contains("`max_delete_percent`"),
        "{failure:?}"
    );
    assert_eq!(remote.files().len(), 30);
    // An empty remote empties no directory, and one that is not there is an error.
    let failure = mirror(&host, ("far:nowhere", "/a"), json!({ "delete": true })).unwrap_err();
    assert!(failure.message.contains("empty"), "{failure:?}");
    let more = json!({ "delete": true, "max_delete_percent": 100 });
    let report = mirror(&host, UP, more).unwrap();
    assert_eq!(figure(&report, "files_deleted"), 25);
    assert_eq!(remote.files().len(), 5);
}

#[test]
fn filters_and_sizes_choose_and_protect() {
    let remote = FakeRemote::default()
        .with_file("site/keep.tmp", b"there", T)
        .with_file("site/cache/x", b"there", T)
        .with_file("site/large", b"there", T)
        .with_file("site/extra", b"there", T);
    let host = host(&remote);
    host.write_file("/a/a.tmp", "no", T);
    host.write_file("/a/large", "0123456789", T);
    host.write_file("/a/small", "yes", T);
    let more = json!({ "delete": true, "exclude": ["*.tmp", "cache/"], "max_size": 5 });
    let report = mirror(&host, UP, more).unwrap();
    assert_eq!(steps(&report), ["<f+++++++++ small", "*deleting extra"]);
    let names: Vec<_> = remote.files().into_keys().collect();
    assert_eq!(
        names,
        ["site/cache/x", "site/keep.tmp", "site/large", "site/small"]
    );
}

#[test]
fn kinds_that_are_in_each_others_way() {
    // An object store can have both; a directory cannot.
    let remote = FakeRemote::default()
        .with_file("site/a", b"file", T)
        .with_file("site/a/b", b"below", T)
        .with_file("site/d", b"file", T)
        .with_file("site/l", b"file", T);
    let host = host(&remote);
    host.write_file("/b/d/in", "it", T);
    symlink("elsewhere", host.path("/b/l")).unwrap();
    let failure = mirror(&host, DOWN, json!({})).unwrap_err();
    let report = failure.partial.as_ref().unwrap();
    let blocked = report.details.as_ref().unwrap()["blocked"]["items"].clone();
    let paths: Vec<_> = blocked
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["a/b", "d", "l"], "{blocked}");
    assert_eq!(fs::read(host.path("/b/a")).unwrap(), b"file");
    assert!(host.path("/b/d/in").exists());
    let failure = mirror(&host, DOWN, json!({ "delete": true })).unwrap_err();
    assert!(failure.partial.is_some());
    assert_eq!(fs::read(host.path("/b/d")).unwrap(), b"file");
    assert!(host.path("/b/l").is_symlink());
}

#[test]
fn a_dry_run_says_what_would_be_done() {
    let remote = FakeRemote::default().with_file("site/old", b"x", T);
    let host = host(&remote);
    host.write_file("/a/x", "one", T);
    let more = json!({ "delete": true });
    let report = host
        .dry_run(&crate::plugin(), "mirror", config(UP, more))
        .unwrap();
    assert_eq!(steps(&report), ["<f+++++++++ x", "*deleting old"]);
    assert_eq!(contents(&remote), pairs(&[("site/old", "x")]));
}

#[test]
fn every_object_is_whole_or_not_at_all() {
    let remote = FakeRemote::default().with_file("site/x", b"old", T);
    for n in 0..6 {
        let host = host(&remote);
        host.write_file("/a/x", vec![b'n'; 600_000], T);
        host.write_file("/a/y", "more", T);
        host.crash().at(n, false);
        let done = mirror(&host, UP, json!({ "checksum": true }));
        host.crash().never();
        let x = remote.files()["site/x"].clone();
        assert!(x == b"old" || x.len() == 600_000, "{n}: {}", x.len());
        if done.is_ok() {
            break;
        }
        mirror(&host, UP, json!({ "checksum": true })).unwrap();
    }
    let host = host(&remote);
    for n in 0..20 {
        host.crash().at(n, n % 2 == 0);
        let done = mirror(&host, DOWN, json!({ "checksum": true }));
        host.crash().never();
        if let Ok(x) = fs::read(host.path("/b/x")) {
            assert_eq!(x.len(), 600_000, "{n}");
        }
        if done.is_ok() {
            break;
        }
    }
    mirror(&host, DOWN, json!({})).unwrap();
    let left: Vec<_> = fs::read_dir(host.path("/b")).unwrap().collect();
    assert_eq!(left.len(), 2);
}

#[test]
fn what_no_remote_keeps_is_refused() {
    let host = host(&FakeRemote::default());
    for (key, value) in [
        ("both_ways", json!(true)),
        ("backup_dir", json!("/b/x")),
        ("link_dest", json!(["/b/x"])),
        ("renames", json!(true)),
        ("delta", json!("clone")),
        ("update", json!(true)),
        ("map", json!([{ "from": "x", "to": "y" }])),
    ] {
        let failure = mirror(&host, UP, json!({ key: value })).unwrap_err();
        assert!(failure.message.contains(key), "{key}: {failure:?}");
    }
    let failure = mirror(&host, ("far:x", "far:x/y"), json!({})).unwrap_err();
    assert!(failure.message.contains("same place"), "{failure:?}");
    let failure = mirror(&host, ("near:x", "/b"), json!({})).unwrap_err();
    assert!(failure.message.contains("near"), "{failure:?}");
}
