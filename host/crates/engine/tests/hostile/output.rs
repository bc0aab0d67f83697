//! Logs, secrets in them, progress, reports.

use mhost_model::ByteSize;
use mhost_model::run::LogLevel;
use serde_json::json;

use crate::support::Attack;

const SECRET: &str = "hunter2/\"quoted\" and long";

#[test]
fn a_huge_log_is_cut_and_the_guest_goes_on() {
    let went = Attack::new("log-flood", json!({"mib": 10 << 10}))
        .limits(|limits| limits.log = ByteSize(100_000))
        .go();
    went.report();
    let receipt = &went.finished.receipt;
    assert_eq!(receipt.log_bytes, 100_000);
    // A line that was broken counts its end.
    let counted = receipt.log_bytes + receipt.log_bytes_cut;
    assert!(counted.abs_diff(10 << 30) < 100, "{counted}");
    let log = went.log();
    let kept: usize = log.iter().map(|line| line.text.len()).sum();
    assert!(kept < 101_000, "{kept}");
    let last = log.last().unwrap();
    assert_eq!((last.level, last.source.as_str()), (LogLevel::Warn, "host"));
    assert!(
        last.text.contains("limits.log") && last.text.contains("10.0 GiB"),
        "{}",
        last.text
    );
}

#[test]
fn lines_beyond_the_budget_panic_nobody() {
    let went = Attack::new("log-lines", json!({"lines": 1000}))
        .limits(|limits| limits.log = ByteSize(100))
        .go();
    went.report();
    assert!(went.finished.receipt.log_bytes <= 100);
    assert!(went.log().len() < 40);
}

#[test]
fn lines_stand_in_the_log() {
    let went = Attack::new("log-lines", json!({"lines": 2})).go();
    let log = went.log();
    let lines: Vec<String> = log
        .iter()
        .map(|line| format!("{} {}", line.source, line.text))
        .collect();
    let expected = [
        "stdout out 0",
        "stderr err 0",
        "lines log 0",
        "stdout out 1",
        "stderr err 1",
        "lines log 1",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_secret_is_shown_nowhere() {
    for extra in [json!({}), json!({"panic": true}), json!({"fail": true})] {
        let mut config = json!({"secret": "token"});
        config
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let went = Attack::new("say", config).secret("token", SECRET).go();
        let shown = format!(
            "{:?} {:?} {:?}",
            went.finished,
            went.log(),
            went.fake.progress.lock().unwrap()
        );
        let raw = shown
            .replace("\\\"", "\"")
            .replace("\\\\", "\\")
            .replace("\\\"", "\"");
        for part in ["hunter2", "quoted", "and long"] {
            assert!(!raw.contains(part), "{extra}: {raw}");
        }
        assert!(
            went.log_text().contains("in pieces: *** end"),
            "{}",
            went.log_text()
        );
    }
}

#[test]
fn progress_comes_at_a_pace_and_ends_with_the_newest() {
    let went = Attack::new("progress", json!({"updates": 100_000})).go();
    let seen = went.fake.progress.lock().unwrap();
    assert!((1..200).contains(&seen.len()), "{}", seen.len());
    assert_eq!(seen.last().unwrap().done, 99_999);
}

#[test]
fn a_report_is_bounded() {
    let went = Attack::new("report", json!({"size": 10_000})).go();
    let report = went.report();
    assert_eq!(report.summary.len(), 4096);
    assert_eq!(report.metrics.len(), 1000);
    assert!(!report.metrics.contains_key("figure_0"));
    assert_eq!(
        report.details.as_ref().unwrap().as_str().unwrap().len(),
        10_000
    );
    let went = Attack::new("report", json!({"size": 5 << 20})).go();
    assert_eq!(went.report().details, None);
    assert!(went.log_text().contains("details are left out"));
}
