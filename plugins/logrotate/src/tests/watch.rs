//! Watching: whatever a rotation does to a log, every line counts once.

use super::*;

const FIRST: &str = "one\ntwo\n";

fn watch(host: &NativeHost, settings: Value) -> Result<Report, Failure> {
    let mut config = json!({ "logs": ["/logs/app.log"], "from": "beginning" });
    let settings = settings.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(settings);
    host.run(&plugin(), "watch", config)
}

fn lines(report: &Report) -> u64 {
    report.figure("lines_read").unwrap() as u64
}

fn append(host: &NativeHost, path: &str, text: &str) {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(host.path(path))
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn shift(host: &NativeHost, from: &str, to: &str) {
    fs::rename(host.path(from), host.path(to)).unwrap();
}

fn gzip(host: &NativeHost, path: &str) {
    use std::io::Write as _;
    let content = fs::read(host.path(path)).unwrap();
    let modified = fs::metadata(host.path(path)).unwrap().modified().unwrap();
    let packed = host.path(&format!("{path}.gz"));
    let file = fs::File::create(&packed).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(&file, flate2::Compression::fast());
    encoder.write_all(&content).unwrap();
    encoder.finish().unwrap();
    file.set_times(fs::FileTimes::new().set_modified(modified))
        .unwrap();
    fs::remove_file(host.path(path)).unwrap();
}

/// A rotation of `/logs/app.log`; the writer goes on with `text` in the new log.
type Rotation = fn(&NativeHost, &str);

const ROTATIONS: [(&str, Rotation); 7] = [
    ("none", |host, text| append(host, "/logs/app.log", text)),
    ("rename and create", |host, text| {
        shift(host, "/logs/app.log", "/logs/app.log.1");
        append(host, "/logs/app.log", text);
    }),
    ("rename and compress", |host, text| {
        shift(host, "/logs/app.log", "/logs/app.log.1");
        gzip(host, "/logs/app.log.1");
        append(host, "/logs/app.log", text);
    }),
    ("dates", |host, text| {
        shift(host, "/logs/app.log", "/logs/app.log-20260301");
        append(host, "/logs/app.log", text);
    }),
    ("copy and truncate", |host, text| {
        fs::copy(host.path("/logs/app.log"), host.path("/logs/app.log.1")).unwrap();
        let log = fs::OpenOptions::new()
            .write(true)
            .open(host.path("/logs/app.log"));
        log.unwrap().set_len(0).unwrap();
        append(host, "/logs/app.log", text);
    }),
    ("twice", |host, text| {
        shift(host, "/logs/app.log", "/logs/app.log.2");
        gzip(host, "/logs/app.log.2");
        let (middle, end) = text.split_at(text.find('\n').unwrap() + 1);
        append(host, "/logs/app.log.1", middle);
        append(host, "/logs/app.log", end);
    }),
    ("twice by copies", |host, text| {
        fs::copy(host.path("/logs/app.log"), host.path("/logs/app.log.2")).unwrap();
        let (middle, end) = text.split_at(text.find('\n').unwrap() + 1);
        fs::write(host.path("/logs/app.log.1"), middle).unwrap();
        fs::write(host.path("/logs/app.log"), end).unwrap();
    }),
];

#[test]
fn every_line_counts_once_whatever_a_rotation_does() {
    for (name, rotation) in ROTATIONS {
        let host = host(&[("app.log", FIRST)]);
        assert_eq!(lines(&watch(&host, json!({})).unwrap()), 2, "{name}");
        append(&host, "/logs/app.log", "three\n");
        rotation(&host, "four four four four\nfive\n");
        let report = watch(&host, json!({})).unwrap();
        assert_eq!(lines(&report), 3, "{name}: {:?}", report.details);
        assert_eq!(report.figure("gaps"), Some(0.0), "{name}");
        append(&host, "/logs/app.log", "six\n");
        let report = watch(&host, json!({})).unwrap();
        assert_eq!(lines(&report), 1, "{name}: {:?}", report.details);
        assert_eq!(lines(&watch(&host, json!({})).unwrap()), 0, "{name}");
    }
}

/// The same with an empty log at the place of the last run, which nothing can be known by.
#[test]
fn a_log_of_which_nothing_was_read_is_found_too() {
    for (name, rotation) in &ROTATIONS[..4] {
        let host = host(&[("app.log", "")]);
        assert_eq!(lines(&watch(&host, json!({})).unwrap()), 0, "{name}");
        host.set_now(START + 1000);
        host.write_file("/logs/app.log", "one\n", START + 2000);
        rotation(&host, "two\nthree\n");
        let report = watch(&host, json!({})).unwrap();
        assert_eq!(lines(&report), 3, "{name}: {:?}", report.details);
    }
}

#[test]
fn a_line_that_is_cut_waits_for_its_rest() {
    let host = host(&[("app.log", "one\ntw")]);
    let pattern = json!({ "patterns": [{ "name": "two", "text": "two" }] });
    assert_eq!(lines(&watch(&host, pattern.clone()).unwrap()), 1);
    append(&host, "/logs/app.log", "o\n");
    let report = watch(&host, pattern).unwrap();
    assert_eq!(lines(&report), 1);
    assert_eq!(host.standing().len(), 1, "the whole line was looked at");
}

/// The writer was in the middle of a line when the log was copied and emptied.
#[test]
fn a_line_that_was_cut_by_copytruncate_goes_on_in_the_log() {
    let host = host(&[("app.log", FIRST)]);
    let pattern = json!({ "patterns": [{ "name": "whole", "regex": "^three is whole$" }] });
    watch(&host, pattern.clone()).unwrap();
    append(&host, "/logs/app.log", "three is");
    ROTATIONS[4].1(&host, "");
    assert_eq!(lines(&watch(&host, pattern.clone()).unwrap()), 0);
    assert_eq!(lines(&watch(&host, pattern.clone()).unwrap()), 0);
    append(&host, "/logs/app.log", " whole\nfour\n");
    assert_eq!(lines(&watch(&host, pattern.clone()).unwrap()), 2);
    assert_eq!(host.standing().len(), 1);
    assert_eq!(lines(&watch(&host, pattern).unwrap()), 0);
}

/// The writer has not reopened its log yet when the new one is there.
#[test]
fn what_is_written_to_the_archive_afterwards_counts_too() {
    let host = host(&[("app.log", FIRST)]);
    watch(&host, json!({})).unwrap();
    ROTATIONS[1].1(&host, "");
    assert_eq!(lines(&watch(&host, json!({})).unwrap()), 0);
    append(&host, "/logs/app.log.1", "late\n");
    append(&host, "/logs/app.log", "new\n");
    assert_eq!(lines(&watch(&host, json!({})).unwrap()), 2);
    assert_eq!(lines(&watch(&host, json!({})).unwrap()), 0);
}

#[test]
fn lines_that_are_gone_are_told() {
    let host = host(&[("app.log", FIRST)]);
    watch(&host, json!({})).unwrap();
    fs::write(host.path("/logs/app.log"), "x\n").unwrap();
    let report = watch(&host, json!({})).unwrap();
    assert_eq!((lines(&report), report.figure("gaps")), (1, Some(1.0)));
    assert!(
        host.logged()
            .iter()
            .any(|(_, text)| text.contains("lines may be missing"))
    );
    assert_eq!(watch(&host, json!({})).unwrap().figure("gaps"), Some(0.0));
}

#[test]
fn a_log_without_ends_of_lines_takes_bounded_memory_and_is_passed_over() {
    let host = host(&[("app.log", "")]);
    fs::write(host.path("/logs/app.log"), vec![b'x'; 3 << 20]).unwrap();
    let report = watch(&host, json!({})).unwrap();
    assert_eq!((lines(&report), report.figure("lines_cut")), (1, Some(1.0)));
    append(&host, "/logs/app.log", &"y".repeat(100_000));
    assert_eq!(lines(&watch(&host, json!({})).unwrap()), 0);
    append(&host, "/logs/app.log", "end\nnext\n");
    let report = watch(&host, json!({})).unwrap();
    assert_eq!((lines(&report), report.figure("lines_cut")), (1, Some(0.0)));
}

#[test]
fn the_first_run_begins_where_it_is_told() {
    for (from, expected) in [("beginning", 2), ("end", 0)] {
        let host = host(&[("app.log", FIRST)]);
        let settings = json!({ "from": from, "logs": ["/logs/*.log"] });
        assert_eq!(lines(&watch(&host, settings.clone()).unwrap()), expected);
        // A log that comes later is all new.
        host.write_file("/logs/other.log", FIRST, START);
        host.write_file("/logs/app.log.1", FIRST, START);
        append(&host, "/logs/app.log", "three\n");
        assert_eq!(lines(&watch(&host, settings).unwrap()), 3);
    }
}

#[test]
fn links_and_fifos_fail_the_run_and_not_the_other_logs() {
    let host = host(&[("app.log", FIRST)]);
    std::os::unix::fs::symlink("app.log", host.path("/logs/link.log")).unwrap();
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(
        CWD,
        host.path("/logs/pipe.log"),
        FileType::Fifo,
        Mode::RUSR,
        0,
    )
    .unwrap();
    let settings = json!({ "logs": ["/logs/*.log"] });
    let failure = watch(&host, settings.clone()).unwrap_err();
    assert!(
        failure.message.contains("/logs/link.log"),
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains("1 other log"),
        "{}",
        failure.message
    );
    assert_eq!(lines(failure.partial.as_ref().unwrap()), 2);
    let failure = watch(&host, settings).unwrap_err();
    assert_eq!(
        lines(failure.partial.as_ref().unwrap()),
        0,
        "what was read is remembered"
    );
}

#[test]
fn a_missing_log_is_fine_unless_it_is_not() {
    let host = host(&[]);
    assert_eq!(lines(&watch(&host, json!({})).unwrap()), 0);
    let failure = watch(&host, json!({ "missingok": false })).unwrap_err();
    assert!(failure.message.contains("missingok"), "{}", failure.message);
}

/// `count` requests from the `second`th second of the run's day on, one in `part` failed.
fn requests(second: u64, count: u64, part: u64) -> String {
    let line = |n: u64| {
        let at = second + n;
        let status = if n.is_multiple_of(part) { 503 } else { 200 };
        format!(
            "h - - [01/Mar/2026:{:02}:{:02}:{:02} +0000] \"GET / HTTP/1.1\" {status} 5 \"-\" \"x\"\n",
            at / 3600,
            at / 60 % 60,
            at % 60
        )
    };
    (0..count).map(line).collect()
}

#[test]
fn failed_requests_raise_an_alert_that_ends_with_them() {
    let host = host(&[("app.log", "not a request\n")]);
    let settings = json!({
        "format": "combined",
        "errors": { "rate": 0.25, "window": "100s", "at_least": 10 },
    });
    let run = |now: u64, text: String| {
        host.set_now(START + now * 1000);
        append(&host, "/logs/app.log", &text);
        let report = watch(&host, settings.clone()).unwrap();
        (report, host.standing())
    };
    let (report, standing) = run(60, requests(0, 50, 10));
    assert_eq!(report.figure("status_5xx"), Some(5.0));
    assert_eq!(report.figure("status_2xx"), Some(45.0));
    assert_eq!(report.figure("lines_other"), Some(1.0));
    assert_eq!(report.figure("rate_5xx"), Some(0.1));
    assert!(standing.is_empty(), "one in ten is fine");
    let (_, standing) = run(160, requests(110, 50, 2));
    let alert = &standing["/logs/app.log 5xx"];
    assert!(
        alert.message.contains("within 1m 40s ended with 5xx"),
        "{}",
        alert.message
    );
    // Nothing is written, and the window still holds them.
    let (report, standing) = run(200, String::new());
    assert_eq!((standing.len(), report.figure("alerts")), (1, Some(1.0)));
    let told = "1 alert stands: `/logs/app.log`: ";
    assert!(report.summary.contains(told), "{}", report.summary);
    let (_, standing) = run(330, requests(270, 50, 50));
    assert!(standing.is_empty(), "{standing:?}");
    // A bad time between two runs is told, although it is over.
    let (_, standing) = run(2000, requests(1000, 40, 2) + &requests(1900, 90, 100));
    assert_eq!(standing.len(), 1, "{standing:?}");
    let (_, standing) = run(2100, String::new());
    assert!(standing.is_empty(), "{standing:?}");
}

#[test]
fn events_are_counted_by_their_severity() {
    let text = "------\n2026-03-01T00:00:00 INFO(0) ZServer started\n------\n\
                2026-03-01T00:00:01 ERROR(200) SiteError http://h/\nTraceback:\n  error\n\
                2026-03-01T00:00:02 PANIC(300) Zope gone\n";
    let host = host(&[("app.log", text)]);
    let settings = json!({
        "format": "event",
        "events": { "level": "error", "at_least": 2, "severity": "critical" },
    });
    let report = watch(&host, settings.clone()).unwrap();
    for (name, expected) in [
        ("events_info", 1.0),
        ("events_error", 1.0),
        ("events_emerg", 1.0),
        ("lines_other", 4.0),
    ] {
        assert_eq!(report.figure(name), Some(expected), "{name}");
    }
    let alert = &host.standing()["/logs/app.log events"];
    assert_eq!(
        alert.message,
        "`/logs/app.log`: 2 events of error or worse within 10m: 2026-03-01T00:00:02 PANIC(300) Zope gone"
    );
    host.set_now(START + 700_000);
    watch(&host, settings).unwrap();
    assert!(host.standing().is_empty());
}

#[test]
fn patterns_have_thresholds_and_exceptions() {
    let host = host(&[("app.log", "oom: a\noom: test\n")]);
    let pattern = json!([{ "name": "oom", "regex": "(?i)^OOM: ", "but_not": "test", "at_least": 2, "window": "1h" }]);
    watch(&host, json!({ "patterns": pattern })).unwrap();
    assert!(host.standing().is_empty(), "one line is not two");
    host.set_now(START + 1_800_000);
    append(&host, "/logs/app.log", "oom: b\n");
    watch(&host, json!({ "patterns": pattern })).unwrap();
    let standing = host.standing();
    let details: Value = serde_json::from_str(
        standing["/logs/app.log pattern oom"]
            .details
            .as_ref()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        (&details["hits"], &details["lines"]),
        (&json!(2), &json!(["oom: b"]))
    );
    // The pattern goes, and its alert with it.
    watch(&host, json!({})).unwrap();
    assert!(host.standing().is_empty());
}

#[test]
fn a_log_that_is_watched_no_more_leaves_no_alert_behind() {
    let host = host(&[("app.log", "bad\n")]);
    let pattern = json!([{ "name": "bad", "text": "bad", "window": "1h" }]);
    watch(&host, json!({ "patterns": pattern })).unwrap();
    assert_eq!(host.standing().len(), 1);
    fs::remove_file(host.path("/logs/app.log")).unwrap();
    watch(
        &host,
        json!({ "patterns": pattern, "logs": ["/logs/*.log"] }),
    )
    .unwrap();
    assert_eq!(host.standing().len(), 1, "it was within the hour");
    watch(
        &host,
        json!({ "patterns": pattern, "logs": ["/logs/other.log"] }),
    )
    .unwrap();
    assert!(host.standing().is_empty());
}

#[test]
fn a_dry_run_reads_and_remembers_nothing() {
    let host = host(&[("app.log", "bad\n")]);
    let config = json!({
        "logs": ["/logs/app.log"], "from": "beginning",
        "patterns": [{ "name": "bad", "text": "bad" }],
    });
    for _ in 0..2 {
        let report = host.dry_run(&plugin(), "watch", config.clone()).unwrap();
        assert_eq!((lines(&report), report.figure("alerts")), (1, Some(1.0)));
    }
    assert!(host.standing().is_empty());
    assert_eq!(lines(&host.run(&plugin(), "watch", config).unwrap()), 1);
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    for (settings, expected) in [
        (json!({ "logs": [] }), "`logs` names no log"),
        (json!({ "logs": ["app.log"] }), "no guest path"),
        (json!({ "logs": ["/logs/../x"] }), "no guest path"),
        (json!({ "errors": { "rate": 0.1 } }), "`format`"),
        (
            json!({ "events": { "level": "error" } }),
            "`format` to `event`",
        ),
        (
            json!({ "format": "event", "events": { "level": "loud" } }),
            "no severity",
        ),
        (
            json!({ "patterns": [{ "name": "x" }] }),
            "`text` or `regex`",
        ),
        (
            json!({ "patterns": [{ "name": "", "text": "y" }] }),
            "needs a name",
        ),
        (
            json!({ "patterns": [{ "name": "x", "text": "" }] }),
            "0 bytes",
        ),
        (
            json!({ "patterns": [{ "name": "x", "text": "y" }, { "name": "x", "text": "z" }] }),
            "twice",
        ),
        (
            json!({ "patterns": [{ "name": "x", "regex": "(" }] }),
            "regular expression `(`",
        ),
        (
            json!({ "patterns": [{ "name": "x", "regex": "(a{1000}){1000}" }] }),
            "cannot be used",
        ),
        (
            json!({ "patterns": [{ "name": "x", "text": "y", "window": "30 days" }] }),
            "1s to 7 days",
        ),
    ] {
        let failure = watch(&host(&[]), settings.clone()).unwrap_err();
        assert!(
            failure.message.contains(expected),
            "{settings}: {}",
            failure.message
        );
    }
}

#[test]
fn a_run_that_is_interrupted_forgets_nothing() {
    let host = host(&[("app.log", FIRST), ("b.log", FIRST)]);
    let settings = json!({ "logs": ["/logs/*.log"] });
    host.set_cancelled(true);
    let failure = watch(&host, settings.clone()).unwrap_err();
    assert!(failure.retryable);
    host.set_cancelled(false);
    assert_eq!(lines(&watch(&host, settings).unwrap()), 4);
}
