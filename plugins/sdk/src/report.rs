//! What a run answers: a report, or a failure with what was done before it.

use serde::Serialize;
use serde_json::Value;

use crate::Error;

/// The most that the details may take, with room for the rest of the message.
const MOST_DETAILS: usize = 4 << 20;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    pub summary: String,
    pub metrics: Vec<(String, f64)>,
    pub artifacts: Vec<Artifact>,
    pub details: Option<Value>,
}

/// Something that the run made and that outlives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// `snapshot`, `file`, `archive` ….
    pub kind: String,
    pub name: String,
    /// Bytes.
    pub size: Option<u64>,
}

/// A number that a metric can be; counts above 2^53 are rounded.
pub trait Figure {
    fn figure(self) -> f64;
}

macro_rules! figures {
    ($($number:ty),*) => {$(
        impl Figure for $number {
            fn figure(self) -> f64 {
                self as f64
            }
        }
    )*};
}
figures!(u32, u64, usize, i64, f64);

impl Report {
    /// `summary` is one sentence for a person, without a full stop.
    pub fn new(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// Names are lower-case with underscores: `bytes_reclaimed`, `files_copied`.
    pub fn metric(mut self, name: &str, value: impl Figure) -> Self {
        self.metrics.push((name.to_owned(), value.figure()));
        self
    }

    pub fn artifact(mut self, kind: &str, name: impl Into<String>, size: Option<u64>) -> Self {
        self.artifacts.push(Artifact {
            kind: kind.to_owned(),
            name: name.into(),
            size,
        });
        self
    }

    /// What does not fit into figures, as JSON.
    pub fn details(mut self, details: &impl Serialize) -> Self {
        // Only maps with keys that are no texts fail, which is the author's mistake.
        let value = serde_json::to_value(details);
        self.details = Some(value.unwrap_or_else(|error| Value::String(error.to_string())));
        self
    }

    /// The figure of this name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let metric = self.metrics.iter().find(|(known, _)| known == name);
        metric.map(|(_, value)| *value)
    }

    /// The details as a JSON text; a note in their place where they are too large.
    pub fn details_text(&self) -> Option<String> {
        let text = self.details.as_ref()?.to_string();
        if text.len() <= MOST_DETAILS {
            return Some(text);
        }
        let note = format!("the details took {} bytes, more than 4 MiB", text.len());
        Some(serde_json::json!({ "omitted": note }).to_string())
    }
}

/// A list for the details that stays within bounds: the first items, and how
/// many more there were.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Capped<T> {
    pub items: Vec<T>,
    /// Items that are not listed.
    pub omitted: u64,
}

impl<T> Default for Capped<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            omitted: 0,
        }
    }
}

impl<T> FromIterator<T> for Capped<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut capped = Self::default();
        items.into_iter().for_each(|item| capped.push(item));
        capped
    }
}

impl<T> Capped<T> {
    /// Items that are kept. With paths of 300 bytes they stay below the limit of details.
    pub const MOST: usize = 5_000;

    pub fn push(&mut self, item: T) {
        if self.items.len() < Self::MOST {
            self.items.push(item);
        } else {
            self.omitted += 1;
        }
    }

    pub fn len(&self) -> u64 {
        self.items.len() as u64 + self.omitted
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// Why a run did not do what it was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// One sentence: the operation that failed, and the remedy.
    pub message: String,
    /// Whether the same run may succeed later without anybody's help.
    pub retryable: bool,
    /// The host's error behind it.
    pub cause: Option<Box<Error>>,
    /// What was done before.
    pub partial: Option<Box<Report>>,
}

impl Failure {
    /// One that needs somebody's help.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retryable: false,
            cause: None,
            partial: None,
        }
    }

    /// One whose remedy is another configuration: an exit code of its own tells it from a run that failed.
    pub fn misconfigured(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            cause: Some(Box::new(Error::Invalid(message.clone()))),
            ..Self::permanent(message)
        }
    }

    /// One that may pass.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            ..Self::permanent(message)
        }
    }

    /// With what was done before it.
    pub fn with_partial(mut self, report: Report) -> Self {
        self.partial = Some(Box::new(report));
        self
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            message: error.to_string(),
            retryable: error.retryable(),
            cause: Some(Box::new(error)),
            partial: None,
        }
    }
}

/// Says what was being done when the host refused.
pub trait Doing<T> {
    /// `operation` completes `cannot …`: `pack the database `site``.
    fn doing(self, operation: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T> Doing<T> for crate::Result<T> {
    fn doing(self, operation: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure {
            message: format!("cannot {}: {error}", operation()),
            ..Failure::from(error)
        })
    }
}
