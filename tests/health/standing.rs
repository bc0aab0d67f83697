//! What is remembered from run to run, and what a target stands for beside its checks.

use serde_json::{Value, json};

use super::home::{Home, findings};
use super::servers::{Bad, http, nobody, serve};

pub fn states_outlive_a_failed_run() {
    let home = Home::new();
    let port = nobody();
    let net = [format!("http://127.0.0.1:{port}")];
    let config = json!({
        "targets": [{ "name": "shop", "http": net[0] }],
        "failures_to_down": 3,
    });
    for (code, state, note) in [
        (0, "degraded", "failed 1 of 3"),
        (0, "degraded", "failed 2 of 3"),
        (1, "down", ""),
        (1, "down", ""),
    ] {
        let (found, run) = home.check(&net, &config, &[]);
        assert_eq!(found, code, "{run:#}");
        let shop = &findings(&run)["shop"];
        assert_eq!(shop["state"], state);
        assert!(shop["note"].as_str().unwrap_or_default().contains(note));
    }
    let (code, told) = home.json(None, &["exec", "ping", "report"]);
    assert_eq!(code, 0, "{told:#}");
    let history = told["report"]["details"]["history"].as_array().unwrap();
    assert_eq!(history.len(), 3);
    for line in history {
        assert_eq!(
            (
                &line["target"],
                &line["checks"],
                &line["down"],
                &line["uptime"]
            ),
            (&json!("shop"), &json!(4), &json!(4), &json!(0.0))
        );
    }
    let (_, uptime) = home.json(None, &["runs", "uptime"]);
    assert_eq!(uptime[0]["task"], "ping");
    assert_eq!(uptime[0]["down"], 4);
    let (code, _) = home.json(
        None,
        &[
            "exec",
            "ping",
            "check",
            "--net",
            &net[0],
            "--dry-run",
            "--set",
            "targets=[{\"file\":{\"path\":\"/x\"}}]",
        ],
    );
    assert_ne!(code, 0, "what is not granted is refused in a dry run too");
}

fn apply(home: &Home, now: &str, config: &str) {
    home.write("mhost.toml", config);
    let file = home.path("mhost.toml");
    let (code, told) = home.json(Some(now), &["apply", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{told:#}");
}

fn run(home: &Home, now: &str) -> (i32, Value) {
    home.json(Some(now), &["run", "watch"])
}

pub fn windows_files_and_processes() {
    let home = Home::new();
    let (dead, alive) = (nobody(), serve(Bad::Answers(http("200 OK", "", ""))));
    std::fs::create_dir(home.path("data")).unwrap();
    home.write("data/fresh", "x");
    home.write("pid", &std::process::id().to_string());
    let folder = home.path("data");
    let pid_file = home.path("pid");
    let config = format!(
        r#"
[tasks.watch]
plugin = "ping"
action = "check"
schedule = "manual"
[tasks.watch.config]
targets = [
    {{ name = "dead", http = "http://127.0.0.1:{dead}" }},
    {{ name = "alive", http = "http://127.0.0.1:{alive}" }},
    {{ name = "file", file = {{ path = "/data/fresh", min_size = 1 }} }},
    {{ name = "process", process = "test" }},
]
maintenance = [{{ schedule = {{ cron = "0 2 * * *", tz = "UTC" }}, length = "1h" }}]
[tasks.watch.grants]
net = ["http://127.0.0.1:{dead}", "http://127.0.0.1:{alive}"]
dirs.data = {{ path = {folder:?} }}
processes.test = {{ pid_file = {pid_file:?}, signal = "NONE" }}
"#
    );
    apply(&home, "2026-12-01T01:00:00Z", &config);
    let states = |now: &str, expected: &[&str]| {
        let (code, told) = run(&home, now);
        let found = findings(&told);
        let names = ["dead", "alive", "file", "process"];
        let states: Vec<_> = names
            .map(|name| found[name]["state"].as_str().unwrap().to_owned())
            .to_vec();
        assert_eq!(states, expected, "{told:#}");
        code
    };
    // In the window nothing is down; after it all that is down is.
    let quiet = states("2026-12-01T02:30:00Z", &["maintenance", "up", "up", "up"]);
    assert_eq!(quiet, 0);
    let loud = states("2026-12-01T03:00:01Z", &["down", "up", "up", "up"]);
    assert_eq!(loud, 1);
    for now in ["2026-12-02T04:59:00Z", "2026-12-02T05:01:00Z"] {
        states(now, &["down", "up", "up", "up"]);
    }
    let (_, uptime) = home.json(
        Some("2026-12-02T05:02:00Z"),
        &["runs", "uptime", "--task", "watch"],
    );
    let of = |target: &str, span: &str| {
        let lines = uptime.as_array().unwrap().iter();
        let mut lines = lines.filter(|line| line["target"] == target && line["span"] == span);
        lines.next().unwrap()["checks"].clone()
    };
    assert_eq!(of("dead", "month"), 3, "the window does not count");
    assert_eq!(of("alive", "month"), 4);
    assert_eq!(of("alive", "hour"), 2);
}
