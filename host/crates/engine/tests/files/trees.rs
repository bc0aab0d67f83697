//! Trees through a guest: each step needs its grant, and leads nowhere else.

use serde_json::{Value, json};

use crate::calls::{Tree, calls, kinds};

/// Steps that change something, each with what it needs.
const STEPS: [&str; 12] = [
    "create-directory",
    "copy",
    "symbolic-link",
    "hard-link",
    "link-beside",
    "keep",
    "node",
    "metadata",
    "rename",
    "remove",
    "remove-partial",
    "remove-directory",
];

fn step(verb: &str, target: &str, path: &str) -> Value {
    json!({
        "do": format!("tree {verb}"), "source": "/public", "target": target, "beside": target,
        "existing": "file", "path": path, "mode": 0o600,
    })
}

#[test]
fn steps_are_done() {
    let tree = Tree::new();
    let went = tree.go(json!([
        step("create-directory", "/logs", "d"),
        step("copy", "/logs", "d/new"),
        step("hard-link", "/logs", "d/link"),
        step("symbolic-link", "/logs", "d/soft"),
        step("rename", "/logs", "d/moved"),
        step("metadata", "/logs", "d/moved"),
        {"do": "tree same", "source": "/public", "target": "/logs", "existing": "file", "path": "d/new"},
        {"do": "tree list", "target": "/logs"},
        {"do": "tree look", "target": "/public"},
        {"do": "tree lock", "target": "/logs"},
        {"do": "tree flush", "target": "/logs"},
    ]));
    assert_eq!(kinds(&went), ["ok"; 11]);
    assert_eq!(tree.read("logs/d/new"), "public");
    assert_eq!(tree.read("logs/d/moved"), "logs");
    assert_eq!(went.finished.receipt.files_changed, 6);
    assert_eq!(went.finished.receipt.bytes_written, 6);
}

#[test]
fn a_read_only_tree_is_not_changed() {
    let tree = Tree::new();
    let mut asked: Vec<Value> = STEPS
        .iter()
        .map(|verb| step(verb, "/public", "file"))
        .collect();
    asked.push(json!({"do": "tree lock", "target": "/public"}));
    asked.push(json!({"do": "tree flush", "target": "/public"}));
    let went = tree.go(json!(asked));
    assert_eq!(kinds(&went), vec!["denied"; asked.len()]);
    assert!(tree.is_safe());
}

#[test]
fn no_step_leads_out() {
    let tree = Tree::new();
    let out = [
        "../secret/file",
        "out/file",
        "out-file/x",
        "/secret/file",
        "etc/passwd",
    ];
    let mut asked = Vec::new();
    for path in out {
        for verb in STEPS {
            asked.push(step(verb, "/logs", path));
            let mut other = step(verb, "/logs", "new");
            other["source"] = json!("/logs");
            other["existing"] = json!(path);
            if !matches!(
                verb,
                "create-directory"
                    | "symbolic-link"
                    | "metadata"
                    | "remove"
                    | "remove-partial"
                    | "remove-directory"
            ) {
                asked.push(other);
            }
        }
    }
    for root in ["/secret", "/logs/out", "/logs/../secret", "/logs/etc"] {
        asked.push(json!({"do": "tree list", "target": root}));
        asked.push(step("copy", root, "new"));
    }
    let went = tree.go(json!(asked));
    for (call, kind) in asked.iter().zip(kinds(&went)) {
        assert_ne!(kind, "ok", "{call}");
    }
    assert!(tree.is_safe());
    assert!(!tree.at("logs/new").exists());
}

#[test]
fn names_stay_in_their_grant() {
    let tree = Tree::new();
    let mut asked = Vec::new();
    for verb in ["link-beside", "keep"] {
        let mut step = step(verb, "/logs", "new");
        step["beside"] = json!("/other");
        asked.push(step);
    }
    let went = tree.go(json!(asked));
    assert_eq!(kinds(&went), ["invalid"; 2]);
    assert!(!tree.at("other/new").exists() && !tree.at("logs/new").exists());
}

#[test]
fn a_dry_run_does_no_step_and_lists_them() {
    let tree = Tree::new();
    let asked: Vec<Value> = STEPS
        .iter()
        .map(|verb| step(verb, "/logs", "file"))
        .collect();
    let went = tree.granted(calls(json!(asked))).dry_run().go();
    assert_eq!(kinds(&went), ["dry-run"; 12]);
    let withheld = &went.finished.receipt.withheld;
    assert!(
        withheld.iter().any(|text| text == "copy /logs/file"),
        "{withheld:?}"
    );
    assert_eq!(tree.read("logs/file"), "logs");
}

#[test]
fn budgets_hold() {
    let tree = Tree::new();
    let attack = calls(
        json!([step("copy", "/logs", "new"), {"do": "tree many", "target": "/logs", "path": "x"}]),
    );
    let went = tree
        .granted(attack)
        .limits(|limits| limits.write = Some(mhost_model::ByteSize(3)))
        .go();
    assert_eq!(kinds(&went), ["limit"; 2]);
    assert!(!tree.at("logs/new").exists());
}
