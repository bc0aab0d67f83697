//! Ways out of a grant, by the file verbs and by the guest's own library.

use serde_json::{Value, json};

use crate::calls::{Tree, kinds};

const OUT: [&str; 7] = [
    "/logs/../secret/file",
    "/logs/out/file",
    "/logs/out/../secret/file",
    "/logs/etc/passwd",
    "/etc/passwd",
    "/secret/file",
    "/logs/out-file/",
];

fn each(paths: &[&str], verbs: &[&str]) -> Vec<Value> {
    let call =
        |verb: &&str, path: &&str| json!({"do": verb, "path": path, "to": "/logs/new", "size": 0});
    let pairs = paths
        .iter()
        .flat_map(|path| verbs.iter().map(move |verb| call(verb, path)));
    pairs.collect()
}

const READING: [&str; 6] = ["hash", "copy", "compress", "verify", "lock", "std read"];
const CHANGING: [&str; 8] = [
    "truncate",
    "set-metadata",
    "rename",
    "replace",
    "symbolic-link",
    "std write",
    "std truncate",
    "std rename",
];

#[test]
fn no_path_leads_out() {
    let tree = Tree::new();
    let asked: Vec<Value> = [each(&OUT, &READING), each(&OUT, &CHANGING)].concat();
    let went = tree.go(json!(asked));
    for (call, kind) in asked.iter().zip(kinds(&went)) {
        assert_ne!(kind, "ok", "{call}");
    }
    assert!(tree.is_safe());
    assert!(!tree.at("logs/new").exists());
    assert!(!went.finished.receipt.denied.is_empty());
}

#[test]
fn content_is_not_reached_through_a_link() {
    let tree = Tree::new();
    let asked = each(&["/logs/out-file"], &READING);
    let went = tree.go(json!(asked));
    assert_eq!(kinds(&went)[..5], ["denied"; 5]);
    assert_ne!(kinds(&went)[5], "ok");
    assert!(tree.is_safe());
}

/// GHSA-4ch3.
#[test]
fn names_stay_in_their_grant() {
    let tree = Tree::new();
    let asked: Vec<Value> = [
        "rename",
        "replace",
        "hard-link",
        "std rename",
        "std hard-link",
    ]
    .iter()
    .map(|verb| json!({"do": verb, "path": "/logs/file", "to": "/other/new"}))
    .collect();
    let went = tree.go(json!(asked));
    assert!(
        kinds(&went).iter().all(|kind| kind != "ok"),
        "{:?}",
        kinds(&went)
    );
    assert_eq!(tree.read("logs/file"), "logs");
    assert!(!tree.at("other/new").exists());
}

/// GHSA-2r75.
#[test]
fn a_read_only_grant_lets_no_write_through() {
    let tree = Tree::new();
    let went = tree.go(json!([
        {"do": "truncate", "path": "/public/file", "size": 0},
        {"do": "set-metadata", "path": "/public/file", "modified": 1},
        {"do": "copy", "path": "/logs/file", "to": "/public/file", "replace": true},
        {"do": "copy-range", "path": "/logs/file", "to": "/public/file"},
        {"do": "compress", "path": "/logs/file", "to": "/public/new"},
        {"do": "rename", "path": "/public/file", "to": "/public/new"},
        {"do": "hard-link", "path": "/public/file", "to": "/public/new"},
        {"do": "symbolic-link", "path": "/public/new", "to": "x"},
        {"do": "std truncate", "path": "/public/file"},
        {"do": "std write", "path": "/public/file"},
        {"do": "std create", "path": "/public/new"},
        {"do": "std remove", "path": "/public/file"},
        {"do": "std read", "path": "/public/file"},
        {"do": "hash", "path": "/public/file"}
    ]));
    let kinds = kinds(&went);
    assert_eq!(kinds[..8], ["denied"; 8]);
    assert!(kinds[8..12].iter().all(|kind| kind != "ok"), "{kinds:?}");
    assert_eq!(kinds[12..], ["ok", "ok"]);
    assert!(tree.is_safe());
}

#[test]
fn a_fifo_and_a_device_neither_open_nor_block() {
    let tree = Tree::new();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, tree.at("logs/fifo"), mode).unwrap();
    let asked = each(&["/logs/fifo", "/dev/zero"], &READING);
    let went = tree.go(json!(asked));
    for (call, kind) in asked.iter().zip(kinds(&went)) {
        if call["do"] == "std read" {
            assert_ne!(kind, "ok", "{call}");
        } else {
            assert_eq!(kind, "invalid", "{call}");
        }
    }
}
