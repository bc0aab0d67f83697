//! A run that is cut off at any change leaves a target from which the next goes on.

use std::fs;

use super::{T, assert_equal, host, mirror};
use mhost_sdk::testing::NativeHost;
use serde_json::json;

fn prepared() -> NativeHost {
    let host = host();
    host.write_file("/a/x", "new", T + 5000);
    host.write_file("/a/deep/y", "two", T);
    host.write_file("/a/kind", "file", T);
    std::os::unix::fs::symlink("x", host.path("/a/link")).unwrap();
    host.write_file("/b/x", "old", T);
    host.write_file("/b/kind/old", "folder", T);
    host.write_file("/b/gone/z", "old", T);
    std::os::unix::fs::symlink("y", host.path("/b/link")).unwrap();
    host
}

#[test]
fn every_change_may_be_the_last() {
    let host = prepared();
    mirror(&host, json!({ "delete": true })).unwrap();
    let changes = host.crash().changes();
    assert!(changes > 8, "{changes}");
    for n in 0..changes {
        for happens in [false, true] {
            let host = prepared();
            host.crash().at(n, happens);
            assert!(
                mirror(&host, json!({ "delete": true })).is_err(),
                "change {n}"
            );
            let content = fs::read(host.path("/b/x")).unwrap();
            assert!(
                content == b"old" || content == b"new",
                "half a file after change {n}"
            );
            host.crash().never();
            mirror(&host, json!({ "delete": true })).unwrap();
            assert_equal(&host);
        }
    }
}
