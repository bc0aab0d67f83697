//! The difference between a file and a store.

use mhost::config::{Current, Detail, Document, Plan, Sign, plan};
use mhost_store::Edit;

use super::support::{digest, name, plugins, read, stored};

fn document(text: &str) -> Document {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

fn task(name: &str, more: &str) -> String {
    format!(
        "[tasks.{name}]\nplugin = \"any\"\naction = \"run\"\nschedule = {{ cron = \"0 3 * * *\" }}\n{more}\n"
    )
}

fn current(text: &str) -> Current {
    let (definitions, tasks) = stored(&document(text));
    Current { definitions, tasks }
}

fn planned(new: &str, old: &str) -> Plan {
    plan(&document(new), &current(old), &plugins()).unwrap()
}

/// What a person is shown.
fn check(new: &str, old: &str, expected: &str) {
    let changes: Vec<String> = planned(new, old)
        .changes
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(changes.join("\n"), expected.trim_matches('\n'));
}

#[test]
fn nothing_changes_nothing() {
    let text = task("a", "grants.net = [\"https://example.org\"]");
    assert_eq!(planned(&text, &text), Plan::default());
    assert_eq!(planned("", ""), Plan::default());
}

#[test]
fn everything_new() {
    let text =
        "[databases.site]\nengine = \"sqlite\"\npath = \"/srv/site.db\"\n[pools.heavy]\nsize = 2\n"
            .to_owned()
            + &task(
                "a",
                "enabled = false\ngrants.databases.site = { verbs = [\"read\", \"pack\"] }\ngrants.net = [\"https://example.org\"]",
            );
    check(
        &text,
        "",
        r#"
+ database site (new)
    engine: + "sqlite"
    path: + "/srv/site.db"
+ pool heavy (new)
    size: + 2
+ task a (new)
    plugin: + "any"
    action: + "run"
    schedule: + { cron = "0 3 * * *" }
    grants.databases.site: + { verbs = ["read", "pack"] }
    grants.net: + ["https://example.org"]
    enabled: + false
"#,
    );
}

#[test]
fn key_by_key_and_what_widens() {
    let old = task(
        "a",
        r#"grants.dirs.logs = { path = "/var/log/web" }
grants.dirs.old = { path = "/srv/old", access = "read-write" }
grants.net = ["https://example.org"]
limits.time = "30m"
"#,
    );
    let new = task(
        "a",
        r#"grants.dirs.logs = { path = "/var/log/web", access = "read-write" }
grants.net = ["https://example.org", "https://other.example.org"]
grants.secrets.token = { env = "TOKEN" }
description = "rotates"
config = { keep = 3 }
"#,
    )
    .replace("0 3 *", "0 4 *");
    check(
        &new,
        &old,
        r#"
~ task a
    config: + { keep = 3 }
    description: + "rotates"
  ! grants.dirs.logs.access: "read-only" → "read-write" (wider)
    grants.dirs.old: - { access = "read-write", path = "/srv/old" }
  ! grants.net: + "https://other.example.org" (wider)
  ! grants.secrets.token: + { env = "TOKEN" } (wider)
    limits.time: "30m" → "1h"
    schedule.cron: "0 3 * * *" → "0 4 * * *"
"#,
    );
    check(
        &old,
        &new,
        r#"
~ task a
    config: - { keep = 3 }
    description: - "rotates"
    grants.dirs.logs.access: "read-write" → "read-only"
  ! grants.dirs.old: + { access = "read-write", path = "/srv/old" } (wider)
    grants.net: - "https://other.example.org"
    grants.secrets.token: - { env = "TOKEN" }
    limits.time: "1h" → "30m"
    schedule.cron: "0 4 * * *" → "0 3 * * *"
"#,
    );
}

/// Whether a change of grants is marked, one by one.
#[test]
fn every_way_to_widen() {
    let defined = "[databases.d]\nengine = \"redb\"\npath = \"/d\"\n[repositories.r]\nurl = \"/r\"\n[remotes.m]\nurl = \"memory:m\"\n";
    let check = |old: &str, new: &str, wider: bool| {
        let text = |grants: &str| format!("{defined}{}", task("a", grants));
        let plan = planned(&text(new), &text(old));
        assert_eq!(plan.changes.len(), 1, "{old} → {new}");
        assert_eq!(
            plan.changes[0].wider(),
            wider,
            "{old} → {new}: {}",
            plan.changes[0]
        );
    };
    let dir = |rest: &str| format!("grants.dirs.x = {{ {rest} }}");
    check(&dir("path = \"/x\""), &dir("path = \"/y\""), true);
    check(&dir("path = \"/x\""), "", false);
    check("", &dir("path = \"/x\""), true);
    let db = |rest: &str| format!("grants.databases.d = {{ {rest} }}");
    check(
        &db("verbs = [\"read\"]"),
        &db("verbs = [\"read\", \"pack\"]"),
        true,
    );
    check(
        &db("verbs = [\"read\", \"pack\"]"),
        &db("verbs = [\"read\"]"),
        false,
    );
    check(
        &db("verbs = [\"read\"]"),
        &db("verbs = [\"read\"], tables = [\"t\"]"),
        false,
    );
    check(
        &db("verbs = [\"read\"], tables = [\"t\"]"),
        &db("verbs = [\"read\"]"),
        true,
    );
    check(
        &db("verbs = [\"read\"], tables = [\"t\"]"),
        &db("verbs = [\"read\"], tables = [\"t\", \"u\"]"),
        true,
    );
    check(
        &db("verbs = [\"read\"], tables = [\"t\"]"),
        &db("verbs = [\"read\"], tables = []"),
        false,
    );
    let repo = |rest: &str| {
        format!(
            "grants.repositories.r = {{ {rest} }}\ngrants.secrets.repo = {{ env = \"R\" }}\ngrants.secrets.s = {{ env = \"S\" }}"
        )
    };
    check(
        &repo("verbs = [\"append\"]"),
        &repo("verbs = [\"append\", \"prune\"]"),
        true,
    );
    check(
        &repo("verbs = [\"append\"]"),
        &repo("verbs = [\"append\"], password = \"s\""),
        false,
    );
    let remote = |rest: &str| format!("grants.remotes.m = {{ {rest} }}");
    check(&remote(""), &remote("access = \"read-write\""), true);
    check(&remote("access = \"read-write\""), &remote(""), false);
    let secret = |rest: &str| format!("grants.secrets.s = {{ {rest} }}");
    check(&secret("env = \"A\""), &secret("env = \"B\""), true);
    check(&secret("env = \"A\""), &secret("file = \"/a\""), true);
    let process = |rest: &str| format!("grants.processes.p = {{ {rest} }}");
    check(
        &process("command = [\"/a\"]"),
        &process("command = [\"/b\"]"),
        true,
    );
    check(
        &process("pid_file = \"/p\", signal = \"HUP\""),
        &process("pid_file = \"/p\", signal = \"USR1\""),
        true,
    );
    // Names that mean something in another place.
    check("", "grants.secrets.tables = { env = \"A\" }", true);
    check(
        "grants.secrets.password = { env = \"A\" }",
        "grants.secrets.password = { env = \"B\" }",
        true,
    );
    check(
        "config = { access = \"read-only\" }",
        "config = { access = \"read-write\" }",
        false,
    );
    check("limits.time = \"1m\"", "limits.time = \"2m\"", false);
}

#[test]
fn another_place_is_wider_for_all_that_are_granted_it() {
    let text = |path: &str, size: u32| {
        format!("[databases.d]\nengine = \"redb\"\npath = \"{path}\"\n[pools.p]\nsize = {size}\n")
    };
    check(
        &text("/b", 2),
        &text("/a", 1),
        r#"
~ database d
  ! path: "/a" → "/b" (wider)
~ pool p
    size: 1 → 2
"#,
    );
}

#[test]
fn removed_last_and_in_an_order_that_holds() {
    let old = "[databases.d]\nengine = \"redb\"\npath = \"/d\"\n".to_owned()
        + &task("a", "grants.databases.d = { verbs = [\"read\"] }")
        + &task("z", "");
    let new = "[databases.e]\nengine = \"redb\"\npath = \"/d\"\n".to_owned()
        + &task("a", "grants.databases.e = { verbs = [\"read\"] }");
    check(
        &new,
        &old,
        r#"
+ database e (new)
    engine: + "redb"
    path: + "/d"
~ task a
    grants.databases.d: - { verbs = ["read"] }
  ! grants.databases.e: + { verbs = ["read"] } (wider)
- task z (removed; its history stays)
- database d (removed)
"#,
    );
    let edits = planned(&new, &old).edits;
    let is = |at: usize, found: bool| assert!(found, "{at}: {:?}", edits[at]);
    is(
        0,
        matches!(&edits[0], Edit::PutDatabase(e, _) if *e == name("e")),
    );
    is(1, matches!(&edits[1], Edit::PutTask { .. }));
    is(2, edits[2] == Edit::RemoveTask(name("z")));
    is(3, edits[3] == Edit::RemoveDatabase(name("d")));
    assert_eq!(edits.len(), 4);
}

#[test]
fn a_schedule_of_another_form_is_one_change() {
    check(
        &task("a", "").replace("{ cron = \"0 3 * * *\" }", "\"manual\""),
        &task("a", ""),
        "~ task a\n    schedule: { cron = \"0 3 * * *\" } → \"manual\"",
    );
    check(
        &task("a", "").replace("{ cron = \"0 3 * * *\" }", "{ every = \"6h\" }"),
        &task("a", ""),
        "~ task a\n    schedule: { cron = \"0 3 * * *\" } → { every = \"6h\" }",
    );
}

#[test]
fn only_enabling_is_an_edit_of_its_own() {
    let plan = planned(&task("a", "enabled = false"), &task("a", ""));
    assert_eq!(
        plan.edits,
        [Edit::SetEnabled {
            name: name("a"),
            enabled: false
        }]
    );
    assert_eq!(
        plan.changes[0].to_string(),
        "~ task a\n    enabled: true → false"
    );
}

#[test]
fn a_renamed_task_keeps_its_history() {
    let new = task("b", "renamed_from = \"a\"");
    check(&new, &task("a", ""), "~ task b (renamed from a)");
    let edits = planned(&new, &task("a", "")).edits;
    let [
        Edit::PutTask {
            name: put, spec, ..
        },
    ] = edits.as_slice()
    else {
        panic!("{edits:?}");
    };
    assert_eq!((put, &spec.renamed_from), (&name("b"), &Some(name("a"))));
    // Once followed, the line means nothing, with or without it.
    assert_eq!(planned(&new, &task("b", "")), Plan::default());
    assert_eq!(planned(&task("b", ""), &new), Plan::default());
    // Where both are there, the former one goes.
    let both = task("a", "") + &task("b", "");
    check(&new, &both, "- task a (removed; its history stays)");
    // Where neither is, it is just new, and the store is told no former name.
    let edits = planned(&new, "").edits;
    assert!(
        matches!(edits.as_slice(), [Edit::PutTask { spec, .. }] if spec.renamed_from.is_none())
    );
}

#[test]
fn an_approval_stays_until_another_plugin_is_named() {
    let mut now = current(&task("a", ""));
    now.tasks[0].task.pin = digest("approved");
    now.tasks[0].task.quarantine = Some("asks for more".into());
    let pin = |new: &str| {
        let edits = plan(&document(new), &now, &plugins()).unwrap().edits;
        let Edit::PutTask { pin, .. } = edits[0] else {
            panic!("{edits:?}")
        };
        (pin, edits.len())
    };
    assert_eq!(
        pin(&task("a", "description = \"other\"")),
        (digest("approved"), 1)
    );
    let other = task("a", "").replace("\"any\"", "\"any@1.0.0\"");
    // The quarantine was about the other component.
    assert_eq!(pin(&other), (digest("any@1.0.0"), 2));
}

#[test]
fn a_plugin_that_is_gone_is_told() {
    let mut document = document(&task("a", ""));
    let entry = document.tasks.get_mut(&name("a")).unwrap();
    entry.spec.plugin = "gone".parse().unwrap();
    let error = plan(&document, &Current::default(), &plugins())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("there is no plugin `gone`") && error.contains("tasks.a"),
        "{error}"
    );
}

#[test]
fn changes_are_data_too() {
    let plan = planned(
        &task("a", "grants.dirs.x = { path = \"/x\" }"),
        &task("a", ""),
    );
    let json = serde_json::to_value(&plan.changes).unwrap();
    let expected = serde_json::json!([{
        "sign": "changed", "kind": "task", "name": "a",
        "details": [{ "key": "grants.dirs.x", "new": "{ access = \"read-only\", path = \"/x\" }", "wider": true }]
    }]);
    assert_eq!(json, expected);
    let back: Vec<mhost::config::Change> = serde_json::from_value(json).unwrap();
    assert_eq!(back, plan.changes);
    assert_eq!(back[0].sign, Sign::Changed);
    let Detail { old, .. } = &back[0].details[0];
    assert_eq!(*old, None);
}
