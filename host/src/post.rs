//! The postman: takes letters from the outbox to where they go, whenever one is posted,
//! until each was delivered. It asks the store when it is told to and when a try is due,
//! and not otherwise.
//!
//! A letter is written down as delivered after it was, so a crash in between delivers it
//! twice: at least once, never less.

mod carry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use mhost_channels::{Batch, Bundle, Failure, GIVE_UP, Item, Pending, Plan, backoff, plan};
use mhost_model::channel::ChannelDef;
use mhost_model::{Clock, Instant, Name};
use mhost_store::{Came, Letter, Notices, StoreError, StoreResult, TaskStore, Tried};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::exit::{Outcomes, Problem};
pub use carry::{Carrier, Channels, machine};

/// So many letters of each channel are looked at at a time.
const EACH: usize = 200;
/// What is said of the last hour bounds what is said in this one.
const HOUR: TimeDelta = TimeDelta::hours(1);
/// The longest wait without a look at the clock, which may have been set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After the store failed.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// Rounds of each channel that the end of a process may take.
const LAST_ROUNDS: usize = 20;

/// What the postman works with.
pub struct Post {
    pub store: Arc<dyn TaskStore>,
    pub notices: Arc<dyn Notices>,
    pub clock: Arc<dyn Clock>,
    pub carrier: Arc<dyn Carrier>,
    /// What was delivered within the last hour, by channel; none until that was read.
    used: tokio::sync::Mutex<Option<Vec<(Name, Instant)>>>,
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
    let mut under_way = UnderWay::default();
    loop {
        tokio::select! {
            order = orders.0.recv() => match order? {
                Order::Look => {
                    handle.stirred.store(false, Ordering::SeqCst);
                    ever = true;
                }
                Order::Close(closed) => {
                    if ever {
                        post.finish(under_way).await;
                    }
                    return Some(closed);
                }
            },
            () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {}
            Some((_, tried)) = under_way.next() => if let Err(error) = tried {
                wake = Some(trouble(&error));
                continue;
            }
        }
        wake = match post.begin(&mut under_way, false).await {
            Ok(begun) => begun.next.map(|next| {
                let wait = next - post.clock.now();
                wait.to_std().unwrap_or_default().min(LONGEST_WAIT)
            }),
            Err(error) => Some(trouble(&error)),
        };
    }
}

fn trouble(error: &StoreError) -> Duration {
    tracing::error!(%error, "the outbox cannot be read or written");
    AFTER_TROUBLE
}

/// Deliveries that have begun. Each channel goes at its own pace and writes down what came
/// of it, so that one that hangs holds up nobody else.
#[derive(Default)]
struct UnderWay<'p> {
    work: FuturesUnordered<BoxFuture<'p, (Name, StoreResult<usize>)>>,
    busy: BTreeSet<Name>,
}

impl UnderWay<'_> {
    /// The next channel that is through, and how much it tried; none where none is at work.
    async fn next(&mut self) -> Option<(Name, StoreResult<usize>)> {
        let done = self.work.next().await?;
        self.busy.remove(&done.0);
        Some(done)
    }
}

impl Post {
    pub fn new(
        store: Arc<dyn TaskStore>,
        notices: Arc<dyn Notices>,
        clock: Arc<dyn Clock>,
        carrier: Arc<dyn Carrier>,
    ) -> Self {
        Self {
            store,
            notices,
            clock,
            carrier,
            used: tokio::sync::Mutex::default(),
        }
    }

    /// A process that ends delivers what it can, and leaves the rest to the next one.
    pub async fn last_rounds(&self) {
        self.finish(UnderWay::default()).await;
    }

    async fn finish<'p>(&'p self, mut under_way: UnderWay<'p>) {
        let mut rounds: BTreeMap<Name, usize> = BTreeMap::new();
        while self.begin(&mut under_way, true).await.is_ok() {
            let Some((channel, tried)) = under_way.next().await else {
                return;
            };
            let round = rounds.entry(channel.clone()).or_default();
            *round += 1;
            if tried.is_err() || *round == LAST_ROUNDS {
                // It has had its turn.
                under_way.busy.insert(channel);
            }
        }
        while under_way.next().await.is_some() {}
    }

    /// One look at the outbox, until all that is due was tried.
    pub async fn round(&self, flush: bool) -> StoreResult<Round> {
        let mut under_way = UnderWay::default();
        let mut round = self.begin(&mut under_way, flush).await?;
        while let Some((_, tried)) = under_way.next().await {
            round.tried += tried?;
        }
        Ok(round)
    }

    /// One look at the outbox: what is due begins, each channel by itself. Answers what was
    /// settled at once.
    async fn begin<'p>(&'p self, under_way: &mut UnderWay<'p>, flush: bool) -> StoreResult<Round> {
        let busy = under_way.busy.clone();
        let letters = self.notices.waiting_by_channel(EACH, busy).await?;
        if letters.is_empty() {
            return Ok(Round::default());
        }
        let definitions = self.store.definitions().await?;
        let now = self.clock.now();
        let used = self.used(now).await?;
        let pending: Vec<Pending> = letters.iter().map(pending).collect();
        let Plan {
            deliver,
            orphans,
            next,
        } = plan(&pending, &used, &definitions.channels, now, flush);
        let orphans: Vec<Tried> = orphans.into_iter().map(|id| orphan(id, now)).collect();
        let tried = orphans.len();
        if tried > 0 {
            self.notices.tried(orphans).await?;
        }
        let mut by_id: BTreeMap<u64, Letter> =
            letters.into_iter().map(|one| (one.id, one)).collect();
        let mut parcels: BTreeMap<Name, Vec<Vec<Letter>>> = BTreeMap::new();
        for Batch { channel, ids } in deliver {
            let letters = ids.iter().filter_map(|id| by_id.remove(id)).collect();
            parcels.entry(channel).or_default().push(letters);
        }
        for (name, parcels) in parcels {
            // Those of channels that are not defined are orphans.
            if let Some(channel) = definitions.channels.get(&name).cloned() {
                under_way.busy.insert(name.clone());
                let work = async move {
                    let tried = self.channel(&name, &channel, parcels).await;
                    (name, tried)
                };
                under_way.work.push(work.boxed());
            }
        }
        Ok(Round { tried, next })
    }

    /// When each channel was used within the last hour. Read once: from then on nobody but
    /// this postman delivers.
    async fn used(&self, now: Instant) -> StoreResult<BTreeMap<Name, Vec<Instant>>> {
        let mut used = self.used.lock().await;
        let known = match used.take() {
            Some(known) => known,
            None => self.notices.delivered_since(now - HOUR).await?,
        };
        let recent = known.into_iter().filter(|(_, at)| *at > now - HOUR);
        let recent = used.insert(recent.collect());
        let mut by_channel: BTreeMap<Name, Vec<Instant>> = BTreeMap::new();
        for (channel, at) in recent.iter() {
            by_channel.entry(channel.clone()).or_default().push(*at);
        }
        Ok(by_channel)
    }

    /// The parcels of one channel in their order; after a failure the others wait too.
    async fn channel(
        &self,
        name: &Name,
        channel: &ChannelDef,
        parcels: Vec<Vec<Letter>>,
    ) -> StoreResult<usize> {
        let mut count = 0;
        for letters in parcels {
            let delivered = match self.bundle(name, &letters).await {
                Ok(bundle) => self.carrier.carry(channel, &bundle, self.clock.now()).await,
                Err(error) => Err(Failure {
                    why: error.to_string(),
                    retry_after: None,
                }),
            };
            let at = self.clock.now();
            let through = delivered.is_ok();
            let tried = match delivered {
                Ok(()) => vec![Tried {
                    letters: letters.iter().map(|one| one.id).collect(),
                    at,
                    came: Came::Delivered,
                }],
                Err(failure) => missed(name, &letters, failure, at),
            };
            if through && let Some(used) = self.used.lock().await.as_mut() {
                used.push((name.clone(), at));
            }
            count += tried.len();
            self.notices.tried(tried).await?;
            if !through {
                break;
            }
        }
        Ok(count)
    }

    async fn bundle(&self, channel: &Name, letters: &[Letter]) -> StoreResult<Bundle> {
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

/// What follows from a try that failed: those that waited for a week are given up, whatever
/// else was tried with them.
fn missed(channel: &Name, letters: &[Letter], failure: Failure, at: Instant) -> Vec<Tried> {
    let Failure { why, retry_after } = failure;
    let (old, fresh): (Vec<&Letter>, Vec<&Letter>) = letters
        .iter()
        .partition(|one| at - one.created_at > GIVE_UP);
    let ids = |letters: &[&Letter]| letters.iter().map(|one| one.id).collect();
    let mut tried = Vec::new();
    if !old.is_empty() {
        tracing::error!(%channel, why, "a message was given up after a week");
        let why = why.clone();
        tried.push(Tried {
            letters: ids(&old),
            at,
            came: Came::GivenUp { why },
        });
    }
    if let Some(first) = fresh.first() {
        let attempts = fresh.iter().map(|one| one.attempts).max().unwrap_or(0) + 1;
        let retry_at = backoff(attempts, first.id, retry_after, at);
        tracing::warn!(%channel, why, %retry_at, "a message could not be delivered, and is tried again");
        tried.push(Tried {
            letters: ids(&fresh),
            at,
            came: Came::Failed { why, retry_at },
        });
    }
    tried
}
