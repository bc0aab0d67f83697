//! The ping plugin against fake peers, through the native host.

mod probes;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mhost_sdk::http::{Request, Response};
use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Denial, Error, Failure, Report};
use serde_json::{Value, json};

use crate::plugin;

fn run(host: &NativeHost, targets: Value) -> Result<Report, Failure> {
    host.run(&plugin(), "check", json!({ "targets": targets }))
}

fn answering(answer: impl Fn(&Request) -> mhost_sdk::Result<Response> + 'static) -> NativeHost {
    NativeHost::new().with_http(answer)
}

fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        body: body.as_bytes().to_vec(),
        first_byte: Duration::from_millis(3),
        total: Duration::from_millis(5),
        ..Response::default()
    }
}

#[test]
fn a_target_is_up_when_status_and_body_are_as_expected() {
    for (settings, up) in [
        (json!({}), true),
        (json!({ "expect_status": [200] }), true),
        (json!({ "expect_status": [204, "3xx"] }), false),
        (json!({ "expect_body": "well" }), true),
        (json!({ "expect_body": "ill" }), false),
    ] {
        let host = answering(|_| Ok(response(200, "all is well")));
        let mut target = json!({ "http": "http://a/health" });
        target
            .as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let outcome = run(&host, json!([target]));
        assert_eq!(outcome.is_ok(), up, "{settings}: {outcome:?}");
        if let Ok(report) = outcome {
            assert_eq!(report.figure("latency_ms_max"), Some(5.0));
            let details = report.details.unwrap();
            assert_eq!(details["targets"][0]["phases_ms"]["first_byte"], 3.0);
        }
    }
}

#[test]
fn those_that_are_down_are_named_and_the_others_reported() {
    let host = answering(|request| match request.url.as_str() {
        "http://a/" => Ok(response(200, "")),
        "http://b/" => Ok(response(503, "")),
        _ => Err(Error::TimedOut(
            "`GET http://c/` was not answered within 2s".to_owned(),
        )),
    });
    let targets = json!([
        { "http": "http://a/" },
        { "name": "shop", "http": "http://b/" },
        { "http": "http://c/" },
    ]);
    let failure = run(&host, targets).unwrap_err();
    assert!(failure.retryable);
    assert_eq!(failure.cause, None);
    for text in [
        "`shop` is down: it answered 503, expected 2xx",
        "`http://c/` is down",
        "within 2s",
    ] {
        assert!(failure.message.contains(text), "{}", failure.message);
    }
    let partial = failure.partial.unwrap();
    assert_eq!(partial.figure("targets_up"), Some(1.0));
    assert_eq!(partial.figure("targets_down"), Some(2.0));
}

#[test]
fn a_refusal_is_final_and_keeps_its_remedy() {
    let denial = Denial {
        capability: "network".to_owned(),
        target: "http://a".to_owned(),
        verb: "GET".to_owned(),
        remedy: "add it".to_owned(),
    };
    let host = answering(move |_| Err(Error::Denied(denial.clone())));
    let failure = run(&host, json!([{ "http": "http://a/", "retries": 3 }])).unwrap_err();
    assert!(!failure.retryable);
    assert!(matches!(failure.cause.as_deref(), Some(Error::Denied(_))));
    let details = failure.partial.unwrap().details.unwrap();
    assert_eq!(
        details["targets"][0]["attempts"], 1,
        "asking again would not help"
    );
}

#[test]
fn a_target_that_is_down_is_asked_again() {
    for (retries, up) in [(0, false), (1, false), (2, true)] {
        let asked = Rc::new(Cell::new(0));
        let count = Rc::clone(&asked);
        let host = answering(move |_| {
            count.set(count.get() + 1);
            Ok(response(if count.get() < 3 { 500 } else { 200 }, ""))
        });
        let outcome = run(&host, json!([{ "http": "http://a/", "retries": retries }]));
        assert_eq!(outcome.is_ok(), up);
        assert_eq!(asked.get(), retries + 1);
    }
}

#[test]
fn slow_is_up_but_said() {
    let host = answering(|_| Ok(response(200, "")));
    let targets =
        json!([{ "http": "http://a/", "warn_ms": 4 }, { "http": "http://b/", "warn_ms": 5 }]);
    let report = run(&host, targets).unwrap();
    assert_eq!(report.figure("targets_slow"), Some(1.0));
    assert!(
        host.logged()
            .iter()
            .any(|(_, line)| line.contains("`http://a/` is slow"))
    );
}

#[test]
fn a_redirect_is_not_followed_and_said() {
    let host = answering(|_| {
        let headers = vec![("Location".to_owned(), "https://b/".to_owned())];
        Ok(Response {
            headers,
            ..response(301, "")
        })
    });
    let failure = run(&host, json!([{ "http": "http://a/" }])).unwrap_err();
    assert!(
        failure.message.contains("https://b/"),
        "{}",
        failure.message
    );
}

#[test]
fn what_is_sent() {
    let host = answering(|request| {
        assert_eq!(request.method, "POST");
        assert_eq!(request.body, b"ping");
        assert_eq!(request.timeout, Duration::from_millis(1500));
        let has = |name: &str, value: &str| {
            let mut headers = request.headers.iter();
            headers.any(|(n, v)| n == name && v == value)
        };
        assert!(has("authorization", "Bearer s3cret") && has("x-a", "1"));
        Ok(response(200, ""))
    })
    .with_secret("token", "s3cret");
    let target = json!({
        "http": "https://a/", "method": "POST", "body": "ping", "headers": { "x-a": "1" },
        "bearer_secret": "token", "timeout": "1500ms",
    });
    run(&host, json!([target.clone()])).unwrap();
    let dry = host
        .dry_run(&plugin(), "check", json!({ "targets": [target] }))
        .unwrap();
    assert!(
        dry.summary.contains("1 not asked in a dry run"),
        "{}",
        dry.summary
    );
}

#[test]
fn mistakes_are_named() {
    for (targets, named) in [
        (json!([]), "`targets` is empty"),
        (json!([{ "name": "x" }]), "exactly one"),
        (json!([{ "http": "http://a", "tcp": "a:1" }]), "exactly one"),
        (json!([{ "http": "ftp://a" }]), "`http://`"),
        (
            json!([{ "http": "http://a", "method": "get" }]),
            "`get` is no method",
        ),
        (
            json!([{ "http": "http://a", "method": "HEAD", "expect_body": "x" }]),
            "HEAD",
        ),
        (
            json!([{ "http": "http://a", "expect_status": [] }]),
            "`expect_status`",
        ),
        (
            json!([{ "http": "http://a", "expect_status": ["2x"] }]),
            "no status",
        ),
        (json!([{ "tcp": "a" }]), "host:port"),
        (
            json!([{ "tcp": "a:1", "headers": { "x": "y" } }]),
            "`headers`",
        ),
        (json!([{ "dns": { "name": "a" }, "body": "x" }]), "`body`"),
        (
            json!([{ "http": "http://a", "timeout": "soon" }]),
            "duration",
        ),
        (json!([{ "http": "http://a", "retry": 1 }]), "retry"),
    ] {
        let failure = run(&NativeHost::new(), targets).unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
        assert!(!failure.retryable);
    }
}
