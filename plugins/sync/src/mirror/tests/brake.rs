//! Deletions that nobody can have meant.

use super::{T, host, mirror, tree};
use mhost_sdk::testing::NativeHost;
use serde_json::{Value, json};

fn refused(host: &NativeHost, more: Value, words: &str) {
    let before = tree(&host.path("/b"));
    let failure = mirror(host, more).unwrap_err();
    assert!(failure.message.contains(words), "{}", failure.message);
    assert_eq!(tree(&host.path("/b")), before, "nothing may have changed");
}

fn fill(host: &NativeHost, side: &str, files: std::ops::Range<u32>) {
    for n in files {
        host.write_file(&format!("/{side}/{n}"), "x", T);
    }
}

#[test]
fn an_empty_source_never_empties_the_target() {
    let host = host();
    fill(&host, "b", 0..3);
    refused(&host, json!({ "delete": true }), "is it mounted");
}

#[test]
fn a_share_is_a_share_only_beyond_a_few() {
    let host = host();
    fill(&host, "a", 0..1);
    fill(&host, "b", 0..11);
    mirror(&host, json!({ "delete": true })).unwrap();
    fill(&host, "b", 0..12);
    refused(&host, json!({ "delete": true }), "max_delete_percent");
    mirror(&host, json!({ "delete": true, "max_delete_percent": 95 })).unwrap();
}

#[test]
fn a_number_holds_at_once() {
    let host = host();
    fill(&host, "a", 0..5);
    fill(&host, "b", 0..7);
    refused(
        &host,
        json!({ "delete": true, "max_delete": 1 }),
        "`max_delete` = 1",
    );
    mirror(&host, json!({ "delete": true, "max_delete": 2 })).unwrap();
}

#[test]
fn things_of_another_kind_in_the_way_count() {
    let host = host();
    host.write_file("/a/x", "one", T);
    for n in 0..12 {
        host.write_file(&format!("/b/x/{n}"), "old", T);
    }
    refused(&host, json!({ "delete": true }), "max_delete_percent");
}

#[test]
fn a_mount_point_that_is_empty_now_empties_nothing() {
    let host = host();
    host.write_file("/a/x", "one", T);
    std::fs::create_dir(host.path("/a/disk")).unwrap();
    host.write_file("/b/disk/file", "two", T);
    mirror(&host, json!({})).unwrap();
    host.set_state(
        "mounts /a /b",
        &serde_json::to_vec(&[b"disk".to_vec()]).unwrap(),
    );
    refused(
        &host,
        json!({ "delete": true }),
        "held a mounted file system",
    );
    host.write_file("/a/disk/other", "three", T);
    mirror(&host, json!({ "delete": true })).unwrap();
    assert!(!host.path("/b/disk/file").exists());
}

#[test]
fn what_filters_leave_out_is_no_share_of_the_target() {
    let host = host();
    fill(&host, "a", 0..3);
    for n in 0..40 {
        host.write_file(&format!("/b/keep/{n}"), "x", T);
    }
    fill(&host, "b", 0..20);
    let config = json!({ "delete": true, "exclude": ["keep/"] });
    refused(&host, config, "17 of 20 entries");
}
