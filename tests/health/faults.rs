//! One run against every bad behaviour: each target has the verdict and the reason that
//! it should, within its deadline.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::home::{Home, findings};
use super::second::{self, Answer};
use super::servers::{Bad, http, nobody, serve};
use super::{names, tls};

/// Targets with what is expected of them, and the origins that they need.
#[derive(Default)]
struct Table {
    targets: Vec<Value>,
    net: Vec<String>,
    expected: Vec<(String, &'static str, &'static str)>,
}

impl Table {
    fn add(
        &mut self,
        name: &str,
        origin: String,
        mut target: Value,
        state: &'static str,
        why: &'static str,
    ) {
        let fields = target.as_object_mut().unwrap();
        fields.insert("name".into(), json!(name));
        fields.entry("timeout").or_insert(json!("1s"));
        self.targets.push(target);
        self.net.push(origin);
        self.expected.push((name.to_owned(), state, why));
    }

    fn http(
        &mut self,
        name: &str,
        bad: Bad,
        settings: Value,
        state: &'static str,
        why: &'static str,
    ) {
        let port = serve(bad);
        let mut target = json!({ "http": format!("http://127.0.0.1:{port}/") });
        let fields = target.as_object_mut().unwrap();
        fields.extend(settings.as_object().unwrap().clone());
        self.add(name, format!("http://127.0.0.1:{port}"), target, state, why);
    }

    fn tcp(
        &mut self,
        name: &str,
        bad: Bad,
        settings: Value,
        state: &'static str,
        why: &'static str,
    ) {
        let port = serve(bad);
        let mut target = json!({ "tcp": format!("127.0.0.1:{port}") });
        let fields = target.as_object_mut().unwrap();
        fields.extend(settings.as_object().unwrap().clone());
        self.add(name, format!("tcp://127.0.0.1:{port}"), target, state, why);
    }

    /// Runs all, and compares.
    fn run(self, home: &Home, more: &[&str]) -> Value {
        let (code, run) = home.check(&self.net, &json!({ "targets": self.targets }), more);
        assert_eq!(code, 1, "{run:#}");
        let found = findings(&run);
        for (name, state, why) in &self.expected {
            let one = &found[name];
            assert_eq!(one["state"], *state, "{one:#}");
            assert_eq!(
                one["up"],
                json!(matches!(*state, "up" | "degraded")),
                "{one:#}"
            );
            let error = one["error"].as_str().unwrap_or_default();
            assert!(
                error.contains(why),
                "{name}: `{error}` does not say `{why}`"
            );
        }
        assert_eq!(found.len(), self.expected.len());
        run
    }
}

fn answers(status: &str, headers: &str, body: &str) -> Bad {
    Bad::Answers(http(status, headers, body))
}

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
            "",
        ),
        ("hangs up", Bad::HangsUp, json!({}), "down", ""),
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

pub fn certificates_of_every_kind() {
    let home = Home::new();
    let authority = tls::Authority::new();
    std::fs::create_dir(home.path("ca")).unwrap();
    home.write("ca/ca.pem", &authority.pem());
    let mut table = Table::default();
    let ca = json!({ "ca": "/ca/ca.pem" });
    let near = json!({ "ca": "/ca/ca.pem", "min_days": 100_000 });
    for (name, port, certificate, state, why) in [
        (
            "trusted",
            authority.serve("localhost", 2099),
            ca.clone(),
            "up",
            "",
        ),
        (
            "expired",
            authority.serve("localhost", 2021),
            ca.clone(),
            "down",
            "expired",
        ),
        (
            "wrong host",
            authority.serve("other.example", 2099),
            ca.clone(),
            "down",
            "not valid for",
        ),
        (
            "named",
            authority.serve("other.example", 2099),
            json!({ "ca": "/ca/ca.pem", "server_name": "other.example" }),
            "up",
            "",
        ),
        (
            "self-signed",
            tls::self_signed("localhost"),
            ca.clone(),
            "down",
            "not trusted",
        ),
        (
            "self-signed, known",
            tls::self_signed("localhost"),
            json!({ "trusted": false }),
            "up",
            "",
        ),
        (
            "soon over",
            authority.serve("localhost", 2099),
            near,
            "down",
            "renew it",
        ),
        (
            "old version",
            tls::old(),
            ca.clone(),
            "down",
            "1.2 or newer",
        ),
        (
            "no tls",
            serve(Bad::Speaks(vec!["220 mail ready\r\n"])),
            ca.clone(),
            "down",
            "does not speak TLS",
        ),
        (
            "silent tls",
            serve(Bad::Silent),
            ca.clone(),
            "down",
            "was up while shaking hands",
        ),
    ] {
        let url = format!("https://localhost:{port}");
        let target = json!({ "http": url, "certificate": certificate, "timeout": "2s" });
        table.add(name, url, target, state, why);
    }
    let port = authority.serve("localhost", 2021);
    let target = json!({ "tls": { "host": "localhost", "port": port, "ca": "/ca/ca.pem" } });
    let origin = format!("tls://localhost:{port}");
    table.add(
        "certificate",
        origin,
        target,
        "down",
        "its certificate ended",
    );
    let grant = format!("ca={}:ro", home.path("ca").display());
    let run = table.run(&home, &["--dir", &grant]);
    let found = findings(&run);
    let subject = found["trusted"]["certificate"]["subject"].as_str().unwrap();
    assert!(subject.contains("localhost"), "{subject}");
    assert!(
        found["certificate"]["certificate"]["days_left"]
            .as_i64()
            .unwrap()
            < 0
    );
    assert!(found["trusted"]["phases_ms"]["handshake"].is_f64());
}

/// HTTP/2 where the peer speaks it, and only where it may be spoken.
pub fn both_versions_of_http() {
    let home = Home::new();
    let authority = tls::Authority::new();
    std::fs::create_dir(home.path("ca")).unwrap();
    home.write("ca/ca.pem", &authority.pem());
    let secure = |protocols: &[&str], answer| {
        second::secure(authority.config("localhost"), protocols, answer)
    };
    let both = secure(&["h2", "http/1.1"], Answer::Whole);
    let mut table = Table::default();
    for (name, port, settings, state, why) in [
        ("negotiated", both, json!({ "expect_body": "1" }), "up", ""),
        (
            "1.1 wished",
            both,
            json!({ "http_version": "1.1" }),
            "up",
            "",
        ),
        ("2 wished", both, json!({ "http_version": "2" }), "up", ""),
        (
            "2 not expected",
            both,
            json!({ "expect_version": ["HTTP/1.1"] }),
            "down",
            "it spoke HTTP/2.0, expected HTTP/1.1",
        ),
        (
            "no ALPN",
            authority.serve("localhost", 2099),
            json!({ "http_version": "2" }),
            "down",
            "does not offer HTTP/2",
        ),
        (
            "1.1 alone",
            secure(&["http/1.1"], Answer::Whole),
            json!({ "http_version": "2" }),
            "down",
            "none of the versions of HTTP",
        ),
        (
            "2 alone",
            secure(&["h2"], Answer::Whole),
            json!({ "http_version": "1.1" }),
            "down",
            "none of the versions of HTTP",
        ),
        (
            "endless",
            secure(&["h2"], Answer::Floods),
            json!({ "max_body": "2 MiB" }),
            "down",
            "longer than",
        ),
        (
            "endless, left",
            secure(&["h2"], Answer::Floods),
            json!({}),
            "up",
            "",
        ),
        (
            "stalls",
            secure(&["h2"], Answer::Stalls),
            json!({}),
            "down",
            "was up while reading the answer",
        ),
    ] {
        let url = format!("https://localhost:{port}");
        let mut target = json!({ "http": url, "certificate": { "ca": "/ca/ca.pem" } });
        let fields = target.as_object_mut().unwrap();
        fields.extend(settings.as_object().unwrap().clone());
        table.add(name, url, target, state, why);
    }
    for (name, port, state, why) in [
        ("in the clear", second::clear(Answer::Whole), "up", ""),
        (
            "silent",
            serve(Bad::Silent),
            "down",
            "was up while waiting for the answer",
        ),
        ("speaks 1.1", serve(answers("200 OK", "", "1")), "down", ""),
        ("hangs up", serve(Bad::HangsUp), "down", ""),
    ] {
        let url = format!("http://127.0.0.1:{port}");
        let target = json!({ "http": url, "http_version": "2" });
        table.add(name, url, target, state, why);
    }
    let grant = format!("ca={}:ro", home.path("ca").display());
    let run = table.run(&home, &["--dir", &grant]);
    let found = findings(&run);
    for (name, version) in [
        ("negotiated", "HTTP/2.0"),
        ("1.1 wished", "HTTP/1.1"),
        ("2 wished", "HTTP/2.0"),
        ("in the clear", "HTTP/2.0"),
    ] {
        assert_eq!(found[name]["version"], version, "{:#}", found[name]);
    }
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
