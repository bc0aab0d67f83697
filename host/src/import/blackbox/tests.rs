//! Single modules; the verdicts are compared with the real program in
//! `tests/blackbox.rs`.

use serde_json::{Value, json};

use super::import;

/// The settings of the one module, and the notes.
fn one(module: &str) -> (Value, Vec<String>) {
    let indented = module.replace('\n', "\n    ");
    let imported = import(&format!("modules:\n  m:\n    {indented}\n"), &[]).unwrap();
    let notes = imported.notes.into_iter();
    let notes = notes.filter(|note| !note.starts_with("no target is named"));
    (imported.config["modules"]["m"].clone(), notes.collect())
}

#[test]
fn modules_in_our_words() {
    for (module, expected) in [
        (
            "prober: http\ntimeout: 5s",
            json!({ "timeout": "5s", "method": "GET", "redirects": 10, "max_body": "1 GiB" }),
        ),
        (
            "prober: http\nhttp:\n  method: POST\n  body: x\n  follow_redirects: false\n  valid_status_codes: [200, 204]\n  body_size_limit: 10KB\n  fail_if_not_ssl: true\n  headers: { X-A: b }",
            json!({
                "method": "POST", "body": "x", "expect_status": [200, 204], "max_body": 10240,
                "expect_tls": true, "headers": { "X-A": "b" },
            }),
        ),
        (
            "prober: http\nhttp: { enable_http2: false, valid_http_versions: [HTTP/2.0] }",
            json!({
                "method": "GET", "redirects": 10, "max_body": "1 GiB", "http_version": "1.1",
                "expect_version": ["HTTP/2.0"],
            }),
        ),
        (
            "prober: tcp\ntcp:\n  query_response:\n    - expect: \"^220\"\n    - send: EHLO x\n    - starttls: true\n  tls_config: { insecure_skip_verify: true, server_name: mail }",
            json!({
                "steps": [{ "expect": "^220" }, { "send": "EHLO x\n" }, { "start_tls": true }],
                "certificate": { "trusted": false, "server_name": "mail" },
            }),
        ),
        (
            "prober: dns\ndns:\n  query_name: example.org\n  query_type: SOA\n  transport_protocol: tcp\n  validate_answer_rrs: { fail_if_none_matches_regexp: [x] }",
            json!({ "dns": {
                "name": "example.org", "record": "soa", "tcp": true, "rcodes": ["NOERROR"],
                "answer": { "fail_if_none_matches": ["x"] },
            }}),
        ),
        (
            "prober: icmp\nicmp: { preferred_ip_protocol: ip4, ip_protocol_fallback: false, payload_size: 64 }",
            json!({ "icmp_bytes": 64, "family": "ipv4" }),
        ),
    ] {
        let (settings, notes) = one(module);
        assert_eq!(settings, expected, "{module}");
        assert_eq!(notes, Vec::<String>::new(), "{module}");
    }
}

#[test]
fn what_has_no_counterpart_is_said() {
    for (module, said) in [
        ("prober: grpc", "`grpc`"),
        (
            "prober: http\nhttp: { proxy_url: \"http://p\" }",
            "`proxy_url`",
        ),
        (
            "prober: http\nhttp: { valid_http_versions: [HTTP/3.0] }",
            "always down",
        ),
        ("prober: icmp\nicmp: { ttl: 3 }", "`ttl`"),
        (
            "prober: http\nhttp: { tls_config: { cert_file: /c } }",
            "`cert_file`",
        ),
        (
            "prober: http\nhttp: { basic_auth: { username: u, password: geheim } }",
            "put it into /etc/mhost/secrets/m",
        ),
    ] {
        let (settings, notes) = one(module);
        assert!(notes.iter().any(|note| note.contains(said)), "{notes:?}");
        assert!(!settings.to_string().contains("geheim"));
    }
}

#[test]
fn targets_and_their_grants() {
    let file = "modules: { web: { prober: http }, port: { prober: tcp }, name: { prober: dns, dns: { query_name: a } }, echo: { prober: icmp } }";
    let targets = [
        "web=https://example.org/x?y=1",
        "web=127.0.0.1:80",
        "port=db:5432",
        "name=192.0.2.53",
        "name=[2001:db8::1]:5353",
        "echo=gateway",
    ];
    let imported = import(file, &targets.map(str::to_owned)).unwrap();
    assert_eq!(
        imported.grants["net"],
        json!([
            "dns://192.0.2.53",
            "dns://[2001:db8::1]:5353",
            "http://127.0.0.1",
            "https://example.org",
            "icmp://gateway",
            "tcp://db:5432",
        ])
    );
    assert_eq!(
        imported.config["targets"][3],
        json!({ "module": "name", "dns": { "server": "192.0.2.53", "port": 53 } })
    );
    for bad in ["web", "none=x", "port=x=y"] {
        let outcome = import(file, &[bad.to_owned()]);
        assert!(bad == "port=x=y" || outcome.is_err(), "{bad}: {outcome:?}");
    }
}

#[test]
fn secrets_of_modules_with_names_alike_are_told_apart() {
    let file = "modules:\n  http_a: { prober: http, http: { bearer_token: one } }\n  http.a: { prober: http, http: { bearer_token: two } }\n  http-a: { prober: http, http: { bearer_token_file: /run/token } }\n  HTTP-A: { prober: http, http: { bearer_token_file: /run/token } }\n";
    let imported = import(file, &[]).unwrap();
    let secret = |name: &str| {
        imported.config["modules"][name]["bearer_secret"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let file = |name: &str| {
        imported.grants["secrets"][secret(name)]["file"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_ne!(secret("http_a"), secret("http.a"));
    assert_ne!(file("http_a"), file("http.a"));
    assert_eq!(
        (file("http-a"), secret("http-a")),
        ("/run/token".into(), secret("HTTP-A"))
    );
    let text = format!("{imported:?}");
    assert!(
        !text.contains("\"one\"") && !text.contains("\"two\""),
        "{text}"
    );
}

#[test]
fn what_is_left_out_is_said() {
    for (module, key, said) in [
        (
            "prober: http\nhttp: { headers: { Authorization: Bearer hunter2 } }",
            "bearer_secret",
            "put it into",
        ),
        (
            "prober: http\nhttp: { headers: { authorization: Basic hunter2 } }",
            "",
            "in the clear",
        ),
        (
            "prober: http\nhttp: { headers: { X-Api-Key: x } }",
            "headers",
            "may be a secret",
        ),
        ("prober: http\ntimeout: -5s", "", "`-5s`"),
        ("prober: http\ntimeout: 5parsec", "", "`5parsec`"),
        ("prober: http\nnews: 1", "", "`news`"),
        (
            "prober: http\nhttp: { valid_status_codes: [0, 200, 700] }",
            "expect_status",
            "status 700",
        ),
        ("prober: http\nhttp: { method: post }", "", "`post`"),
        (
            "prober: http\nhttp: { fail_if_body_matches_regexp: ['\\pL'] }",
            "",
            "`\\pL`",
        ),
        (
            "prober: http\nhttp: { fail_if_header_matches: [{ header: a, regexp: b, nope: 1 }] }",
            "reject_header",
            "`nope`",
        ),
        (
            "prober: http\nhttp: { basic_auth: { username_file: /x } }",
            "basic_auth",
            "`username_file`",
        ),
        (
            "prober: http\nhttp: { authorization: { credentials: x, nope: 1 } }",
            "bearer_secret",
            "`nope`",
        ),
        (
            "prober: dns\ndns: { query_name: a, validate_answer_rrs: { nope: 1 } }",
            "dns",
            "`nope`",
        ),
        (
            "prober: tcp\ntcp: { tls_config: { server_name: x } }",
            "",
            "speaks no TLS",
        ),
    ] {
        let (settings, notes) = one(module);
        assert!(
            notes.iter().any(|note| note.contains(said)),
            "{module}: {notes:?}"
        );
        assert!(
            key.is_empty() || !settings[key].is_null(),
            "{module}: {settings}"
        );
        for out in ["timeout", "reject_match", "certificate"] {
            assert!(settings[out].is_null(), "{module}: {settings}");
        }
        assert!(
            !format!("{settings} {notes:?}").contains("hunter2"),
            "{settings} {notes:?}"
        );
    }
    assert_eq!(
        one("prober: http\nhttp: { valid_status_codes: [0, 200, 700] }").0["expect_status"],
        json!([200])
    );
    assert_eq!(
        one("prober: http\nhttp: { method: post }").0["method"],
        "POST"
    );
}

#[test]
fn targets_that_cannot_be_taken_are_refused_without_repeating_a_password() {
    let file = "modules: { web: { prober: http }, call: { prober: grpc } }";
    let said = |target: &str| import(file, &[target.to_owned()]).unwrap_err().to_string();
    let password = said("web=http://u:hunter2@a/");
    assert!(
        password.contains("`web`") && !password.contains("hunter2"),
        "{password}"
    );
    assert!(
        said("call=a:1").contains("prober `grpc`"),
        "{}",
        said("call=a:1")
    );
    let notes = import(file, &["web=a".to_owned()]).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("redirects")),
        "{notes:?}"
    );
    let notes = import(file, &[]).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.contains("no target is named")),
        "{notes:?}"
    );
}

#[test]
fn what_is_no_such_file() {
    for bad in [
        "",
        "x",
        "modules: 1",
        "modules: { a: {} }",
        "[",
        "\u{0}",
        "modules:\n\t- a",
    ] {
        let outcome = import(bad, &[]);
        assert!(outcome.is_err(), "{bad:?}: {outcome:?}");
    }
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &(b'b'..=b'i')
            .map(|c| {
                let (this, last) = (c as char, (c - 1) as char);
                format!(
                    "{this}: &{this} [{}]\n",
                    vec![format!("*{last}"); 9].join(",")
                )
            })
            .collect::<String>();
    assert!(
        import(&bomb, &[]).is_err(),
        "a file that expands without end"
    );
}
