//! What checks mean after those before: states, parents, maintenance, and what is kept.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mhost_sdk::Error;
use mhost_sdk::testing::NativeHost;
use mhost_sdk::watch::{Condition, Summary};
use serde_json::{Value, json};

use super::{answering, details, response};
use crate::plugin;

/// A host at which the named targets are down; who is down can be changed.
fn down() -> (NativeHost, Rc<RefCell<BTreeSet<&'static str>>>) {
    let down: Rc<RefCell<BTreeSet<&'static str>>> = Rc::default();
    let seen = Rc::clone(&down);
    let host = answering(
        move |asked| match seen.borrow().contains(asked.url.as_str()) {
            true => Err(Error::Failed("refused".to_owned())),
            false => Ok(response(200, "")),
        },
    );
    (host, down)
}

/// Runs a check; whether it succeeded, and the state of each target.
fn states(host: &NativeHost, config: &Value) -> (bool, Vec<String>) {
    let outcome = host.run(&plugin(), "check", config.clone());
    let good = outcome.is_ok();
    let details = details(outcome);
    let targets = details["targets"].as_array().unwrap();
    let states = targets
        .iter()
        .map(|one| one["state"].as_str().unwrap().to_owned());
    (good, states.collect())
}

#[test]
fn a_failed_run_is_remembered_too() {
    let (host, down) = down();
    let config = json!({
        "targets": [{ "http": "http://a/" }],
        "failures_to_down": 2,
        "successes_to_up": 2,
    });
    for (failing, good, state) in [
        (false, true, "up"),
        (true, true, "degraded"),
        (true, false, "down"),
        (false, false, "down"),
        (false, true, "up"),
    ] {
        down.borrow_mut().clear();
        if failing {
            down.borrow_mut().insert("http://a/");
        }
        assert_eq!(states(&host, &config), (good, vec![state.to_owned()]));
    }
    let conditions: Vec<_> = host.observed().iter().map(|one| one.condition).collect();
    use Condition::{Degraded, Down, Up};
    assert_eq!(conditions, [Up, Down, Down, Degraded, Up]);
}

#[test]
fn what_hangs_on_a_dead_gateway_is_unreachable() {
    let (host, down) = down();
    let config = json!({ "targets": [
        { "name": "gate", "http": "http://gate/" },
        { "name": "line", "http": "http://line/" },
        { "name": "one", "http": "http://one/", "parents": ["gate"] },
        { "name": "two", "http": "http://two/", "parents": ["gate", "line"] },
        { "name": "below", "http": "http://below/", "parents": ["one"] },
    ]});
    down.borrow_mut().extend([
        "http://gate/",
        "http://one/",
        "http://two/",
        "http://below/",
    ]);
    let (good, found) = states(&host, &config);
    assert!(!good);
    assert_eq!(found, ["down", "up", "unreachable", "down", "unreachable"]);
    // What answers all the same is not cut off.
    down.borrow_mut().remove("http://one/");
    let (_, found) = states(&host, &config);
    assert_eq!(found[2], "up");
    let unreachable = host
        .observed()
        .into_iter()
        .filter(|one| one.subject == "below");
    let conditions: Vec<_> = unreachable.map(|one| one.condition).collect();
    assert_eq!(conditions, [Condition::Unknown, Condition::Down]);
}

#[test]
fn in_maintenance_nothing_is_down() {
    let (host, down) = down();
    let schedule = json!({ "cron": "0 2 * * SUN" });
    let now = 1_772_323_200_000;
    let host = host.with_window(&schedule.to_string(), now + 60_000);
    down.borrow_mut().extend(["http://a/", "http://b/"]);
    let window = json!([{ "schedule": schedule, "length": "2h" }]);
    let own = json!({ "targets": [
        { "http": "http://a/", "maintenance": window },
        { "http": "http://b/" },
        { "http": "http://c/", "maintenance": window },
    ]});
    assert_eq!(
        states(&host, &own),
        (
            false,
            vec!["maintenance".into(), "down".into(), "up".into()]
        )
    );
    let all = json!({ "targets": [{ "http": "http://a/" }], "maintenance": window });
    assert_eq!(states(&host, &all), (true, vec!["maintenance".into()]));
    host.set_now(now + 60_000);
    assert_eq!(states(&host, &all), (false, vec!["down".into()]));
}

#[test]
fn a_dry_run_leaves_nothing_behind() {
    let (host, _) = down();
    let config = json!({ "targets": [{ "http": "http://a/" }] });
    host.dry_run(&plugin(), "check", config).unwrap();
    assert!(host.observed().is_empty());
}

#[test]
fn equal_targets_are_told_apart() {
    let (host, _) = down();
    let config = json!({ "targets": [{ "http": "http://a/" }, { "http": "http://a/" }] });
    host.run(&plugin(), "check", config).unwrap();
    let subjects: Vec<_> = host.observed().into_iter().map(|one| one.subject).collect();
    assert_eq!(subjects, ["http://a/", "http://a/ #2"]);
}

#[test]
fn many_targets_fit_into_a_report() {
    let long = "x".repeat(500);
    let host = answering(move |asked| match asked.url.ends_with("/9999") {
        true => Err(Error::Failed("refused".to_owned())),
        false => Ok(response(200, "")),
    });
    let targets: Vec<_> = (0..10_000)
        .map(|at| json!({ "name": format!("{at}{}", &long[..400]), "http": format!("http://a/{at}") }))
        .collect();
    let failure = host
        .run(&plugin(), "check", json!({ "targets": targets }))
        .unwrap_err();
    let report = failure.partial.unwrap();
    assert_eq!(report.figure("targets_up"), Some(9999.0));
    assert!(report.details_text().unwrap().len() < 4 << 20);
    let details = report.details.unwrap();
    let listed = details["targets"].as_array().unwrap();
    assert!(listed.iter().any(|one| one["state"] == "down"));
    assert_eq!(
        listed.len() as u64 + details["omitted"].as_u64().unwrap(),
        10_000
    );
}

#[test]
fn history_is_a_table() {
    let summary = |task: &str, span: &str, down: u64| Summary {
        task: task.to_owned(),
        subject: "a".to_owned(),
        span: span.to_owned(),
        up: 2999,
        degraded: 0,
        down,
        p50: Some(1500),
        p90: Some(2000),
        p99: Some(9000),
        max: Some(9000),
        seen: 1,
    };
    let host = NativeHost::new().with_summaries(vec![
        summary("web", "hour", 0),
        summary("web", "month", 1),
        summary("mail", "month", 0),
    ]);
    let report = host
        .run(&plugin(), "report", json!({ "task": "web" }))
        .unwrap();
    assert_eq!(
        report.summary,
        "1 targets in the last month, 99.966 % up at least"
    );
    let details = report.details.unwrap();
    assert_eq!(details["history"].as_array().unwrap().len(), 2);
    assert_eq!(details["history"][1]["uptime"], 99.966);
    assert_eq!(details["history"][1]["p50_ms"], 1.5);
    let none = NativeHost::new()
        .run(&plugin(), "report", json!({}))
        .unwrap();
    assert_eq!(none.summary, "nothing was observed yet");
}
