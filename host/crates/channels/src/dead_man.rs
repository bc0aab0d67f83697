//! Signs of life, as healthchecks.io takes them: `URL/start`, `URL`, `URL/fail`. A run's
//! start and end carry the same `rid`, so that the receiver knows how long it took.
//! Source: https://healthchecks.io/docs/http_api/

use mhost_model::channel::DeadMan;
use mhost_model::notify::{Event, EventKind, clipped};
use sha2::{Digest as _, Sha256};

use crate::bundle::Bundle;
use crate::http::{Post, post};
use crate::masks::Keyring;
use crate::{Delivered, Failure};

/// The most that is said with a sign, bytes; receivers keep about as much.
const MOST: usize = 10_000;

pub async fn send(dead_man: &DeadMan, bundle: &Bundle, keyring: &Keyring) -> Delivered {
    let url = keyring.url(&dead_man.url).await?;
    for item in &bundle.items {
        let said = format!("{}\n{}", item.event.title, item.event.text);
        let request = Post {
            url: sign(&url, &item.event, &bundle.machine),
            headers: Default::default(),
            content_type: "text/plain; charset=utf-8".into(),
            body: clipped(said, MOST).into_bytes(),
            ca: dead_man.ca.clone(),
        };
        post(request, keyring).await.map_err(|failure| Failure {
            why: format!("{} of {}", failure.why, word(item.event.kind)),
            ..failure
        })?;
    }
    Ok(())
}

fn word(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Started => "the sign that a run started",
        EventKind::Succeeded => "the sign that a run succeeded",
        EventKind::Test => "a test",
        _ => "the sign that a run failed",
    }
}

/// The address of a sign.
fn sign(url: &str, event: &Event, machine: &str) -> String {
    let (base, query) = match url.split_once('?') {
        Some((base, query)) => (base, Some(query)),
        None => (url, None),
    };
    let suffix = match event.kind {
        EventKind::Started => "/start",
        EventKind::Succeeded => "",
        // Only written down: it proves nothing about any run.
        EventKind::Test => "/log",
        _ => "/fail",
    };
    let mut sign = format!("{}{suffix}", base.trim_end_matches('/'));
    let rid = event
        .run
        .map(|run| format!("rid={}", rid(machine, event, run.0)));
    let queries: Vec<&str> = query.into_iter().chain(rid.as_deref()).collect();
    if !queries.is_empty() {
        sign.push('?');
        sign.push_str(&queries.join("&"));
    }
    sign
}

/// The same UUID for all signs of one run (RFC 9562, version 8).
fn rid(machine: &str, event: &Event, run: u64) -> String {
    let task = event.task.as_ref().map_or("", |task| task.as_str());
    let hash = Sha256::digest(format!("{machine}\n{task}\n{run}"));
    let mut bytes: [u8; 16] = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use mhost_model::RunId;

    use super::*;
    use crate::bundle::tests_support::event;

    #[test]
    fn where_signs_go() {
        let url = |kind, base: &str, run: Option<u64>| {
            let mut event = event(kind, "t");
            event.run = run.map(RunId);
            sign(base, &event, "box")
        };
        let base = "https://hc.example/ping/0000";
        assert_eq!(url(EventKind::Started, base, None), format!("{base}/start"));
        assert_eq!(url(EventKind::Succeeded, base, None), base);
        assert_eq!(url(EventKind::Lost, base, None), format!("{base}/fail"));
        assert_eq!(
            url(EventKind::Failed, "https://h/x/?create=1", None),
            "https://h/x/fail?create=1"
        );
        let rid = |kind| {
            url(kind, base, Some(7))
                .split_once("rid=")
                .unwrap()
                .1
                .to_owned()
        };
        assert_eq!(rid(EventKind::Started), rid(EventKind::Failed));
        let parts: Vec<usize> = rid(EventKind::Started).split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
    }
}
