//! The plugin's state and configuration.

use serde_json::{Value, json};

use crate::support::{Attack, copy};

#[test]
fn changes_of_the_state_come_back_with_the_end() {
    let attack = Attack::new("state", json!({"set": {"b": "2", "c": null, "d": "4"}}));
    for key in ["a", "b", "c"] {
        attack
            .fake
            .state
            .lock()
            .unwrap()
            .insert(key.into(), b"old".to_vec());
    }
    let went = attack.go();
    assert_eq!(went.report().summary, "a,b,d");
    let changes = &went.finished.state;
    assert_eq!(changes["b"].as_deref(), Some(b"2".as_slice()));
    assert_eq!(changes["c"], None);
    assert_eq!(changes.len(), 3);
    // Nothing is written before the outcome is.
    assert_eq!(copy(&went.fake.state)["b"], b"old");
}

#[test]
fn all_pages_of_the_state_are_listed() {
    let mut set = serde_json::Map::new();
    for at in 0..1500 {
        set.insert(format!("new {at:05}"), Value::from("x"));
    }
    // A whole page is deleted.
    for at in 0..1200 {
        set.insert(format!("old {at:05}"), Value::Null);
    }
    let attack = Attack::new("state", json!({"set": set}));
    for at in 0..2500 {
        attack
            .fake
            .state
            .lock()
            .unwrap()
            .insert(format!("old {at:05}"), Vec::new());
    }
    let went = attack.go();
    assert_eq!(went.report().metrics["keys"], 1500.0 + 2500.0 - 1200.0);
}

#[test]
fn there_is_one_bucket() {
    Attack::new("state", json!({"bucket": "default"}))
        .go()
        .report();
    let went = Attack::new("state", json!({"bucket": "others"})).go();
    assert!(
        went.error().message.contains("NoSuchStore"),
        "{}",
        went.error().message
    );
}

#[test]
fn a_failed_run_changes_no_state() {
    let went = Attack::new("state-huge", json!({"bytes": 10 << 20, "times": 1})).go();
    went.error();
    assert!(went.finished.state.is_empty());
}

#[test]
fn the_configuration_is_flat() {
    for (ask, expected) in [
        ("ask", "ask"),
        ("keep.last", "7"),
        ("logs.1", "b"),
        ("keep", "{\"last\":7}"),
        ("keep.first", "nothing"),
        ("keep.last.least", "nothing"),
    ] {
        let config = json!({"ask": ask, "keep": {"last": 7}, "logs": ["a", "b"]});
        assert_eq!(
            Attack::new("config", config).go().report().summary,
            expected
        );
    }
}
