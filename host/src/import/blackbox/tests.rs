//! Single modules; the verdicts are compared with the real program in
//! `tests/blackbox.rs`.

use serde_json::{Value, json};

use super::import;

/// The settings of the one module, and the notes.
fn one(module: &str) -> (Value, Vec<String>) {
    let indented = module.replace('\n', "\n    ");
    let imported = import(&format!("modules:\n  m:\n    {indented}\n"), &[]).unwrap();
    (imported.config["modules"]["m"].clone(), imported.notes)
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
        let empty = outcome
            .as_ref()
            .is_ok_and(|one| one.config["modules"] == json!({}));
        assert!(outcome.is_err() || empty, "{bad:?}: {outcome:?}");
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
