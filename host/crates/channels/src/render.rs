//! Bodies that well-known receivers understand, and what templates are given.

use chrono::TimeDelta;
use mhost_model::notify::{Event, EventKind, clipped};
use serde_json::{Value, json};

use crate::bundle::{Bundle, Item, loudness};
use crate::http::Target;

/// What a template and the preset `json` see.
pub fn context(bundle: &Bundle) -> Value {
    let events: Vec<Value> = bundle.items.iter().map(event).collect();
    json!({
        "id": bundle.id(),
        "channel": bundle.channel,
        "machine": bundle.machine,
        "title": bundle.title(),
        "text": bundle.text(),
        "events": events,
    })
}

fn event(item: &Item) -> Value {
    let event = &item.event;
    let files = item
        .files
        .iter()
        .map(|file| json!({ "name": file.name, "size": file.content.len() }));
    json!({
        "id": item.id,
        "kind": event.kind,
        "severity": event.severity,
        "resolved": event.kind == EventKind::Recovered,
        "at": event.at,
        "since": event.since,
        "task": event.task,
        "key": event.key,
        "over": event.over,
        "title": event.title,
        "text": event.text,
        "run": event.run,
        "repeated": event.repeated,
        "details": event.details,
        "files": files.collect::<Vec<_>>(),
    })
}

pub fn json(bundle: &Bundle) -> Vec<u8> {
    context(bundle).to_string().into_bytes()
}

/// Slack's incoming webhooks, and what speaks like them.
pub fn slack(bundle: &Bundle) -> Vec<u8> {
    let icon = match bundle.worst().map_or(0, loudness) {
        0 => ":white_check_mark:",
        1 => ":warning:",
        _ => ":rotating_light:",
    };
    // Their three characters; https://docs.slack.dev/messaging/formatting-message-text
    let escaped = |text: String| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    let title = escaped(bundle.title());
    let text = escaped(clipped(bundle.text(), 3000));
    let text = format!(
        "{icon} *{title}* on {}\n{text}",
        escaped(bundle.machine.clone())
    );
    json!({ "text": text }).to_string().into_bytes()
}

/// ntfy's JSON, which goes to the server itself; the topic is the last part of the path.
pub fn ntfy(url: &str, bundle: &Bundle) -> Result<(String, Vec<u8>), String> {
    let target = Target::parse(url)?;
    let topic = target.path.trim_matches('/');
    if topic.is_empty() || topic.contains(['/', '?']) {
        return Err("the URL must end with the topic: `https://ntfy.example.org/TOPIC`".into());
    }
    let server = url.trim_end_matches('/');
    let server = server.strip_suffix(topic).unwrap_or(server);
    let (priority, tag) = match bundle.worst().map_or(0, loudness) {
        0 => (3, "white_check_mark"),
        1 => (3, "warning"),
        _ => (4, "rotating_light"),
    };
    let body = json!({
        "topic": topic,
        "title": bundle.title(),
        "message": clipped(bundle.text(), 3500),
        "priority": priority,
        "tags": [tag, bundle.machine],
    });
    Ok((server.to_owned(), body.to_string().into_bytes()))
}

/// Alertmanager ends by itself, within minutes, what has no end; what stands is told once,
/// and its end is told. This is for alerts whose end never comes.
const STANDS: TimeDelta = TimeDelta::days(7);
/// What does not stand is shown for so long.
const SHOWN: TimeDelta = TimeDelta::minutes(5);

/// Alertmanager's `POST /api/v2/alerts`. An alert is known by its labels, so they hold
/// nothing that changes from one telling to the next. One recovery may end several.
pub fn alertmanager(bundle: &Bundle) -> Vec<u8> {
    let alerts = bundle.items.iter().flat_map(|item| {
        let event = &item.event;
        let first = || event.key.clone().unwrap_or_else(|| event.kind.to_string());
        let keys = match event.over.as_slice() {
            [] => vec![first()],
            over => over.to_vec(),
        };
        keys.into_iter().map(|key| alert(bundle, event, &key))
    });
    Value::from(alerts.collect::<Vec<_>>())
        .to_string()
        .into_bytes()
}

fn alert(bundle: &Bundle, event: &Event, key: &str) -> Value {
    let mut alert = json!({
        "labels": {
            "alertname": "mhost",
            "instance": bundle.machine,
            "task": event.task.as_ref().map(ToString::to_string).unwrap_or_default(),
            "key": key,
        },
        "annotations": { "summary": event.title, "description": event.text },
        "startsAt": event.since.unwrap_or(event.at),
    });
    let lasts = match event.kind {
        EventKind::Recovered | EventKind::Started | EventKind::Succeeded => TimeDelta::zero(),
        EventKind::Test | EventKind::Message => SHOWN,
        _ => STANDS,
    };
    alert["endsAt"] = json!(event.at.checked_add_signed(lasts).unwrap_or(event.at));
    if loudness(event) > 0 {
        alert["annotations"]["severity"] = json!(event.severity);
    }
    alert
}

#[cfg(test)]
mod tests {
    use mhost_model::Instant;

    use super::*;
    use crate::bundle::tests_support::{bundle, event as an_event};

    fn parsed(bytes: Vec<u8>) -> Value {
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn slack_is_escaped() {
        let mut event = an_event(EventKind::Failed, "a < b & c");
        event.text = "<!channel>".into();
        let said = parsed(slack(&bundle(vec![event])));
        let text = said["text"].as_str().unwrap();
        assert!(
            text.starts_with(":rotating_light: *a &lt; b &amp; c* on box"),
            "{text}"
        );
        assert!(!text.contains("<!"), "{text}");
    }

    #[test]
    fn ntfy_goes_to_the_server_with_its_topic() {
        let bundle = bundle(vec![an_event(EventKind::Degraded, "slow")]);
        let (server, body) = ntfy("https://ntfy.example.org/ops", &bundle).unwrap();
        assert_eq!(server, "https://ntfy.example.org/");
        let body = parsed(body);
        assert_eq!(
            (&body["topic"], &body["title"]),
            (&json!("ops"), &json!("slow"))
        );
        for bad in ["https://ntfy.example.org", "https://ntfy.example.org/a/b"] {
            assert!(ntfy(bad, &bundle).is_err(), "{bad}");
        }
    }

    #[test]
    fn alertmanager_knows_an_alert_by_its_labels() {
        let said = |kind, over: &[&str]| {
            let mut event = an_event(kind, "title");
            event.key = Some("site".into());
            event.over = over.iter().map(ToString::to_string).collect();
            let said = parsed(alertmanager(&bundle(vec![event])));
            let lasts = |one: &Value| {
                let at = |key: &str| one[key].as_str().unwrap().parse::<Instant>().unwrap();
                (at("endsAt") - at("startsAt")).num_seconds()
            };
            let alerts = said.as_array().unwrap().clone();
            let labels = alerts.iter().map(|one| (one["labels"].clone(), lasts(one)));
            labels.collect::<Vec<_>>()
        };
        let down = said(EventKind::Alert, &[]);
        assert_eq!(down[0].1, 7 * 86_400, "it stands until its end is told");
        let up = said(EventKind::Recovered, &["site"]);
        assert_eq!((&up[0].0, up[0].1), (&down[0].0, 0));
        assert_eq!(said(EventKind::Test, &[])[0].1, 300, "a test can be seen");
    }

    #[test]
    fn one_recovery_ends_several_alerts() {
        let mut event = an_event(EventKind::Recovered, "site recovered");
        (event.key, event.over) = (
            Some("failed".into()),
            vec!["failed".into(), "overdue".into()],
        );
        let said = parsed(alertmanager(&bundle(vec![event])));
        let keys: Vec<&Value> = said
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["labels"]["key"])
            .collect();
        assert_eq!(keys, ["failed", "overdue"]);
        assert!(
            said.as_array()
                .unwrap()
                .iter()
                .all(|one| one["endsAt"] == "2026-12-01T02:00:00Z")
        );
    }
}
