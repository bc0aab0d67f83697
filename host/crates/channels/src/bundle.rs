//! What is told in one go.

use mhost_model::Name;
use mhost_model::alert::Attachment;
use mhost_model::notify::{Event, clipped, stamp};

/// One event on its way.
#[derive(Debug, Clone)]
pub struct Item {
    /// The same for every try.
    pub id: u64,
    pub event: Event,
    pub files: Vec<Attachment>,
}

/// Events that are told together; at least one.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The channel's name.
    pub channel: Name,
    /// The name of this machine.
    pub machine: String,
    pub items: Vec<Item>,
}

impl Bundle {
    /// The same for every try of the same first event.
    pub fn id(&self) -> String {
        let first = self.items.first();
        let (id, at) = first.map_or((0, 0), |item| (item.id, item.event.at.timestamp_millis()));
        format!("{id}.{at}.{}", self.channel)
    }

    /// What stands in a subject: the only title, or how many there are and of what.
    pub fn title(&self) -> String {
        match self.items.as_slice() {
            [one] => one.event.title.clone(),
            many => {
                let titles = many.iter().map(|item| item.event.title.as_str());
                let mut text = format!("{} notices: ", many.len());
                text.push_str(&titles.collect::<Vec<_>>().join("; "));
                clipped(text, 200)
            }
        }
    }

    /// All of it, for a person.
    pub fn text(&self) -> String {
        let items = self.items.iter().map(told);
        items.collect::<Vec<_>>().join("\n\n")
    }

    /// The worst event, which decides how loudly it is said.
    pub fn worst(&self) -> Option<&Event> {
        let events = self.items.iter().map(|item| &item.event);
        events.max_by_key(|event| loudness(event))
    }
}

/// How loudly an event is said: 0 all is well, 1 degraded, 2 critical.
pub fn loudness(event: &Event) -> u8 {
    use mhost_model::notify::EventKind as K;
    match (event.kind, event.severity) {
        (K::Recovered | K::Started | K::Succeeded | K::Message | K::Test, _) => 0,
        (_, mhost_model::alert::Severity::Degraded) => 1,
        (_, mhost_model::alert::Severity::Critical) => 2,
    }
}

/// One event with all that is known of it.
fn told(item: &Item) -> String {
    let event = &item.event;
    let mut text = event.title.clone();
    if !event.text.is_empty() {
        text.push('\n');
        text.push_str(&event.text);
    }
    let mut facts = vec![format!("at {}", stamp(event.at))];
    facts.extend(event.since.map(|since| format!("since {}", stamp(since))));
    facts.extend(event.run.map(|run| format!("run {run}")));
    if event.repeated > 0 {
        facts.push(format!("told {} times before", event.repeated));
    }
    text.push_str(&format!("\n({})", facts.join(", ")));
    for file in &item.files {
        text.push_str(&format!("\n[{}, {} bytes]", file.name, file.content.len()));
    }
    text
}

#[cfg(test)]
pub mod tests_support {
    //! Events for tests.

    use mhost_model::alert::Severity;
    use mhost_model::notify::{Event, EventKind};

    use super::{Bundle, Item};

    pub fn event(kind: EventKind, title: &str) -> Event {
        let severity = match kind {
            EventKind::Degraded => Severity::Degraded,
            _ => Severity::Critical,
        };
        let at = "2026-12-01T02:00:00Z".parse().unwrap();
        Event {
            task: Some("site".parse().unwrap()),
            ..Event::new(kind, at, severity, title)
        }
    }

    pub fn bundle(events: Vec<Event>) -> Bundle {
        let item = |(id, event)| Item {
            id,
            event,
            files: Vec::new(),
        };
        Bundle {
            channel: "ops".parse().unwrap(),
            machine: "box".into(),
            items: (1..).zip(events).map(item).collect(),
        }
    }
}
