//! The kinds of targets, and what is expected of them.

use std::borrow::Cow;

use mhost_sdk::probe::{Family, HttpVersion as Speak};
use mhost_sdk::units::{Size, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

fn yes() -> bool {
    true
}

fn two_weeks() -> u32 {
    14
}

fn https() -> u16 {
    443
}

fn dns_port() -> u16 {
    53
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
    /// Degraded when the certificate ends in fewer days.
    #[serde(default)]
    pub warn_days: u32,
    /// Whether the certificate must be trusted by this machine.
    #[serde(default = "yes")]
    pub trusted: bool,
    /// A file of a granted directory with authorities to trust in place of the machine's.
    #[serde(default)]
    pub ca: Option<String>,
    /// Refuse TLS 1.2.
    #[serde(default)]
    pub tls13_only: bool,
}

impl Tls {
    pub fn certificate(&self) -> Certificate {
        Certificate {
            server_name: self.server_name.clone(),
            min_days: self.min_days,
            warn_days: self.warn_days,
            trusted: self.trusted,
            ca: self.ca.clone(),
            tls13_only: self.tls13_only,
        }
    }
}

/// What a peer's certificate must be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Certificate {
    /// The name that the certificate must be for; the host when not given.
    pub server_name: Option<String>,
    /// Down when the certificate ends in fewer days.
    pub min_days: u32,
    /// Degraded when the certificate ends in fewer days.
    pub warn_days: u32,
    /// Whether the certificate must be trusted by this machine.
    pub trusted: bool,
    /// A file of a granted directory with authorities to trust in place of the machine's.
    pub ca: Option<String>,
    /// Refuse TLS 1.2.
    pub tls13_only: bool,
}

impl Default for Certificate {
    fn default() -> Self {
        Self {
            server_name: None,
            min_days: 0,
            warn_days: two_weeks(),
            trusted: true,
            ca: None,
            tls13_only: false,
        }
    }
}

/// A name.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// What is asked for.
    #[serde(default)]
    pub name: String,
    /// The type of record: `a`, `aaaa`, `mx` …; with a `server` any that DNS knows.
    #[serde(default)]
    pub record: Record,
    /// One of the records must be this.
    #[serde(default)]
    pub expect: Option<String>,
    /// All of these must be among the records, whatever their order.
    #[serde(default)]
    pub expect_all: Vec<String>,
    /// The server to ask, in place of the machine's resolver; it is what must be granted then,
    /// as `dns://SERVER:PORT`.
    #[serde(default)]
    pub server: Option<String>,
    #[serde(default = "dns_port")]
    pub port: u16,
    /// Ask the server over TCP.
    #[serde(default)]
    pub tcp: bool,
    /// Whether the server is asked to ask others.
    #[serde(default = "yes")]
    pub recursion: bool,
    /// The right answers of the server: `NOERROR`, `NXDOMAIN` ….
    #[serde(default)]
    pub rcodes: Vec<String>,
    /// What the server's answer may hold: whole records as `name TTL IN TYPE data`, with
    /// tabs between.
    #[serde(default)]
    pub answer: Rules,
    #[serde(default)]
    pub authority: Rules,
    #[serde(default)]
    pub additional: Rules,
}

/// Regular expressions over a section's records.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Down if a record matches one of these.
    pub fail_if_matches: Vec<String>,
    /// Down if every record matches one of these.
    pub fail_if_all_match: Vec<String>,
    /// Down if a record does not match one of these.
    pub fail_if_not_matches: Vec<String>,
    /// Down if no record matches one of these.
    pub fail_if_none_matches: Vec<String>,
}

impl Rules {
    pub fn patterns(&self) -> impl Iterator<Item = &String> {
        let all = [
            &self.fail_if_matches,
            &self.fail_if_all_match,
            &self.fail_if_not_matches,
            &self.fail_if_none_matches,
        ];
        all.into_iter().flatten()
    }
}

/// A type of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record(pub String);

impl Default for Record {
    fn default() -> Self {
        Self("A".to_owned())
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let why = format!("`{text}` is no type of record: write `a`, `mx` …");
            return Err(de::Error::custom(why));
        }
        Ok(Self(text.to_ascii_uppercase()))
    }
}

impl JsonSchema for Record {
    fn schema_name() -> Cow<'static, str> {
        "Record".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9]+$" })
    }
}

/// Which addresses of a name to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpFamily {
    #[default]
    Any,
    Ipv4,
    Ipv6,
}

impl From<IpFamily> for Family {
    fn from(family: IpFamily) -> Self {
        match family {
            IpFamily::Any => Self::Any,
            IpFamily::Ipv4 => Self::V4,
            IpFamily::Ipv6 => Self::V6,
        }
    }
}

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum HttpVersion {
    // Over TLS what the peer prefers of 2 and 1.1, otherwise 1.1. (Without doc comments the
    // schema is a plain list of the words, which a mistake can then be answered with.)
    #[default]
    #[serde(rename = "any")]
    Any,
    #[serde(rename = "1.1")]
    One,
    // Without TLS from the first byte on, as with a server that is known to speak it.
    #[serde(rename = "2")]
    Two,
}

impl From<HttpVersion> for Speak {
    fn from(version: HttpVersion) -> Self {
        match version {
            HttpVersion::Any => Self::Any,
            HttpVersion::One => Self::Http1,
            HttpVersion::Two => Self::Http2,
        }
    }
}

/// A user whose password is a secret.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    pub user: String,
    /// The name of the granted secret.
    pub password_secret: String,
}

/// Something that a JSON answer must hold. Without `is` and `matches` it must only be there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonRule {
    /// Where: `$.checks[0].status`, `$['a b']`.
    pub path: String,
    /// The value there.
    #[serde(default)]
    pub is: Option<serde_json::Value>,
    /// A regular expression for a text or a number there.
    #[serde(default)]
    pub matches: Option<String>,
}

/// One step of a conversation: what is awaited, then what is said, then TLS.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// A regular expression that a line must match; other lines are passed over.
    pub expect: Option<String>,
    /// What to say, with its line end. `${1}` stands for the first group of `expect`.
    pub send: Option<String>,
    /// Go on over TLS.
    pub start_tls: bool,
}

/// A file of a granted directory.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileAge {
    /// Below a granted directory: `/backups/site.tar`.
    pub path: String,
    /// Down when it was written longer ago.
    #[serde(default)]
    pub max_age: Option<Span>,
    #[serde(default)]
    pub min_size: Option<Size>,
    #[serde(default)]
    pub max_size: Option<Size>,
}

/// The free space of the file system that a granted directory lies on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// A granted directory, or something below it.
    pub path: String,
    /// Down when less is free.
    #[serde(default)]
    pub min_free: Option<Size>,
    /// Down when a smaller part is free, per cent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub min_free_percent: Option<f64>,
    /// Degraded when less is free.
    #[serde(default)]
    pub warn_free: Option<Size>,
    /// Degraded when a smaller part is free, per cent.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub warn_free_percent: Option<f64>,
}

/// A task of this host, which must succeed again and again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// The task's name.
    pub name: String,
    /// Down when its newest success was due longer ago. When not given, what its own schedule
    /// calls for.
    #[serde(default)]
    pub max_age: Option<Span>,
}
