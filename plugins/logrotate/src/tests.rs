//! The logrotate plugin on real files, through the native host.

mod conf;
mod crash;
mod hostile;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use mhost_sdk::processes::Outcome;
use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Failure, Report};
use serde_json::{Value, json};

use crate::plugin;

const DAY: u64 = 86_400_000;
/// Sunday, 2026-03-01T00:00:00Z.
const START: u64 = 1_772_323_200_000;

fn host(files: &[(&str, &str)]) -> NativeHost {
    let host = NativeHost::new().with_directory("logs");
    for (name, content) in files {
        host.write_file(&format!("/logs/{name}"), content, START - DAY);
    }
    host
}

fn run(host: &NativeHost, settings: Value) -> Result<Report, Failure> {
    let mut config = json!({ "logs": ["/logs/*.log"] });
    let settings = settings.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(settings);
    host.run(&plugin(), "rotate", config)
}

/// Every file by name, with its content expanded; those in the folder `old`, too.
fn there(host: &NativeHost) -> BTreeMap<String, String> {
    let folders = [("", host.path("/logs")), ("old/", host.path("/logs/old"))];
    let entries = folders.iter().filter(|(_, folder)| folder.is_dir());
    let entries = entries.flat_map(|(below, folder)| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries.map(|entry| (*below, entry))
    });
    let entries = entries.filter(|(_, entry)| entry.file_type().unwrap().is_file());
    let files = entries.map(|(below, entry)| {
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let raw = fs::read(entry.path()).unwrap();
        let mut text = String::new();
        if name.ends_with(".gz") {
            let mut reader = flate2::read::GzDecoder::new(raw.as_slice());
            reader.read_to_string(&mut text).unwrap();
        } else if name.ends_with(".zst") {
            text = String::from_utf8(zstd::decode_all(raw.as_slice()).unwrap()).unwrap();
        } else if name.ends_with(".xz") {
            let mut reader = lzma_rust2::XzReader::new(raw.as_slice(), true);
            reader.read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(raw).unwrap();
        }
        (name, text)
    });
    // A mark for the next run stays where something was left half done.
    files
        .filter(|(name, _)| !name.contains(".mhost-rotating"))
        .collect()
}

fn assert_there(host: &NativeHost, expected: &[(&str, &str)]) {
    let expected = expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    assert_eq!(there(host), expected.collect());
}

#[test]
fn every_run_rotates_by_default() {
    let host = host(&[("app.log", "0")]);
    for turn in 1..=4 {
        let report = run(&host, json!({ "rotate": 2, "compress": "gzip" })).unwrap();
        assert_eq!(report.figure("files_rotated"), Some(1.0));
        assert_eq!(report.figure("files_compressed"), Some(1.0));
        assert_eq!(report.figure("files_removed"), Some(f64::from(turn > 2)));
        host.write_file("/logs/app.log", turn.to_string(), START);
    }
    assert_there(
        &host,
        &[
            ("app.log", "4"),
            ("app.log.1.gz", "3"),
            ("app.log.2.gz", "2"),
        ],
    );
}

#[test]
fn the_newest_archive_may_wait_for_its_compression() {
    let host = host(&[("app.log", "0")]);
    let settings = json!({ "compress": "zstd", "delaycompress": true });
    for turn in 1..=2 {
        run(&host, settings.clone()).unwrap();
        host.write_file("/logs/app.log", turn.to_string(), START);
    }
    assert_there(
        &host,
        &[("app.log", "2"), ("app.log.1", "1"), ("app.log.2.zst", "0")],
    );
}

#[test]
fn a_new_log_takes_the_place_of_the_old_with_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    for (settings, mode) in [(json!({}), 0o644), (json!({ "mode": "0640" }), 0o640)] {
        let host = host(&[("app.log", "0")]);
        let path = host.path("/logs/app.log");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        run(&host, json!({ "create": settings })).unwrap();
        assert_there(&host, &[("app.log", ""), ("app.log.1", "0")]);
        let made = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(made & 0o7777, mode);
    }
}

#[test]
fn a_log_is_emptied_in_place_for_writers_that_keep_it_open() {
    for (rotate, archives) in [
        (2, vec![("app.log", ""), ("app.log.1", "0")]),
        (0, vec![("app.log", "")]),
    ] {
        let host = host(&[("app.log", "0")]);
        run(&host, json!({ "copytruncate": true, "rotate": rotate })).unwrap();
        assert_there(&host, &archives);
    }
}

#[test]
fn keeping_none_removes_the_rotated_log() {
    let host = host(&[("app.log", "0"), ("app.log.1", "old")]);
    let report = run(&host, json!({ "rotate": 0 })).unwrap();
    assert_eq!(report.figure("files_removed"), Some(2.0));
    assert_there(&host, &[]);
}

#[test]
fn a_log_with_a_frequency_is_remembered_first_and_rotated_when_due() {
    let settings = json!({ "frequency": "daily" });
    let host = host(&[("app.log", "0")]);
    for (now, rotated) in [
        (START, 0.0),
        (START + DAY - 1, 0.0),
        (START + DAY, 1.0),
        (START + DAY + 1, 0.0),
    ] {
        host.set_now(now);
        let report = run(&host, settings.clone()).unwrap();
        assert_eq!(report.figure("files_rotated"), Some(rotated), "{now}");
        host.write_file("/logs/app.log", "more", now);
    }
}

#[test]
fn a_state_file_serves_runs_without_a_task_and_may_be_damaged() {
    let host = host(&[("app.log", "0")]);
    let settings = json!({ "frequency": "daily", "state": "/logs/.state" });
    run(&host, settings.clone()).unwrap();
    host.set_now(START + DAY);
    fs::write(host.path("/logs/.state"), "{ not json").unwrap();
    let report = run(&host, settings.clone()).unwrap();
    assert_eq!(
        report.figure("files_rotated"),
        Some(0.0),
        "it counts as new"
    );
    assert!(
        host.logged()
            .iter()
            .any(|(_, line)| line.contains("damaged"))
    );
    host.set_now(START + 2 * DAY);
    let report = run(&host, settings).unwrap();
    assert_eq!(report.figure("files_rotated"), Some(1.0));
}

#[test]
fn archives_can_be_named_by_the_day() {
    let host = host(&[
        ("app.log", "0"),
        ("app.log-20260101.gz", ""),
        ("app.log-20260102", "x"),
    ]);
    fs::remove_file(host.path("/logs/app.log-20260101.gz")).unwrap();
    let settings = json!({ "dateext": true, "rotate": 1, "compress": "gzip" });
    let report = run(&host, settings.clone()).unwrap();
    assert_eq!(report.figure("files_removed"), Some(1.0));
    host.write_file("/logs/app.log", "1", START);
    let report = run(&host, settings).unwrap();
    assert_eq!(report.figure("files_rotated"), Some(0.0), "once a day");
    assert_there(&host, &[("app.log", "1"), ("app.log-20260301.gz", "0")]);
}

#[test]
fn old_archives_go() {
    let host = host(&[("app.log", "0")]);
    host.write_file("/logs/app.log.1", "young", START - 5 * DAY);
    host.write_file("/logs/app.log.2", "old", START - 11 * DAY);
    run(&host, json!({ "maxage": "10 days" })).unwrap();
    assert_there(&host, &[("app.log.1", "0"), ("app.log.2", "young")]);
}

#[test]
fn archives_are_no_logs() {
    let host = host(&[
        ("app", "0"),
        ("app.1", "old"),
        ("app-20260101", "older"),
        (".hidden", "h"),
    ]);
    let report = run(&host, json!({ "logs": ["/logs/*"] })).unwrap();
    assert_eq!(report.figure("files_rotated"), Some(1.0));
    assert_there(
        &host,
        &[
            ("app.1", "0"),
            ("app.2", "old"),
            ("app-20260101", "older"),
            (".hidden", "h"),
        ],
    );
}

#[test]
fn one_bad_log_fails_the_run_and_not_the_others() {
    let host = host(&[("good.log", "0"), ("twice.log", "1")]);
    let logs = host.path("/logs");
    fs::hard_link(logs.join("twice.log"), logs.join("other")).unwrap();
    std::os::unix::fs::symlink("good.log", logs.join("link.log")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        logs.join("pipe.log"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let failure = run(&host, json!({})).unwrap_err();
    assert!(failure.message.contains("link.log"), "{}", failure.message);
    assert!(
        failure.message.contains("2 other logs"),
        "{}",
        failure.message
    );
    let partial = failure.partial.unwrap();
    assert_eq!(partial.figure("files_rotated"), Some(1.0));
    let lines = &partial.details.unwrap()["logs"]["items"];
    let reasons: Vec<_> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["reason"].to_string())
        .collect();
    for word in ["symbolic link", "named pipe", "hard links"] {
        assert!(
            reasons.iter().any(|reason| reason.contains(word)),
            "{word}: {reasons:?}"
        );
    }
    assert!(logs.join("good.log.1").is_file());
}

#[test]
fn a_dry_run_plans_and_changes_nothing() {
    let host = host(&[("app.log", "0"), ("app.log.1", "1"), ("app.log.2", "2")]);
    let before = there(&host);
    let config = json!({ "logs": ["/logs/*.log"], "rotate": 2, "compress": "gzip", "create": {} });
    let report = host.dry_run(&plugin(), "rotate", config).unwrap();
    assert_eq!(there(&host), before);
    assert_eq!(report.figure("files_rotated"), Some(1.0));
    assert_eq!(report.figure("files_removed"), Some(1.0));
    assert_eq!(report.figure("bytes_after"), Some(2.0));
    let steps = report.details.unwrap()["logs"]["items"][0]["steps"].to_string();
    assert!(
        steps.contains("rename `/logs/app.log` to `/logs/app.log.1`"),
        "{steps}"
    );
}

#[test]
fn writers_reopen_before_anything_is_compressed() {
    let done = |code| Outcome {
        code,
        stdout: String::new(),
        stderr: "no".to_owned(),
    };
    let settings = json!({ "compress": "gzip", "postrotate": ["web", { "run": "cmd" }] });
    let host = host(&[("a.log", "0"), ("b.log", "1")])
        .with_command("web", done(0))
        .with_command("cmd", done(0));
    run(&host, settings.clone()).unwrap();
    assert_eq!(host.processed(), ["signal web", "run cmd"]);
    let failing = self::host(&[("a.log", "0")])
        .with_command("web", done(0))
        .with_command("cmd", done(1));
    let failure = run(&failing, settings).unwrap_err();
    assert!(
        failure.message.contains("`cmd` (postrotate) ended with 1"),
        "{}",
        failure.message
    );
    assert_there(&failing, &[("a.log.1", "0")]);
}

/// A writer that appends a line as soon as a change of this kind was made.
fn written_to(host: NativeHost, when: &'static str, name: &'static str) -> NativeHost {
    host.with_observer(move |host, change| {
        if change.starts_with(when) {
            let mut file = fs::File::options()
                .append(true)
                .open(host.path(name))
                .unwrap();
            std::io::Write::write_all(&mut file, b"late").unwrap();
        }
    })
}

#[test]
fn a_line_written_while_the_log_is_copied_is_kept() {
    let host = written_to(host(&[("app.log", "early ")]), "copy `", "/logs/app.log");
    run(&host, json!({ "copytruncate": true })).unwrap();
    assert_there(&host, &[("app.log", ""), ("app.log.1", "early late")]);
}

#[test]
fn an_archive_that_is_still_written_to_is_not_replaced_by_its_compressed_copy() {
    let host = written_to(
        host(&[("app.log", "early ")]),
        "compress",
        "/logs/app.log.1",
    );
    let failure = run(&host, json!({ "compress": "gzip" })).unwrap_err();
    assert!(
        failure.message.contains("`postrotate`"),
        "{}",
        failure.message
    );
    assert!(failure.retryable);
    assert_there(&host, &[("app.log.1", "early late")]);
}

#[test]
fn archives_move_no_further_than_they_must() {
    let host = host(&[("app.log", "0"), ("app.log.1", "1"), ("app.log.5", "5")]);
    run(&host, json!({ "rotate": 9 })).unwrap();
    assert_there(
        &host,
        &[("app.log.1", "0"), ("app.log.2", "1"), ("app.log.5", "5")],
    );
}

#[test]
fn missing_logs() {
    for (settings, fine) in [
        (json!({ "logs": ["/logs/app.log"] }), true),
        (
            json!({ "logs": ["/logs/app.log"], "missingok": false }),
            false,
        ),
        (
            json!({ "logs": ["/logs/none/*.log"], "missingok": true }),
            true,
        ),
        (
            json!({ "logs": ["/logs/*.log"], "missingok": false }),
            false,
        ),
    ] {
        let host = host(&[("app.log.1", "x")]);
        assert_eq!(run(&host, settings.clone()).is_ok(), fine, "{settings}");
    }
}

#[test]
fn mistakes_are_named() {
    for (settings, named) in [
        (json!({ "logs": [] }), "`logs`"),
        (json!({ "logs": ["relative.log"] }), "relative.log"),
        (json!({ "logs": ["/logs/../etc/*.log"] }), "guest path"),
        (
            json!({ "logs": ["/logs/a"], "conf_text": "" }),
            "not several",
        ),
        (json!({ "logs": ["/logs/a"], "weekday": 3 }), "`weekday`"),
        (
            json!({ "logs": ["/logs/a"], "tz": "Mars/Base" }),
            "Mars/Base",
        ),
        (
            json!({ "size": "1 MiB", "frequency": "daily" }),
            "`minsize`",
        ),
        (json!({ "copytruncate": true, "create": {} }), "`create`"),
        (json!({ "delaycompress": true }), "`compress`"),
        (json!({ "compress": "bzip2" }), "gzip"),
        (json!({ "create": { "mode": "0999" } }), "octal"),
        (json!({ "rotat": 3 }), "rotat"),
    ] {
        let failure = run(&host(&[]), settings).unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
    }
}

#[test]
fn days_begin_where_the_zone_says() {
    for (zone, expected) in [
        ("UTC", "app.log-20260301"),
        ("Europe/Kyiv", "app.log-20260301"),
        ("America/New_York", "app.log-20260228"),
    ] {
        let host = host(&[("app.log", "0")]);
        run(&host, json!({ "dateext": true, "tz": zone })).unwrap();
        assert_there(&host, &[(expected, "0")]);
    }
    let failure = run(&host(&[]), json!({ "tz": "Mars/Base" })).unwrap_err();
    assert!(
        failure.message.contains("`Mars/Base`"),
        "{}",
        failure.message
    );
}

#[test]
fn the_typed_words_mail_through_a_channel() {
    let host = host(&[("app.log", "0"), ("app.log.1", "old")]).with_channel("ops");
    run(&host, json!({ "rotate": 1, "mail": "ops" })).unwrap();
    let messages = host.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].2.attachments[0].content, b"old");
    assert_there(&host, &[("app.log.1", "0")]);
    let failure = run(&host, json!({ "mailfirst": true })).unwrap_err();
    assert!(
        failure.message.contains("needs `mail`"),
        "{}",
        failure.message
    );
}
