//! Both ways: changes meet, nothing is lost, and both sides end equal.

use std::collections::BTreeSet;
use std::fs;

use super::{T, host, tree};
use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Failure, Report};
use proptest::prelude::*;
use serde_json::{Value, json};

fn sync(host: &NativeHost, more: Value) -> Result<Report, Failure> {
    let mut config = json!({ "both_ways": true, "max_delete_percent": 100 });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    super::mirror(host, config)
}

/// Names, kinds and contents; the times of directories are each side's own.
fn seen(host: &NativeHost, side: &str) -> Vec<String> {
    tree(&host.path(side))
}

fn equal(host: &NativeHost) {
    assert_eq!(seen(host, "/a"), seen(host, "/b"));
}

#[test]
fn changes_of_each_side_reach_the_other() {
    let host = host();
    host.write_file("/a/one", "one", T);
    host.write_file("/b/d/two", "two", T);
    sync(&host, json!({})).unwrap();
    equal(&host);
    host.write_file("/a/d/two", "changed", T + 1000);
    fs::remove_file(host.path("/b/one")).unwrap();
    host.write_file("/b/e/three", "three", T);
    let report = sync(&host, json!({})).unwrap();
    equal(&host);
    assert!(!host.path("/a/one").exists());
    assert_eq!(fs::read(host.path("/b/d/two")).unwrap(), b"changed");
    assert_eq!(report.figure("conflicts"), Some(0.0));
}

fn in_conflict() -> NativeHost {
    let host = host();
    host.write_file("/a/x.txt", "base", T);
    sync(&host, json!({})).unwrap();
    host.write_file("/a/x.txt", "from a, longer", T + 1000);
    host.write_file("/b/x.txt", "from b", T + 2000);
    host
}

#[test]
fn conflicts_are_settled_as_configured() {
    for (policy, expected) in [("newer", "from b"), ("larger", "from a, longer")] {
        let host = in_conflict();
        sync(&host, json!({ "conflicts": policy })).unwrap();
        equal(&host);
        assert_eq!(fs::read_to_string(host.path("/a/x.txt")).unwrap(), expected);
    }
    let host = in_conflict();
    let report = sync(&host, json!({})).unwrap();
    equal(&host);
    let read = |path: &str| fs::read_to_string(host.path(path)).unwrap();
    assert_eq!(read("/b/x.txt"), "from a, longer");
    assert_eq!(read("/a/x.conflict-1.txt"), "from b");
    assert_eq!(
        report.details.unwrap()["conflicts"]["items"][0]["kept_as"],
        "x.conflict-1.txt"
    );
}

#[test]
fn a_conflict_that_is_asked_about_stays() {
    let host = in_conflict();
    for _ in 0..2 {
        let report = sync(&host, json!({ "conflicts": "ask" })).unwrap();
        assert_eq!(report.figure("conflicts"), Some(1.0));
    }
    assert_eq!(fs::read(host.path("/a/x.txt")).unwrap(), b"from a, longer");
    assert_eq!(fs::read(host.path("/b/x.txt")).unwrap(), b"from b");
    fs::remove_file(host.path("/b/x.txt")).unwrap();
    sync(&host, json!({ "conflicts": "ask" })).unwrap();
    equal(&host);
    assert_eq!(fs::read(host.path("/b/x.txt")).unwrap(), b"from a, longer");
}

#[test]
fn a_change_beats_a_deletion() {
    let host = host();
    host.write_file("/a/x", "base", T);
    sync(&host, json!({})).unwrap();
    fs::remove_file(host.path("/a/x")).unwrap();
    host.write_file("/b/x", "changed", T + 1000);
    sync(&host, json!({})).unwrap();
    equal(&host);
    assert_eq!(fs::read(host.path("/a/x")).unwrap(), b"changed");
}

#[test]
fn an_empty_side_empties_nothing() {
    let host = host();
    for n in 0..5 {
        host.write_file(&format!("/a/{n}"), "x", T);
    }
    sync(&host, json!({})).unwrap();
    for n in 0..5 {
        fs::remove_file(host.path(&format!("/b/{n}"))).unwrap();
    }
    let failure = sync(&host, json!({})).unwrap_err();
    assert!(failure.message.contains("is it mounted"), "{failure:?}");
    assert_eq!(seen(&host, "/a").len(), 5);
}

/// Something done to a path of one side.
#[derive(Debug, Clone)]
enum Edit {
    Write(usize, u8),
    Remove(usize),
}

const PATHS: [&str; 6] = ["a", "b", "d/a", "d/b", "d/e/a", "f/a"];

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        3 => (0..PATHS.len(), any::<u8>()).prop_map(|(path, content)| Edit::Write(path, content)),
        1 => (0..PATHS.len()).prop_map(Edit::Remove),
    ];
    prop::collection::vec(edit, 0..6)
}

fn edit(host: &NativeHost, side: &str, edits: &[Edit], time: &mut u64) {
    for edit in edits {
        *time += 1000;
        match edit {
            Edit::Write(path, content) => {
                let path = format!("{side}/{}", PATHS[*path]);
                host.write_file(&path, format!("{side} {content} {time}"), *time);
            }
            Edit::Remove(path) => {
                let _ = fs::remove_file(host.path(&format!("{side}/{}", PATHS[*path])));
            }
        }
    }
}

/// The contents of one side's files.
fn contents(host: &NativeHost, side: &str) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![host.path(side)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    found.insert(fs::read(path).unwrap());
                }
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Whatever is done to both sides, they end equal, everything new is somewhere, and
    /// a second run finds nothing to do.
    #[test]
    fn both_sides_end_equal_and_nothing_new_is_lost(rounds in prop::collection::vec((edits(), edits()), 1..4)) {
        let host = host();
        // So that no side is ever empty, which the brake would hold.
        host.write_file("/a/always", "here", T);
        host.write_file("/b/always", "here", T);
        let mut time = T;
        sync(&host, json!({})).unwrap();
        for (here, there) in rounds {
            let before = contents(&host, "/a");
            edit(&host, "/a", &here, &mut time);
            edit(&host, "/b", &there, &mut time);
            let new: BTreeSet<_> = contents(&host, "/a").union(&contents(&host, "/b")).filter(|content| !before.contains(*content)).cloned().collect();
            sync(&host, json!({})).unwrap();
            prop_assert_eq!(seen(&host, "/a"), seen(&host, "/b"));
            let after = contents(&host, "/a");
            prop_assert!(new.is_subset(&after), "lost {:?}", new.difference(&after).collect::<Vec<_>>());
            let again = sync(&host, json!({})).unwrap();
            prop_assert_eq!(again.figure("files_copied"), Some(0.0));
            prop_assert_eq!(again.figure("conflicts"), Some(0.0));
        }
    }

    /// The same with a crash at any change.
    #[test]
    fn a_crash_loses_nothing(here in edits(), there in edits(), at in 0u32..20, happens in any::<bool>()) {
        let host = host();
        host.write_file("/a/always", "here", T);
        for (n, path) in PATHS.iter().enumerate() {
            host.write_file(&format!("/a/{path}"), format!("base {n}"), T);
        }
        sync(&host, json!({})).unwrap();
        let before = contents(&host, "/a");
        let mut time = T;
        edit(&host, "/a", &here, &mut time);
        edit(&host, "/b", &there, &mut time);
        let new: BTreeSet<_> = contents(&host, "/a").union(&contents(&host, "/b")).filter(|content| !before.contains(*content)).cloned().collect();
        host.crash().at(at, happens);
        let _ = sync(&host, json!({}));
        host.crash().never();
        sync(&host, json!({})).unwrap();
        prop_assert_eq!(seen(&host, "/a"), seen(&host, "/b"));
        let after = contents(&host, "/a");
        prop_assert!(new.is_subset(&after), "lost {:?}", new.difference(&after).collect::<Vec<_>>());
    }
}
