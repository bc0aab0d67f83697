//! The reference page is complete. That the committed one is this one, `docs` tests.

use std::collections::BTreeSet;

use mhost::config::reference;
use mhost_model::Name;
use mhost_model::grant::Grants;
use mhost_model::limits::Limits;
use mhost_model::policy::{Expect, Policy};
use mhost_model::schedule::Schedule;
use mhost_model::task::TaskSpec;
use serde_json::{Value, json};

use super::support::read;

/// The keys of the table below a heading.
fn documented(table: &str) -> BTreeSet<String> {
    let page = reference();
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with(&format!("`{table}`\n")));
    let rows = section
        .unwrap_or_else(|| panic!("no section {table}"))
        .lines();
    rows.filter_map(|row| row.strip_prefix("| `"))
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect()
}

/// Everything that a value with all its options filled in serialises.
fn keys(value: &impl serde::Serialize) -> BTreeSet<String> {
    let Value::Object(keys) = serde_json::to_value(value).unwrap() else {
        panic!("no table")
    };
    keys.keys().cloned().collect()
}

fn task(spec: Value) -> TaskSpec {
    serde_json::from_value(spec).unwrap()
}

#[test]
fn every_field_of_the_model_is_in_it() {
    let span = mhost_model::Span::seconds(1);
    let spec = task(json!({
        "plugin": "p", "action": "a", "schedule": "manual", "description": "d", "renamed_from": "o",
        "config": { "a": 1 }, "holds": ["x"],
        "receive": { "q": { "queues": "/a", "token": { "env": "A" } } },
        "notify": { "channels": ["a"], "on": ["lost"], "repeat": "1h" },
        "grants": {
            "dirs": { "a": { "path": "/a" } }, "databases": { "a": { "verbs": ["read"], "tables": ["t"] } },
            "repositories": { "a": { "verbs": ["read"] } }, "remotes": { "a": {} },
            "net": ["https://example.org"], "secrets": { "a": { "env": "A" } },
            "processes": { "a": { "command": ["/a"] }, "b": { "pid_file": "/p", "signal": "HUP" } },
            "tasks": ["a"], "channels": ["a"]
        }
    }));
    let mut expected = keys(&spec);
    expected.insert("enabled".into());
    assert_eq!(documented("tasks.NAME"), expected);
    assert_eq!(documented("tasks.NAME.grants"), keys(&spec.grants));
    let receiver = &spec.receive[&"q".parse::<Name>().unwrap()];
    assert_eq!(documented("tasks.NAME.receive.NAME"), keys(receiver));
    let notify = spec.notify.as_ref().unwrap();
    assert_eq!(documented("tasks.NAME.notify"), keys(notify));
    assert_eq!(documented("notify"), keys(notify));
    assert_eq!(documented("channels.NAME"), channel_keys());
    let limits = Limits {
        write: Some(mhost_model::ByteSize(1)),
        ..Limits::default()
    };
    assert_eq!(documented("tasks.NAME.limits"), keys(&limits));
    let expect = Expect {
        start_within: Some(span),
        finish_within: Some(span),
        at_least: Some(span),
    };
    let policy = Policy {
        jitter: Some(span),
        expect: Some(expect),
        ..Policy::default()
    };
    assert_eq!(documented("tasks.NAME.policy"), keys(&policy));
    assert_eq!(documented("tasks.NAME.policy.expect"), keys(&expect));
    assert_eq!(documented("tasks.NAME.policy.retry"), keys(&policy.retry));
    let grants: Grants = spec.grants;
    for (kind, grant) in serde_json::to_value(&grants).unwrap().as_object().unwrap() {
        if let Value::Object(named) = grant {
            let all = named
                .values()
                .flat_map(|grant| grant.as_object().unwrap().keys().cloned());
            let documented = documented(&format!("tasks.NAME.grants.{kind}.NAME"));
            assert!(documented.is_superset(&all.collect()), "{kind}");
        }
    }
    let schedules = [
        json!({ "cron": "* * * * *", "tz": "UTC" }),
        json!({ "every": "1h", "from": "2026-01-01T00:00:00Z" }),
        json!({ "month": 1, "day": 1, "hour": 1, "minute": 1, "tz": "UTC" }),
        json!({ "at": "2026-01-01T00:00:00Z" }),
        json!({ "after": "a", "on": "any" }),
        json!({ "on_change": "a", "settle": "1s" }),
    ];
    let forms = schedules.map(|form| serde_json::from_value::<Schedule>(form).unwrap());
    let all: BTreeSet<String> = forms.iter().flat_map(keys).collect();
    assert_eq!(documented("tasks.NAME.schedule"), all);
}

/// The keys of channels of all kinds.
fn channel_keys() -> BTreeSet<String> {
    let all = [
        json!({ "kind": "smtp", "host": "h", "port": 1, "tls": "implicit", "user": "u",
            "password": { "env": "P" }, "from": "a@b", "to": ["c@d"], "ca": "/c", "group": "1s", "rate": 1 }),
        json!({ "kind": "webhook", "url": "http://x", "preset": "ntfy", "token": { "env": "T" }, "headers": { "a": "b" } }),
        json!({ "kind": "webhook", "url": "http://x", "template": "x", "content_type": "text/plain" }),
        json!({ "kind": "syslog", "socket": "/s", "facility": "cron" }),
        json!({ "kind": "command", "command": ["/c"] }),
    ];
    let channels = all.map(|json| mhost_model::channel::ChannelDef::read(json).unwrap());
    channels.iter().flat_map(keys).collect()
}

/// A default in the page is the model's: writing all of them changes nothing.
#[test]
fn every_default_is_the_models() {
    let bare = "[tasks.a]\nplugin = \"any\"\naction = \"run\"\nschedule = \"manual\"\n";
    let mut written = bare.to_owned();
    for table in ["", ".policy", ".policy.retry", ".limits"] {
        let page = reference();
        let heading = format!("`tasks.NAME{table}`\n");
        let section = page
            .split("\n## ")
            .find(|section| section.starts_with(&heading))
            .unwrap();
        if !table.is_empty() {
            written.push_str(&format!("[tasks.a{table}]\n"));
        }
        for row in section.lines().filter(|row| row.starts_with("| `")) {
            let cells: Vec<&str> = row.split(" | ").collect();
            let (key, default) = (
                cells[0].trim_matches(['|', ' ', '`']),
                cells[2].trim_matches(['`', ' ']),
            );
            if !default.is_empty() && default != "required" && default != "{}" {
                written.push_str(&format!("{key} = {default}\n"));
            }
        }
    }
    assert!(
        written.contains("attempts = 1") && written.contains("handles = 1024"),
        "{written}"
    );
    let (bare, written) = (
        read(bare).unwrap(),
        read(&written).unwrap_or_else(|error| panic!("{error}")),
    );
    assert_eq!(bare, written);
}
