//! A command that is told to end: what it runs is cancelled, and its row says by whom.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::home::{Home, Silent, hang};

const EVE: Option<&str> = Some("2026-12-01T02:00:00Z");
const DUE: Option<&str> = Some("2026-12-01T03:00:05Z");

/// Starts a command that waits for the server, and signals it meanwhile.
fn interrupted(
    home: &Home,
    silent: &Silent,
    args: &[&str],
    signal: Signal,
) -> (Option<i32>, Value) {
    let args: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
    let child = home.command(DUE, &args).spawn().unwrap();
    let _caller = silent.accept();
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), answer)
}

#[test]
fn a_run_is_cancelled_by_a_signal() {
    let silent = Silent::new();
    let home = Home::new(&hang("wait", "\"manual\"", &silent.origin(), "{}"));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM")] {
        let (code, run) = interrupted(&home, &silent, &["run", "wait"], signal);
        assert_eq!(code, Some(1), "{run}");
        assert_eq!(run["outcome"], "cancelled", "{run}");
        let reason = format!("the command was ended by {name}");
        assert_eq!(run["reason"], reason.as_str(), "{run}");
    }
}

/// What comes after it in its pool is left to the next tick.
#[test]
fn an_interrupted_tick_starts_nothing_more() {
    let silent = Silent::new();
    let (cron, origin) = ("{ cron = \"0 3 * * *\" }", silent.origin());
    let tasks = [
        hang("one", cron, &origin, "{}"),
        hang("two", cron, &origin, "{}"),
    ];
    let home = Home::new(&tasks.concat());
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let (code, runs) = interrupted(&home, &silent, &["tick"], Signal::TERM);
    assert_eq!(code, Some(1), "{runs}");
    let outcomes = |runs: &Value| -> Vec<Value> {
        let rows = runs.as_array().unwrap().iter();
        rows.map(|run| run["outcome"].clone()).collect()
    };
    assert_eq!(outcomes(&runs), ["cancelled"], "{runs}");
    let rows = home.json(DUE, 0, &["runs", "list"]);
    let cancelled = |outcome: &Value| outcome == "cancelled";
    assert_eq!(
        outcomes(&rows).iter().filter(|row| cancelled(row)).count(),
        1,
        "{rows}"
    );
}

#[test]
fn what_is_cancelled_by_hand_says_so() {
    let silent = Silent::new();
    let home = Home::new(&hang("wait", "\"manual\"", &silent.origin(), "{}"));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let child = home.command(DUE, &["run", "wait"]).spawn().unwrap();
    let _caller = silent.accept();
    let rows = home.json(DUE, 0, &["runs", "list"]);
    let id = rows[0]["run"].as_u64().unwrap().to_string();
    home.json(DUE, 0, &["runs", "cancel", &id]);
    child.wait_with_output().unwrap();
    let run = home.json(DUE, 0, &["runs", "show", &id]);
    assert_eq!(run["reason"], "cancelled by hand", "{run}");
}
