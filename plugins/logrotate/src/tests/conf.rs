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
