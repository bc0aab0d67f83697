//! One target: what it is, and what is expected of it.

use std::collections::BTreeMap;
use std::time::Duration;

use mhost_sdk::units::{Size, Span};
use regex_lite::Regex;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Basic, Certificate, Disk, Dns, FileAge, Freshness, HttpVersion, IpFamily, JsonRule, Status,
    Step, Tls, Window,
};
use crate::verdict::json_path;

fn get() -> String {
    "GET".to_owned()
}

fn ten_seconds() -> Span {
    Span::new(Duration::from_secs(10))
}

fn any_success() -> Vec<Status> {
    vec![Status::Class(2)]
}

fn small() -> u32 {
    32
}

/// One target: exactly one of `http`, `tcp`, `tls`, `dns`, `icmp`, `file`, `disk`, `process`,
/// `database`, `task`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// For reports; what is asked when not given.
    #[serde(default)]
    pub name: Option<String>,
    /// The settings under `modules` that it takes where it says nothing itself.
    #[serde(default)]
    #[allow(dead_code)] // The schema needs it; it was taken in.
    module: Option<String>,
    /// An address: `https://example.org/health`.
    #[serde(default)]
    pub http: Option<String>,
    /// A host and port to connect to: `db.example.org:5432`.
    #[serde(default)]
    pub tcp: Option<String>,
    /// A certificate to look at.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// A name to resolve.
    #[serde(default)]
    pub dns: Option<Dns>,
    /// A host to send an ICMP echo request to, granted as `icmp://HOST`.
    #[serde(default)]
    pub icmp: Option<String>,
    /// A file's age and size.
    #[serde(default)]
    pub file: Option<FileAge>,
    /// Free space.
    #[serde(default)]
    pub disk: Option<Disk>,
    /// The name of a granted pid file, whose process must live.
    #[serde(default)]
    pub process: Option<String>,
    /// The name of a database that is granted with `verify`.
    #[serde(default)]
    pub database: Option<String>,
    /// Whether another task of this host succeeds in time; it must be granted.
    #[serde(default)]
    pub task: Option<Freshness>,

    /// For HTTP: `GET`, `HEAD`, `POST` ….
    #[serde(default = "get")]
    pub method: String,
    /// For HTTP: further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// For HTTP and TCP: what to send.
    #[serde(default)]
    pub body: Option<String>,
    /// For HTTP: numbers such as 200, or classes such as `2xx`; one of them.
    #[serde(default = "any_success")]
    pub expect_status: Vec<Status>,
    /// For HTTP, within the first MiB, and TCP, within the first 64 KiB: a text that
    /// the answer must hold.
    #[serde(default)]
    pub expect_body: Option<String>,
    /// For HTTP and TCP: regular expressions, all of which must match what `expect_body` is
    /// looked for in.
    #[serde(default)]
    pub expect_match: Vec<String>,
    /// For HTTP and TCP: regular expressions, none of which may match there.
    #[serde(default)]
    pub reject_match: Vec<String>,
    /// For HTTP: what a JSON answer must hold.
    #[serde(default)]
    pub expect_json: Vec<JsonRule>,
    /// For HTTP: regular expressions for headers that must be there and match.
    #[serde(default)]
    pub expect_header: BTreeMap<String, String>,
    /// For HTTP: regular expressions that headers may not match, if they are there.
    #[serde(default)]
    pub reject_header: BTreeMap<String, String>,
    /// For HTTP: which version is spoken: `any` (over TLS what the peer prefers of 2 and 1.1),
    /// `1.1`, or `2`.
    #[serde(default)]
    pub http_version: HttpVersion,
    /// For HTTP: one of these, such as `HTTP/1.1` or `HTTP/2.0`, must be spoken.
    #[serde(default)]
    pub expect_version: Vec<String>,
    /// For HTTP: so many redirects are followed; each origin must be granted.
    #[serde(default)]
    #[schemars(range(max = 20))]
    pub redirects: u32,
    /// For HTTP: whether the answer must come over TLS, also after redirects; or must not.
    #[serde(default)]
    pub expect_tls: Option<bool>,
    /// For HTTP: the answer must be complete within so many bytes. Otherwise it is left
    /// after the first MiB, or the first 64 KiB where nothing is expected in it.
    #[serde(default)]
    pub max_body: Option<Size>,
    /// For HTTP: the secret that goes as `Authorization: Bearer …`.
    #[serde(default)]
    pub bearer_secret: Option<String>,
    /// For HTTP: who asks.
    #[serde(default)]
    pub basic_auth: Option<Basic>,
    /// For HTTP and TCP over TLS: what the certificate must be.
    #[serde(default)]
    pub certificate: Certificate,
    /// For TCP: TLS from the start.
    #[serde(default)]
    pub secure: bool,
    /// For TCP: a conversation, in place of `body` and `expect_body`.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// For ICMP: bytes beside the header.
    #[serde(default = "small")]
    #[schemars(range(max = 1400))]
    pub icmp_bytes: u32,
    /// Which addresses of a name to use: `any`, `ipv4`, `ipv6`.
    #[serde(default)]
    pub family: IpFamily,

    /// Over the network: the whole exchange must end within this.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// How often a target that failed is asked again before the check has failed.
    #[serde(default)]
    #[schemars(range(max = 10))]
    pub retries: u32,
    /// How long to wait before it is asked again.
    #[serde(default)]
    pub retry_delay: Option<Span>,
    /// Over the network: an answer that takes longer is reported as slow; the target is
    /// degraded.
    #[serde(default)]
    pub warn_ms: Option<u64>,
    /// Over the network: an answer that takes longer is as bad as none.
    #[serde(default)]
    pub fail_ms: Option<u64>,
    /// In place of the check's own.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub failures_to_down: Option<u32>,
    /// In place of the check's own.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    pub successes_to_up: Option<u32>,
    /// Names of targets without which it cannot be reached: when all of them are down, it is
    /// unreachable and not down.
    #[serde(default)]
    pub parents: Vec<String>,
    /// Beside the check's own windows.
    #[serde(default)]
    pub maintenance: Vec<Window>,
}

/// The kinds of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Http,
    Tcp,
    Tls,
    Dns,
    Icmp,
    /// What is not asked over the network.
    Local,
}

impl Target {
    /// Its name, or what is asked.
    pub fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        let labels = [
            self.http.clone(),
            self.tcp.as_ref().map(|address| format!("tcp://{address}")),
            self.tls
                .as_ref()
                .map(|tls| format!("tls://{}:{}", tls.host, tls.port)),
            self.dns.as_ref().map(|dns| match &dns.server {
                Some(server) => format!("dns://{server}/{}", dns.name),
                None => format!("dns://{}", dns.name),
            }),
            self.icmp.as_ref().map(|host| format!("icmp://{host}")),
            self.file.as_ref().map(|file| format!("file {}", file.path)),
            self.disk.as_ref().map(|disk| format!("disk {}", disk.path)),
            self.process.as_ref().map(|name| format!("process {name}")),
            self.database
                .as_ref()
                .map(|name| format!("database {name}")),
            self.task.as_ref().map(|task| format!("task {}", task.name)),
        ];
        let label = labels.into_iter().flatten().next();
        label.unwrap_or_else(|| "a target of no kind".to_owned())
    }

    pub fn kind(&self) -> Kind {
        let kinds = [
            (self.http.is_some(), Kind::Http),
            (self.tcp.is_some(), Kind::Tcp),
            (self.tls.is_some(), Kind::Tls),
            (self.dns.is_some(), Kind::Dns),
            (self.icmp.is_some(), Kind::Icmp),
        ];
        let kind = kinds.into_iter().find(|(there, _)| *there);
        kind.map_or(Kind::Local, |(_, kind)| kind)
    }

    /// Why it makes no sense, beyond what the schema can say.
    pub fn mistake(&self) -> Option<String> {
        let kinds = [
            self.http.is_some(),
            self.tcp.is_some(),
            self.tls.is_some(),
            self.dns.is_some(),
            self.icmp.is_some(),
            self.file.is_some(),
            self.disk.is_some(),
            self.process.is_some(),
            self.database.is_some(),
            self.task.is_some(),
        ];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            return Some(
                "it needs exactly one of `http`, `tcp`, `tls`, `dns`, `icmp`, `file`, `disk`, `process`, `database`, `task`"
                    .to_owned(),
            );
        }
        let own = match self.kind() {
            Kind::Http => self.http_mistake(),
            Kind::Tcp => self.tcp_mistake(),
            _ => self.local_mistake(),
        };
        self.misplaced().or(own).or_else(|| self.bad_pattern())
    }

    /// A setting that means nothing to this kind of target.
    fn misplaced(&self) -> Option<String> {
        let http = self.http.is_some();
        let tcp = self.tcp.is_some();
        let icmp = self.icmp.is_some();
        let network = self.kind() != Kind::Local;
        let fields = [
            ("method", http, self.method != "GET"),
            ("headers", http, !self.headers.is_empty()),
            ("expect_status", http, self.expect_status != any_success()),
            ("bearer_secret", http, self.bearer_secret.is_some()),
            ("basic_auth", http, self.basic_auth.is_some()),
            ("expect_json", http, !self.expect_json.is_empty()),
            ("expect_header", http, !self.expect_header.is_empty()),
            ("reject_header", http, !self.reject_header.is_empty()),
            ("http_version", http, self.http_version != HttpVersion::Any),
            ("expect_version", http, !self.expect_version.is_empty()),
            ("redirects", http, self.redirects > 0),
            ("expect_tls", http, self.expect_tls.is_some()),
            ("max_body", http, self.max_body.is_some()),
            ("body", http || tcp, self.body.is_some()),
            ("expect_body", http || tcp, self.expect_body.is_some()),
            ("expect_match", http || tcp, !self.expect_match.is_empty()),
            ("reject_match", http || tcp, !self.reject_match.is_empty()),
            ("secure", tcp, self.secure),
            ("steps", tcp, !self.steps.is_empty()),
            ("icmp_bytes", icmp, self.icmp_bytes != small()),
            ("family", network, self.family != IpFamily::Any),
            ("timeout", network, self.timeout != ten_seconds()),
            ("warn_ms", network, self.warn_ms.is_some()),
            ("fail_ms", network, self.fail_ms.is_some()),
        ];
        let found = fields.into_iter().find(|(_, fits, there)| *there && !fits);
        found.map(|(field, ..)| {
            format!("`{field}` has no meaning for this kind of target: leave it out")
        })
    }

    fn http_mistake(&self) -> Option<String> {
        let url = self.http.as_deref().unwrap_or_default();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Some("`http` must begin with `http://` or `https://`".to_owned());
        }
        if self.method.is_empty() || !self.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Some(format!(
                "`{}` is no method: write `GET`, `HEAD`, `POST` …",
                self.method
            ));
        }
        if self.method == "HEAD" && self.looks_into_the_body() {
            return Some("an answer to `HEAD` has no body to expect something in".to_owned());
        }
        let known = |version: &&String| VERSIONS.contains(&version.as_str());
        if let Some(version) = self.expect_version.iter().find(|version| !known(version)) {
            let versions = VERSIONS.join("`, `");
            return Some(format!("`{version}` is no version: write `{versions}`"));
        }
        if self.bearer_secret.is_some() && self.basic_auth.is_some() {
            return Some("`bearer_secret` and `basic_auth` exclude each other".to_owned());
        }
        self.expect_status
            .is_empty()
            .then(|| "`expect_status` is empty, so nothing could be right".to_owned())
    }

    fn tcp_mistake(&self) -> Option<String> {
        let address = self.tcp.as_deref().unwrap_or_default();
        if split_address(address).is_none() {
            return Some(format!("`{address}` is no `host:port`"));
        }
        let whole = self.body.is_some() || self.looks_into_the_body();
        (whole && !self.steps.is_empty())
            .then(|| "`steps` stand in place of `body` and what is expected of it".to_owned())
    }

    fn local_mistake(&self) -> Option<String> {
        if self.dns.as_ref().is_some_and(|dns| dns.name.is_empty()) {
            return Some("`dns` needs a `name`".to_owned());
        }
        if let Some(dns) = &self.dns
            && dns.server.is_none()
            && (dns.tcp || !dns.rcodes.is_empty() || !dns.recursion)
        {
            return Some("`tcp`, `recursion` and `rcodes` need a `server`".to_owned());
        }
        let disk = self.disk.as_ref()?;
        let limits = [
            disk.min_free.is_some(),
            disk.min_free_percent.is_some(),
            disk.warn_free.is_some(),
            disk.warn_free_percent.is_some(),
        ];
        (!limits.contains(&true))
            .then(|| "`disk` needs a limit, such as `min_free_percent`".to_owned())
    }

    fn bad_pattern(&self) -> Option<String> {
        let dns = self.dns.iter();
        let sections = dns.flat_map(|dns| [&dns.answer, &dns.authority, &dns.additional]);
        let steps = self.steps.iter().filter_map(|step| step.expect.as_ref());
        let json = self.expect_json.iter();
        let patterns = (self.expect_match.iter().chain(&self.reject_match))
            .chain(self.expect_header.values())
            .chain(self.reject_header.values())
            .chain(json.clone().filter_map(|rule| rule.matches.as_ref()))
            .chain(steps)
            .chain(sections.flat_map(|rules| rules.patterns()));
        for pattern in patterns {
            if let Err(error) = Regex::new(pattern) {
                return Some(format!("`{pattern}` is no regular expression: {error}"));
            }
        }
        json.clone()
            .find_map(|rule| json_path::parse(&rule.path).err())
    }

    /// Whether something is expected in the answer itself.
    pub fn looks_into_the_body(&self) -> bool {
        self.expect_body.is_some()
            || !self.expect_match.is_empty()
            || !self.reject_match.is_empty()
            || !self.expect_json.is_empty()
    }
}

/// What `expect_version` can name, as an answer's `version` says it.
const VERSIONS: [&str; 4] = ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"];

/// `host:port`, `[v6]:port`.
pub fn split_address(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(host) => host,
        None if host.contains(':') => return None,
        None => host,
    };
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, expected) in [
            ("db:5432", Some(("db", 5432))),
            ("[::1]:80", Some(("::1", 80))),
            ("db", None),
            ("db:0", None),
            (":80", None),
            ("::1:80", None),
            ("db:99999", None),
        ] {
            assert_eq!(split_address(text), expected, "{text}");
        }
    }
}
