//! A run that ends at any of its changes, with that change done or not: the next
//! attempt goes on, and no line is ever lost.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{DAY, Failure, NativeHost, Report, START, assert_there, host, plugin, there};

const LINES: [&str; 5] = ["now", "one", "two", "three", "four"];

/// The log and its archives by these names, from the newest to the oldest.
fn full(names: [&str; 5]) -> NativeHost {
    let files: Vec<_> = names.into_iter().zip(LINES).collect();
    let host = host(&[]);
    fs::create_dir(host.path("/logs/old")).unwrap();
    for (name, line) in files {
        host.write_file(&format!("/logs/{name}"), line, START - DAY);
    }
    tick(&host);
    let done = super::Outcome {
        code: 0,
        stdout: String::new(),
        stderr: String::new(),
    };
    host.with_command("web", done)
}

/// Goes on once the file system's clock has: what was laid out is older than what a run makes.
fn tick(host: &NativeHost) {
    use std::os::unix::fs::MetadataExt as _;
    let made = || {
        host.write_file("/logs/.tick", "", START);
        let found = fs::metadata(host.path("/logs/.tick")).unwrap();
        (found.ctime(), found.ctime_nsec())
    };
    let first = made();
    while made() == first {}
    fs::remove_file(host.path("/logs/.tick")).unwrap();
}

const NUMBERED: [&str; 5] = [
    "app.log",
    "app.log.1",
    "app.log.2",
    "app.log.3",
    "app.log.4",
];

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

fn check(settings: Value, lost: &[&str]) {
    check_from(NUMBERED, settings, lost);
}

/// What must be there after a crash and a second attempt, and a third run a day later.
fn check_from(names: [&str; 5], settings: Value, lost: &[&str]) {
    let expected: BTreeSet<_> = LINES
        .into_iter()
        .filter(|line| !lost.contains(line))
        .collect();
    let compressed = settings.get("compress").is_some() && settings.get("delaycompress").is_none();
    let archives = |host: &NativeHost| {
        let there = there(host).into_iter();
        let archives = there.filter(|(name, _)| name != "app.log");
        let mut texts: Vec<_> = archives.map(|(_, text)| text).collect();
        texts.sort();
        texts
    };
    for happens in [false, true] {
        for n in 0.. {
            let host = full(names);
            host.crash().at(n, happens);
            let crashed = run(&host, settings.clone()).is_err();
            let all = |host: &NativeHost| {
                let kept = kept(host);
                let whole = expected.iter().all(|line| kept.contains(*line));
                assert!(whole, "{n}, {happens}: {:?}", there(host));
            };
            all(&host);
            host.crash().never();
            host.set_attempt(2);
            run(&host, settings.clone()).unwrap();
            all(&host);
            let state = there(&host);
            assert!(
                !state.keys().any(|name| name.contains("mhost")),
                "{n}: {state:?}"
            );
            let plain = state
                .keys()
                .any(|name| !name.ends_with(".gz") && name != "app.log");
            assert!(!plain || !compressed, "{n}: {state:?}");
            // The second attempt rotated what the first did not, and nothing twice.
            let rotated: Vec<_> = expected.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(archives(&host), rotated, "{n}, {happens}: {state:?}");
            host.set_attempt(1);
            host.set_now(START + DAY);
            host.write_file("/logs/app.log", "next", START + DAY);
            run(&host, settings.clone()).unwrap();
            assert!(archives(&host).contains(&"next".to_owned()));
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
fn renaming_and_copying_what_was_renamed() {
    check(json!({ "rotate": 5, "renamecopy": true }), &[]);
    // The log is there again while the old one still waits for its copy.
    check(
        json!({ "rotate": 4, "renamecopy": true, "create": {}, "compress": "gzip" }),
        &["four"],
    );
    let text = "/logs/*.log {\nsize 1\nrotate 5\nmissingok\nrenamecopy\ncreate\n}\n";
    check(json!({ "conf_text": text }), &[]);
}

#[test]
fn leaving_the_newest_archive_plain() {
    check(
        json!({ "rotate": 5, "compress": "gzip", "delaycompress": true, "create": {} }),
        &[],
    );
}

#[test]
fn naming_by_date() {
    let names = [
        "app.log",
        "app.log-20260228",
        "app.log-20260227",
        "app.log-20260226",
        "app.log-20260225",
    ];
    check_from(
        names,
        json!({ "rotate": 4, "dateext": true, "compress": "gzip" }),
        &["four"],
    );
}

#[test]
fn keeping_archives_elsewhere() {
    let names = [
        "app.log",
        "old/app.log.1",
        "old/app.log.2",
        "old/app.log.3",
        "old/app.log.4",
    ];
    check_from(
        names,
        json!({ "rotate": 5, "olddir": "old", "create": {} }),
        &[],
    );
    check_from(
        names,
        json!({ "rotate": 5, "olddir": "old", "renamecopy": true, "create": {} }),
        &[],
    );
}

#[test]
fn with_shared_scripts() {
    let text = "/logs/*.log {\nsize 1\nrotate 5\nmissingok\ncreate\nsharedscripts\nprerotate\ntrue\nendscript\n\
                postrotate\ntrue\nendscript\n}\n";
    let scripts = json!({ "prerotate": { "run": "web" }, "postrotate": { "run": "web" } });
    check(json!({ "conf_text": text, "scripts": scripts }), &[]);
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
    let host = full(NUMBERED);
    let settings = json!({ "rotate": 9, "postrotate": ["web"] });
    host.crash().at(7, false);
    run(&host, settings.clone()).unwrap_err();
    assert!(host.processed().is_empty());
    host.crash().never();
    host.set_attempt(2);
    run(&host, settings).unwrap();
    assert_eq!(host.processed(), ["signal web"]);
}
