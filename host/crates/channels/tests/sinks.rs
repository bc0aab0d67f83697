//! Channels against receivers that are there: a mail server with STARTTLS and logins, and
//! an HTTP server, both on loopback.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[path = "sinks/hook.rs"]
mod hook;
#[path = "sinks/mail.rs"]
mod mail;
#[path = "sinks/tls.rs"]
mod tls;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mhost_channels::{Bundle, Failure, Item, deliver};
use mhost_model::alert::{Attachment, Severity};
use mhost_model::channel::ChannelDef;
use mhost_model::grant::SecretSource;
use mhost_model::notify::{Event, EventKind};
use mhost_model::ports::run::Secrets;
use mhost_model::{Fault, FaultResult};
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse battery";

/// Secrets of the environment `PASSWORD`, `TOKEN`, and URLs that are given as they are.
struct Known;

impl Secrets for Known {
    fn read(&self, source: &SecretSource) -> FaultResult<String> {
        match source {
            SecretSource::Env(name) if name == "PASSWORD" => Ok(PASSWORD.into()),
            SecretSource::Env(name) if name == "WRONG" => Ok("a wrong password".into()),
            SecretSource::Env(name) if name.starts_with("http") => Ok(format!("{name}\n")),
            other => Err(Fault::NotFound(format!("{other:?}"))),
        }
    }
}

fn event(kind: EventKind, title: &str) -> Event {
    let at = "2026-12-01T02:00:00Z".parse().unwrap();
    Event {
        task: Some("site".parse().unwrap()),
        text: "line one\nline two".into(),
        run: Some(mhost_model::RunId(7)),
        ..Event::new(kind, at, Severity::Critical, title)
    }
}

async fn send(channel: Value, events: Vec<Event>) -> Result<(), Failure> {
    let item = |(id, event)| Item {
        id,
        event,
        files: vec![Attachment {
            name: "web.log".into(),
            media_type: "text/plain".into(),
            content: b"GET /".to_vec(),
        }],
    };
    let bundle = Bundle {
        channel: "ops".parse().unwrap(),
        machine: "box".into(),
        items: (1..).zip(events).map(item).collect(),
    };
    let channel = ChannelDef::read(channel).unwrap();
    mhost_channels::check(&channel).unwrap();
    let secrets: Arc<dyn Secrets> = Arc::new(Known);
    deliver(
        &channel,
        &bundle,
        &secrets,
        "2026-12-01T02:00:00Z".parse().unwrap(),
    )
    .await
}

fn failed() -> Vec<Event> {
    vec![event(EventKind::Failed, "site failed")]
}

fn smtp(port: u16, more: Value) -> Value {
    let mut json = json!({
        "kind": "smtp", "host": "localhost", "port": port,
        "from": "mhost@example.org", "to": ["ops@example.org", "night@example.org"],
    });
    json.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json
}

#[tokio::test]
async fn a_mail_goes_by_starttls_with_a_login() {
    let authority = tls::Authority::new();
    let sink = mail::Sink::start(mail::Way::Starttls, &authority, Some(("mhost", PASSWORD))).await;
    let login = json!({"user": "mhost", "password": {"env": "PASSWORD"}, "ca": authority.file()});
    send(smtp(sink.port, login), failed()).await.unwrap();
    let got = sink.got();
    assert_eq!(got.len(), 1);
    assert!(got[0].tls && got[0].user.as_deref() == Some("mhost"));
    assert_eq!(got[0].to, ["ops@example.org", "night@example.org"]);
    for words in [
        "Subject: [mhost box] site failed",
        "line two",
        "run 7",
        "filename=\"web.log\"",
    ] {
        assert!(got[0].data.contains(words), "{words}\n{}", got[0].data);
    }
}

#[tokio::test]
async fn a_mail_goes_by_implicit_tls_and_in_the_clear() {
    let authority = tls::Authority::new();
    let sink = mail::Sink::start(mail::Way::Implicit, &authority, None).await;
    let way = json!({"tls": "implicit", "ca": authority.file()});
    send(smtp(sink.port, way), failed()).await.unwrap();
    assert!(sink.got()[0].tls);
    let sink = mail::Sink::start(mail::Way::Clear, &authority, None).await;
    send(smtp(sink.port, json!({"tls": "none"})), failed())
        .await
        .unwrap();
    assert!(!sink.got()[0].tls);
}

#[tokio::test]
async fn nothing_is_said_to_a_server_that_cannot_be_trusted() {
    let authority = tls::Authority::new();
    let login = json!({"user": "mhost", "password": {"env": "PASSWORD"}});
    // A certificate of an unknown authority.
    let sink = mail::Sink::start(mail::Way::Starttls, &authority, Some(("mhost", PASSWORD))).await;
    let failure = send(smtp(sink.port, login.clone()), failed())
        .await
        .unwrap_err();
    assert!(failure.why.contains("certificate"), "{}", failure.why);
    assert!(sink.got().is_empty() && !sink.heard().contains("AUTH"));
    // One that does not offer TLS at all.
    let sink = mail::Sink::start(mail::Way::Clear, &authority, None).await;
    let failure = send(smtp(sink.port, login), failed()).await.unwrap_err();
    assert!(
        sink.got().is_empty() && !sink.heard().contains("AUTH"),
        "{}",
        failure.why
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let authority = tls::Authority::new();
    let sink = mail::Sink::start(mail::Way::Starttls, &authority, Some(("mhost", PASSWORD))).await;
    let login = json!({"user": "mhost", "password": {"env": "WRONG"}, "ca": authority.file()});
    let failure = send(smtp(sink.port, login), failed()).await.unwrap_err();
    assert!(failure.why.contains("535"), "{}", failure.why);
    assert!(!failure.why.contains("wrong password"), "{}", failure.why);
    // The server repeats the command, where the password stands in base64.
    let said = STANDARD.encode("\0mhost\0a wrong password");
    assert!(failure.why.contains("AUTH PLAIN"), "{}", failure.why);
    for part in [&said[12..20], &said[20..28]] {
        assert!(!failure.why.contains(part), "{}", failure.why);
    }
    let login = json!({"user": "mhost", "password": {"env": "MISSING"}});
    let failure = send(smtp(sink.port, login), failed()).await.unwrap_err();
    assert!(failure.why.contains("MISSING"), "{}", failure.why);
}

#[tokio::test]
async fn a_webhook_gets_json_and_a_token() {
    let hook = hook::Hook::start(None, vec![hook::ok()]).await;
    let channel = json!({
        "kind": "webhook", "url": hook.url("/notify?a=b"), "token": {"env": "PASSWORD"},
        "headers": {"x-team": "ops"},
    });
    let events = vec![
        event(EventKind::Failed, "a failed"),
        event(EventKind::Recovered, "b recovered"),
    ];
    send(channel, events).await.unwrap();
    let got = hook.got();
    assert_eq!(got[0].path, "/notify?a=b");
    assert_eq!(got[0].header("authorization"), format!("Bearer {PASSWORD}"));
    assert_eq!(
        (got[0].header("x-team"), got[0].header("content-type")),
        ("ops", "application/json")
    );
    let said: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(said["events"][1]["resolved"], true);
    assert_eq!(said["title"], "2 notices: a failed; b recovered");
    assert_eq!(said["events"][0]["files"][0]["name"], "web.log");
}

#[tokio::test]
async fn a_webhook_by_https_trusts_the_authority_that_it_was_given() {
    let authority = tls::Authority::new();
    let hook = hook::Hook::start(Some(&authority), vec![hook::ok()]).await;
    let url = hook.url("/x").replace("127.0.0.1", "localhost");
    let channel = json!({"kind": "webhook", "url": url, "preset": "slack"});
    let failure = send(channel.clone(), failed()).await.unwrap_err();
    assert!(failure.why.contains("TLS"), "{}", failure.why);
    let mut trusted = channel;
    trusted["ca"] = json!(authority.file());
    send(trusted, failed()).await.unwrap();
    assert!(hook.got()[0].body.contains("*site failed* on box"));
}

#[tokio::test]
async fn a_refusal_is_told_without_the_secret_url() {
    let hook = hook::Hook::start(
        None,
        vec![
            hook::answer("404 Not Found", "", "no hook very-secret here"),
            hook::answer(
                "404 Not Found",
                "",
                &format!("{}very-secret", "no ".repeat(65)),
            ),
            hook::answer("429 Too Many Requests", "retry-after: 77\r\n", ""),
            hook::answer(
                "302 Found",
                "location: https://elsewhere.example/login?next=very-secret\r\n",
                "",
            ),
        ],
    )
    .await;
    let channel = json!({"kind": "webhook", "url": {"env": hook.url("/T0/very-secret")}});
    let failure = send(channel.clone(), failed()).await.unwrap_err();
    assert!(
        failure.why.contains("404") && !failure.why.contains("very-secret"),
        "{}",
        failure.why
    );
    // What is shown of the answer ends within the secret.
    let failure = send(channel.clone(), failed()).await.unwrap_err();
    assert!(
        failure.why.contains("404") && !failure.why.contains("very-"),
        "{}",
        failure.why
    );
    let failure = send(channel.clone(), failed()).await.unwrap_err();
    assert_eq!(failure.retry_after.unwrap().as_secs(), 77);
    let failure = send(channel, failed()).await.unwrap_err();
    assert!(
        failure.why.contains("redirects are not followed"),
        "{}",
        failure.why
    );
    assert!(!failure.why.contains("very-secret"), "{}", failure.why);
}

#[tokio::test]
async fn templates_and_signs_of_life() {
    let hook = hook::Hook::start(None, vec![hook::ok(), hook::ok(), hook::ok(), hook::ok()]).await;
    let channel = json!({
        "kind": "webhook", "url": hook.url("/t"),
        "template": "{\"msg\": {{ title }}, \"n\": {{ events | length }}}",
    });
    send(channel, failed()).await.unwrap();
    let signs = json!({"kind": "dead-man", "url": hook.url("/ping/uuid")});
    for kind in [EventKind::Started, EventKind::Succeeded, EventKind::Failed] {
        send(signs.clone(), vec![event(kind, "site")])
            .await
            .unwrap();
    }
    let got = hook.got();
    assert_eq!(got[0].body, "{\"msg\": \"site failed\", \"n\": 1}");
    let paths: Vec<&str> = got[1..]
        .iter()
        .map(|one| one.path.split('?').next().unwrap())
        .collect();
    assert_eq!(paths, ["/ping/uuid/start", "/ping/uuid", "/ping/uuid/fail"]);
    let rids: Vec<&str> = got[1..]
        .iter()
        .map(|one| one.path.split("rid=").nth(1).unwrap())
        .collect();
    assert!(rids[0] == rids[1] && rids[1] == rids[2]);
}

#[tokio::test]
async fn nobody_there_is_said_with_the_place() {
    let port = hook::free_port().await;
    let failure = send(smtp(port, json!({"tls": "none"})), failed())
        .await
        .unwrap_err();
    assert!(
        failure.why.contains(&format!("localhost:{port}")),
        "{}",
        failure.why
    );
    let url = format!("http://127.0.0.1:{port}/secret-path");
    let failure = send(json!({"kind": "webhook", "url": url}), failed())
        .await
        .unwrap_err();
    assert!(
        failure.why.contains("cannot connect to 127.0.0.1"),
        "{}",
        failure.why
    );
    assert!(!failure.why.contains("secret-path"), "{}", failure.why);
}
