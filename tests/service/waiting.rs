//! Somebody waits for a run that is not on: it stands in a queue, or between two attempts.
//! Whatever settles it, they are answered; and a service that is told to end does end.

use std::process::Child;

use rustix::process::Signal;
use serde_json::Value;

use super::home::{Home, Silent, hang};

const QUEUE: &str = "{ overlap = { queue = 3 } }";

/// `mhost run TASK`, whose row is on disk when this returns.
fn waits(home: &Home, task: &str, state: &str) -> (Child, String) {
    let before = rows(home, task, state).len();
    let command = home
        .command(None, &["run", task, "--format", "json"])
        .spawn();
    loop {
        let rows = rows(home, task, state);
        if rows.len() > before {
            return (command.unwrap(), rows[0]["run"].to_string());
        }
    }
}

fn rows(home: &Home, task: &str, state: &str) -> Vec<Value> {
    let rows = home.json(None, 0, &["runs", "list", "--task", task]);
    let rows = rows.as_array().unwrap().iter();
    let stands = |row: &&Value| row["state"] == state;
    rows.filter(stands).cloned().collect()
}

#[track_caller]
fn ends(waiting: Child, outcome: Option<&str>) {
    let output = waiting.wait_with_output().unwrap();
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["outcome"].as_str(), outcome, "{run}");
}

/// A task that cannot reach its server, and is tried again much later.
fn retried(name: &str) -> String {
    let nobody = Silent::new().origin();
    hang(
        name,
        "\"manual\"",
        &nobody,
        "{ retry = { attempts = 4, backoff = \"1h\", max_backoff = \"1h\" } }",
    )
}

#[test]
fn whoever_waits_for_a_queued_run_is_answered() {
    let silent = Silent::new();
    let home = Home::new(&hang("wait", "\"manual\"", &silent.origin(), QUEUE));
    let service = home.serve();
    let (first, _) = waits(&home, "wait", "running");
    let _caller = silent.accept();
    let (second, id) = waits(&home, "wait", "queued");
    let (third, _) = waits(&home, "wait", "queued");
    home.json(None, 0, &["runs", "cancel", &id]);
    ends(second, Some("cancelled"));
    home.json(None, 0, &["task", "remove", "wait"]);
    ends(third, Some("cancelled"));
    drop(service);
    drop(first);
}

#[test]
fn whoever_waits_for_another_attempt_is_answered() {
    let home = Home::new(&retried("again"));
    let service = home.serve();
    let (waiting, id) = waits(&home, "again", "waiting");
    home.json(None, 0, &["runs", "cancel", &id]);
    ends(waiting, Some("cancelled"));
    let (waiting, _) = waits(&home, "again", "waiting");
    home.json(None, 0, &["task", "remove", "again"]);
    ends(waiting, Some("cancelled"));
    drop(service);
}

/// The run is left to the next process, and its row says so.
#[test]
fn term_ends_a_service_that_is_waited_for() {
    let silent = Silent::new();
    let tasks = [
        retried("again"),
        hang("wait", "\"manual\"", &silent.origin(), QUEUE),
    ];
    let home = Home::new(&tasks.concat());
    let mut service = home.serve();
    let (again, id) = waits(&home, "again", "waiting");
    let (on, _) = waits(&home, "wait", "running");
    let _caller = silent.accept();
    let (queued, _) = waits(&home, "wait", "queued");
    service.signal(Signal::TERM);
    service.wait_for("draining");
    ends(again, None);
    ends(queued, None);
    service.signal(Signal::TERM);
    ends(on, Some("cancelled"));
    assert_eq!(service.end(), Some(0));
    let row = home.json(None, 0, &["runs", "show", &id]);
    assert_eq!(row["state"], "waiting", "{row}");
}
