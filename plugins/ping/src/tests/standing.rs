//! What checks mean after those before: states, parents, maintenance, and what is kept.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mhost_sdk::alerts::Severity;
use mhost_sdk::probe::HttpFound;
use mhost_sdk::testing::{FakeDatabase, NativeHost};
use mhost_sdk::watch::{Condition, Summary};
use mhost_sdk::{Denial, Error};
use serde_json::{Value, json};

use super::{answering, details, phases, response};
use crate::config::Config;
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
fn what_a_task_holds_is_silent() {
    let (host, down) = down();
    down.borrow_mut().insert("http://a/");
    let config = json!({ "targets": [
        { "name": "a", "http": "http://a/" },
        { "name": "b", "http": "http://b/" },
    ]});
    // By the target's name, and by the task's own, which is all of its targets.
    for name in ["a", "test"] {
        host.hold(name, "pack-site");
        assert_eq!(
            states(&host, &config),
            (true, vec!["held".into(), "up".into()])
        );
        assert!(host.standing().is_empty());
        host.release(name);
    }
    let report = details(host.run(&plugin(), "check", config.clone()));
    assert_eq!(
        report["targets"][0]["state"], "down",
        "it did not count before"
    );
    assert_eq!(host.standing().into_keys().collect::<Vec<_>>(), ["a"]);
    let conditions = host.observed().into_iter().filter(|one| one.subject == "a");
    let conditions: Vec<_> = conditions.map(|one| one.condition).collect();
    assert_eq!(
        conditions,
        [Condition::Unknown, Condition::Unknown, Condition::Down]
    );
    // What stands goes on standing meanwhile.
    host.hold("a", "restore-site");
    let report = details(host.run(&plugin(), "check", config.clone()));
    assert_eq!(
        report["targets"][0]["note"],
        "`restore-site` is at work on it"
    );
    assert_eq!(host.standing().len(), 1);
    // A check that holds its own targets looks all the same.
    host.release("a");
    host.hold("a", "test");
    assert_eq!(states(&host, &config).1[0], "down");
}

#[test]
fn what_is_looked_at_is_held_by_its_own_name() {
    let host = NativeHost::new().with_database("site", FakeDatabase::new("sqlite", 4096, 0));
    let config = json!({ "targets": [{ "database": "gone" }, { "process": "web" }] });
    assert_eq!(states(&host, &config).1, ["down", "down"]);
    host.hold("gone", "restore");
    host.hold("web", "restore");
    assert_eq!(
        states(&host, &config),
        (true, vec!["held".into(), "held".into()])
    );
}

/// A hold that ends while the targets are asked was on when they were.
#[test]
fn a_hold_that_ends_meanwhile_counts() {
    let host = Rc::new_cyclic(|weak: &std::rc::Weak<NativeHost>| {
        let weak = weak.clone();
        answering(move |_| {
            weak.upgrade().unwrap().release("a");
            Err(Error::Failed("refused".to_owned()))
        })
    });
    host.hold("a", "pack-site");
    let config = json!({ "targets": [{ "name": "a", "http": "http://a/" }] });
    assert_eq!(states(&host, &config), (true, vec!["held".into()]));
    assert_eq!(states(&host, &config), (false, vec!["down".into()]));
}

/// What people are told after each check: the severity and the message.
fn told(host: &NativeHost, config: &Value) -> Option<(Severity, String)> {
    let _ = host.run(&plugin(), "check", config.clone());
    let standing = host.standing();
    assert!(standing.len() <= 1, "{standing:?}");
    standing
        .into_values()
        .next()
        .map(|one| (one.severity, one.message))
}

#[test]
fn an_alert_stands_from_down_to_up() {
    let (host, down) = down();
    let config = json!({
        "targets": [{ "name": "a", "http": "http://a/" }],
        "failures_to_down": 2,
        "successes_to_up": 2,
    });
    for (failing, stands) in [
        (false, false),
        (true, false),
        (true, true),
        (true, true),
        (false, true),
        (false, false),
        (true, false),
    ] {
        down.borrow_mut().clear();
        if failing {
            down.borrow_mut().insert("http://a/");
        }
        let told = told(&host, &config);
        assert_eq!(told.is_some(), stands);
        if let Some((severity, message)) = told {
            assert_eq!(severity, Severity::Critical);
            // Also while it answers, but not for long enough.
            assert_eq!(message, "down: refused");
        }
    }
}

#[test]
fn slow_for_long_enough_is_told_and_flapping_is_told_once() {
    let slow = Rc::new(RefCell::new(true));
    let seen = Rc::clone(&slow);
    let host = answering(move |_| {
        Ok(HttpFound {
            phases: phases(if *seen.borrow() { 50 } else { 1 }),
            ..response(200, "")
        })
    });
    let config = json!({
        "targets": [{ "name": "a", "http": "http://a/", "warn_ms": 10 }],
        "failures_to_down": 2,
    });
    assert_eq!(told(&host, &config), None);
    let (severity, message) = told(&host, &config).unwrap();
    assert_eq!(severity, Severity::Degraded);
    assert_eq!(message, "degraded: it is slow: 50 ms, more than 10");
    *slow.borrow_mut() = false;
    assert_eq!(told(&host, &config), None);

    let (host, down) = self::down();
    let config = json!({
        "targets": [{ "name": "a", "http": "http://a/" }],
        "flapping": { "checks": 10, "changes": 3 },
    });
    let mut heard = Vec::new();
    for failing in [false, true, false, true, false] {
        down.borrow_mut().clear();
        if failing {
            down.borrow_mut().insert("http://a/");
        }
        heard.push(told(&host, &config).map(|(severity, _)| severity));
    }
    use Severity::{Critical, Degraded};
    assert_eq!(
        heard,
        [None, Some(Critical), None, Some(Degraded), Some(Degraded)]
    );
}

#[test]
fn nobody_is_told_of_what_is_unreachable_or_in_maintenance() {
    let (host, down) = down();
    let schedule = json!({ "cron": "0 2 * * SUN" });
    let host = host.with_window(&schedule.to_string(), 1_772_323_260_000);
    down.borrow_mut()
        .extend(["http://gate/", "http://a/", "http://b/"]);
    let config = json!({ "targets": [
        { "name": "gate", "http": "http://gate/" },
        { "name": "a", "http": "http://a/", "parents": ["gate"] },
        { "name": "b", "http": "http://b/", "maintenance": [{ "schedule": schedule, "length": "2h" }] },
    ]});
    assert_eq!(
        states(&host, &config).1,
        ["down", "unreachable", "maintenance"]
    );
    assert_eq!(host.standing().into_keys().collect::<Vec<_>>(), ["gate"]);
}

/// Whether the alerts of `a` and `b` are silent.
fn silent(host: &NativeHost) -> Vec<(String, bool)> {
    let standing = host.standing().into_iter();
    standing.map(|(name, one)| (name, one.silent)).collect()
}

#[test]
fn what_stands_is_silent_while_nobody_can_judge_it() {
    let (host, down) = down();
    let schedule = json!({ "cron": "0 2 * * SUN" });
    let host = host.with_window(&schedule.to_string(), 1_772_323_260_000);
    let config = |length: &str| {
        json!({ "targets": [
            { "name": "gate", "http": "http://gate/" },
            { "name": "a", "http": "http://a/", "parents": ["gate"] },
            { "name": "b", "http": "http://b/", "maintenance": [{ "schedule": schedule, "length": length }] },
        ]})
    };
    let all = |gate: bool, a: bool, b: bool| {
        vec![
            ("a".to_owned(), a),
            ("b".to_owned(), b),
            ("gate".to_owned(), gate),
        ]
    };
    // Before the window, and before the gateway fails.
    host.set_now(1_772_323_260_000);
    down.borrow_mut().extend(["http://a/", "http://b/"]);
    states(&host, &config("2h"));
    assert_eq!(silent(&host), all(false, false, false)[..2]);
    host.set_now(1_772_323_200_000);
    down.borrow_mut().insert("http://gate/");
    assert_eq!(
        states(&host, &config("2h")).1,
        ["down", "unreachable", "maintenance"]
    );
    assert_eq!(silent(&host), all(false, true, true));
    // In its window what is well again still says nothing, nor does it nag.
    down.borrow_mut().remove("http://b/");
    states(&host, &config("2h"));
    assert_eq!(silent(&host), all(false, true, true));
    // Both count again, and what is still wrong is told as before.
    down.borrow_mut().remove("http://gate/");
    host.set_now(1_772_323_260_000);
    states(&host, &config("2h"));
    assert_eq!(silent(&host), all(false, false, false)[..1]);
}

#[test]
fn an_outage_is_told_whatever_flapped_before() {
    let (host, down) = down();
    let config = json!({
        "targets": [{ "name": "a", "http": "http://a/" }],
        "flapping": { "checks": 10, "changes": 3 },
    });
    let mut heard = Vec::new();
    for failing in [true, false, true, false, true, true, true, true] {
        down.borrow_mut().clear();
        if failing {
            down.borrow_mut().insert("http://a/");
        }
        heard.push(told(&host, &config).map(|(severity, _)| severity));
    }
    use Severity::{Critical, Degraded};
    let last = [Degraded, Degraded, Degraded, Critical, Critical].map(Some);
    assert_eq!(heard[3..], last);
}

#[test]
fn what_could_not_be_asked_is_no_outage() {
    let host = NativeHost::new().with_found(|_| {
        Err(Error::Denied(Denial {
            capability: "network".to_owned(),
            target: "http://a".to_owned(),
            verb: "GET".to_owned(),
            remedy: "add it".to_owned(),
        }))
    });
    let config = json!({ "targets": [
        { "name": "denied", "http": "http://a/" },
        { "name": "secret", "http": "http://a/", "bearer_secret": "none" },
        { "name": "authority", "http": "https://a/", "certificate": { "ca": "/none/ca.pem" } },
    ]});
    let outcome = host.run(&plugin(), "check", config);
    assert!(outcome.is_err());
    let conditions: Vec<_> = host.observed().iter().map(|one| one.condition).collect();
    assert_eq!(conditions, [Condition::Unknown; 3]);
}

#[test]
fn a_target_that_is_none_any_more_has_no_alert() {
    let (host, down) = down();
    down.borrow_mut().extend(["http://a/", "http://b/"]);
    let config = |names: &[&str]| {
        let target = |name: &&str| json!({ "name": name, "http": format!("http://{name}/") });
        json!({ "targets": names.iter().map(target).collect::<Vec<_>>() })
    };
    states(&host, &config(&["a", "b"]));
    assert_eq!(host.standing().len(), 2);
    states(&host, &config(&["b", "c"]));
    assert_eq!(host.standing().into_keys().collect::<Vec<_>>(), ["b"]);
    host.dry_run(&plugin(), "check", config(&["c"])).unwrap();
    assert_eq!(host.standing().len(), 1, "a dry run takes nothing back");
}

#[test]
fn many_alerts_are_remembered() {
    let down = Rc::new(RefCell::new(true));
    let seen = Rc::clone(&down);
    let host = answering(move |_| match *seen.borrow() {
        true => Err(Error::Failed("refused".to_owned())),
        false => Ok(response(200, "")),
    });
    // More than the host takes alerts of one run.
    let targets: Vec<_> = (0..11_000)
        .map(|at| json!({ "name": format!("{at}"), "http": format!("http://a/{at}") }))
        .collect();
    let config = json!({ "targets": targets });
    states(&host, &config);
    assert_eq!(host.standing().len(), 10_000);
    *down.borrow_mut() = false;
    states(&host, &config);
    assert!(host.standing().is_empty());
}

#[test]
fn a_dry_run_leaves_nothing_behind() {
    let (host, down) = down();
    down.borrow_mut().insert("http://a/");
    let config = json!({ "targets": [{ "http": "http://a/" }] });
    host.dry_run(&plugin(), "check", config).unwrap_err();
    assert!(host.observed().is_empty());
    assert!(host.standing().is_empty());
}

#[test]
fn equal_targets_are_told_apart() {
    let (host, _) = down();
    let config = json!({ "targets": [{ "http": "http://a/" }, { "http": "http://a/" }] });
    host.run(&plugin(), "check", config).unwrap();
    let subjects: Vec<_> = host.observed().into_iter().map(|one| one.subject).collect();
    assert_eq!(subjects, ["http://a/", "http://a/ #2"]);
    let config = json!({ "targets": [
        { "http": "http://a/" },
        { "name": "http://a/ #2", "http": "http://b/" },
        { "http": "http://a/" },
    ]});
    let labels = serde_json::from_value::<Config>(config).unwrap().labels();
    assert_eq!(labels, ["http://a/", "http://a/ #2", "http://a/ #3"]);
}

#[test]
fn many_targets_fit_into_a_report() {
    let long = "x".repeat(195);
    let host = answering(move |asked| match asked.url.ends_with("/9999") {
        true => Err(Error::Failed("refused".to_owned())),
        false => Ok(response(200, "")),
    });
    let targets: Vec<_> = (0..10_000)
        .map(|at| json!({ "name": format!("{at}{}", &long[..195]), "http": format!("http://a/{at}") }))
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
