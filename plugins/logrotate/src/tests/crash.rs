//! A run that ends at any of its changes, with that change done or not: the next
//! attempt goes on, and no line is ever lost.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{DAY, Failure, NativeHost, Report, START, assert_there, host, plugin, there};

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

/// From the typed words, or from a configuration of logrotate.
fn run(host: &NativeHost, settings: Value) -> Result<Report, Failure> {
    match settings.get("conf_text") {
        Some(_) => host.run(&plugin(), "rotate", settings),
        None => super::run(host, settings),
    }
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
            // The second attempt rotated what the first did not, and nothing twice.
            let archives: Vec<_> = state
                .iter()
                .filter(|(name, _)| *name != "app.log")
                .map(|(_, text)| text.as_str())
                .collect();
            let rotated: Vec<_> = LINES
                .into_iter()
                .filter(|line| !lost.contains(line))
                .collect();
            assert_eq!(archives, rotated, "{n}, {happens}: {state:?}");
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
fn from_a_configuration_of_logrotate() {
    let text = "/logs/*.log {\nsize 1\nrotate 5\nmissingok\n}\n";
    check(json!({ "conf_text": text }), &[]);
}

#[test]
fn room_is_made_once() {
    // An archive cannot be removed, after an older one was moved: what was moved is not
    // moved again, and beyond those that are kept.
    let host = host(&[
        ("app.log", "now"),
        ("app.log.1", "one"),
        ("app.log.3", "three"),
    ]);
    let stuck = host.path("/logs/app.log.2");
    fs::create_dir_all(stuck.join("below")).unwrap();
    let old = UNIX_EPOCH + Duration::from_millis(START - 9 * DAY);
    fs::File::open(&stuck).unwrap().set_modified(old).unwrap();
    let text = "/logs/app.log {\nsize 1\nrotate 4\nmaxage 5\n}\n";
    let settings = json!({ "conf_text": text });
    run(&host, settings.clone()).unwrap_err();
    fs::remove_dir_all(&stuck).unwrap();
    assert_there(
        &host,
        &[
            ("app.log", "now"),
            ("app.log.1", "one"),
            ("app.log.4", "three"),
        ],
    );
    host.set_attempt(2);
    run(&host, settings).unwrap();
    assert_there(
        &host,
        &[
            ("app.log.1", "now"),
            ("app.log.2", "one"),
            ("app.log.4", "three"),
        ],
    );
}

#[test]
fn half_a_compressed_file_is_no_archive() {
    // What a run left that was cut off, before there were marks or without them.
    let host = host(&[
        ("app.log", "0"),
        ("app.log.1", "whole"),
        (".mhost-rotating-test", "ended 2026-02-28T00:00:00\n"),
        (".mhost-17-3.partial", "rubbish"),
    ]);
    host.write_file("/logs/app.log.1.gz", "", START - DAY);
    run(&host, json!({ "rotate": 9, "compress": "gzip" })).unwrap();
    let state = there(&host);
    let expected = [("app.log.1.gz", "0"), ("app.log.2.gz", "whole")];
    assert_eq!(
        state,
        expected
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into()
    );
}

#[test]
fn a_failed_compression_is_made_up_for_by_the_next_run() {
    let settings = json!({ "frequency": "daily", "compress": "xz" });
    let host = host(&[("app.log", "0")]);
    run(&host, settings.clone()).unwrap();
    host.set_now(START + DAY);
    // The mark, the rename, and the compression that fails.
    host.crash().at(4, false);
    run(&host, settings.clone()).unwrap_err();
    host.crash().never();
    host.set_now(START + DAY + 1000);
    run(&host, settings).unwrap();
    assert_eq!(
        there(&host),
        [("app.log.1.xz".to_owned(), "0".to_owned())].into()
    );
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
    host.crash().at(7, false);
    run(&host, settings.clone()).unwrap_err();
    assert!(host.processed().is_empty());
    host.crash().never();
    host.set_attempt(2);
    run(&host, settings).unwrap();
    assert_eq!(host.processed(), ["signal web"]);
}
