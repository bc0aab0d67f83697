//! What people are told: the outbox, and the alerts that stand.

use std::collections::BTreeSet;

use async_trait::async_trait;
use mhost_model::alert::Attachment;
use mhost_model::notify::{Event, Standing};
use mhost_model::{Instant, Name, TaskId};
use serde::{Deserialize, Serialize};

use crate::StoreResult;

/// An event on its way through one channel. It is written in the transaction of what it
/// tells, so that no crash comes between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// Grows.
    pub id: u64,
    pub channel: Name,
    pub event: Event,
    pub created_at: Instant,
    #[serde(flatten)]
    pub state: LetterState,
    /// Tries so far.
    pub attempts: u32,
    /// After a failure: not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Instant>,
    /// Why the newest try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum LetterState {
    Waiting,
    /// In one message with those that have the same `with`.
    Delivered {
        at: Instant,
        with: u64,
    },
    /// Nobody tries any more.
    GivenUp {
        at: Instant,
    },
}

/// A message that is to be delivered.
#[derive(Debug, Clone)]
pub struct Posting {
    pub channel: Name,
    pub event: Event,
    pub files: Vec<Attachment>,
    /// Whose it is, and its own name there: it is not posted twice.
    pub once: Option<(TaskId, String)>,
}

/// What came of one try, for all letters that were tried together.
#[derive(Debug, Clone)]
pub struct Tried {
    pub letters: Vec<u64>,
    pub at: Instant,
    pub came: Came,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    Delivered,
    /// To be tried again then.
    Failed {
        why: String,
        retry_at: Instant,
    },
    /// Not to be tried again.
    GivenUp {
        why: String,
    },
}

/// The outbox and the standing alerts of a store.
#[async_trait]
pub trait Notices: Send + Sync {
    /// Letters that wait, oldest first, at most `limit`.
    async fn waiting(&self, limit: usize) -> StoreResult<Vec<Letter>>;

    /// Letters that wait, oldest first, at most `each` of every channel, without those of
    /// the channels in `but`: what waits for one channel hides nothing of another.
    async fn waiting_by_channel(
        &self,
        each: usize,
        but: BTreeSet<Name>,
    ) -> StoreResult<Vec<Letter>>;

    /// The newest letters, whatever their state, newest first.
    async fn letters(&self, limit: usize) -> StoreResult<Vec<Letter>>;

    /// When each channel delivered a message since then, each message once.
    async fn delivered_since(&self, since: Instant) -> StoreResult<Vec<(Name, Instant)>>;

    /// The files that go with a letter that waits.
    async fn enclosures(&self, letter: u64) -> StoreResult<Vec<Attachment>>;

    /// Puts a message into the outbox, durably; `false` where the same was posted within a
    /// week.
    async fn post(&self, posting: Posting) -> StoreResult<bool>;

    /// Writes down what came of tries.
    async fn tried(&self, tried: Vec<Tried>) -> StoreResult<()>;

    /// All alerts that stand, by task.
    async fn alerts(&self) -> StoreResult<Vec<Standing>>;

    /// Says that somebody knows of alerts: all, or those of a task, or one. Answers those.
    async fn acknowledge(
        &self,
        task: Option<Name>,
        key: Option<String>,
    ) -> StoreResult<Vec<Standing>>;
}
