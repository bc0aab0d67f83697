//! One run against every bad behaviour: each target has the verdict and the reason that
//! it should, within its deadline.

use std::time::{Duration, Instant};

use serde_json::json;

use super::home::{Home, findings};
use super::names;
use super::servers::{Bad, http, nobody, serve};
use super::table::{Table, answers};

fn raw(text: &str) -> Bad {
    Bad::Answers(text.as_bytes().to_vec())
}

fn web(table: &mut Table) {
    let drip = "HTTP/1.1 200 OK\r\n\r\n";
    let drip_head = "HTTP/1.1 200 OK\r\nx-slow: ";
    for (name, bad, settings, state, why) in [
        (
            "well",
            answers("200 OK", "", "1"),
            json!({ "expect_body": "1" }),
            "up",
            "",
        ),
        (
            "wrong body",
            answers("200 OK", "", "2"),
            json!({ "expect_body": "1" }),
            "down",
            "not hold `1`",
        ),
        (
            "error",
            answers("503 No", "", ""),
            json!({}),
            "down",
            "it answered 503",
        ),
        (
            "silent",
            Bad::Silent,
            json!({}),
            "down",
            "was up while waiting for the answer",
        ),
        (
            "dripping head",
            Bad::Drips(drip_head),
            json!({}),
            "down",
            "was up while waiting",
        ),
        (
            "dripping body",
            Bad::Drips(drip),
            json!({}),
            "down",
            "was up while reading",
        ),
        (
            "endless",
            Bad::Floods(drip),
            json!({ "expect_body": "1" }),
            "down",
            "first 1048576 bytes",
        ),
        ("endless, left", Bad::Floods(drip), json!({}), "up", ""),
        (
            "too long",
            Bad::Floods(drip),
            json!({ "max_body": "2 MiB" }),
            "down",
            "longer than",
        ),
        (
            "endless head",
            Bad::Floods(drip_head),
            json!({}),
            "down",
            "message head is too large",
        ),
        (
            "endless promises",
            Bad::Repeats("HTTP/1.1 100 Continue\r\n\r\n"),
            json!({}),
            "down",
            "was up while waiting for the answer",
        ),
        // It says that the connection was closed, or reset.
        (
            "hangs up",
            Bad::HangsUp,
            json!({}),
            "down",
            "GET http://127.0.0.1:",
        ),
        (
            "no http",
            raw("SSH-2.0-x\r\n\r\n"),
            json!({}),
            "down",
            "does not speak HTTP",
        ),
        (
            "cut short",
            raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n1"),
            json!({}),
            "down",
            "end of file before message length",
        ),
        (
            "late",
            Bad::Late(300),
            json!({ "warn_ms": 100 }),
            "degraded",
            "it is slow",
        ),
        (
            "too late",
            Bad::Late(300),
            json!({ "fail_ms": 100 }),
            "down",
            "more than 100",
        ),
        (
            "moved",
            answers("302 Found", "location: /x\r\n", ""),
            json!({}),
            "down",
            "leads to `/x`",
        ),
        (
            "moved in circles",
            answers("302 Found", "location: /x\r\n", ""),
            json!({ "redirects": 3 }),
            "down",
            "more than 3 times",
        ),
        (
            "json",
            answers("200 OK", "", "{\"a\":[{\"b\":3}]}"),
            json!({ "expect_json": [{ "path": "$.a[0].b", "is": 3 }] }),
            "up",
            "",
        ),
    ] {
        table.http(name, bad, settings, state, why);
    }
    let port = nobody();
    let url = format!("http://127.0.0.1:{port}");
    table.add(
        "nobody",
        url.clone(),
        json!({ "http": url }),
        "down",
        "cannot connect",
    );
    let retried = json!({ "retries": 2, "retry_delay": "10ms" });
    table.http(
        "again",
        answers("500 x", "", ""),
        retried,
        "down",
        "it answered 500",
    );
}

fn ports(table: &mut Table) {
    let greets = Bad::Speaks(vec!["220 ready\r\n", "250 hello\r\n", "221 bye\r\n"]);
    let talk = json!({ "steps": [
        { "expect": "^220 (ready)", "send": "EHLO ${1}\r\n" },
        { "expect": "^250", "send": "QUIT\r\n" },
        { "expect": "^221" },
    ]});
    for (name, bad, settings, state, why) in [
        ("port", Bad::Silent, json!({}), "up", ""),
        (
            "banner",
            greets.clone(),
            json!({ "expect_body": "220" }),
            "up",
            "",
        ),
        (
            "other banner",
            greets.clone(),
            json!({ "expect_body": "SSH" }),
            "down",
            "it said `220 ready",
        ),
        (
            "no banner",
            Bad::Silent,
            json!({ "expect_body": "220" }),
            "down",
            "it said ``",
        ),
        ("talk", greets.clone(), talk, "up", ""),
        (
            "silent talk",
            Bad::Silent,
            json!({ "steps": [{ "expect": "x" }] }),
            "down",
            "waiting for `x`",
        ),
        (
            "ended talk",
            Bad::HangsUp,
            json!({ "steps": [{ "expect": "x" }] }),
            "down",
            "closed",
        ),
    ] {
        table.tcp(name, bad, settings, state, why);
    }
    // A record of 16 KiB is announced, with the beginning of a server's hello.
    let hello = Bad::Trickles(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03");
    let port = serve(hello);
    table.add(
        "dripping handshake",
        format!("tls://127.0.0.1:{port}"),
        json!({ "tls": { "host": "127.0.0.1", "port": port } }),
        "down",
        "was up while shaking hands",
    );
}

fn name_servers(table: &mut Table) {
    let port = names::serve();
    let silent = Bad::Silent;
    let dead = serve(silent);
    for (name, server, settings, state, why) in [
        (
            "name",
            port,
            json!({ "name": "a.example", "expect": "192.0.2.1" }),
            "up",
            "",
        ),
        (
            "name over tcp",
            port,
            json!({ "name": "a.example", "tcp": true }),
            "up",
            "",
        ),
        (
            "long name",
            port,
            json!({ "name": "long.example", "expect": "192.0.2.40" }),
            "up",
            "",
        ),
        (
            "other name",
            port,
            json!({ "name": "a.example", "expect": "192.0.2.2" }),
            "down",
            "without",
        ),
        (
            "no name",
            port,
            json!({ "name": "gone.example" }),
            "down",
            "NXDOMAIN",
        ),
        (
            "no name, right",
            port,
            json!({ "name": "gone.example", "rcodes": ["NXDOMAIN"] }),
            "up",
            "",
        ),
        (
            "silent name",
            port,
            json!({ "name": "silent.example" }),
            "down",
            "was up while waiting",
        ),
        (
            "odd name",
            port,
            json!({ "name": "odd.example" }),
            "down",
            "cannot be read",
        ),
        (
            "no answer over tcp",
            dead,
            json!({ "name": "a.example", "tcp": true }),
            "down",
            "was up while",
        ),
    ] {
        let mut dns = settings;
        let fields = dns.as_object_mut().unwrap();
        fields.insert("server".into(), json!("127.0.0.1"));
        fields.insert("port".into(), json!(server));
        let origin = format!("dns://127.0.0.1:{server}");
        table.add(name, origin, json!({ "dns": dns }), state, why);
    }
}

pub fn every_bad_behaviour_has_its_verdict() {
    let mut table = Table::default();
    web(&mut table);
    ports(&mut table);
    name_servers(&mut table);
    let begun = Instant::now();
    let run = table.run(&Home::new(), &[]);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "all are asked at the same time"
    );
    let found = findings(&run);
    assert_eq!(found["again"]["attempts"], 3);
    assert_eq!(found["well"]["status"], 200);
    assert_eq!(found["well"]["version"], "HTTP/1.1");
    for phase in ["connect", "first_byte"] {
        assert!(
            found["well"]["phases_ms"][phase].is_f64(),
            "{:#}",
            found["well"]
        );
    }
    let hosts = run["receipt"]["hosts"].as_array().unwrap();
    assert!(
        hosts.len() > 20,
        "the receipt names who was reached: {hosts:?}"
    );
}

/// The command that others run: a deadline is kept, and a target that is down fails the run.
pub fn one_deadline_for_all() {
    let home = Home::new();
    for bad in [Bad::Silent, Bad::Drips("HTTP/1.1 200 OK\r\n\r\n")] {
        let port = serve(bad);
        let origin = format!("http://127.0.0.1:{port}");
        let set = format!(
            "targets=[{{\"http\":\"{origin}/\",\"expect_body\":\"1\",\"timeout\":\"2s\"}}]"
        );
        let args = ["exec", "ping", "check", "--net", &origin, "--set", &set];
        let (code, run) = home.json(None, &args);
        assert_eq!(code, 1, "{run:#}");
        assert_eq!(run["outcome"], "failed");
        let time = |key: &str| {
            let text = run[key].as_str().unwrap();
            let at: chrono::DateTime<chrono::Utc> = text.parse().unwrap();
            at.timestamp_millis()
        };
        let took = time("finished_at") - time("started_at");
        assert!((2000..3500).contains(&took), "it took {took} ms");
        let target = &run["report"]["details"]["targets"][0];
        let error = target["error"].as_str().unwrap();
        assert!(error.contains("the time of 2s was up"), "{error}");
    }
}

/// A peer repeats the secret, and what is shown of its answer ends within that.
pub fn no_part_of_a_secret_is_kept() {
    let home = Home::new();
    let secret = home.write("token", "hunter2-and-much-more");
    let body = format!("{{\"a\":\"{}hunter2-and-much-more\"}}", "x".repeat(105));
    let port = serve(answers("200 OK", "", &body));
    let origin = format!("http://127.0.0.1:{port}");
    let config = json!({ "targets": [{
        "http": origin, "bearer_secret": "token",
        "expect_json": [{ "path": "$.a", "is": "1" }],
    }]});
    let granted = format!("token=file:{}", secret.display());
    let (code, run) = home.check(&[origin], &config, &["--secret", &granted]);
    assert_eq!(code, 1, "{run:#}");
    let error = run["report"]["details"]["targets"][0]["error"]
        .as_str()
        .unwrap();
    assert!(error.contains("xx***…` at `$.a`"), "{error}");
    assert!(!run.to_string().contains("hunter2"), "{run:#}");
}

/// Nothing is asked where the configuration makes no sense, and no password is repeated.
pub fn a_mistake_of_the_configuration_is_no_outage() {
    let home = Home::new();
    for target in [
        json!({ "http": "http://me:hunter2@127.0.0.1/" }),
        json!({ "http": "http://[" }),
    ] {
        let (code, run) = home.check(&[], &json!({ "targets": [target] }), &[]);
        assert_eq!(code, 2, "{run:#}");
        assert!(
            run["error"]["message"]
                .as_str()
                .unwrap()
                .contains("makes no sense"),
            "{run:#}"
        );
        assert!(!run.to_string().contains("hunter2"), "{run:#}");
    }
    let (_, uptime) = home.json(None, &["runs", "uptime"]);
    assert_eq!(uptime, json!([]));
}

pub fn a_redirect_needs_its_own_grant() {
    let home = Home::new();
    let there = serve(answers("200 OK", "", "1"));
    let location = format!("location: http://127.0.0.1:{there}/\r\n");
    let here = serve(Bad::Answers(http("302 Found", &location, "")));
    let origins = [here, there].map(|port| format!("http://127.0.0.1:{port}"));
    let config = json!({ "targets": [{ "http": origins[0], "redirects": 2 }] });
    let (code, run) = home.check(&origins[..1], &config, &[]);
    assert_eq!(code, 4, "{run:#}");
    let denied = run["receipt"]["denied"][0]["target"].as_str().unwrap();
    assert_eq!(denied, origins[1]);
    let (code, run) = home.check(&origins, &config, &[]);
    assert_eq!(code, 0, "{run:#}");
    let target = &run["report"]["details"]["targets"][0];
    assert_eq!(target["url"], format!("{}/", origins[1]));
}
