//! How a task behaves when things do not go as planned; see the scheduling rules.

use serde::{Deserialize, Serialize};

use crate::{Name, Span};

/// `[tasks.NAME.policy]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Rule 3.
    pub missed: Missed,
    /// Rule 3: an older missed fire is coalesced, never run.
    pub catch_up_window: Span,
    /// Rule 4.
    pub overlap: Overlap,
    /// Rule 4: runs of one pool share its slots.
    pub pool: Name,
    /// Rule 7.
    pub delivery: Delivery,
    /// Rule 8.
    pub retry: Retry,
    /// Rule 9: the fire starts up to this much later, always by the same offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Span>,
    /// Rule 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            missed: Missed::Latest,
            catch_up_window: Span::seconds(24 * 60 * 60),
            overlap: Overlap::Skip,
            pool: default_pool(),
            delivery: Delivery::AtLeastOnce,
            retry: Retry::default(),
            jitter: None,
            expect: None,
        }
    }
}

/// The pool of every task that names none; its size is 1 unless configured.
pub fn default_pool() -> Name {
    "default"
        .parse()
        .unwrap_or_else(|_| unreachable!("a valid name"))
}

/// What happens to fires that came due while nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// The newest runs once, the older ones are coalesced.
    Latest,
    /// None runs.
    Skip,
    /// The newest N run.
    All(u32),
}

/// What happens to a fire that comes due while a run of the task is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// It is skipped.
    Skip,
    /// One waits; a further one is skipped.
    QueueOne,
    /// N wait; a further one is skipped.
    Queue(u32),
    /// The living run is cancelled, then the fire starts.
    CancelPrevious,
    /// Both run.
    Allow,
}

/// What a crash in the middle of a run leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// The fire is tried again.
    AtLeastOnce,
    /// The fire is `lost`.
    AtMostOnce,
}

/// Retries of one fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Tries in all; 1 is no retry.
    pub attempts: u32,
    /// Wait before the second try; doubles with each further one.
    pub backoff: Span,
    /// The wait never grows beyond this.
    pub max_backoff: Span,
    /// Whether a retry may come after the next fire is due.
    pub past_next_fire: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: Span::seconds(30),
            max_backoff: Span::seconds(60 * 60),
            past_next_fire: false,
        }
    }
}

/// What the operator expects of a run; each disappointment is an alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// From the due time to the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_within: Option<Span>,
    /// From the start to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_within: Option<Span>,
    /// A run that ends sooner has probably done nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<Span>,
}
