//! What to ask, and what to expect.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mhost_sdk::probe::RecordType;
use mhost_sdk::units::Span;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

fn get() -> String {
    "GET".to_owned()
}

fn ten_seconds() -> Span {
    Span::new(Duration::from_secs(10))
}

fn any_success() -> Vec<Status> {
    vec![Status::Class(2)]
}

fn yes() -> bool {
    true
}

fn two_weeks() -> u32 {
    14
}

/// The targets of one check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// HTTP targets are asked at the same time, the others one after the other.
    pub targets: Vec<Target>,
}

/// One target: exactly one of `http`, `tcp`, `tls`, `dns`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// For reports; what is asked when not given.
    #[serde(default)]
    pub name: Option<String>,
    /// An address: `https://example.org/health`. Redirects are not followed.
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
    /// For HTTP, within the first MiB, and TCP, within the first 4 KiB: a text that
    /// the answer must hold.
    #[serde(default)]
    pub expect_body: Option<String>,
    /// For HTTP: the secret that goes as `Authorization: Bearer …`.
    #[serde(default)]
    pub bearer_secret: Option<String>,
    /// The whole exchange must end within this.
    #[serde(default = "ten_seconds")]
    pub timeout: Span,
    /// How often a target that is down is asked again, at once.
    #[serde(default)]
    #[schemars(range(max = 10))]
    pub retries: u32,
    /// An answer that takes longer is reported as slow; the target is up all the same.
    #[serde(default)]
    pub warn_ms: Option<u64>,
}

/// A TLS server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub host: String,
    #[serde(default = "https")]
    pub port: u16,
    /// The name that the certificate must be for; the host when not given.
    #[serde(default)]
    pub server_name: Option<String>,
    /// Down when the certificate ends in fewer days.
    #[serde(default = "two_weeks")]
    pub min_days: u32,
    /// Whether the certificate must be trusted by this machine.
    #[serde(default = "yes")]
    pub trusted: bool,
}

fn https() -> u16 {
    443
}

/// A name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    pub name: String,
    /// The type of record.
    #[serde(default)]
    pub record: Record,
    /// One of the records must be this.
    #[serde(default)]
    pub expect: Option<String>,
}

/// Types of record.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    #[default]
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Ptr,
    Srv,
    Txt,
}

impl From<Record> for RecordType {
    fn from(record: Record) -> Self {
        match record {
            Record::A => Self::A,
            Record::Aaaa => Self::Aaaa,
            Record::Cname => Self::Cname,
            Record::Mx => Self::Mx,
            Record::Ns => Self::Ns,
            Record::Ptr => Self::Ptr,
            Record::Srv => Self::Srv,
            Record::Txt => Self::Txt,
        }
    }
}

/// An expected status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Is(u16),
    /// The first digit.
    Class(u16),
}

impl Status {
    pub fn fits(self, status: u16) -> bool {
        match self {
            Self::Is(expected) => status == expected,
            Self::Class(first) => status / 100 == first,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        if let Some(first) = text.strip_suffix("xx") {
            let first = first.parse().ok().filter(|first| (1..=5).contains(first));
            return first.map(Self::Class);
        }
        text.parse()
            .ok()
            .filter(|status| (100..=599).contains(status))
            .map(Self::Is)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(status) => write!(f, "{status}"),
            Self::Class(first) => write!(f, "{first}xx"),
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = match &value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is no status: write a number such as 200, or a class such as `2xx`"
            ))
        })
    }
}

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^([1-5][0-9][0-9]|[1-5]xx)$" },
            ],
        })
    }
}

impl Target {
    /// Its name, or what is asked.
    pub fn label(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        match (&self.http, &self.tcp, &self.tls, &self.dns) {
            (Some(url), ..) => url.clone(),
            (_, Some(address), ..) => format!("tcp://{address}"),
            (_, _, Some(tls), _) => format!("tls://{}:{}", tls.host, tls.port),
            (_, _, _, Some(dns)) => format!("dns://{}", dns.name),
            _ => "a target of no kind".to_owned(),
        }
    }

    /// Why it makes no sense, beyond what the schema can say.
    pub fn mistake(&self) -> Option<String> {
        let kinds = [
            self.http.is_some(),
            self.tcp.is_some(),
            self.tls.is_some(),
            self.dns.is_some(),
        ];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            return Some("it needs exactly one of `http`, `tcp`, `tls`, `dns`".to_owned());
        }
        if let Some(url) = &self.http {
            return self.http_mistake(url);
        }
        let http_only = [
            ("method", self.method != "GET"),
            ("headers", !self.headers.is_empty()),
            ("expect_status", self.expect_status != any_success()),
            ("bearer_secret", self.bearer_secret.is_some()),
        ];
        let tcp_too = [
            ("body", self.tcp.is_none() && self.body.is_some()),
            (
                "expect_body",
                self.tcp.is_none() && self.expect_body.is_some(),
            ),
        ];
        let misplaced = http_only.iter().chain(&tcp_too).find(|(_, there)| *there);
        if let Some((field, _)) = misplaced {
            return Some(format!(
                "`{field}` has no meaning for this kind of target: leave it out"
            ));
        }
        match &self.tcp {
            Some(address) if split_address(address).is_none() => {
                Some(format!("`{address}` is no `host:port`"))
            }
            _ => None,
        }
    }

    fn http_mistake(&self, url: &str) -> Option<String> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Some("`http` must begin with `http://` or `https://`".to_owned());
        }
        if self.method.is_empty() || !self.method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Some(format!(
                "`{}` is no method: write `GET`, `HEAD`, `POST` …",
                self.method
            ));
        }
        if self.method == "HEAD" && self.expect_body.is_some() {
            return Some("an answer to `HEAD` has no body to expect something in".to_owned());
        }
        self.expect_status
            .is_empty()
            .then(|| "`expect_status` is empty, so nothing could be right".to_owned())
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

    #[test]
    fn statuses() {
        for (text, status, fits) in [
            ("200", 200, true),
            ("200", 204, false),
            ("2xx", 204, true),
            ("2xx", 301, false),
        ] {
            assert_eq!(
                Status::parse(text).unwrap().fits(status),
                fits,
                "{text} {status}"
            );
        }
        for bad in ["", "xx", "9xx", "20", "600", "2x"] {
            assert_eq!(Status::parse(bad), None, "{bad}");
        }
    }
}
