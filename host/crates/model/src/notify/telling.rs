//! What happened, in words.

use super::{Event, EventKind, Standing};
use crate::alert::Severity;
use crate::plan::Alert;
use crate::run::{Outcome, Run};
use crate::task::Task;
use crate::{Instant, Span};

/// The longest text that is taken from an error or a report, bytes.
const TEXT: usize = 2000;

impl Event {
    fn of(kind: EventKind, task: &Task, title: String, at: Instant) -> Self {
        Self {
            task: Some(task.name.clone()),
            key: Some(kind.to_string()),
            ..Self::new(kind, at, Severity::Critical, title)
        }
    }

    /// A run started.
    pub fn started(task: &Task, run: &Run, at: Instant) -> Self {
        let attempt = match run.attempt {
            0 | 1 => String::new(),
            attempt => format!(" (attempt {attempt})"),
        };
        Self {
            run: Some(run.id),
            ..Self::of(
                EventKind::Started,
                task,
                format!("{} started{attempt}", task.name),
                at,
            )
        }
    }

    /// A fire that is over; none for those that tell nothing.
    pub fn ended(task: &Task, run: &Run, outcome: Outcome, at: Instant) -> Option<Self> {
        let (kind, how) = match outcome {
            Outcome::Succeeded => (EventKind::Succeeded, "succeeded"),
            Outcome::Failed => (EventKind::Failed, "failed"),
            Outcome::TimedOut => (EventKind::Failed, "ran out of time"),
            Outcome::Lost => (EventKind::Lost, "was lost"),
            Outcome::Cancelled | Outcome::Skipped | Outcome::Coalesced => return None,
        };
        let mut text: Vec<String> = Vec::new();
        text.extend(run.error.as_ref().map(|error| error.message.clone()));
        text.extend(run.reason.clone());
        text.extend(run.report.as_ref().map(|report| report.summary.clone()));
        text.dedup();
        text.retain(|line| !line.is_empty());
        text.push(due(run));
        Some(Self {
            run: Some(run.id),
            text: clipped(text.join("\n"), TEXT),
            ..Self::of(kind, task, format!("{} {how}", task.name), at)
        })
    }

    /// What a plugin raised.
    pub fn raised(
        task: &Task,
        run: &Run,
        (key, severity, message): (&str, Severity, &str),
        details: Option<serde_json::Value>,
        at: Instant,
    ) -> Self {
        let kind = match severity {
            Severity::Degraded => EventKind::Degraded,
            Severity::Critical => EventKind::Alert,
        };
        Self {
            key: Some(key.to_owned()),
            severity,
            run: Some(run.id),
            details,
            ..Self::of(kind, task, format!("{}: {key}: {message}", task.name), at)
        }
    }

    /// What the operator did not expect.
    pub fn unexpected(task: &Task, alert: &Alert, at: Instant) -> Self {
        let name = &task.name;
        let (kind, title) = match alert {
            Alert::NotStarted { fire_at, late_by } => (
                EventKind::Late,
                format!(
                    "{name}, due at {}, has not started for {}",
                    stamp(*fire_at),
                    rough(*late_by)
                ),
            ),
            Alert::RunsTooLong { run, started_at } => (
                EventKind::TooLong,
                format!(
                    "{name} runs too long: run {run} started at {}",
                    stamp(*started_at)
                ),
            ),
            Alert::FinishedTooFast { run, took } => (
                EventKind::TooFast,
                format!("{name} finished suspiciously fast: run {run} took {took}"),
            ),
            Alert::NoSuccess { since, expected_by } => (
                EventKind::Overdue,
                format!(
                    "{name} is overdue: no success since {}, expected by {}",
                    stamp(*since),
                    stamp(*expected_by)
                ),
            ),
        };
        let mut event = Self::of(kind, task, title, at);
        event.run = match alert {
            Alert::RunsTooLong { run, .. } | Alert::FinishedTooFast { run, .. } => Some(*run),
            Alert::NotStarted { .. } | Alert::NoSuccess { .. } => None,
        };
        if kind == EventKind::TooFast {
            event.severity = Severity::Degraded;
        }
        event
    }

    /// Alerts that are over; `how` says why they are. None where there are none.
    pub fn recovered(task: &Task, over: &[Standing], how: &str, at: Instant) -> Option<Self> {
        let first = over.first()?;
        let since = over.iter().map(|one| one.since).min();
        let lines = over.iter().map(|one| format!("it was: {}", one.title));
        Some(Self {
            key: Some(first.key.clone()),
            over: over.iter().map(|one| one.key.clone()).collect(),
            severity: over
                .iter()
                .map(|one| one.severity)
                .max()
                .unwrap_or(first.severity),
            text: clipped(lines.collect::<Vec<_>>().join("\n"), TEXT),
            since,
            ..Self::of(
                EventKind::Recovered,
                task,
                format!("{} recovered: {how}", task.name),
                at,
            )
        })
    }
}

impl Alert {
    /// What each is told once for: the fire or the run that it hangs on.
    pub fn instance(&self) -> String {
        match self {
            Self::NotStarted { fire_at, .. } => fire_at.timestamp_millis().to_string(),
            Self::RunsTooLong { run, .. } => run.to_string(),
            // These go on until the task does as it should.
            Self::FinishedTooFast { .. } | Self::NoSuccess { .. } => String::new(),
        }
    }
}

fn due(run: &Run) -> String {
    let attempts = match run.attempt {
        0 | 1 => String::new(),
        attempts => format!(", {attempts} attempts"),
    };
    format!("due at {}{attempts}", stamp(run.fire_at))
}

/// A time as messages tell it: `2026-12-01 03:00:00 UTC`.
pub fn stamp(at: Instant) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// In whole seconds.
fn rough(span: Span) -> Span {
    Span::seconds(span.0.as_secs())
}

/// Cut to so many bytes, which shows.
pub fn clipped(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}
