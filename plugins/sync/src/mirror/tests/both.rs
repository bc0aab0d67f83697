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

/// What is not listed is not gone: neither is it deleted on the other side, nor does
/// anything take its place.
#[test]
fn what_is_left_out_is_not_gone() {
    let host = host();
    host.write_file("/a/always", "here", T);
    host.write_file("/a/grows", "small", T);
    host.write_file("/a/both", "small", T);
    host.write_file("/a/d/x", "x", T);
    let config = || json!({ "max_size": 8, "exclude": ["*.tmp"] });
    sync(&host, config()).unwrap();
    host.write_file("/a/grows", "too large now", T + 1000);
    host.write_file("/a/both", "too large now", T + 1000);
    host.write_file("/b/both", "new", T + 2000);
    host.write_file("/b/d/y.tmp", "left out", T);
    fs::remove_dir_all(host.path("/a/d")).unwrap();
    for _ in 0..2 {
        sync(&host, config()).unwrap();
        let read = |path: &str| fs::read_to_string(host.path(path)).unwrap();
        assert_eq!(read("/a/grows"), "too large now");
        assert_eq!(read("/b/grows"), "small");
        assert_eq!(read("/a/both"), "too large now");
        assert_eq!(read("/b/both"), "new");
        assert_eq!(read("/b/d/y.tmp"), "left out");
        assert!(!host.path("/b/d/x").exists());
    }
    sync(
        &host,
        json!({ "exclude": ["*.tmp"], "conflicts": "larger" }),
    )
    .unwrap();
    assert_eq!(fs::read(host.path("/b/grows")).unwrap(), b"too large now");
    assert_eq!(fs::read(host.path("/b/both")).unwrap(), b"too large now");
}

#[test]
fn other_names_are_nobody_elses() {
    let host = in_conflict();
    // Left out, and still there.
    host.write_file("/a/x.conflict-1.txt", "mine", T);
    host.write_file("/b/x.conflict-2.txt", "mine", T);
    // Names so long that their other names begin alike.
    let long = |end: &str| format!("{}{end}", "n".repeat(240));
    for (n, name) in [long("1"), long("2")].iter().enumerate() {
        host.write_file(&format!("/a/{name}"), format!("here {n}"), T);
        host.write_file(&format!("/b/{name}"), format!("there {n}."), T);
    }
    let before: BTreeSet<_> = contents(&host, "/a")
        .union(&contents(&host, "/b"))
        .cloned()
        .collect();
    sync(
        &host,
        json!({ "exclude": ["x.conflict-1*", "x.conflict-2*"] }),
    )
    .unwrap();
    let after: BTreeSet<_> = contents(&host, "/a")
        .union(&contents(&host, "/b"))
        .cloned()
        .collect();
    assert_eq!(before, after);
    assert_eq!(
        fs::read(host.path("/b/x.conflict-3.txt")).unwrap(),
        b"from b"
    );
}

#[test]
fn the_same_content_is_no_conflict() {
    let host = host();
    host.write_file("/a/x", "the same", T);
    host.write_file("/b/x", "the same", T + 1000);
    host.write_file("/a/y", "not same", T);
    host.write_file("/b/y", "but same", T + 1000);
    let report = sync(&host, json!({})).unwrap();
    assert_eq!(report.figure("conflicts"), Some(1.0));
    equal(&host);
    assert!(!host.path("/a/x.conflict-1").exists());
    assert_eq!(fs::read(host.path("/a/y.conflict-1")).unwrap(), b"but same");
}

#[test]
fn what_was_replaced_is_kept_aside_on_no_side_as_content() {
    let host = host();
    host.write_file("/a/x", "old", T);
    sync(&host, json!({})).unwrap();
    host.write_file("/a/x", "new", T + 1000);
    for _ in 0..2 {
        sync(&host, json!({ "backup_dir": "/b/.old" })).unwrap();
        assert_eq!(fs::read(host.path("/b/.old/x")).unwrap(), b"old");
        assert_eq!(fs::read(host.path("/b/x")).unwrap(), b"new");
        assert!(!host.path("/a/.old").exists());
    }
}

#[test]
fn what_both_ways_cannot_do_is_refused() {
    for more in [
        json!({ "delta": "in-place" }),
        json!({ "permissions": false }),
        json!({ "times": false }),
        json!({ "ignore_existing": true }),
        json!({ "verify": "all" }),
    ] {
        let failure = sync(&host(), more).unwrap_err();
        assert!(failure.message.contains("`both_ways`"), "{failure:?}");
    }
}

/// One bad entry keeps nobody from remembering the others: a deletion is still known to
/// be one.
#[test]
fn an_error_does_not_make_the_run_forget() {
    let host = host();
    host.write_file("/a/x", "x", T);
    host.write_file("/a/d/y", "y", T);
    sync(&host, json!({})).unwrap();
    host.write_file("/a/new", "new", T);
    // Keeps the directory from being removed.
    let partial = ".mhost-0000000000000000.partial";
    fs::create_dir(host.path(&format!("/b/d/{partial}"))).unwrap();
    fs::remove_dir_all(host.path("/a/d")).unwrap();
    sync(&host, json!({})).unwrap_err();
    fs::remove_file(host.path("/b/new")).unwrap();
    // Nothing is deleted in a run that has errors.
    sync(&host, json!({})).unwrap_err();
    assert!(host.path("/a/new").exists());
    fs::remove_dir(host.path(&format!("/b/d/{partial}"))).unwrap();
    sync(&host, json!({})).unwrap();
    assert!(!host.path("/a/new").exists());
    equal(&host);
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
