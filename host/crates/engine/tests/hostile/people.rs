//! Alerts and messages: bounded, masked, withheld in a dry run, and committed whatever
//! becomes of the run.

use mhost_model::Fault;
use mhost_model::alert::AlertChange;
use mhost_model::run::ErrorKind;
use serde_json::{Value, json};

use crate::support::{Attack, Went};

fn people(config: Value) -> Attack {
    Attack::new("people", config)
}

fn cause(went: &Went) -> &Fault {
    let error = went.error();
    match &error.cause {
        Some(fault) => fault,
        None => panic!("no cause: {}", error.message),
    }
}

fn keys(went: &Went) -> Vec<&str> {
    went.finished.alerts.iter().map(AlertChange::key).collect()
}

#[test]
fn what_a_run_says_comes_back_with_its_end() {
    let went = people(json!({"verb": "raise", "key": "site", "text": "down"})).go();
    went.report();
    assert_eq!(keys(&went), ["site"]);
    let used = &went.finished.receipt.used["alerts"];
    assert!(used.verbs.contains("raise") && used.parts.contains("site"));
    let went = people(json!({"verb": "raise-and-panic", "key": "site"})).go();
    went.error();
    assert_eq!(keys(&went), ["site"], "also of a run that fails");
}

#[test]
fn a_dry_run_tells_nobody() {
    for (verb, withheld) in [
        ("raise", "raise alert site"),
        ("resolve", "resolve alert site"),
        ("send", "send site through mail"),
    ] {
        let config = json!({"verb": verb, "key": "site", "name": "mail", "file": "f"});
        let went = people(config)
            .grants(|grants| {
                grants.channels.insert("mail".parse().unwrap());
            })
            .dry_run()
            .go();
        assert!(matches!(cause(&went), Fault::DryRun(_)), "{verb}");
        assert_eq!(went.finished.receipt.withheld, [withheld]);
        assert_eq!(went.finished.alerts, []);
        assert!(went.fake.asked().is_empty());
    }
}

#[test]
fn there_is_an_end_to_alerts() {
    let went = people(json!({"verb": "raise-many", "count": 10_001, "text": ""})).go();
    assert!(matches!(cause(&went), Fault::Limit(_)), "keys");
    assert_eq!(went.finished.alerts.len(), 10_000);
    let text = "x".repeat(1 << 20);
    let went = people(json!({"verb": "raise-many", "count": 5, "text": text})).go();
    assert!(matches!(cause(&went), Fault::Limit(_)), "bytes");
    for key in [String::new(), "x".repeat(201), "two\nlines".into()] {
        let went = people(json!({"verb": "raise", "key": key, "text": ""})).go();
        assert!(matches!(cause(&went), Fault::Invalid(_)), "{key:?}");
        assert_eq!(went.error().kind, ErrorKind::Setup, "{key:?}");
    }
}

#[test]
fn a_secret_that_is_read_later_is_hidden_too() {
    let said = "the password is long enough password, is it not";
    let went = people(json!({"verb": "raise-secret", "key": "site", "text": said}))
        .secret("password", "long enough password")
        .go();
    went.report();
    let told = serde_json::to_string(&went.finished.alerts).unwrap();
    assert!(told.contains("the password is"), "{told}");
    assert!(!told.contains("long enough"), "{told}");
}

#[test]
fn only_granted_channels_carry_messages() {
    let send = |name: &str, count: u64, file: &str| {
        people(json!({"verb": "send", "key": "id-1", "name": name, "count": count, "file": file, "text": "sub\r\nBcc: x"}))
            .grants(|grants| {
                grants.channels.insert("mail".parse().unwrap());
            })
            .go()
    };
    let went = send("mail", 10, "web.log");
    went.report();
    assert_eq!(went.fake.asked(), ["send id-1 through mail"]);
    assert!(went.finished.receipt.used.contains_key("channels.mail"));
    let went = send("other", 10, "web.log");
    let Fault::Denied(denial) = cause(&went) else {
        panic!("granted");
    };
    assert!(
        denial.remedy.contains("channels = [\"mail\", \"other\"]"),
        "{}",
        denial.remedy
    );
    let went = send("mail", (8 << 20) + 1, "web.log");
    assert!(matches!(cause(&went), Fault::Limit(_)));
    let went = send("mail", 1, "../web.log");
    assert!(matches!(cause(&went), Fault::Invalid(_)));
}

#[test]
fn holds_are_open_and_other_tasks_are_granted() {
    let went = people(json!({"verb": "holders", "key": "held"})).go();
    assert_eq!(went.report().summary, "pack");
    let went = people(json!({"verb": "holders", "key": "free"})).go();
    assert_eq!(went.report().summary, "");
    for (key, count, held) in [("held", 3, "3"), ("free", 3, "0"), ("held", 0, "0")] {
        let went = people(json!({"verb": "holders-of", "key": key, "count": count})).go();
        assert_eq!(went.report().summary, held);
    }
    let went = people(json!({"verb": "holders-of", "key": "held", "count": 50_001})).go();
    assert!(matches!(cause(&went), Fault::Limit(_)));
    let went = people(json!({"verb": "holders-of", "key": "", "count": 1})).go();
    assert!(matches!(cause(&went), Fault::Invalid(_)));
    let went = people(json!({"verb": "status", "name": "backup"})).go();
    let Fault::Denied(denial) = cause(&went) else {
        panic!("granted");
    };
    assert!(
        denial.remedy.contains("tasks = [\"backup\"]"),
        "{}",
        denial.remedy
    );
    let went = people(json!({"verb": "status", "name": "backup"}))
        .grants(|grants| {
            grants.tasks.insert("backup".parse().unwrap());
        })
        .go();
    assert!(matches!(cause(&went), Fault::NotFound(_)));
}
