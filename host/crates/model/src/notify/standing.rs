//! Alerts that stand: kept until they are over, so that each is told once.

use serde::{Deserialize, Serialize};

use super::{Event, EventKind};
use crate::alert::Severity;
use crate::{Instant, Name, RunId};

/// Something that is wrong, from the first time it was seen until it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// The task's name when it was seen last.
    pub task: Name,
    pub kind: EventKind,
    /// The plugin's key, or the kind of the host's own.
    pub key: String,
    pub severity: Severity,
    pub title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// The run that showed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The fire or run that it hangs on, where each is an alert of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    pub since: Instant,
    pub seen_at: Instant,
    /// How often people were told, and when last.
    #[serde(default)]
    pub told: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told_at: Option<Instant>,
    /// Nobody can judge it now: it is not told again until it is raised anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// Somebody knows: it is not told again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Instant>,
}

impl Standing {
    /// What `event` makes of what stood there before.
    pub fn after(before: Option<&Self>, event: &Event, instance: String) -> Self {
        let same = before.filter(|before| !before.differs(event, &instance));
        Self {
            task: event.task.clone().unwrap_or_else(no_task),
            kind: event.kind,
            key: event.key.clone().unwrap_or_default(),
            severity: event.severity,
            title: event.title.clone(),
            text: event.text.clone(),
            details: event.details.clone(),
            run: event.run,
            since: match before {
                // Getting better or worse does not begin anew.
                Some(before) if before.instance == instance => before.since,
                _ => event.since.unwrap_or(event.at),
            },
            seen_at: event.at,
            told: same.map_or(0, |same| same.told),
            told_at: same.and_then(|same| same.told_at),
            acknowledged_at: same.and_then(|same| same.acknowledged_at),
            silent: false,
            instance,
        }
    }

    /// Whether it is another alert than this one, to be told by itself.
    fn differs(&self, event: &Event, instance: &str) -> bool {
        self.severity != event.severity || self.kind != event.kind || self.instance != instance
    }

    /// The event that tells it again.
    pub fn event(&self, at: Instant) -> Event {
        Event {
            task: Some(self.task.clone()),
            key: Some(self.key.clone()),
            text: self.text.clone(),
            run: self.run,
            since: Some(self.since),
            repeated: self.told,
            details: self.details.clone(),
            ..Event::new(self.kind, at, self.severity, self.title.as_str())
        }
    }
}

fn no_task() -> Name {
    "mhost"
        .parse()
        .unwrap_or_else(|_| unreachable!("a valid name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(severity: Severity, seconds: i64) -> Event {
        let at = Instant::from_timestamp(seconds, 0).unwrap();
        Event {
            key: Some("site".into()),
            ..Event::new(EventKind::Alert, at, severity, "site is down")
        }
    }

    #[test]
    fn the_same_is_told_once_and_a_change_anew() {
        let mut first = Standing::after(None, &event(Severity::Critical, 1), String::new());
        assert_eq!((first.told, first.since.timestamp()), (0, 1));
        (first.told, first.told_at) = (1, Some(first.since));
        first.acknowledged_at = Some(first.since);
        let same = Standing::after(Some(&first), &event(Severity::Critical, 9), String::new());
        assert_eq!(
            (same.told, same.since.timestamp(), same.seen_at.timestamp()),
            (1, 1, 9)
        );
        assert!(same.acknowledged_at.is_some());
        first.silent = true;
        let again = Standing::after(Some(&first), &event(Severity::Critical, 9), String::new());
        assert!(!again.silent && again.told == 1);
        let milder = Standing::after(Some(&first), &event(Severity::Degraded, 9), String::new());
        assert_eq!((milder.told, milder.since.timestamp()), (0, 1));
        assert!(milder.acknowledged_at.is_none());
        let other = Standing::after(Some(&first), &event(Severity::Critical, 9), "2".into());
        assert_eq!((other.told, other.since.timestamp()), (0, 9));
    }
}
