//! What is left after a kill -9 in the middle of a run (rule 7).

use super::home::{Home, Silent, hang};

const EVE: Option<&str> = Some("2026-12-01T02:00:00Z");
const DUE: Option<&str> = Some("2026-12-01T03:00:05Z");

/// Applies, ticks until the run waits for the server, and kills the tick.
fn killed(silent: &Silent, policy: &str) -> Home {
    let home = Home::new(&hang(
        "wait",
        "{ cron = \"0 3 * * *\" }",
        &silent.origin(),
        policy,
    ));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let mut tick = home.command(DUE, &["tick"]).spawn().unwrap();
    let caller = silent.accept();
    tick.kill().unwrap();
    tick.wait().unwrap();
    drop(caller);
    home
}

#[test]
fn an_at_most_once_fire_is_lost_and_says_so() {
    let silent = Silent::new();
    let home = killed(&silent, "{ delivery = \"at-most-once\" }");
    assert_eq!(home.json(DUE, 0, &["tick"]), serde_json::json!([]));
    let rows = home.json(DUE, 0, &["runs", "list"]);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(rows[0]["outcome"], "lost", "{rows}");
    assert!(rows[0]["reason"].is_string(), "{rows}");
}

#[test]
fn an_at_least_once_fire_is_tried_again_as_the_same_run() {
    let silent = Silent::new();
    let home = killed(&silent, "{ delivery = \"at-least-once\" }");
    let mut tick = home.command(DUE, &["tick"]).spawn().unwrap();
    let _caller = silent.accept();
    let rows = home.json(DUE, 0, &["runs", "list"]);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    assert_eq!(
        (rows[0]["state"].as_str(), rows[0]["attempt"].as_u64()),
        (Some("running"), Some(2)),
        "{rows}"
    );
    tick.kill().unwrap();
    tick.wait().unwrap();
}
