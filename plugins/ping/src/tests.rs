//! The ping plugin against fake peers, through the native host.

mod local;
mod probes;
mod standing;

use std::cell::Cell;
use std::rc::Rc;

use mhost_sdk::probe::{Ask, Found, HttpAsk, HttpFound, Phases, Question};
use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Denial, Error, Failure, Report};
use serde_json::{Value, json};

use crate::plugin;

fn run(host: &NativeHost, targets: Value) -> Result<Report, Failure> {
    host.run(&plugin(), "check", json!({ "targets": targets }))
}

fn answering(answer: impl Fn(&HttpAsk) -> mhost_sdk::Result<HttpFound> + 'static) -> NativeHost {
    NativeHost::new().with_found(move |ask| match &ask.question {
        Question::Http(asked) => answer(asked).map(Found::Http),
        other => panic!("asked for {other:?}"),
    })
}

fn phases(total_ms: u64) -> Phases {
    Phases {
        resolve: 0,
        connect: 1_000_000,
        handshake: 0,
        first_byte: 3_000_000,
        transfer: 0,
        total: total_ms * 1_000_000,
    }
}

fn response(status: u16, body: &str) -> HttpFound {
    HttpFound {
        status,
        version: "HTTP/1.1".to_owned(),
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
        size: body.len() as u64,
        cut: false,
        url: "http://a/".to_owned(),
        redirects: 0,
        address: "192.0.2.1:80".to_owned(),
        tls: None,
        phases: phases(5),
    }
}

/// A target of `http://a/` with these settings.
fn with(settings: &Value) -> Value {
    let mut target = json!({ "http": "http://a/" });
    let settings = settings.as_object().unwrap().clone();
    target.as_object_mut().unwrap().extend(settings);
    target
}

/// Why the only target is down.
fn why(host: &NativeHost, target: Value) -> Option<String> {
    let outcome = run(host, json!([target]));
    outcome.err().map(|failure| failure.message)
}

fn details(outcome: Result<Report, Failure>) -> Value {
    let report = match outcome {
        Ok(report) => report,
        Err(failure) => *failure.partial.unwrap(),
    };
    report.details.unwrap()
}

#[test]
fn a_target_is_up_when_status_and_body_are_as_expected() {
    for (settings, expected) in [
        (json!({}), None),
        (json!({ "expect_status": [200] }), None),
        (
            json!({ "expect_status": [204, "3xx"] }),
            Some("expected 204 or 3xx"),
        ),
        (json!({ "expect_body": "well" }), None),
        (json!({ "expect_body": "ill" }), Some("not hold `ill`")),
        (json!({ "expect_match": ["^all", "w.ll"] }), None),
        (
            json!({ "expect_match": ["all", "^well"] }),
            Some("not match `^well`"),
        ),
        (json!({ "reject_match": ["w.ll"] }), Some("match `w.ll`")),
        (json!({ "reject_match": ["^well"] }), None),
        (
            json!({ "expect_json": [{ "path": "$.a" }] }),
            Some("no JSON"),
        ),
        (json!({ "expect_version": ["HTTP/1.0", "HTTP/1.1"] }), None),
        (
            json!({ "expect_version": ["HTTP/2.0"] }),
            Some("spoke HTTP/1.1"),
        ),
        (json!({ "expect_tls": true }), Some("in the clear")),
        (json!({ "expect_tls": false }), None),
        (json!({ "expect_header": { "X-A": "^1" } }), None),
        (
            json!({ "expect_header": { "x-a": "^2" } }),
            Some("`x-a` does not match"),
        ),
        (
            json!({ "expect_header": { "x-b": "" } }),
            Some("no header `x-b`"),
        ),
        (
            json!({ "reject_header": { "x-a": "^1" } }),
            Some("matches `^1`"),
        ),
        (json!({ "reject_header": { "x-b": "" } }), None),
        (json!({ "fail_ms": 4 }), Some("it took 5 ms, more than 4")),
        (json!({ "fail_ms": 5 }), None),
    ] {
        let host = answering(|_| {
            Ok(HttpFound {
                headers: vec![("x-a".to_owned(), "1".to_owned())],
                ..response(200, "all is well")
            })
        });
        let outcome = run(&host, json!([with(&settings)]));
        match (expected, &outcome) {
            (None, Ok(report)) => {
                assert_eq!(report.figure("latency_ms_max"), Some(5.0));
                let details = report.details.as_ref().unwrap();
                assert_eq!(details["targets"][0]["phases_ms"]["first_byte"], 3.0);
                assert_eq!(details["targets"][0]["state"], "up");
            }
            (Some(expected), Err(failure)) => {
                assert!(failure.message.contains(expected), "{}", failure.message);
            }
            _ => panic!("{settings}: {outcome:?}"),
        }
    }
}

#[test]
fn what_a_json_answer_must_hold() {
    let host = answering(|_| {
        Ok(response(
            200,
            r#"{"ok":true,"list":[{"n":1.0,"s":"up 3"}]}"#,
        ))
    });
    for (rule, expected) in [
        (json!({ "path": "$.ok", "is": true }), None),
        (
            json!({ "path": "$.ok", "is": false }),
            Some("expected `false`"),
        ),
        (json!({ "path": "$.list[0].n", "is": 1 }), None),
        (
            json!({ "path": "$.list[-1].s", "matches": "^up [0-9]$" }),
            None,
        ),
        (
            json!({ "path": "$.list[0].s", "matches": "down" }),
            Some("does not match"),
        ),
        (json!({ "path": "$.none" }), Some("nothing at `$.none`")),
    ] {
        let found = why(&host, with(&json!({ "expect_json": [rule] })));
        match expected {
            None => assert_eq!(found, None, "{rule}"),
            Some(text) => assert!(found.clone().unwrap().contains(text), "{found:?}"),
        }
    }
}

#[test]
fn an_answer_may_be_too_long() {
    let host = answering(|asked| {
        Ok(HttpFound {
            cut: asked.read < 100_000,
            ..response(200, "")
        })
    });
    assert_eq!(
        why(&host, with(&json!({}))),
        None,
        "it is left, and was well"
    );
    let found = why(&host, with(&json!({ "max_body": "90 kB" }))).unwrap();
    assert!(found.contains("longer than"), "{found}");
    assert_eq!(why(&host, with(&json!({ "max_body": "1 MiB" }))), None);
}

#[test]
fn those_that_are_down_are_named_and_the_others_reported() {
    let host = answering(|asked| match asked.url.as_str() {
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
        let headers = vec![("location".to_owned(), "https://b/".to_owned())];
        Ok(HttpFound {
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
    let host = NativeHost::new()
        .with_found(|ask: &Ask| {
            assert_eq!((ask.timeout_ms, ask.delay_ms), (1500, 0));
            let Question::Http(asked) = &ask.question else {
                panic!("{ask:?}");
            };
            assert_eq!(asked.method, "POST");
            assert_eq!(asked.body, b"ping");
            let has = |name: &str, value: &str| {
                let mut headers = asked.headers.iter();
                headers.any(|(n, v)| n == name && v == value)
            };
            assert!(has("x-a", "1"));
            match asked.url.as_str() {
                "https://a/" => assert!(has("authorization", "Bearer s3cret")),
                _ => assert!(has("authorization", "Basic bWU6czNjcmV0")),
            }
            Ok(Found::Http(response(200, "")))
        })
        .with_secret("token", "s3cret");
    let base = json!({
        "method": "POST", "body": "ping", "headers": { "x-a": "1" }, "timeout": "1500ms",
    });
    let bearer = json!({ "module": "m", "http": "https://a/", "bearer_secret": "token" });
    let basic = json!({
        "module": "m", "http": "https://b/",
        "basic_auth": { "user": "me", "password_secret": "token" },
    });
    let config = json!({ "targets": [bearer, basic], "modules": { "m": base } });
    host.run(&plugin(), "check", config.clone()).unwrap();
    let dry = host.dry_run(&plugin(), "check", config).unwrap();
    assert!(
        dry.summary.contains("2 not asked in a dry run"),
        "{}",
        dry.summary
    );
}

#[test]
fn asking_again_waits_if_it_is_told_to() {
    let host = NativeHost::new().with_found(|ask: &Ask| match ask.delay_ms {
        0 => Err(Error::Failed("refused".to_owned())),
        700 => Ok(Found::Http(response(200, ""))),
        other => panic!("waited {other}"),
    });
    let target = with(&json!({ "retries": 1, "retry_delay": "700ms" }));
    let details = details(run(&host, json!([target])));
    assert_eq!(details["targets"][0]["attempts"], 2);
}

#[test]
fn a_module_is_what_a_target_does_not_say_itself() {
    let host = answering(|asked| match asked.method.as_str() {
        "HEAD" => Ok(response(204, "")),
        _ => Ok(response(200, "")),
    });
    let config = json!({
        "modules": { "quiet": { "method": "HEAD", "expect_status": [204] } },
        "targets": [
            { "module": "quiet", "http": "http://a/" },
            { "module": "quiet", "http": "http://b/", "method": "GET", "expect_status": [200] },
        ],
    });
    host.run(&plugin(), "check", config).unwrap();
    for (config, named) in [
        (
            json!({ "targets": [{ "module": "x", "http": "http://a/" }] }),
            "no module `x`",
        ),
        (
            json!({ "modules": { "m": { "htp": "" } }, "targets": [] }),
            "the module `m`",
        ),
        (
            json!({ "modules": { "m": { "module": "m" } }, "targets": [] }),
            "cannot take another module",
        ),
    ] {
        let failure = host.run(&plugin(), "check", config).unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
    }
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
        (
            json!([{ "http": "http://a", "expect_match": ["("] }]),
            "no regular expression",
        ),
        (
            json!([{ "http": "http://a", "expect_json": [{ "path": "a" }] }]),
            "no path",
        ),
        (json!([{ "http": "http://a", "steps": [{}] }]), "`steps`"),
        (
            json!([{ "tcp": "a:1", "steps": [{}], "body": "x" }]),
            "in place of",
        ),
        (json!([{ "disk": { "path": "/d" } }]), "needs a limit"),
        (json!([{ "http": "http://u:hunter2@a/" }]), "`basic_auth"),
        (
            json!([{ "name": "x", "http": "http://u:hunter2@a/" }]),
            "`basic_auth",
        ),
        (json!([{ "http": "http://[" }]), "no host"),
        (
            json!([{ "http": "http://a", "headers": { "a b": "c" } }]),
            "`a b` is no header's name",
        ),
        (
            json!([{ "http": "http://a", "headers": { "x": "a\r\nb: c" } }]),
            "must be one line",
        ),
        (json!([{ "tls": { "host": "a", "port": 0 } }]), "1 to 65535"),
        (json!([{ "tls": { "host": "" } }]), "needs a `host`"),
        (
            json!([{ "dns": { "name": "a", "server": "s", "port": 0 } }]),
            "1 to 65535",
        ),
        (json!([{ "icmp": "a b" }]), "needs a host"),
        (
            json!([{ "tcp": "a:1", "certificate": { "min_days": 9 } }]),
            "without TLS",
        ),
        (
            json!([{ "icmp": "a", "certificate": { "min_days": 9 } }]),
            "`certificate`",
        ),
        (
            json!([{ "http": "http://a", "timeout": "0s" }]),
            "from 1ms to 1h",
        ),
        (
            json!([{ "http": "http://a", "timeout": "99999999999d" }]),
            "from 1ms to 1h",
        ),
        (json!([{ "process": "web", "retries": 1 }]), "`retries`"),
        (
            json!([{ "file": { "path": "/d/a" }, "retry_delay": "1s" }]),
            "`retry_delay`",
        ),
        (
            json!([{ "process": "web", "warn_ms": 5 }]),
            "`warn_ms` has no meaning",
        ),
        (
            json!([{ "tcp": "a:1", "http_version": "2" }]),
            "`http_version`",
        ),
        (json!([{ "http": "http://a", "http_version": "3" }]), "`3`"),
        (
            json!([{ "http": "http://a", "expect_version": ["HTTP/2"] }]),
            "`HTTP/2` is no version",
        ),
        (
            json!([{ "http": format!("http://{}", "a".repeat(200)) }]),
            "needs a `name` of one line, 1 to 200 bytes",
        ),
        (
            json!([{ "name": "a\nb", "http": "http://a" }]),
            "needs a `name`",
        ),
        (json!([{ "dns": {} }]), "needs a `name`"),
        (
            json!([{ "dns": { "name": "a", "rcodes": ["NXDOMAIN"] } }]),
            "need a `server`",
        ),
        (
            json!([{ "http": "http://a", "parents": ["b"] }]),
            "which is no target",
        ),
        (
            json!([
                { "name": "a", "icmp": "a", "parents": ["b"] },
                { "name": "b", "icmp": "b", "parents": ["a"] },
            ]),
            "its own ancestor",
        ),
    ] {
        let failure = run(&NativeHost::new(), targets).unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
        assert!(!failure.message.contains("hunter2"), "{}", failure.message);
        assert!(!failure.retryable);
    }
}

/// Far more than a stack would hold, and each above the next.
#[test]
fn long_chains_of_parents() {
    let chain = |last: &str| {
        let target = |at: usize| {
            let parent = if at == 0 {
                last.to_owned()
            } else {
                (at - 1).to_string()
            };
            let parents: Vec<String> = Some(parent)
                .filter(|name| !name.is_empty())
                .into_iter()
                .collect();
            json!({ "name": at.to_string(), "http": "http://a/", "parents": parents })
        };
        let config = json!({ "targets": (0..20_000).map(target).collect::<Vec<_>>() });
        let config: crate::config::Config = serde_json::from_value(config).unwrap();
        config.mistake(&config.labels())
    };
    assert_eq!(chain(""), None);
    assert!(chain("19999").unwrap().contains("its own ancestor"));
}
