//! What is spoken with a web server: certificates of every kind, and both versions of HTTP.

use serde_json::json;

use super::home::{Home, findings};
use super::second::{self, Answer};
use super::servers::{Bad, serve};
use super::table::{Table, answers};
use super::tls;

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
