//! The postman: takes letters from the outbox to where they go, whenever one is posted,
//! until each was delivered. It asks the store when it is told to and when a try is due,
//! and not otherwise.
//!
//! A letter is written down as delivered after it was, so a crash in between delivers it
//! twice: at least once, never less.

mod carry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use mhost_channels::{Batch, Bundle, Failure, GIVE_UP, Item, Pending, Plan, backoff, plan};
use mhost_model::{Clock, Instant, Name};
use mhost_store::{Came, Definitions, Letter, Notices, StoreResult, TaskStore, Tried};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::exit::{Outcomes, Problem};
pub use carry::{Carrier, Channels, machine};

/// So many letters are looked at at a time.
const LIMIT: usize = 1000;
/// What is said of the last hour bounds what is said in this one.
const HOUR: TimeDelta = TimeDelta::hours(1);
/// The longest wait without a look at the clock, which may have been set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After the store failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// Rounds that the end of a process may take.
const LAST_ROUNDS: usize = 20;

/// What the postman works with.
pub struct Post {
    pub store: Arc<dyn TaskStore>,
    pub notices: Arc<dyn Notices>,
    pub clock: Arc<dyn Clock>,
    pub carrier: Arc<dyn Carrier>,
}

enum Order {
    /// Something may have been posted.
    Look,
    /// Deliver what can be, wait for no group, and end.
    Close(oneshot::Sender<()>),
}

/// Speaks to the postman.
#[derive(Clone)]
pub struct Handle {
    orders: UnboundedSender<Order>,
    stirred: Arc<AtomicBool>,
}

/// A handle, and the end that the postman reads.
pub fn channel() -> (Handle, Orders) {
    let (orders, receiver) = unbounded_channel();
    let stirred = Arc::default();
    (Handle { orders, stirred }, Orders(receiver))
}

/// What the postman is told.
pub struct Orders(UnboundedReceiver<Order>);

impl Handle {
    /// Says that something may have been posted.
    pub fn stir(&self) {
        // One look that is still to come sees everything.
        if !self.stirred.swap(true, Ordering::SeqCst) {
            let _ = self.orders.send(Order::Look);
        }
    }

    /// Ends the postman once he delivered what he can.
    pub async fn close(&self) -> Outcomes<()> {
        let (reply, answer) = oneshot::channel();
        let gone = || Problem::bug("the postman has ended");
        self.orders.send(Order::Close(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

/// Starts the postman. He looks once he is stirred.
pub fn spawn(post: Post, handle: Handle, orders: Orders) {
    tokio::spawn(async move {
        let closed = work(&post, &handle, orders).await;
        // The store must be free when this is answered.
        drop(post);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    });
}

async fn work(post: &Post, handle: &Handle, mut orders: Orders) -> Option<oneshot::Sender<()>> {
    let mut wake: Option<Duration> = None;
    let mut ever = false;
    loop {
        let order = match wake {
            None => orders.0.recv().await,
            Some(wait) => tokio::select! {
                order = orders.0.recv() => order,
                () = tokio::time::sleep(wait) => Some(Order::Look),
            },
        };
        match order? {
            Order::Look => {
                handle.stirred.store(false, Ordering::SeqCst);
                ever = true;
                wake = post.rounds(false).await;
            }
            Order::Close(closed) => {
                if ever {
                    post.last_rounds().await;
                }
                return Some(closed);
            }
        }
    }
}

impl Post {
    /// Delivers until nothing is due; answers how long to wait then.
    async fn rounds(&self, flush: bool) -> Option<Duration> {
        loop {
            match self.round(flush).await {
                Ok(Round { tried, .. }) if tried > 0 => {}
                Ok(Round { next, .. }) => {
                    let wait = next? - self.clock.now();
                    return Some(wait.to_std().unwrap_or_default().min(LONGEST_WAIT));
                }
                Err(error) => {
                    tracing::error!(%error, "the outbox cannot be read or written");
                    return Some(AFTER_TROUBLE);
                }
            }
        }
    }

    /// A process that ends delivers what it can, and leaves the rest to the next one.
    pub async fn last_rounds(&self) {
        for _ in 0..LAST_ROUNDS {
            match self.round(true).await {
                Ok(Round { tried: 1.., .. }) => {}
                _ => return,
            }
        }
    }

    /// One look at the outbox: what is due is tried, each channel by itself.
    pub async fn round(&self, flush: bool) -> StoreResult<Round> {
        let letters = self.notices.waiting(LIMIT).await?;
        if letters.is_empty() {
            return Ok(Round::default());
        }
        let definitions = self.store.definitions().await?;
        let now = self.clock.now();
        let mut used: BTreeMap<Name, Vec<Instant>> = BTreeMap::new();
        for (channel, at) in self.notices.delivered_since(now - HOUR).await? {
            used.entry(channel).or_default().push(at);
        }
        let pending: Vec<Pending> = letters.iter().map(pending).collect();
        let Plan {
            deliver,
            orphans,
            next,
        } = plan(&pending, &used, &definitions.channels, now, flush);
        let mut tried: Vec<Tried> = orphans.into_iter().map(|id| orphan(id, now)).collect();
        let mut by_channel: BTreeMap<Name, Vec<Batch>> = BTreeMap::new();
        for batch in deliver {
            by_channel
                .entry(batch.channel.clone())
                .or_default()
                .push(batch);
        }
        let channels = by_channel.into_values();
        let work = channels.map(|batches| self.channel(batches, &letters, &definitions));
        tried.extend(join_all(work).await.into_iter().flatten());
        let round = Round {
            tried: tried.len(),
            next,
        };
        self.notices.tried(tried).await?;
        Ok(round)
    }

    /// The batches of one channel in their order; after a failure the others wait too.
    async fn channel(
        &self,
        batches: Vec<Batch>,
        letters: &[Letter],
        definitions: &Definitions,
    ) -> Vec<Tried> {
        let mut tried = Vec::new();
        for batch in batches {
            let one = self.batch(batch, letters, definitions).await;
            let delivered = one.came == Came::Delivered;
            tried.push(one);
            if !delivered {
                break;
            }
        }
        tried
    }

    async fn batch(&self, batch: Batch, letters: &[Letter], definitions: &Definitions) -> Tried {
        let with: Vec<&Letter> = letters
            .iter()
            .filter(|one| batch.ids.contains(&one.id))
            .collect();
        let delivered = match self.bundle(&batch.channel, &with).await {
            Ok(bundle) => self.carry(&bundle, definitions).await,
            Err(error) => Err(Failure {
                why: error.to_string(),
                retry_after: None,
            }),
        };
        let at = self.clock.now();
        let came = match delivered {
            Ok(()) => Came::Delivered,
            Err(failure) => missed(&batch.channel, &with, failure, at),
        };
        Tried {
            letters: batch.ids,
            at,
            came,
        }
    }

    async fn bundle(&self, channel: &Name, letters: &[&Letter]) -> StoreResult<Bundle> {
        let mut items = Vec::new();
        for letter in letters {
            items.push(Item {
                id: letter.id,
                event: letter.event.clone(),
                files: self.notices.enclosures(letter.id).await?,
            });
        }
        Ok(Bundle {
            channel: channel.clone(),
            machine: machine(),
            items,
        })
    }

    async fn carry(&self, bundle: &Bundle, definitions: &Definitions) -> Result<(), Failure> {
        match definitions.channels.get(&bundle.channel) {
            Some(channel) => self.carrier.carry(channel, bundle, self.clock.now()).await,
            None => Err(Failure {
                why: "the channel is gone".into(),
                retry_after: None,
            }),
        }
    }
}

/// What a look came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Round {
    pub tried: usize,
    /// When the next try is due.
    pub next: Option<Instant>,
}

fn pending(letter: &Letter) -> Pending {
    Pending {
        id: letter.id,
        channel: letter.channel.clone(),
        kind: letter.event.kind,
        created_at: letter.created_at,
        attempts: letter.attempts,
        retry_at: letter.retry_at,
    }
}

fn orphan(id: u64, at: Instant) -> Tried {
    Tried {
        letters: vec![id],
        at,
        came: Came::GivenUp {
            why: "its channel was removed from the configuration".into(),
        },
    }
}

/// What follows from a try that failed.
fn missed(channel: &Name, letters: &[&Letter], failure: Failure, at: Instant) -> Came {
    let Failure { why, retry_after } = failure;
    let attempts = letters.iter().map(|one| one.attempts).max().unwrap_or(0) + 1;
    let oldest = letters.iter().map(|one| one.created_at).min();
    if oldest.is_some_and(|oldest| at - oldest > GIVE_UP) {
        tracing::error!(%channel, why, "a message was given up after a week");
        return Came::GivenUp { why };
    }
    let id = letters.first().map_or(0, |one| one.id);
    let retry_at = backoff(attempts, id, retry_after, at);
    tracing::warn!(%channel, why, %retry_at, "a message could not be delivered, and is tried again");
    Came::Failed { why, retry_at }
}
