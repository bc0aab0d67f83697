//! One target: what it is, and what is expected of it.

use std::collections::BTreeMap;
use std::time::Duration;

use mhost_sdk::units::{Size, Span};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Basic, Certificate, Disk, Dns, FileAge, Freshness, HttpVersion, IpFamily, JsonRule, Status,
    Step, Tls, Window,
};

fn get() -> String {
    "GET".to_owned()
}

pub(super) fn ten_seconds() -> Span {
    Span::new(Duration::from_secs(10))
}

pub(super) fn any_success() -> Vec<Status> {
    vec![Status::Class(2)]
}

pub(super) fn small() -> u32 {
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
            self.http.as_deref().map(without_user),
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

    /// Whether something is expected in the answer itself.
    pub fn looks_into_the_body(&self) -> bool {
        self.expect_body.is_some()
            || !self.expect_match.is_empty()
            || !self.reject_match.is_empty()
            || !self.expect_json.is_empty()
    }
}

/// A URL without who asks: that is refused, and what is refused is named.
fn without_user(url: &str) -> String {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(begin);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}…@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

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
