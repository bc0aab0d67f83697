//! Who is told what: events, and a task's choice among them.

mod standing;
mod telling;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::alert::Severity;
use crate::{Instant, Name, RunId, Span};
pub use standing::Standing;
pub use telling::{clipped, stamp};

/// What can happen that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A run failed or timed out, and will not be tried again.
    Failed,
    /// A run's fate is not known, and it will not be tried again.
    Lost,
    /// A run did not start in time.
    Late,
    /// A run takes too long.
    TooLong,
    /// A run that succeeded was suspiciously fast.
    TooFast,
    /// There was no success for longer than the schedule explains.
    Overdue,
    /// A plugin says that something works, but not as it should.
    Degraded,
    /// A plugin says that something does not work.
    Alert,
    /// What people were told of is over.
    Recovered,
    /// A run started.
    Started,
    /// A run succeeded.
    Succeeded,
    /// A message of a plugin.
    Message,
    /// `mhost notify test`.
    Test,
}

impl EventKind {
    /// Those that a task can choose.
    pub const CHOICES: [Self; 11] = [
        Self::Failed,
        Self::Lost,
        Self::Late,
        Self::TooLong,
        Self::TooFast,
        Self::Overdue,
        Self::Degraded,
        Self::Alert,
        Self::Recovered,
        Self::Started,
        Self::Succeeded,
    ];

    /// As it stands in the configuration and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Late => "late",
            Self::TooLong => "too-long",
            Self::TooFast => "too-fast",
            Self::Overdue => "overdue",
            Self::Degraded => "degraded",
            Self::Alert => "alert",
            Self::Recovered => "recovered",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Message => "message",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// `[notify]` and `[tasks.NAME.notify]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// By their names in `[channels]`; none where nobody is to be told.
    pub channels: BTreeSet<Name>,
    #[serde(default = "news", skip_serializing_if = "is_news")]
    pub on: BTreeSet<EventKind>,
    /// What stands is told again after so long, until it is over or acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Span>,
}

/// What is told where nothing is said: everything but that all is well.
pub fn news() -> BTreeSet<EventKind> {
    let quiet = [EventKind::Started, EventKind::Succeeded];
    let choices = EventKind::CHOICES.into_iter();
    choices.filter(|kind| !quiet.contains(kind)).collect()
}

fn is_news(on: &BTreeSet<EventKind>) -> bool {
    *on == news()
}

/// One thing that happened, as it is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub kind: EventKind,
    pub at: Instant,
    /// The task's name then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Name>,
    /// Which of the task's alerts it is about: the plugin's key, or the kind of the host's
    /// own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Further lines.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Since when it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Instant>,
    /// How often it was told before.
    #[serde(default)]
    pub repeated: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// The keys of all alerts that a recovery ends; `key` is the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<String>,
}

impl Event {
    /// One of which no more is known.
    pub fn new(kind: EventKind, at: Instant, severity: Severity, title: impl Into<String>) -> Self {
        Self {
            kind,
            at,
            task: None,
            key: None,
            severity,
            title: title.into(),
            text: String::new(),
            run: None,
            since: None,
            repeated: 0,
            details: None,
            over: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_by_default() {
        let notify: Notify = serde_json::from_str(r#"{"channels":["mail"]}"#).unwrap();
        assert!(notify.on.contains(&EventKind::Failed));
        assert!(!notify.on.contains(&EventKind::Succeeded));
        assert_eq!(notify.on.len(), 9);
        for kind in EventKind::CHOICES {
            let word = serde_json::to_value(kind).unwrap();
            assert_eq!(word, kind.as_str());
        }
    }
}
