//! The task that looks after the store: a task like any other.

use super::home::{Home, mirror};

const SECONDS: &str = "{ every = \"1h\", from = \"2026-12-01T00:00:00Z\" }";

fn home(config: &str) -> Home {
    let home = Home::new(&(mirror("copy", SECONDS) + config));
    home.json(Some("2026-12-01T00:00:00Z"), 0, &["apply", "mhost.toml"]);
    home
}

#[test]
fn old_rows_go_and_the_proof_goes_on() {
    let home = home(
        "[tasks.mhost-retention]\nplugin = \"mhost\"\naction = \"retention\"\nschedule = \"manual\"\n\
         config = { runs_max_count = 5, keep = 2 }\n",
    );
    let now = Some("2026-12-03T00:00:00Z");
    home.json(now, 0, &["tick"]);
    let rows = || home.json(now, 0, &["runs", "list", "--task", "copy", "-n", "100"]);
    assert_eq!(rows().as_array().unwrap().len(), 48);
    let run = home.json(now, 0, &["run", "mhost-retention", "--dry-run"]);
    assert_eq!(run["report"]["metrics"]["runs_removed"], 42.0, "{run}");
    assert_eq!(rows().as_array().unwrap().len(), 48);
    let run = home.json(now, 0, &["run", "mhost-retention"]);
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(run["report"]["metrics"]["runs_removed"], 42.0, "{run}");
    // The one that ran, and five that did not.
    assert_eq!(rows().as_array().unwrap().len(), 6);
    let proof = home.json(now, 0, &["runs", "gaps", "copy"]);
    assert_eq!(proof["known_after"], "2026-12-02T18:00:00Z", "{proof}");
    assert_eq!(
        (&proof["accounted"], &proof["gap_count"]),
        (&6.into(), &0.into())
    );
    let health = home.json(now, 0, &["doctor"]);
    let sound = |finding: &serde_json::Value| finding["weight"] == "ok";
    let store = health.as_array().unwrap().iter();
    let mut store = store.filter(|finding| finding["about"] == "store");
    assert!(store.all(sound), "{health}");
}

#[test]
fn it_is_listed_runs_on_its_schedule_and_stays() {
    let home = home("");
    let now = Some("2026-12-01T00:00:00Z");
    let tasks = home.json(now, 0, &["task", "list"]);
    assert_eq!(tasks[1]["name"], "mhost-retention", "{tasks}");
    assert_eq!(tasks[1]["next_due"], "2026-12-01T04:17:00Z");
    // A file that does not speak of it neither removes nor exports it.
    let changes = home.json(now, 0, &["apply", "mhost.toml"]);
    assert_eq!(changes["changes"], serde_json::json!([]));
    let export = home.run(now, &["export"]);
    assert!(!String::from_utf8_lossy(&export.stdout).contains("retention"));
    let refused = home.run(now, &["task", "remove", "mhost-retention"]);
    assert_eq!(refused.status.code(), Some(2));
    let later = Some("2026-12-01T04:17:00Z");
    home.json(later, 0, &["tick"]);
    let rows = home.json(later, 0, &["runs", "list", "--task", "mhost-retention"]);
    assert_eq!(rows[0]["outcome"], "succeeded", "{rows}");
    assert_eq!(rows[0]["trigger"], "timer");
}
