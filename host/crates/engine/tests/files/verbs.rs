//! The verbs doing what they are for, and what stands on the receipt after.

use mhost_model::ByteSize;
use serde_json::json;

use crate::calls::{Tree, answers, calls, kinds};

#[test]
fn every_verb_through_a_guest() {
    let tree = Tree::new();
    let went = tree.go(json!([
        {"do": "copy", "path": "/logs/file", "to": "/other/copy"},
        {"do": "stat", "path": "/other/copy"},
        {"do": "set-metadata", "path": "/other/copy", "mode": 0o600, "modified": 5},
        {"do": "copy-range", "path": "/public/file", "to": "/other/copy"},
        {"do": "truncate", "path": "/other/copy", "size": 6},
        {"do": "std read", "path": "/other/copy"},
        {"do": "hard-link", "path": "/other/copy", "to": "/other/second"},
        {"do": "replace", "path": "/other/second", "to": "/other/file"},
        {"do": "rename", "path": "/other/copy", "to": "/other/file"},
        {"do": "rename", "path": "/other/copy", "to": "/other/moved"},
        {"do": "symbolic-link", "path": "/other/link", "to": "moved"},
        {"do": "hash", "path": "/other/link"},
        {"do": "compress", "path": "/other/moved", "to": "/other/moved.gz"},
        {"do": "verify", "path": "/other/moved.gz"},
        {"do": "sync", "path": "/other"},
        {"do": "free-space", "path": "/other"},
        {"do": "lock", "path": "/other/moved"},
        {"do": "walk", "path": "/other"},
        {"do": "stat", "path": "/other/none"},
        {"do": "expand", "path": "/other/moved.gz", "offset": 2},
        {"do": "expand", "path": "/other/moved"},
        {"do": "zone", "name": "Europe/Kyiv", "at": 1_774_746_000_000_u64},
        {"do": "zone", "name": "Mars/Base"},
    ]));
    let expected = [
        json!({"ok": 4}),
        json!({"ok": {"size": 4, "mode": 0o644}}),
        json!({"ok": null}),
        json!({"ok": 6}),
        json!({"ok": null}),
        json!({"ok": "public"}),
    ];
    let answers = answers(&went);
    for (at, expected) in expected.iter().enumerate() {
        let mut answer = answers[at].clone();
        if at == 1 {
            // The umask of whoever runs this takes part.
            answer["ok"]["mode"] = json!(0o644);
        }
        assert_eq!(&answer, expected, "{at}");
    }
    let mut wanted = ["ok"; 23];
    (wanted[8], wanted[18]) = ("exists", "not-found");
    (wanted[20], wanted[22]) = ("unsupported", "invalid");
    assert_eq!(kinds(&went), wanted);
    assert_eq!(answers[13], json!({"ok": 6}));
    let listed = json!({"ok": ["file", "link", "moved", "moved.gz"]});
    assert_eq!(answers[17], listed);
    assert_eq!(answers[19], json!({"ok": "blic"}));
    assert_eq!(answers[21], json!({"ok": 10_800}));
    let receipt = &went.finished.receipt;
    assert_eq!(receipt.used["dirs.other"].verbs.len(), 2);
    assert!(receipt.used["dirs.public"].verbs.contains("read"));
    assert!(
        receipt.bytes_written >= 10 && receipt.files_changed >= 7,
        "{receipt:?}"
    );
    assert!(receipt.denied.is_empty());
}

#[test]
fn a_plugin_learns_what_must_stay_free() {
    let tree = Tree::new();
    let asked = tree.granted(calls(json!([{"do": "kept-free"}])));
    let went = asked
        .limits(|limits| limits.free_space = ByteSize(7 << 20))
        .go();
    assert_eq!(answers(&went), [json!({"ok": 7 << 20})]);
}

#[test]
fn a_dry_run_holds_every_verb_back() {
    let tree = Tree::new();
    let went = tree
        .granted(calls(json!([
            {"do": "copy", "path": "/logs/file", "to": "/other/copy"},
            {"do": "truncate", "path": "/logs/file", "size": 0},
            {"do": "rename", "path": "/logs/file", "to": "/logs/moved"},
            {"do": "compress", "path": "/logs/file", "to": "/logs/file.gz"},
            {"do": "hash", "path": "/logs/file"},
        ])))
        .dry_run()
        .go();
    assert_eq!(
        kinds(&went),
        ["dry-run", "dry-run", "dry-run", "dry-run", "ok"]
    );
    assert_eq!(went.finished.receipt.withheld.len(), 4);
    assert_eq!(tree.read("logs/file"), "logs");
    assert_eq!(std::fs::read_dir(tree.at("other")).unwrap().count(), 1);
}

#[test]
fn the_write_budget_is_the_runs() {
    let tree = Tree::new();
    let copy = |to: &str| json!({"do": "copy", "path": "/logs/file", "to": to});
    let went = tree
        .granted(calls(json!([
            copy("/other/1"),
            copy("/other/2"),
            copy("/other/3")
        ])))
        .limits(|limits| limits.write = Some(ByteSize(9)))
        .go();
    assert_eq!(kinds(&went), ["ok", "ok", "limit"]);
    assert!(!tree.at("other/3").exists());
}

#[test]
fn handles_of_walks_and_locks_are_given_back() {
    let tree = Tree::new();
    let asked: Vec<_> = (0..300)
        .flat_map(|_| {
            [
                json!({"do": "walk", "path": "/logs"}),
                json!({"do": "lock", "path": "/logs/file"}),
            ]
        })
        .collect();
    let went = tree
        .granted(calls(json!(asked)))
        .limits(|limits| limits.handles = 32)
        .go();
    assert!(kinds(&went).iter().all(|kind| kind == "ok"));
}
