//! Failures that a person can read.

use mhost_model::run::ErrorKind;
use serde_json::json;

use crate::support::Attack;

#[test]
fn a_panic_is_shown_first_then_its_place() {
    let went = Attack::new("panic", json!({"message": "the disk is on fire"})).go();
    let error = went.error();
    assert_eq!(error.kind, ErrorKind::Trap);
    let mut lines = error.message.lines();
    let first = lines.next().unwrap();
    assert!(
        first.starts_with("the plugin panicked: the disk is on fire ("),
        "{first}"
    );
    assert!(first.contains("attacks/compute.rs:"), "{first}");
    let place = lines.next().unwrap();
    assert!(
        place.starts_with("  at ") && place.contains("attacks/compute.rs:"),
        "{}",
        error.message
    );
    assert!(!error.retryable);
}

#[test]
fn an_exit_is_named() {
    let went = Attack::new("exit", json!({})).go();
    let message = &went.error().message;
    assert!(
        message.starts_with("the plugin ended itself (exit code 1)"),
        "{message}"
    );
}

#[test]
fn a_returned_failure_stands_as_it_is() {
    let went = Attack::new("no-such-attack", json!({})).go();
    assert_eq!(went.error().message, "no attack `no-such-attack`");
    assert_eq!(went.error().kind, ErrorKind::Failure);
}
