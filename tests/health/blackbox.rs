//! blackbox_exporter and the plugin on the same modules and the same peers: the verdicts
//! are the same.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mhost_test_support::tools::blackbox;
use serde_json::Value;

use super::home::Home;
use super::servers::{Bad, http, nobody, serve};
use super::{names, second, tls};

const MODULES: &str = r#"
modules:
  plain: { prober: http, timeout: 1s }
  post: { prober: http, timeout: 1s, http: { method: POST, body: x, valid_status_codes: [200, 404] } }
  stay: { prober: http, timeout: 1s, http: { follow_redirects: false, valid_status_codes: [302] } }
  body: { prober: http, timeout: 1s, http: { fail_if_body_not_matches_regexp: ["^wel+", "l$"] } }
  nobody: { prober: http, timeout: 1s, http: { fail_if_body_matches_regexp: ["(?i)ERROR"] } }
  header: { prober: http, timeout: 1s, http: { fail_if_header_not_matches: [{ header: x-a, regexp: "^1" }] } }
  noheader: { prober: http, timeout: 1s, http: { fail_if_header_matches: [{ header: x-a, regexp: "^1", allow_missing: true }] } }
  missing: { prober: http, timeout: 1s, http: { fail_if_header_matches: [{ header: x-b, regexp: "^1" }] } }
  small: { prober: http, timeout: 1s, http: { body_size_limit: 10B } }
  tls: { prober: http, timeout: 1s, http: { fail_if_not_ssl: true, tls_config: { insecure_skip_verify: true } } }
  notls: { prober: http, timeout: 1s, http: { fail_if_ssl: true, tls_config: { insecure_skip_verify: true } } }
  trusted: { prober: http, timeout: 1s }
  v11: { prober: http, timeout: 1s, http: { valid_http_versions: ["HTTP/1.1"] } }
  v10: { prober: http, timeout: 1s, http: { valid_http_versions: ["HTTP/1.0"] } }
  v2: { prober: http, timeout: 1s, http: { valid_http_versions: ["HTTP/2.0"], tls_config: { insecure_skip_verify: true } } }
  no2: { prober: http, timeout: 1s, http: { enable_http2: false, valid_http_versions: ["HTTP/2.0"], tls_config: { insecure_skip_verify: true } } }
  connect: { prober: tcp, timeout: 1s }
  smtp: { prober: tcp, timeout: 1s, tcp: { query_response: [{ expect: "^220 ([^ ]+)" }, { send: "EHLO x" }, { expect: "^250", send: "QUIT" }] } }
  ssh: { prober: tcp, timeout: 1s, tcp: { query_response: [{ expect: "^SSH-2.0-" }] } }
  secure: { prober: tcp, timeout: 1s, tcp: { tls: true, tls_config: { insecure_skip_verify: true } } }
  name: { prober: dns, timeout: 1s, dns: { query_name: a.example, query_type: A, validate_answer_rrs: { fail_if_not_matches_regexp: ["a\\.example\\.\\t.*\\tIN\\tA\\t192\\.0\\.2\\."] } } }
  othername: { prober: dns, timeout: 1s, dns: { query_name: a.example, query_type: A, validate_answer_rrs: { fail_if_none_matches_regexp: ["198\\.51"] } } }
  bad: { prober: dns, timeout: 1s, dns: { query_name: a.example, query_type: A, validate_answer_rrs: { fail_if_matches_regexp: [".*192.*"] } } }
  gone: { prober: dns, timeout: 1s, dns: { query_name: gone.example, query_type: A } }
  right: { prober: dns, timeout: 1s, dns: { query_name: gone.example, query_type: A, valid_rcodes: [NXDOMAIN] } }
  noauth: { prober: dns, timeout: 1s, dns: { query_name: a.example, query_type: A, validate_authority_rrs: { fail_if_not_matches_regexp: [x] } } }
  overtcp: { prober: dns, timeout: 1s, dns: { query_name: a.example, query_type: A, transport_protocol: tcp } }
  silent: { prober: dns, timeout: 1s, dns: { query_name: silent.example, query_type: A } }
  echo: { prober: icmp, timeout: 1s, icmp: { preferred_ip_protocol: ip4 } }
"#;

/// The exporter; it ends with the test.
struct Exporter {
    child: Child,
    port: u16,
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Exporter {
    fn start(home: &Home) -> Self {
        let config = home.write("blackbox.yml", MODULES);
        let port = nobody();
        let child = Command::new(blackbox().unwrap())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let exporter = Self { child, port };
        let begun = Instant::now();
        while exporter.get("/-/healthy").is_none() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it does not start"
            );
            std::thread::yield_now();
        }
        exporter
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Whether a probe succeeds.
    fn succeeds(&self, module: &str, target: &str) -> bool {
        let encoded: String = target.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = self.get(&format!("/probe?module={module}&target={encoded}"));
        let answer = answer.unwrap();
        match answer
            .lines()
            .find(|line| line.starts_with("probe_success "))
        {
            Some(line) => line.ends_with('1'),
            None => panic!("{module} {target}: {answer}"),
        }
    }
}

fn answers(status: &str, headers: &str, body: &str) -> String {
    let port = serve(Bad::Answers(http(status, headers, body)));
    format!("http://127.0.0.1:{port}/x")
}

fn with(bad: Bad) -> String {
    format!("127.0.0.1:{}", serve(bad))
}

/// Every module with peers that please and displease it.
fn cases() -> Vec<(&'static str, String)> {
    let authority = tls::Authority::new();
    let well = answers("200 OK", "x-a: 1\r\n", "well");
    let error = answers("500 No", "", "an error");
    let here = "HTTP/1.1 200 OK\r\n\r\n";
    let moved = {
        let location = format!("location: {well}\r\n");
        answers("302 Found", &location, "")
    };
    let https = format!("https://127.0.0.1:{}/", authority.serve("127.0.0.1", 2099));
    let expired = format!("https://127.0.0.1:{}/", authority.serve("127.0.0.1", 2021));
    let old = format!("127.0.0.1:{}", tls::old());
    let config = authority.config("localhost");
    let both = second::secure(config, &["h2", "http/1.1"], second::Answer::Whole);
    let both = format!("https://127.0.0.1:{both}/");
    let drip = with(Bad::Drips(here));
    let flood = with(Bad::Floods(here));
    let greets = with(Bad::Speaks(vec![
        "220 mail ready\r\n",
        "250 hello\r\n",
        "221 bye\r\n",
    ]));
    let silent = with(Bad::Silent);
    let nobody = format!("127.0.0.1:{}", nobody());
    let server = format!("127.0.0.1:{}", names::serve());
    let web = |module, targets: &[&String]| {
        let targets = targets.iter().map(|target| (module, (*target).clone()));
        targets.collect::<Vec<_>>()
    };
    [
        web(
            "plain",
            &[&well, &error, &moved, &drip, &flood, &silent, &nobody],
        ),
        web("post", &[&well, &error]),
        web("stay", &[&moved, &well]),
        web("body", &[&well, &error]),
        web(
            "nobody",
            &[&well, &error, &answers("200 OK", "", "an error")],
        ),
        web(
            "header",
            &[
                &well,
                &answers("200 OK", "", ""),
                &answers("200 OK", "x-a: 2\r\n", ""),
            ],
        ),
        web(
            "noheader",
            &[
                &well,
                &answers("200 OK", "", ""),
                &answers("200 OK", "x-a: 2\r\n", ""),
            ],
        ),
        web("missing", &[&well, &answers("200 OK", "x-b: 2\r\n", "")]),
        web(
            "small",
            &[&well, &answers("200 OK", "", "more than ten bytes")],
        ),
        web("tls", &[&https, &expired, &well]),
        web("notls", &[&https, &well]),
        web("trusted", &[&https]),
        web("v11", &[&well]),
        web("v10", &[&well]),
        web("v2", &[&both, &https, &well]),
        web("no2", &[&both]),
        web("connect", &[&greets, &silent, &nobody]),
        web("smtp", &[&greets, &silent, &nobody]),
        web("ssh", &[&greets]),
        web(
            "secure",
            &[
                &https["https://".len()..https.len() - 1].to_owned(),
                &silent,
                &old,
            ],
        ),
        [
            "name",
            "othername",
            "bad",
            "gone",
            "right",
            "noauth",
            "overtcp",
            "silent",
        ]
        .map(|module| (module, server.clone()))
        .to_vec(),
        ["127.0.0.1", "::1"]
            .map(|host| ("echo", host.to_owned()))
            .to_vec(),
    ]
    .concat()
}

/// Whether this machine lets us send echo requests.
fn may_ping() -> bool {
    use rustix::net::{AddressFamily, SocketType, ipproto, socket};
    let open = |kind| socket(AddressFamily::INET, kind, Some(ipproto::ICMP)).is_ok();
    open(SocketType::DGRAM) || open(SocketType::RAW)
}

pub fn the_verdicts_of_blackbox_exporter() {
    let home = Home::new();
    let exporter = Exporter::start(&home);
    let cases = cases();
    let file = home.path("blackbox.yml");
    let targets: Vec<String> = cases
        .iter()
        .map(|(module, target)| format!("{module}={target}"))
        .collect();
    let mut args = vec!["import", "blackbox", file.to_str().unwrap()];
    for target in &targets {
        args.extend(["--target", target]);
    }
    let (code, imported) = home.json(None, &args);
    assert_eq!(code, 0);
    let notes = imported["notes"].as_array().unwrap();
    assert!(
        notes.len() == 1
            && notes[0]
                .as_str()
                .unwrap()
                .contains("redirects are followed"),
        "{notes:?}"
    );
    let net = imported["grants"]["net"].as_array().unwrap();
    let net: Vec<String> = net
        .iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect();
    let (_, run) = home.check(&net, &imported["config"], &[]);
    let ours: &Vec<Value> = run["report"]["details"]["targets"].as_array().unwrap();
    assert_eq!(ours.len(), cases.len(), "{run:#}");
    let mut different = Vec::new();
    for ((module, target), ours) in cases.iter().zip(ours) {
        let theirs = exporter.succeeds(module, target);
        if (*module, target.as_str()) == ("echo", "127.0.0.1") {
            // Where the machine forbids echoes, both say so.
            assert_eq!(ours["up"], may_ping(), "{ours:#}");
        }
        if ours["up"] != theirs {
            different.push(format!("{module} {target}: theirs {theirs}, ours {ours:#}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
