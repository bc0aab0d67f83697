//! `mhost tick`, from any number of processes: each fire runs once (rule 2).

use std::process::Child;

use serde_json::Value;

use super::home::{Home, mirror};

const EVE: Option<&str> = Some("2026-12-01T02:00:00Z");
const DUE: Option<&str> = Some("2026-12-01T03:00:05Z");

#[test]
fn many_at_once_run_a_fire_once() {
    let home = Home::new(&mirror("copy", "{ cron = \"0 3 * * *\" }"));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let start = |_| {
        home.command(DUE, &["tick", "--format", "json"])
            .spawn()
            .unwrap()
    };
    let ticks: Vec<Child> = (0..8).map(start).collect();
    let runs: usize = ticks
        .into_iter()
        .map(|tick| {
            let output = tick.wait_with_output().unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let runs: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
            runs.len()
        })
        .sum();
    let rows = home.json(DUE, 0, &["runs", "list"]);
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    // A tick that came while another's run was on waited for it, and tells of it too.
    assert!(runs >= 1);
    assert_eq!(rows[0]["outcome"], "succeeded");
    assert_eq!(rows[0]["fire_at"], "2026-12-01T03:00:00Z");
}

#[test]
fn a_new_task_does_not_run_at_once_and_an_old_fire_not_again() {
    let home = Home::new(&mirror("copy", "{ cron = \"0 3 * * *\" }"));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    assert_eq!(home.json(EVE, 0, &["tick"]), serde_json::json!([]));
    assert_eq!(home.json(DUE, 0, &["tick"]).as_array().unwrap().len(), 1);
    // The clock is set back: nothing runs twice (rule 6).
    assert_eq!(home.json(EVE, 0, &["tick"]), serde_json::json!([]));
    assert_eq!(home.json(DUE, 0, &["tick"]), serde_json::json!([]));
}

#[test]
fn missed_fires_have_a_row_each() {
    let home = Home::new(&mirror("copy", "{ cron = \"0 3 * * *\" }"));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let later = Some("2026-12-04T12:00:00Z");
    home.json(later, 0, &["tick"]);
    let rows = home.json(later, 0, &["runs", "list", "--task", "copy"]);
    let seen: Vec<(&str, &str)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["fire_at"].as_str().unwrap(),
                row["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    let mut sorted = seen.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [
            ("2026-12-01T03:00:00Z", "coalesced"),
            ("2026-12-02T03:00:00Z", "coalesced"),
            ("2026-12-03T03:00:00Z", "coalesced"),
            ("2026-12-04T03:00:00Z", "succeeded"),
        ]
    );
}

/// The tasks of runs.
fn order(runs: &Value) -> Vec<&str> {
    let runs = runs.as_array().unwrap().iter();
    runs.map(|run| run["task"].as_str().unwrap()).collect()
}

#[test]
fn a_task_runs_after_another_in_the_same_tick() {
    let config =
        mirror("first", "{ cron = \"0 3 * * *\" }") + &mirror("second", "{ after = \"first\" }");
    let home = Home::new(&config);
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let runs = home.json(DUE, 0, &["tick"]);
    assert_eq!(order(&runs), ["first", "second"], "{runs}");
    assert_eq!(runs[1]["trigger"], "dependency");
}

/// Also those that a run in turn sets off, however many.
#[test]
fn a_tick_runs_a_whole_chain_of_tasks() {
    let mut config = mirror("t0", "{ cron = \"0 3 * * *\" }");
    for n in 1..4 {
        config += &mirror(&format!("t{n}"), &format!("{{ after = \"t{}\" }}", n - 1));
    }
    let home = Home::new(&config);
    // The clock goes on: a run that follows is due later than the tick was asked for.
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let runs = home.json(DUE, 0, &["tick"]);
    assert_eq!(order(&runs), ["t0", "t1", "t2", "t3"], "{runs}");
}
