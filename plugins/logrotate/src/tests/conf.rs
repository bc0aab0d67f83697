//! Configurations of logrotate as they stand. What they do is held against logrotate itself
//! in `tests/logrotate` of the repository; here stands what only mhost does.

use super::*;

fn conf(host: &NativeHost, text: &str, settings: Value) -> Result<Report, Failure> {
    let mut config = json!({ "conf_text": text, "force": true });
    let settings = settings.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(settings);
    host.run(&plugin(), "rotate", config)
}

#[test]
fn folders_may_be_granted_by_other_names() {
    let host = host(&[("app.log", "0")]);
    let roots = json!({ "roots": { "/var/log/web/": "/logs" } });
    conf(&host, "/var/log/web/*.log {\nrotate 2\n}\n", roots).unwrap();
    assert_there(&host, &[("app.log.1", "0")]);
}

#[test]
fn scripts_are_what_was_granted_for_them() {
    let done = Outcome {
        code: 0,
        stdout: "said".to_owned(),
        stderr: String::new(),
    };
    let text = "/logs/*.log {\nrotate 1\npostrotate\n  kill -HUP 1\nendscript\n}\n";
    let host = host(&[("a.log", "0"), ("b.log", "1")]).with_command("web", done);
    let failure = conf(&host, text, json!({})).unwrap_err();
    assert!(
        failure.message.contains("scripts.postrotate"),
        "{}",
        failure.message
    );
    let run = json!({ "scripts": { "postrotate@conf_text:3": { "run": "web" } } });
    conf(&host, text, run).unwrap();
    assert_eq!(
        host.processed(),
        [
            "run web /logs/a.log /logs/a.log.1",
            "run web /logs/b.log /logs/b.log.1"
        ]
    );
}

#[test]
fn one_bad_entry_fails_the_run_and_not_the_others() {
    let host = host(&[("a.log", "0"), ("b.log", "1")]);
    let text = "/logs/a.log {\nrotate x\n}\n/logs/b.log {\nrotate 1\n}\n";
    let failure = conf(&host, text, json!({})).unwrap_err();
    assert!(
        failure.message.contains("conf_text:2"),
        "{}",
        failure.message
    );
    assert_there(&host, &[("a.log", "0"), ("b.log.1", "1")]);
}

#[test]
fn a_log_that_always_fails_lets_the_others_be_remembered() {
    let host = host(&[("good.log", "0")]);
    std::os::unix::fs::symlink("good.log", host.path("/logs/link.log")).unwrap();
    let text = "/logs/*.log {\ndaily\nrotate 3\n}\n";
    let force = json!({ "force": false });
    conf(&host, text, force.clone()).unwrap_err();
    for (day, archives) in [(1, 1), (1, 1), (2, 2)] {
        host.set_now(START + day * DAY);
        host.write_file("/logs/good.log", "more", START);
        conf(&host, text, force.clone()).unwrap_err();
        let entries = fs::read_dir(host.path("/logs")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let there = names.filter(|name| name.starts_with("good.log.")).count();
        assert_eq!(there, archives, "day {day}");
    }
}

#[test]
fn a_budget_holds_over_all_logs() {
    let host = host(&[("a.log", "aaaa"), ("b.log", "bbbb")]);
    host.write_file("/logs/a.log.1", "aaaaaaaa", START - 3 * DAY);
    host.write_file("/logs/b.log.1", "bbbbbbbb", START - 4 * DAY);
    let settings = json!({ "budget": 16 });
    let report = conf(&host, "/logs/*.log {\nrotate 9\n}\n", settings).unwrap();
    assert_there(
        &host,
        &[
            ("a.log.1", "aaaa"),
            ("a.log.2", "aaaaaaaa"),
            ("b.log.1", "bbbb"),
        ],
    );
    assert_eq!(report.details.unwrap()["evicted"], json!(["/logs/b.log.2"]));
}

#[test]
fn a_name_that_leaves_no_room_is_refused() {
    let long = format!("{}.log", "x".repeat(250));
    let host = host(&[(&long, "0"), ("a.log", "1")]);
    let failure = conf(&host, "/logs/*.log {\nrotate 1\n}\n", json!({})).unwrap_err();
    assert!(failure.message.contains("254 bytes"), "{}", failure.message);
    assert!(there(&host).contains_key("a.log.1"));
}

#[test]
fn a_damaged_state_is_set_aside() {
    let host = host(&[("a.log", "0"), ("b.log", "1")]);
    let state =
        "logrotate state -- version 2\n\"/logs/a.log\" rubbish\n\"/logs/b.log\" 2026-2-27-1:0:0\n";
    host.write_file("/logs/.state", state, START);
    let settings = json!({ "state": "/logs/.state", "force": false });
    conf(&host, "/logs/*.log {\ndaily\nrotate 1\n}\n", settings).unwrap();
    let there = there(&host);
    assert_eq!(there[".state.damaged"], state);
    assert!(
        there.contains_key("a.log") && there.contains_key("b.log.1"),
        "{there:?}"
    );
    assert!(
        there[".state"].contains("\"/logs/b.log\" 2026-3-1-0:0:0"),
        "{there:?}"
    );
}

#[test]
fn the_window_of_copytruncate_is_told() {
    let host = host(&[("a.log", "0")]);
    let report = conf(
        &host,
        "/logs/a.log {\nrotate 1\ncopytruncate\n}\n",
        json!({}),
    )
    .unwrap();
    assert!(report.figure("copytruncate_window_ns").is_some());
    assert_eq!(report.figure("copytruncate_late_bytes"), Some(0.0));
}

/// As `mail` says: the archive that goes, or the new one, through a channel.
#[test]
fn archives_are_mailed_through_a_channel() {
    for (word, which) in [("maillast", "app.log.2.gz"), ("mailfirst", "app.log.1.gz")] {
        let text =
            format!("/logs/app.log {{\nrotate 1\ncompress\nmail ops@example.org\n{word}\n}}\n");
        for mail in [json!({ "channel": "ops" }), json!([{ "channel": "ops" }])] {
            let host = host(&[("app.log", "new")]).with_channel("ops");
            conf(&host, &text, json!({ "scripts": { "mail": mail } })).unwrap();
            host.write_file("/logs/app.log", "newer", START);
            host.set_now(START + DAY);
            conf(&host, &text, json!({ "scripts": { "mail": mail } })).unwrap();
            let messages = host.messages();
            let sent = match word {
                "maillast" => messages.len() == 1,
                _ => messages.len() == 2,
            };
            assert!(sent, "{word}: {messages:?}");
            let (channel, _, message) = messages.last().unwrap();
            assert_eq!(
                (channel.as_str(), message.subject.as_str()),
                ("ops", &*format!("/logs/{which}"))
            );
            let attached = &message.attachments[0];
            assert_eq!(
                (attached.name.as_str(), attached.media_type.as_str()),
                (which, "application/gzip")
            );
            assert!(attached.content.starts_with(&[0x1f, 0x8b]));
            assert!(!there(&host).contains_key("app.log.2.gz"));
        }
    }
}

#[test]
fn an_archive_that_no_message_takes_stays() {
    let host = host(&[("app.log", "0"), ("b.log", "1")]).with_channel("ops");
    for name in ["app.log.1", "b.log.1"] {
        let size = if name.starts_with('a') { 9 << 20 } else { 9 };
        host.write_file(&format!("/logs/{name}"), vec![b'x'; size], START - DAY);
    }
    let text = "/logs/*.log {\nrotate 1\nmail ops@example.org\n}\n";
    let failure = conf(
        &host,
        text,
        json!({ "scripts": { "mail": { "channel": "ops" } } }),
    )
    .unwrap_err();
    assert!(
        failure.message.contains("/logs/app.log.2"),
        "{}",
        failure.message
    );
    assert!(failure.message.contains("9.0 MiB"), "{}", failure.message);
    let there = there(&host);
    assert!(there.contains_key("app.log.2") && !there.contains_key("b.log.2"));
    assert_eq!(host.messages().len(), 1);
}

#[test]
fn an_archive_goes_nowhere_before_its_mail_is_granted() {
    let host = host(&[("app.log", "0"), ("app.log.1", "old")]);
    let text = "/logs/app.log {\nrotate 1\nmail ops@example.org\n}\n";
    let failure = conf(&host, text, json!({})).unwrap_err();
    assert!(
        failure.message.contains("`scripts.mail`"),
        "{}",
        failure.message
    );
    assert_there(&host, &[("app.log", "0"), ("app.log.1", "old")]);
}

#[test]
fn a_channel_is_for_mail_alone() {
    let host = host(&[("app.log", "0")]).with_channel("ops");
    let text = "/logs/app.log {\nrotate 1\npostrotate\ntrue\nendscript\n}\n";
    let scripts = json!({ "scripts": { "postrotate": { "channel": "ops" } } });
    let failure = conf(&host, text, scripts).unwrap_err();
    assert!(
        failure.message.contains("for `mail` alone"),
        "{}",
        failure.message
    );
}

/// A new log on a full hour, whose state is in a file: the attempt that failed before it
/// touched the log has not rotated it, and the one that touched it has.
#[test]
fn a_further_attempt_rotates_what_the_first_did_not_come_to() {
    let outcome = |code| Outcome {
        code,
        stdout: String::new(),
        stderr: String::new(),
    };
    let host = host(&[("app.log", "0")])
        .with_command("bad", outcome(1))
        .with_command("good", outcome(0));
    let text = "/logs/app.log {\nsize 1\nrotate 3\nprerotate\ntrue\nendscript\npostrotate\ntrue\nendscript\n}\n";
    let settings = |pre: &str, post: &str| {
        json!({
            "force": false, "state": "/logs/.state",
            "scripts": { "prerotate": { "run": pre }, "postrotate": { "run": post } },
        })
    };
    conf(&host, text, settings("bad", "good")).unwrap_err();
    assert!(!there(&host).contains_key("app.log.1"));
    host.set_attempt(2);
    conf(&host, text, settings("good", "bad")).unwrap_err();
    assert!(there(&host).contains_key("app.log.1"));
    host.write_file("/logs/app.log", "1", START);
    host.set_attempt(3);
    conf(&host, text, settings("good", "good")).unwrap();
    assert!(!there(&host).contains_key("app.log.2"), "it had its turn");
    host.set_attempt(1);
    conf(&host, text, settings("good", "good")).unwrap();
    assert!(there(&host).contains_key("app.log.2"));
}

#[test]
fn a_folder_that_others_can_write_to_is_refused_where_that_is_wanted() {
    use std::os::unix::fs::PermissionsExt as _;
    for (parents, su, refused) in [
        ("accept", "", false),
        ("refuse", "", true),
        ("refuse", "su root root", false),
    ] {
        let host = host(&[("app.log", "0")]);
        let open = fs::Permissions::from_mode(0o777);
        fs::set_permissions(host.path("/logs"), open).unwrap();
        let text = format!("/logs/app.log {{\nrotate 1\n{su}\n}}\n");
        let done = conf(&host, &text, json!({ "parents": parents }));
        assert_eq!(done.is_err(), refused, "{parents} {su}");
        assert_eq!(there(&host).contains_key("app.log.1"), !refused);
    }
}

#[test]
fn a_mistake_that_costs_its_line_is_told_in_the_summary() {
    let host = host(&[("app.log", "0")]);
    let report = conf(&host, "/logs/app.log {\nrotate 1\ncompres\n}\n", json!({})).unwrap();
    assert!(report.summary.contains("conf_text:3"), "{}", report.summary);
}
