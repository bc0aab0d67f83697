//! One module: its settings in the words of the plugin ping.

use mhost_model::Span;
use serde_json::{Map, Value, json};

use super::shape::{Dns, HeaderRule, Http, Icmp, Module, Records, Rest, Step, Tcp, TlsConfig};

/// Redirects that Go's client follows.
const REDIRECTS: u32 = 10;
/// blackbox_exporter reads the whole answer, however long.
const WHOLE: &str = "1 GiB";

/// What was made of a module so far.
pub(super) struct Made<'n> {
    name: &'n str,
    pub settings: Map<String, Value>,
    pub secrets: Map<String, Value>,
    pub notes: Vec<String>,
}

impl<'n> Made<'n> {
    /// `secrets` are those of the modules before it.
    pub(super) fn new(name: &'n str, secrets: Map<String, Value>) -> Self {
        Self {
            name,
            settings: Map::new(),
            secrets,
            notes: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, what: &str) {
        self.notes.push(format!("module `{}` {what}", self.name));
    }

    fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.settings.insert(key.to_owned(), value.into());
    }

    /// Whether there is a counterpart at all.
    pub(super) fn take(&mut self, module: &Module) -> bool {
        if let Some(timeout) = &module.timeout {
            self.timeout(timeout);
        }
        match module.prober.as_str() {
            "http" => self.http(&module.http),
            "tcp" => self.tcp(&module.tcp),
            "dns" => self.dns(&module.dns),
            "icmp" => self.icmp(&module.icmp),
            other => {
                let what = format!("has the prober `{other}`, which has no counterpart");
                self.note(&what);
                return false;
            }
        }
        self.unknown(&module.rest);
        true
    }

    fn timeout(&mut self, text: &str) {
        let span = text.parse::<Span>().ok();
        let fits = |span: &Span| (1..=3_600_000).contains(&span.0.as_millis());
        match span.filter(fits) {
            Some(_) => self.set("timeout", text),
            None => self.note(&format!(
                "has the timeout `{text}`, which is left out: write one from 1ms to 1h"
            )),
        }
    }

    /// Those patterns that are known here; the others are said.
    fn patterns(&mut self, patterns: &[String]) -> Vec<String> {
        let (good, bad): (Vec<_>, Vec<_>) = patterns
            .iter()
            .cloned()
            .partition(|pattern| regex_lite::Regex::new(pattern).is_ok());
        for pattern in bad {
            self.note(&format!(
                "has the regular expression `{pattern}`, which is not understood here and left out: its verdicts may differ"
            ));
        }
        good
    }

    fn pattern(&mut self, pattern: &str) -> Option<String> {
        self.patterns(&[pattern.to_owned()]).pop()
    }

    fn unknown(&mut self, rest: &Rest) {
        for key in rest.keys() {
            let what = format!("says `{key}`, which has no counterpart: its verdicts may differ");
            self.note(&what);
        }
    }

    fn family(&mut self, preferred: Option<&str>, fallback: Option<bool>) {
        // With a fallback, which is the default, any address will do.
        if fallback == Some(false) {
            let family = match preferred {
                Some("ip4") => "ipv4",
                _ => "ipv6",
            };
            self.set("family", family);
        }
    }

    fn http(&mut self, http: &Http) {
        let method = http.method.as_deref().filter(|method| !method.is_empty());
        let method = method.unwrap_or("GET");
        if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
            self.note(&format!(
                "sends `{method}`, which is written in capitals here"
            ));
        }
        self.set("method", method.to_ascii_uppercase());
        let codes = http.valid_status_codes.iter();
        let (known, odd): (Vec<u16>, Vec<u16>) =
            codes.partition(|code| (100..=599).contains(*code));
        for code in odd {
            self.note(&format!(
                "accepts the status {code}, which does not exist and is left out"
            ));
        }
        if !known.is_empty() {
            self.set("expect_status", json!(known));
        }
        if !http.valid_http_versions.is_empty() {
            self.set("expect_version", json!(http.valid_http_versions));
            if http
                .valid_http_versions
                .iter()
                .all(|one| one.starts_with("HTTP/3"))
            {
                self.note("accepts HTTP/3 alone, which is not spoken here: it is always down");
            }
        }
        if http.enable_http2 == Some(false) {
            self.set("http_version", "1.1");
        }
        let follows = http
            .follow_redirects
            .unwrap_or(!http.no_follow_redirects.unwrap_or(false));
        if follows {
            self.set("redirects", REDIRECTS);
        }
        self.http_content(http);
        match (http.fail_if_ssl, http.fail_if_not_ssl) {
            (true, true) => self.note("fails with TLS and without: it is always down"),
            (true, false) => self.set("expect_tls", false),
            (false, true) => self.set("expect_tls", true),
            (false, false) => {}
        }
        self.certificate(http.tls_config.as_ref());
        self.authorization(http);
        self.family(
            http.preferred_ip_protocol.as_deref(),
            http.ip_protocol_fallback,
        );
        self.unknown(&http.rest);
    }

    fn http_content(&mut self, http: &Http) {
        let mut headers = Map::new();
        for (name, value) in &http.headers {
            if self.takes_secret(name, value, http) {
                continue;
            }
            match value {
                Value::String(value) => drop(headers.insert(name.clone(), json!(value))),
                Value::Number(value) => {
                    drop(headers.insert(name.clone(), json!(value.to_string())))
                }
                _ => self.note(&format!("sends `{name}` in a form that is left out")),
            }
        }
        if !headers.is_empty() {
            self.set("headers", headers);
        }
        if let Some(body) = &http.body {
            self.set("body", body.as_str());
        }
        let limit = http.body_size_limit.as_ref();
        match limit.and_then(size) {
            Some(bytes) if bytes > 0 => self.set("max_body", bytes),
            _ => self.set("max_body", WHOLE),
        }
        for (key, patterns) in [
            ("reject_match", &http.fail_if_body_matches_regexp),
            ("expect_match", &http.fail_if_body_not_matches_regexp),
        ] {
            let patterns = self.patterns(patterns);
            if !patterns.is_empty() {
                self.set(key, json!(patterns));
            }
        }
        self.header_rules(http);
    }

    /// Whether a header says who asks, which does not stand in the clear here.
    fn takes_secret(&mut self, name: &str, value: &Value, http: &Http) -> bool {
        let lower = name.to_ascii_lowercase();
        if lower != "authorization" {
            let telling = [
                "authorization",
                "cookie",
                "token",
                "secret",
                "key",
                "password",
            ];
            if telling.iter().any(|word| lower.contains(word)) {
                self.note(&format!(
                    "sends `{name}`, which may be a secret and stands in the clear: a target's `bearer_secret` or `basic_auth` would not"
                ));
            }
            return false;
        }
        let value = value.as_str().unwrap_or_default();
        let kind = value.split_once(' ').map_or("", |(kind, _)| kind);
        let own = http.basic_auth.is_some() || http.authorization.is_some();
        if kind.eq_ignore_ascii_case("bearer") && !own {
            let secret = self.secret(None, true);
            self.set("bearer_secret", secret);
        } else {
            self.note(&format!(
                "sends `{name}` in the clear, which is left out: say `basic_auth` or `bearer_secret` with a secret"
            ));
        }
        true
    }

    fn header_rules(&mut self, http: &Http) {
        let (mut expect, mut reject) = (Map::new(), Map::new());
        for rule in &http.fail_if_header_not_matches {
            if rule.allow_missing {
                self.note(&format!(
                    "allows that `{}` is missing beside not matching, which is left out",
                    rule.header
                ));
            } else {
                self.header_rule(&mut expect, rule);
            }
        }
        for rule in &http.fail_if_header_matches {
            self.header_rule(&mut reject, rule);
            if !rule.allow_missing && !expect.contains_key(&rule.header) {
                // A header that is missing fails too.
                expect.insert(rule.header.clone(), json!(""));
            }
        }
        for (key, rules) in [("expect_header", expect), ("reject_header", reject)] {
            if !rules.is_empty() {
                self.set(key, rules);
            }
        }
    }

    fn header_rule(&mut self, rules: &mut Map<String, Value>, rule: &HeaderRule) {
        self.unknown(&rule.rest);
        let Some(pattern) = self.pattern(&rule.regexp) else {
            return;
        };
        let old = rules.insert(rule.header.clone(), json!(pattern));
        if old.is_some() {
            self.note(&format!(
                "has two rules for `{}`, of which the last counts",
                rule.header
            ));
        }
    }

    fn certificate(&mut self, config: Option<&TlsConfig>) {
        let Some(config) = config else {
            return;
        };
        let mut certificate = Map::new();
        if config.insecure_skip_verify {
            certificate.insert("trusted".into(), json!(false));
        }
        if let Some(name) = &config.server_name {
            certificate.insert("server_name".into(), json!(name));
        }
        if let Some(file) = &config.ca_file {
            certificate.insert("ca".into(), json!(format!("/ca/{}", file_name(file))));
            self.note(&format!(
                "trusts the authorities of {file}: grant its folder as `dirs.ca`, or correct `certificate.ca`"
            ));
        }
        match config.min_version.as_deref() {
            Some("TLS13") => drop(certificate.insert("tls13_only".into(), json!(true))),
            Some("TLS10" | "TLS11") => {
                self.note("accepts TLS older than 1.2, which is not spoken here");
            }
            _ => {}
        }
        if !certificate.is_empty() {
            self.set("certificate", certificate);
        }
        self.unknown(&config.rest);
    }

    fn authorization(&mut self, http: &Http) {
        if let Some(basic) = &http.basic_auth {
            let secret = self.secret(basic.password_file.as_deref(), basic.password.is_some());
            let auth = json!({ "user": basic.username, "password_secret": secret });
            self.set("basic_auth", auth);
            self.unknown(&basic.rest);
        }
        let bearer = http.authorization.as_ref();
        if let Some(bearer) = bearer {
            self.unknown(&bearer.rest);
        }
        if let Some(kind) = bearer.and_then(|one| one.kind.as_deref())
            && !kind.eq_ignore_ascii_case("bearer")
        {
            self.note(&format!(
                "authorises itself by `{kind}`, which has no counterpart"
            ));
            return;
        }
        let file = bearer.and_then(|one| one.credentials_file.as_deref());
        let inline = bearer.is_some_and(|one| one.credentials.is_some());
        let file = file.or(http.bearer_token_file.as_deref());
        if file.is_some() || inline || http.bearer_token.is_some() {
            let secret = self.secret(file, file.is_none());
            self.set("bearer_secret", secret);
        }
    }

    /// A secret of the module's name; what stood in the file itself does not go into
    /// another one.
    fn secret(&mut self, file: Option<&str>, inline: bool) -> String {
        let name: String = self
            .name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        let base = match name.trim_matches('-') {
            "" => "module",
            name => name,
        };
        let path = |name: &str| match file {
            Some(file) => file.to_owned(),
            None => format!("/etc/mhost/secrets/{name}"),
        };
        // `a_b` and `a.b` are two modules with a secret each.
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.to_owned()).chain(numbered);
        let free = |name: &String| match self.secrets.get(name) {
            Some(taken) => file.is_some() && taken["file"] == path(name).as_str(),
            None => true,
        };
        let name = names.find(free).unwrap_or_default();
        let path = path(&name);
        if inline {
            self.note(&format!(
                "has a password or token in the file: put it into {path} alone, readable by mhost"
            ));
        }
        self.secrets.insert(name.clone(), json!({ "file": path }));
        name
    }

    fn tcp(&mut self, tcp: &Tcp) {
        let steps: Vec<Value> = tcp
            .query_response
            .iter()
            .map(|step| self.step(step))
            .collect();
        if !steps.is_empty() {
            self.set("steps", steps);
        }
        if tcp.tls {
            self.set("secure", true);
        }
        match tcp.tls || tcp.query_response.iter().any(|step| step.starttls) {
            true => self.certificate(tcp.tls_config.as_ref()),
            false if tcp.tls_config.is_some() => {
                self.note("says `tls_config` but speaks no TLS: it is left out");
            }
            false => {}
        }
        self.family(
            tcp.preferred_ip_protocol.as_deref(),
            tcp.ip_protocol_fallback,
        );
        self.unknown(&tcp.rest);
    }

    fn step(&mut self, step: &Step) -> Value {
        let mut made = Map::new();
        let expect = step.expect.as_ref().filter(|expect| !expect.is_empty());
        if let Some(expect) = expect.and_then(|expect| self.pattern(expect)) {
            made.insert("expect".into(), json!(expect));
        }
        if let Some(send) = step.send.as_ref().filter(|send| !send.is_empty()) {
            made.insert("send".into(), json!(format!("{send}\n")));
        }
        if step.starttls {
            made.insert("start_tls".into(), json!(true));
        }
        self.unknown(&step.rest);
        Value::Object(made)
    }

    fn dns(&mut self, dns: &Dns) {
        let mut made = Map::new();
        made.insert("name".into(), json!(dns.query_name));
        let kind = dns.query_type.as_deref().unwrap_or("ANY");
        made.insert("record".into(), json!(kind.to_ascii_lowercase()));
        if dns.transport_protocol.as_deref() == Some("tcp") {
            made.insert("tcp".into(), json!(true));
        }
        if dns.recursion_desired == Some(false) {
            made.insert("recursion".into(), json!(false));
        }
        let rcodes = dns
            .valid_rcodes
            .clone()
            .unwrap_or_else(|| vec!["NOERROR".into()]);
        made.insert("rcodes".into(), json!(rcodes));
        for (key, records) in [
            ("answer", &dns.validate_answer_rrs),
            ("authority", &dns.validate_authority_rrs),
            ("additional", &dns.validate_additional_rrs),
        ] {
            let rules = self.records(records);
            if !rules.is_empty() {
                made.insert(key.into(), Value::Object(rules));
            }
        }
        self.set("dns", made);
        if dns
            .query_class
            .as_deref()
            .is_some_and(|class| class != "IN")
        {
            self.note("asks for another class than IN, which has no counterpart");
        }
        self.family(
            dns.preferred_ip_protocol.as_deref(),
            dns.ip_protocol_fallback,
        );
        self.unknown(&dns.rest);
    }

    fn records(&mut self, records: &Records) -> Map<String, Value> {
        let mut rules = Map::new();
        let mut not_matches = records.fail_if_not_matches_regexp.clone();
        if !records.fail_if_all_match_regexp.is_empty() {
            // Whatever its name says, it fails unless all match.
            not_matches.extend(records.fail_if_all_match_regexp.iter().cloned());
            self.note("says `fail_if_all_match_regexp`, by which blackbox_exporter fails unless all match: so does `fail_if_not_matches`, which stands here");
        }
        for (key, patterns) in [
            ("fail_if_matches", &records.fail_if_matches_regexp),
            ("fail_if_not_matches", &not_matches),
            ("fail_if_none_matches", &records.fail_if_none_matches_regexp),
        ] {
            let patterns = self.patterns(patterns);
            if !patterns.is_empty() {
                rules.insert(key.into(), json!(patterns));
            }
        }
        self.unknown(&records.rest);
        rules
    }

    fn icmp(&mut self, icmp: &Icmp) {
        if let Some(size) = icmp.payload_size {
            match size {
                ..=1400 => self.set("icmp_bytes", size),
                _ => self.note("has a payload of more than 1400 bytes, which is not sent here"),
            }
        }
        self.family(
            icmp.preferred_ip_protocol.as_deref(),
            icmp.ip_protocol_fallback,
        );
        self.unknown(&icmp.rest);
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Bytes: a number, or one with a unit of 1024 (`10KB`), as Prometheus has it.
fn size(value: &Value) -> Option<u64> {
    if let Some(bytes) = value.as_u64() {
        return Some(bytes);
    }
    let text = value.as_str()?.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..]
        .trim()
        .trim_end_matches('B')
        .trim_end_matches('i')
    {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}
