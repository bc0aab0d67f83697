//! Whether a channel can work at all: addresses, URLs, templates and programs, before
//! anything is to be told through it.

use mhost_model::channel::{
    Body, ChannelDef, ChannelError, DeadMan, Endpoint, Smtp, Transport, Webhook,
};

use crate::{http, smtp, template};

/// What is wrong with a channel, with the key that is to blame.
pub fn check(channel: &ChannelDef) -> Result<(), ChannelError> {
    match &channel.transport {
        Transport::Smtp(smtp) => mail(smtp),
        Transport::Webhook(webhook) => hook(webhook),
        Transport::DeadMan(DeadMan { url, .. }) => endpoint(url),
        Transport::Command(words) => program(words),
        Transport::Syslog(_) | Transport::Journald(_) => Ok(()),
    }
}

fn mail(smtp: &Smtp) -> Result<(), ChannelError> {
    if !http::is_host(&smtp.host) {
        let message = format!("`{}` is not a host", short(&smtp.host));
        let remedy =
            "write a name or an address, such as `mail.example.org`; the port stands in `port`";
        return Err(ChannelError::at("host", message, remedy));
    }
    let wrong = |key, text: &str| {
        let message = format!("`{}` is not a mail address", short(text));
        ChannelError::at(key, message, "write one such as `ops@example.org`")
    };
    smtp::mailbox(&smtp.from).map_err(|_| wrong("from", &smtp.from))?;
    if smtp.to.is_empty() {
        let remedy = "name at least one address";
        return Err(ChannelError::at("to", "nobody would be told", remedy));
    }
    for to in &smtp.to {
        smtp::mailbox(to).map_err(|_| wrong("to", to))?;
    }
    Ok(())
}

fn hook(webhook: &Webhook) -> Result<(), ChannelError> {
    endpoint(&webhook.url)?;
    for (name, value) in &webhook.headers {
        let fits = ::http::HeaderName::try_from(name.as_str()).is_ok()
            && ::http::HeaderValue::try_from(value.as_str()).is_ok();
        let ours = ["host", "content-length", "transfer-encoding", "connection"];
        if !fits || ours.contains(&name.as_str()) {
            let message = format!("`{}` is not a header that can be set", short(name));
            let remedy = "write a header's name in lower case, and one line of text";
            return Err(ChannelError::at("headers", message, remedy));
        }
        if name == "authorization" {
            let message = "a password does not stand in the configuration itself";
            let remedy = "use `token = { file = \"/…\" }`";
            return Err(ChannelError::at("headers", message, remedy));
        }
    }
    if let Body::Template { text, content_type } = &webhook.body {
        template::check(text, content_type).map_err(|why| {
            let message = format!("the template is wrong: {why}");
            let remedy = "see docs/notifications.md for what a template can say";
            ChannelError::at("template", message, remedy)
        })?;
        if ::http::HeaderValue::try_from(content_type.as_str()).is_err() {
            let message = format!("`{}` is not a content type", short(content_type));
            return Err(ChannelError::at(
                "content_type",
                message,
                "write one such as `text/plain`",
            ));
        }
    }
    Ok(())
}

fn endpoint(url: &Endpoint) -> Result<(), ChannelError> {
    let Endpoint::Url(url) = url else {
        return Ok(());
    };
    http::Target::parse(url).map(drop).map_err(|why| {
        let message = format!("the URL is wrong: {why}");
        let remedy = "write one such as `https://hooks.example.org/path`, or `{ file = \"/…\" }` where the URL is a secret";
        ChannelError::at("url", message, remedy)
    })
}

fn program(words: &[String]) -> Result<(), ChannelError> {
    match words.first() {
        Some(program) if program.starts_with('/') => Ok(()),
        other => {
            let program = other.map_or("", String::as_str);
            let message = format!("`{}` is not an absolute path", short(program));
            let remedy = "write the program's whole path, such as `/usr/local/bin/page`";
            Err(ChannelError::at("command", message, remedy))
        }
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judge(json: Value) -> Result<(), ChannelError> {
        check(&ChannelDef::read(json).unwrap())
    }

    #[test]
    fn good_channels() {
        for json in [
            json!({"kind": "smtp", "host": "127.0.0.1", "from": "mhost <m@example.org>", "to": ["a@b.example"]}),
            json!({"kind": "webhook", "url": "http://[::1]:80/x?y=z"}),
            json!({"kind": "webhook", "url": "https://x", "template": "{\"t\": {{ title }}}"}),
            json!({"kind": "command", "command": ["/bin/true"]}),
        ] {
            judge(json).unwrap();
        }
    }

    #[test]
    fn bad_ones_name_the_key() {
        let mail = |key: &str, value: Value| {
            let mut json = json!({"kind": "smtp", "host": "h", "from": "a@b", "to": ["c@d"]});
            json[key] = value;
            json
        };
        let hook = |key: &str, value: Value| {
            let mut json = json!({"kind": "webhook", "url": "https://x"});
            json[key] = value;
            json
        };
        for (json, key) in [
            (mail("host", json!("smtp://h")), "host"),
            (mail("host", json!("h:25")), "host"),
            (mail("from", json!("nobody")), "from"),
            (mail("to", json!([])), "to"),
            (mail("to", json!(["a@b", "c\r\nBcc: d@e"])), "to"),
            (hook("url", json!("ftp://x")), "url"),
            (hook("url", json!("https://u:p@x")), "url"),
            (hook("url", json!("https://x y")), "url"),
            (hook("headers", json!({"a b": "c"})), "headers"),
            (hook("headers", json!({"x": "a\r\nb: c"})), "headers"),
            (
                hook("headers", json!({"authorization": "Bearer x"})),
                "headers",
            ),
            (hook("headers", json!({"host": "x"})), "headers"),
            (hook("template", json!("{{ title")), "template"),
            (hook("template", json!("{{ nothing.there }}")), "template"),
            (json!({"kind": "command", "command": ["page"]}), "command"),
            (json!({"kind": "command", "command": []}), "command"),
        ] {
            assert_eq!(judge(json.clone()).unwrap_err().key, Some(key), "{json}");
        }
    }
}
