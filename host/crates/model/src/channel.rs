//! Channels: ways to people. In the configuration a channel is one flat table whose
//! `kind` says which keys it has; here it is a type that holds just those.

mod flat;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Span;
use crate::grant::SecretSource;
use crate::notify::EventKind;
pub use flat::ChannelError;
use flat::Flat;

/// `[channels.NAME]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Flat", into = "Flat")]
pub struct ChannelDef {
    pub transport: Transport,
    /// What happens within so long after something is told together with it.
    pub group: Span,
    /// At most so many messages an hour; what is more waits, and is told together.
    pub rate: u32,
}

/// How a message gets there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    Smtp(Smtp),
    Webhook(Webhook),
    Syslog(Syslog),
    /// The journal's socket.
    Journald(PathBuf),
    /// An absolute path and its arguments.
    Command(Vec<String>),
    DeadMan(DeadMan),
}

/// A mail server and the people behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub login: Option<Login>,
    pub from: String,
    pub to: Vec<String>,
    /// Authorities that are trusted beside the machine's, a PEM file.
    pub ca: Option<PathBuf>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpTls {
    /// It begins in the clear, and must be taken up to TLS before anything is said.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// In the clear; without a login.
    None,
}

impl SmtpTls {
    /// Where such servers listen.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: SecretSource,
}

/// An HTTP endpoint that takes messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub url: Endpoint,
    pub body: Body,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<SecretSource>,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    pub ca: Option<PathBuf>,
}

/// What a webhook is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Preset(Preset),
    Template { text: String, content_type: String },
}

/// Bodies that well-known receivers understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// All that there is to say, as JSON.
    Json,
    Slack,
    Ntfy,
    Alertmanager,
}

/// A URL, perhaps one that is a secret as a whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Endpoint {
    Url(String),
    Secret(SecretSource),
}

/// The path of many an endpoint is a password.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{}/…", origin(url)),
            Self::Secret(source) => source.fmt(f),
        }
    }
}

/// Scheme, host and port of a URL: what may be shown of it.
pub fn origin(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url[from..].find(['/', '?', '#']);
    let origin = &url[..end.map_or(url.len(), |end| from + end)];
    // Whoever writes a password there shall not read it again.
    match origin.rfind('@') {
        Some(at) => &origin[at + 1..],
        None => origin,
    }
}

/// The system's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    pub socket: PathBuf,
    pub facility: Facility,
}

/// Where syslog files a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facility {
    User,
    Mail,
    Daemon,
    Cron,
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

impl Facility {
    /// The number of RFC 5424.
    pub fn code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Mail => 2,
            Self::Daemon => 3,
            Self::Cron => 9,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}

/// A service that misses the signs of life: healthchecks.io's protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadMan {
    pub url: Endpoint,
    pub ca: Option<PathBuf>,
}

impl ChannelDef {
    /// The word of `kind`.
    pub fn kind(&self) -> &'static str {
        match self.transport {
            Transport::Smtp(_) => "smtp",
            Transport::Webhook(_) => "webhook",
            Transport::Syslog(_) => "syslog",
            Transport::Journald(_) => "journald",
            Transport::Command(_) => "command",
            Transport::DeadMan(_) => "dead-man",
        }
    }

    /// Whether it wants signs of life instead of news.
    pub fn is_dead_man(&self) -> bool {
        matches!(self.transport, Transport::DeadMan(_))
    }

    /// The signs of life.
    pub fn is_sign(kind: EventKind) -> bool {
        use EventKind::{Failed, Lost, Started, Succeeded};
        matches!(kind, Started | Succeeded | Failed | Lost)
    }

    /// Reads a channel from JSON; the error names the key that is to blame.
    pub fn read(json: serde_json::Value) -> Result<Self, ChannelError> {
        let flat: Flat = serde_json::from_value(json).map_err(ChannelError::shapeless)?;
        flat.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_its_origin_only() {
        for (url, shown) in [
            (
                "https://hooks.example.org/T0/B1/secret",
                "https://hooks.example.org",
            ),
            (
                "http://127.0.0.1:8080?token=secret",
                "http://127.0.0.1:8080",
            ),
            ("https://user:secret@example.org/x", "example.org"),
            ("https://example.org", "https://example.org"),
        ] {
            assert_eq!(origin(url), shown);
            let debug = format!("{:?}", Endpoint::Url(url.into()));
            assert!(!debug.contains("secret"), "{debug}");
        }
    }
}
