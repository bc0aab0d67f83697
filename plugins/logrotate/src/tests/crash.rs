//! A run that ends at any of its changes, with that change done or not: the next
//! attempt goes on, and no line is ever lost.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{DAY, NativeHost, START, host, run, there};

const LINES: [&str; 5] = ["now", "one", "two", "three", "four"];

fn full() -> NativeHost {
    host(&[
        ("app.log", LINES[0]),
        ("app.log.1", LINES[1]),
        ("app.log.2", LINES[2]),
        ("app.log.3", LINES[3]),
        ("app.log.4", LINES[4]),
    ])
}

fn kept(host: &NativeHost) -> BTreeSet<String> {
    there(host)
        .into_values()
        .filter(|text| !text.is_empty())
        .collect()
}

/// What must be there after a crash and a second attempt, and a third run a day later.
fn check(settings: Value, lost: &[&str]) {
    let expected: BTreeSet<_> = LINES.iter().filter(|line| !lost.contains(line)).collect();
    for happens in [false, true] {
        for n in 0.. {
            let host = full();
            host.crash().at(n, happens);
            let crashed = run(&host, settings.clone()).is_err();
            let state = there(&host);
            assert!(
                expected.iter().all(|line| kept(&host).contains(**line)),
                "{n}: {state:?}"
            );
            host.crash().never();
            host.set_attempt(2);
            run(&host, settings.clone()).unwrap();
            let state = there(&host);
            assert!(
                expected.iter().all(|line| kept(&host).contains(**line)),
                "{n}: {state:?}"
            );
            assert!(
                !state.keys().any(|name| name.contains("mhost")),
                "{n}: {state:?}"
            );
            let plain = state
                .keys()
                .any(|name| !name.ends_with(".gz") && name != "app.log");
            assert!(
                !plain || settings.get("compress").is_none(),
                "{n}: {state:?}"
            );
            host.set_attempt(1);
            host.set_now(START + DAY);
            host.write_file("/logs/app.log", "next", START + DAY);
            run(&host, settings.clone()).unwrap();
            assert!(
                there(&host).contains_key("app.log.1") || there(&host).contains_key("app.log.1.gz")
            );
            if !crashed {
                assert!(n > 3, "the run makes changes");
                break;
            }
        }
    }
}

#[test]
fn renaming() {
    check(json!({ "rotate": 5 }), &[]);
}

#[test]
fn renaming_with_removal() {
    check(json!({ "rotate": 4 }), &["four"]);
}

#[test]
fn compressing() {
    check(
        json!({ "rotate": 4, "compress": "gzip", "create": { "mode": "0600" } }),
        &["four"],
    );
}

#[test]
fn copying() {
    check(
        json!({ "rotate": 5, "copytruncate": true, "compress": "gzip" }),
        &[],
    );
}

#[test]
fn half_a_compressed_file_is_no_archive() {
    let host = host(&[
        ("app.log", "0"),
        ("app.log.1", "whole"),
        ("app.log.1.gz", ""),
    ]);
    run(&host, json!({ "rotate": 9, "size": 1000 })).unwrap();
    let state = there_raw(&host);
    assert_eq!(state, ["app.log", "app.log.1", "app.log.2.gz"]);
}

fn there_raw(host: &NativeHost) -> Vec<String> {
    let entries = std::fs::read_dir(host.path("/logs")).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_writer_that_never_reopened_loses_nothing() {
    // The first attempt renamed the log and ended before the signal; its writer made
    // no new one.
    let done = super::Outcome {
        code: 0,
        stdout: String::new(),
        stderr: String::new(),
    };
    let host = full().with_command("web", done);
    let settings = json!({ "rotate": 9, "postrotate": ["web"] });
    host.crash().at(5, false);
    run(&host, settings.clone()).unwrap_err();
    assert!(host.processed().is_empty());
    host.crash().never();
    host.set_attempt(2);
    run(&host, settings).unwrap();
    assert_eq!(host.processed(), ["signal web"]);
}
