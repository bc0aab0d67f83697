//! A channel as the flat table that it is in the configuration and in the store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{
    Body, ChannelDef, DeadMan, Endpoint, Facility, Login, Preset, Smtp, SmtpTls, Syslog, Transport,
    Webhook,
};
use crate::Span;
use crate::grant::SecretSource;

/// Why a table is no channel.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}: {remedy}")]
pub struct ChannelError {
    /// The key that is to blame, where one is.
    pub key: Option<&'static str>,
    pub message: String,
    pub remedy: String,
}

impl ChannelError {
    /// With the key that is to blame.
    pub fn at(key: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            key: Some(key),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    pub(super) fn shapeless(error: serde_json::Error) -> Self {
        Self {
            key: None,
            message: error.to_string(),
            remedy: "see docs/notifications.md for the keys of each kind".into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Smtp,
    Webhook,
    Syslog,
    Journald,
    Command,
    DeadMan,
}

macro_rules! flat {
    ($($name:ident: $type:ty,)+) => {
        /// All keys of all kinds.
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Flat {
            kind: Kind,
            $(#[serde(default, skip_serializing_if = "Option::is_none")]
            $name: Option<$type>,)+
        }

        impl Flat {
            fn of(kind: Kind) -> Self {
                Self { kind, $($name: None,)+ }
            }

            /// The keys that are there.
            fn keys(&self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if self.$name.is_some() { keys.push(stringify!($name)); })+
                keys
            }
        }
    };
}

flat! {
    host: String,
    port: u16,
    tls: SmtpTls,
    user: String,
    password: SecretSource,
    from: String,
    to: Vec<String>,
    url: Endpoint,
    preset: Preset,
    template: String,
    content_type: String,
    token: SecretSource,
    headers: BTreeMap<String, String>,
    ca: PathBuf,
    socket: PathBuf,
    facility: Facility,
    command: Vec<String>,
    group: Span,
    rate: u32,
}

/// What a template is sent as.
const JSON: &str = "application/json";
const GROUP: Span = Span::seconds(5);
const RATE: u32 = 60;
const SYSLOG: &str = "/dev/log";
const JOURNALD: &str = "/run/systemd/journal/socket";

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Webhook => "webhook",
            Self::Syslog => "syslog",
            Self::Journald => "journald",
            Self::Command => "command",
            Self::DeadMan => "dead-man",
        }
    }

    /// The keys of the kind: those that must be there first.
    fn keys(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Smtp => (
                &["host", "from", "to"],
                &["port", "tls", "user", "password", "ca", "group", "rate"],
            ),
            Self::Webhook => (
                &["url"],
                &[
                    "preset",
                    "template",
                    "content_type",
                    "token",
                    "headers",
                    "ca",
                    "group",
                    "rate",
                ],
            ),
            Self::Syslog => (&[], &["socket", "facility", "group", "rate"]),
            Self::Journald => (&[], &["socket", "group", "rate"]),
            Self::Command => (&["command"], &["group", "rate"]),
            Self::DeadMan => (&["url"], &["ca"]),
        }
    }
}

impl Flat {
    fn check(&self) -> Result<(), ChannelError> {
        let (required, optional) = self.kind.keys();
        let there = self.keys();
        let kind = self.kind.as_str();
        let list = |keys: &[&str]| {
            keys.iter()
                .map(|key| format!("`{key}`"))
                .collect::<Vec<_>>()
        };
        if let Some(stray) = there
            .iter()
            .find(|key| !required.contains(key) && !optional.contains(key))
        {
            let all = [list(required), list(optional)].concat().join(", ");
            let message = format!("a channel of the kind `{kind}` has no `{stray}`");
            return Err(ChannelError::at(stray, message, format!("it has {all}")));
        }
        match required.iter().find(|key| !there.contains(key)) {
            None => Ok(()),
            Some(missing) => Err(ChannelError {
                key: None,
                message: format!("a channel of the kind `{kind}` needs `{missing}`"),
                remedy: format!("add `{missing} = …`"),
            }),
        }
    }

    fn smtp(self) -> Result<Smtp, ChannelError> {
        let tls = self.tls.unwrap_or(SmtpTls::Starttls);
        let login = match (self.user, self.password) {
            (Some(user), Some(password)) => Some(Login { user, password }),
            (None, None) => None,
            (Some(_), None) => {
                let remedy = "add `password = { file = \"/…\" }`";
                return Err(ChannelError::at(
                    "user",
                    "a login needs its password",
                    remedy,
                ));
            }
            (None, Some(_)) => {
                let remedy = "add `user = \"…\"`";
                return Err(ChannelError::at(
                    "password",
                    "a login needs its user",
                    remedy,
                ));
            }
        };
        if login.is_some() && tls == SmtpTls::None {
            let message = "a password is not sent in the clear";
            let remedy = "use `starttls` or `implicit`, or leave `user` and `password` out";
            return Err(ChannelError::at("tls", message, remedy));
        }
        Ok(Smtp {
            host: self.host.unwrap_or_default(),
            port: self.port.unwrap_or(tls.default_port()),
            tls,
            login,
            from: self.from.unwrap_or_default(),
            to: self.to.unwrap_or_default(),
            ca: self.ca,
        })
    }

    fn webhook(self, url: Endpoint) -> Result<Webhook, ChannelError> {
        let body = match (self.preset, self.template) {
            (_, None) if self.content_type.is_some() => {
                let message = "a preset has a content type of its own";
                let remedy = "leave `content_type` out, or write a `template`";
                return Err(ChannelError::at("content_type", message, remedy));
            }
            (preset, None) => Body::Preset(preset.unwrap_or(Preset::Json)),
            (None, Some(text)) => Body::Template {
                text,
                content_type: self.content_type.unwrap_or_else(|| JSON.to_owned()),
            },
            (Some(_), Some(_)) => {
                let message = "a preset is a template already";
                return Err(ChannelError::at("template", message, "keep one of the two"));
            }
        };
        Ok(Webhook {
            url,
            body,
            token: self.token,
            headers: self.headers.unwrap_or_default(),
            ca: self.ca,
        })
    }
}

impl TryFrom<Flat> for ChannelDef {
    type Error = ChannelError;
    fn try_from(flat: Flat) -> Result<Self, ChannelError> {
        flat.check()?;
        let (group, rate) = (flat.group.unwrap_or(GROUP), flat.rate.unwrap_or(RATE));
        let url = || flat.url.clone().unwrap_or(Endpoint::Url(String::new()));
        let transport = match flat.kind {
            Kind::Smtp => Transport::Smtp(flat.smtp()?),
            Kind::Webhook => {
                let url = url();
                Transport::Webhook(flat.webhook(url)?)
            }
            Kind::Syslog => Transport::Syslog(Syslog {
                socket: flat.socket.unwrap_or_else(|| SYSLOG.into()),
                facility: flat.facility.unwrap_or(Facility::Daemon),
            }),
            Kind::Journald => Transport::Journald(flat.socket.unwrap_or_else(|| JOURNALD.into())),
            Kind::Command => Transport::Command(flat.command.unwrap_or_default()),
            Kind::DeadMan => Transport::DeadMan(DeadMan {
                url: url(),
                ca: flat.ca,
            }),
        };
        Ok(Self {
            transport,
            group,
            rate,
        })
    }
}

fn unless<T: PartialEq>(value: T, default: &T) -> Option<T> {
    (value != *default).then_some(value)
}

impl From<ChannelDef> for Flat {
    fn from(channel: ChannelDef) -> Self {
        let mut flat = match channel.transport {
            Transport::Smtp(smtp) => of_smtp(smtp),
            Transport::Webhook(webhook) => of_webhook(webhook),
            Transport::Syslog(syslog) => Self {
                socket: unless(syslog.socket, &SYSLOG.into()),
                facility: unless(syslog.facility, &Facility::Daemon),
                ..Self::of(Kind::Syslog)
            },
            Transport::Journald(socket) => Self {
                socket: unless(socket, &JOURNALD.into()),
                ..Self::of(Kind::Journald)
            },
            Transport::Command(command) => Self {
                command: Some(command),
                ..Self::of(Kind::Command)
            },
            Transport::DeadMan(dead_man) => Self {
                url: Some(dead_man.url),
                ca: dead_man.ca,
                ..Self::of(Kind::DeadMan)
            },
        };
        if flat.kind != Kind::DeadMan {
            flat.group = unless(channel.group, &GROUP);
            flat.rate = unless(channel.rate, &RATE);
        }
        flat
    }
}

fn of_smtp(smtp: Smtp) -> Flat {
    let (user, password) = match smtp.login {
        Some(Login { user, password }) => (Some(user), Some(password)),
        None => (None, None),
    };
    Flat {
        host: Some(smtp.host),
        port: unless(smtp.port, &smtp.tls.default_port()),
        tls: unless(smtp.tls, &SmtpTls::Starttls),
        user,
        password,
        from: Some(smtp.from),
        to: Some(smtp.to),
        ca: smtp.ca,
        ..Flat::of(Kind::Smtp)
    }
}

fn of_webhook(webhook: Webhook) -> Flat {
    let mut flat = Flat {
        url: Some(webhook.url),
        token: webhook.token,
        headers: unless(webhook.headers, &BTreeMap::new()),
        ca: webhook.ca,
        ..Flat::of(Kind::Webhook)
    };
    match webhook.body {
        Body::Preset(preset) => flat.preset = unless(preset, &Preset::Json),
        Body::Template { text, content_type } => {
            flat.template = Some(text);
            flat.content_type = unless(content_type, &JSON.to_owned());
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        for json in [
            json!({"kind": "smtp", "host": "mail.example.org", "from": "a@b", "to": ["c@d"]}),
            json!({"kind": "smtp", "host": "h", "from": "a@b", "to": ["c@d"], "tls": "implicit",
                   "user": "u", "password": {"file": "/p"}, "ca": "/ca", "group": "1m", "rate": 5}),
            json!({"kind": "webhook", "url": "https://example.org/x"}),
            json!({"kind": "webhook", "url": {"env": "HOOK"}, "preset": "slack"}),
            json!({"kind": "webhook", "url": "https://example.org/x", "template": "{{ title }}",
                   "content_type": "text/plain", "headers": {"x-a": "b"}, "token": {"env": "T"}}),
            json!({"kind": "syslog"}),
            json!({"kind": "syslog", "socket": "/s", "facility": "local3"}),
            json!({"kind": "journald"}),
            json!({"kind": "command", "command": ["/bin/page", "--now"]}),
            json!({"kind": "dead-man", "url": {"file": "/etc/hc"}}),
        ] {
            let channel = ChannelDef::read(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(&channel).unwrap(), json);
        }
    }

    fn check(json: Value, key: Option<&str>, words: &str) {
        let error = ChannelDef::read(json).unwrap_err();
        assert_eq!(error.key, key, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }

    #[test]
    fn keys_that_do_not_go_together() {
        let smtp = json!({"kind": "smtp", "host": "h", "from": "a@b", "to": ["c@d"]});
        let with = |key: &str, value: Value| {
            let mut json = smtp.clone();
            json[key] = value;
            json
        };
        check(with("url", json!("https://x")), Some("url"), "has no `url`");
        check(with("user", json!("u")), Some("user"), "password");
        check(
            with("password", json!({"env": "P"})),
            Some("password"),
            "user",
        );
        let mut clear = with("tls", json!("none"));
        clear["user"] = json!("u");
        clear["password"] = json!({"env": "P"});
        check(clear, Some("tls"), "in the clear");
        check(json!({"kind": "webhook"}), None, "needs `url`");
        let url = "https://x";
        check(
            json!({"kind": "webhook", "url": url, "preset": "ntfy", "template": "x"}),
            Some("template"),
            "keep one",
        );
        check(
            json!({"kind": "webhook", "url": url, "content_type": "text/plain"}),
            Some("content_type"),
            "of its own",
        );
        check(
            json!({"kind": "dead-man", "url": url, "rate": 3}),
            Some("rate"),
            "no `rate`",
        );
        check(json!({"kind": "pigeon"}), None, "pigeon");
    }
}
