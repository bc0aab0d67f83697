//! What somebody else planted beside the logs, or left there: it costs nobody's data, stops
//! no rotation for long, and is told.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

fn conf(host: &NativeHost, directives: &str) -> Result<Report, Failure> {
    let text = format!("/logs/*.log {{\nsize 1\n{directives}\n}}\n");
    host.run(&plugin(), "rotate", json!({ "conf_text": text }))
}

fn warned(host: &NativeHost, word: &str) -> bool {
    host.logged().iter().any(|(_, line)| line.contains(word))
}

#[test]
fn an_archive_with_a_huge_number_takes_no_time() {
    for settings in [
        json!({ "rotate": 2 }),
        json!({ "rotate": -1 }),
        json!({ "rotate": 2, "compress": "gzip" }),
    ] {
        let host = host(&[("app.log", "0"), ("app.log.999999999", "planted")]);
        run(&host, settings.clone()).unwrap();
        assert!(!there(&host).contains_key("app.log"), "{settings}");
    }
    let host = host(&[("app.log", "0"), ("app.log.999999999", "planted")]);
    conf(&host, "rotate 2000000000").unwrap();
    assert!(there(&host).contains_key("app.log.1"));
}

#[test]
fn what_stands_where_a_compressed_copy_should_gets_another_name() {
    for planted in ["", "no gzip", "\u{1f}\u{8b}"] {
        let host = host(&[("app.log", "now"), ("app.log.1", "old")]);
        host.write_file("/logs/app.log.1.gz", planted, START - DAY);
        conf(&host, "rotate 3\ncompress\ndelaycompress").unwrap();
        let raw = fs::read(host.path("/logs/app.log.1.gz-2026030100.backup")).unwrap();
        assert_eq!(raw, planted.as_bytes());
        fs::remove_file(host.path("/logs/app.log.1.gz-2026030100.backup")).unwrap();
        assert_there(&host, &[("app.log.1", "now"), ("app.log.2.gz", "old")]);
        assert!(warned(&host, "exists already"));
    }
}

#[test]
fn what_has_a_second_name_is_not_read_for_an_archive() {
    let host = host(&[("app.log", "now"), ("app.log.1", "secret")]);
    fs::hard_link(host.path("/logs/app.log.1"), host.path("/logs/other")).unwrap();
    let failure = conf(&host, "rotate 3\ncompress\ndelaycompress").unwrap_err();
    assert!(
        failure.message.contains("hard links"),
        "{}",
        failure.message
    );
    assert_there(
        &host,
        &[
            ("app.log", "now"),
            ("app.log.1", "secret"),
            ("other", "secret"),
        ],
    );
    conf(&host, "rotate 3\ncompress\ndelaycompress\nallowhardlink").unwrap();
    assert!(there(&host).contains_key("app.log.2.gz"));
}

#[test]
fn what_has_a_second_name_is_not_overwritten() {
    for (more, stays) in [("", true), ("allowhardlink", false)] {
        let host = host(&[("app.log", "now"), ("app.log.1", "precious")]);
        fs::hard_link(host.path("/logs/app.log.1"), host.path("/logs/other")).unwrap();
        let done = conf(&host, &format!("rotate 1\nshred\n{more}"));
        assert_eq!(done.is_err(), stays, "{done:?}");
        let there = there(&host);
        assert_eq!(there["other"], "precious");
        assert_eq!(there.contains_key("app.log.2"), stays);
    }
}

/// A mark that another user made holds nothing back, and one of this user's does.
#[test]
fn the_mark_of_another_user_is_not_believed() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (uid, rotated) in [(None, 0.0), (Some(1), 1.0)] {
        let mark = "running 2026-02-28T00:00:00 1 0\n/logs/app.log\n";
        let host = host(&[
            (".mhost-rotating-test", mark),
            ("app.log", "0"),
            ("app.log.1", "1"),
        ]);
        std::os::unix::fs::chown(host.path("/logs/.mhost-rotating-test"), uid, None).unwrap();
        let report = run(&host, json!({ "rotate": 5 })).unwrap();
        assert_eq!(report.figure("files_rotated"), Some(rotated), "{uid:?}");
        assert_eq!(warned(&host, "not believed"), uid.is_some());
        assert!(!host.path("/logs/.mhost-rotating-test").exists());
    }
}

#[test]
fn a_turn_that_is_only_finished_is_told_as_such() {
    let settings = json!({ "rotate": 5, "compress": "gzip" });
    let mut cut_off = (0..).map(|n| {
        let host = host(&[("app.log", "0")]);
        host.crash().at(n, false);
        run(&host, settings.clone()).unwrap_err();
        host.crash().never();
        host
    });
    let host = cut_off.find(|host| there(host).contains_key("app.log.1"));
    let host = host.unwrap();
    host.set_attempt(2);
    let report = run(&host, settings).unwrap();
    assert_eq!(report.figure("files_rotated"), Some(0.0));
    assert!(report.summary.contains("finished"), "{}", report.summary);
    let details = report.details.unwrap();
    assert_eq!(details["logs"]["items"][0]["outcome"], "finished");
}

#[test]
fn a_name_that_is_no_text_is_refused_and_told() {
    let host = host(&[("app.log", "0")]);
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.log");
    fs::write(host.path("/logs").join(name), "1").unwrap();
    fs::create_dir(
        host.path("/logs")
            .join(std::ffi::OsStr::from_bytes(b"\xe9.log")),
    )
    .unwrap();
    for typed in [true, false] {
        host.write_file("/logs/app.log", "0", START);
        let failure = match typed {
            true => run(&host, json!({})),
            false => conf(&host, "rotate 1"),
        };
        let failure = failure.unwrap_err();
        let named = "/logs/caf\u{fffd}.log`: its name is no UTF-8 text";
        assert!(failure.message.contains(named), "{}", failure.message);
        assert!(
            !failure.message.contains("other log"),
            "{}",
            failure.message
        );
    }
    assert!(there(&host).contains_key("app.log.1"));
}

#[test]
fn a_file_where_a_renamed_log_would_wait_is_not_written_over() {
    let host = host(&[("app.log", "now"), ("app.log.tmp", "somebody's")]);
    let failure = conf(&host, "rotate 3\nrenamecopy\ncreate").unwrap_err();
    assert!(
        failure.message.contains("app.log.tmp"),
        "{}",
        failure.message
    );
    assert_there(&host, &[("app.log", "now"), ("app.log.tmp", "somebody's")]);
}

/// The writers could not be told, and wrote into the new log: both go on to be kept.
#[test]
fn a_renamed_log_waits_until_its_script_went_well() {
    let outcome = |code| Outcome {
        code,
        stdout: String::new(),
        stderr: String::new(),
    };
    let host = host(&[("app.log", "first")])
        .with_command("bad", outcome(1))
        .with_command("good", outcome(0));
    let text = "/logs/*.log {\nrotate 3\nrenamecopy\ncreate\npostrotate\ntrue\nendscript\n}\n";
    let config = |name: &str| {
        let scripts = json!({ "postrotate": { "run": name } });
        json!({ "conf_text": text, "scripts": scripts, "force": true, "state": "/logs/.state" })
    };
    let failure = host.run(&plugin(), "rotate", config("bad")).unwrap_err();
    let place = "(postrotate in conf_text:5) ended with 1";
    assert!(failure.message.contains(place), "{}", failure.message);
    host.write_file("/logs/app.log", "second", START);
    host.run(&plugin(), "rotate", config("bad")).unwrap_err();
    host.run(&plugin(), "rotate", config("good")).unwrap();
    fs::remove_file(host.path("/logs/.state")).unwrap();
    assert_there(&host, &[("app.log", "second"), ("app.log.1", "first")]);
}

#[test]
fn no_age_keeps_archives_of_any_age() {
    let host = host(&[("app.log", "0")]);
    host.write_file("/logs/app.log.1", "old", START - 90 * DAY);
    conf(&host, "rotate 5\nmaxage 0").unwrap();
    assert_there(&host, &[("app.log.1", "0"), ("app.log.2", "old")]);
    for age in ["0s", "12h", "36h"] {
        let failure = run(&host, json!({ "maxage": age })).unwrap_err();
        assert!(
            failure.message.contains("whole days"),
            "{}",
            failure.message
        );
    }
}

#[test]
fn an_age_counts_in_seconds() {
    for (age, stays) in [(2 * DAY + 900, true), (2 * DAY + 1000, false)] {
        let host = host(&[("app.log", "0")]);
        host.set_now(START + 999);
        host.write_file("/logs/app.log.1", "old", START - age + 900);
        conf(&host, "rotate 5\nmaxage 2").unwrap();
        assert_eq!(there(&host).contains_key("app.log.2"), stays, "{age}");
    }
}

#[test]
fn a_limit_of_nothing_is_none() {
    let host = host(&[("app.log", "0")]);
    let settings = json!({ "frequency": "daily", "maxsize": 0 });
    run(&host, settings).unwrap();
    assert_there(&host, &[("app.log", "0")]);
}

#[test]
fn a_state_that_everybody_could_lock_is_not_waited_for() {
    let host = host(&[
        ("app.log", "0"),
        (".state", "logrotate state -- version 2\n"),
    ]);
    let path = host.path("/logs/.state");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let settings = json!({ "state": "/logs/.state" });
    run(&host, settings.clone()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
    assert!(warned(&host, "locked by everybody"));
    // What others cannot read is locked.
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let failure = run(&host, settings).unwrap_err();
    assert!(
        failure.message.contains("another rotation holds it"),
        "{}",
        failure.message
    );
}

#[test]
fn a_state_that_cannot_be_written_is_told_and_leaves_nothing_half() {
    let host = host(&[
        ("app.log", "0"),
        (".state", "logrotate state -- version 2\n"),
    ]);
    let path = host.path("/logs/.state");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // The mark and its lock, the rename, and the new state.
    let settings = json!({ "state": "/logs/.state" });
    let mut seen = false;
    for n in 0..12 {
        host.crash().at(n, false);
        let failure = run(&host, settings.clone());
        host.crash().never();
        let Err(failure) = failure else { break };
        if failure.message.contains("cannot write the state") {
            let partial = failure.partial.unwrap().details.unwrap();
            let told = partial["unsaved"][0].as_str().unwrap();
            assert!(told.contains("/logs/.state"), "{told}");
            seen = true;
        }
        host.write_file("/logs/app.log", "0", START);
    }
    assert!(seen);
}

#[test]
fn a_link_in_the_place_of_the_state_gives_it_no_mode() {
    let host = host(&[("app.log", "0"), ("real", "logrotate state -- version 2\n")]);
    std::os::unix::fs::symlink("real", host.path("/logs/.state")).unwrap();
    run(&host, json!({ "state": "/logs/.state" })).unwrap();
    let found = fs::symlink_metadata(host.path("/logs/.state")).unwrap();
    assert!(found.is_file());
    assert_eq!(found.mode() & 0o7777, 0o640);
    fs::remove_file(host.path("/logs/.state")).unwrap();
    fs::create_dir(host.path("/logs/.state")).unwrap();
    let failure = run(&host, json!({ "state": "/logs/.state" })).unwrap_err();
    let told = "cannot read the state `/logs/.state`: it is no regular file";
    assert!(failure.message.contains(told), "{}", failure.message);
}

#[test]
fn a_dry_run_and_a_run_keep_the_same_budget() {
    for compress in [json!(false), json!("gzip")] {
        let lay = || {
            let host = host(&[("a.log", "aaaa")]);
            host.write_file("/logs/a.log.1", vec![b'x'; 300], START - 3 * DAY);
            host.write_file("/logs/a.log.2", vec![b'y'; 4000], START - 4 * DAY);
            host
        };
        let config = json!({
            "logs": ["/logs/*.log"], "rotate": 9, "budget": 1000, "compress": compress,
        });
        let dry = lay().dry_run(&plugin(), "rotate", config.clone()).unwrap();
        let host = lay();
        let real = host.run(&plugin(), "rotate", config).unwrap();
        if compress == json!(false) {
            for figure in ["files_removed", "bytes_before", "bytes_after"] {
                assert_eq!(dry.figure(figure), real.figure(figure), "{figure}");
            }
            let evicted = |report: Report| report.details.unwrap()["evicted"].clone();
            let gone = evicted(dry);
            assert_eq!(gone, json!(["/logs/a.log.3"]));
            assert_eq!(gone, evicted(real));
        }
    }
}

#[test]
fn what_goes_for_the_budget_goes_as_its_entry_says() {
    let done = Outcome {
        code: 0,
        stdout: String::new(),
        stderr: String::new(),
    };
    let host = host(&[("a.log", "aaaa")])
        .with_command("told", done)
        .with_channel("ops");
    host.write_file("/logs/a.log.1", vec![b'x'; 50], START - 3 * DAY);
    let text = "/logs/*.log {\nsize 1\nrotate 9\nmail a@b\npreremove\ntrue\nendscript\n}\n";
    let scripts = json!({ "preremove": { "run": "told" }, "mail": { "channel": "ops" } });
    let config = json!({ "conf_text": text, "scripts": scripts, "budget": 20 });
    host.run(&plugin(), "rotate", config).unwrap();
    assert_there(&host, &[("a.log.1", "aaaa")]);
    assert_eq!(host.processed(), ["run told /logs/a.log.2"]);
    assert_eq!(host.messages().len(), 1);
}

#[test]
fn folders_that_do_not_exist_need_no_grant() {
    let text = "/none/x/*.log {\nmissingok\n}\n/none/y.log {\nmissingok\n}\n";
    let config = json!({ "conf_text": text, "absent": ["/none/x", "/none"] });
    host(&[]).run(&plugin(), "rotate", config).unwrap();
    let text = "/none/y.log {\n}\n";
    let config = json!({ "conf_text": text, "absent": ["/none"] });
    let failure = host(&[]).run(&plugin(), "rotate", config).unwrap_err();
    assert!(
        failure.message.contains("does not exist"),
        "{}",
        failure.message
    );
}

#[test]
fn home_and_owners_are_as_they_are_said() {
    let host = host(&[
        ("app.log", "0"),
        ("conf", "~/*.log {\nsize 1\nrotate 1\n}\n"),
    ]);
    let root = rustix::process::geteuid().is_root();
    let config = |owners: &str| json!({ "conf": "/logs/conf", "home": "/logs", "owners": owners });
    if root {
        std::os::unix::fs::chown(host.path("/logs/conf"), Some(1), None).unwrap();
    }
    let report = host.run(&plugin(), "rotate", config("root")).unwrap();
    assert!(
        report.summary.contains("owner is wrong"),
        "{}",
        report.summary
    );
    assert!(there(&host).contains_key("app.log"));
    host.run(&plugin(), "rotate", config("any")).unwrap();
    assert!(there(&host).contains_key("app.log.1"));
}
