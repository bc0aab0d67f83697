//! Many probes at the same time. They run on the runtime's threads, so that a guest, which
//! is synchronous, waits for a batch of answers and not for each.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use mhost_model::{Fault, FaultResult};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout_at;
use wasmtime::component::Resource;

use super::contract::{Answer as Told, Ask, Found, HostBatch, News, Question};
use super::{MOST_KEPT, question};
use crate::refusal::Answer;
use crate::state::{Call, Shared};

/// The most probes of one batch at the same time.
const WIDEST: u32 = 1024;
/// The most asks that a batch holds.
const LONGEST: usize = 100_000;
/// The longest that `next` waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// After the first answer it waits so long for company.
const COMPANY: Duration = Duration::from_millis(5);
/// What answers that nobody has taken yet may hold of bodies, KiB.
const BODIES: usize = 64 << 10;
/// What one `next` hands out of bodies, bytes.
const HANDFUL: usize = 4 << 20;

/// Probes under way.
pub struct Batch {
    lanes: JoinSet<()>,
    queue: Arc<Queue>,
    answers: UnboundedReceiver<Held>,
    sender: UnboundedSender<Held>,
    open: usize,
    limit: usize,
}

/// An answer, and its share of the room for bodies.
struct Held {
    told: Told,
    _room: OwnedSemaphorePermit,
}

struct Queue {
    state: Mutex<Waiting>,
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    asks: VecDeque<Ask>,
    lanes: usize,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next one; a lane that gets none has ended.
    fn pop(&self) -> Option<Ask> {
        let mut state = self.state();
        let ask = state.asks.pop_front();
        if ask.is_none() {
            state.lanes -= 1;
        }
        ask
    }
}

impl Batch {
    pub(super) fn new(limit: u32) -> FaultResult<Self> {
        if !(1..=WIDEST).contains(&limit) {
            return Err(Fault::Invalid(format!(
                "a batch runs 1 to {WIDEST} probes at the same time, not {limit}"
            )));
        }
        let (sender, answers) = unbounded_channel();
        Ok(Self {
            lanes: JoinSet::new(),
            queue: Arc::new(Queue {
                state: Mutex::default(),
                room: Arc::new(Semaphore::new(BODIES)),
            }),
            answers,
            sender,
            open: 0,
            limit: limit as usize,
        })
    }

    pub(super) fn add(&mut self, shared: &Arc<Shared>, asks: Vec<Ask>) -> FaultResult<()> {
        if self.open + asks.len() > LONGEST {
            return Err(Fault::Limit(format!(
                "a batch holds at most {LONGEST} probes; take answers before adding more"
            )));
        }
        self.open += asks.len();
        let mut state = self.queue.state();
        state.asks.extend(asks);
        let more = state.asks.len().min(self.limit - state.lanes);
        state.lanes += more;
        drop(state);
        for _ in 0..more {
            let lane = lane(
                Arc::clone(shared),
                Arc::clone(&self.queue),
                self.sender.clone(),
            );
            self.lanes.spawn(lane);
        }
        // Those that have ended are not kept.
        while self.lanes.try_join_next().is_some() {}
        Ok(())
    }

    /// What is there, after waiting for the first and a moment for more.
    pub(super) async fn next(&mut self, max: usize, wait: Duration) -> News {
        let mut answers = Vec::new();
        let mut held = 0;
        let mut until = Instant::now() + wait.min(PATIENCE);
        while answers.len() < max && held < HANDFUL && self.open > 0 {
            let Ok(Some(answer)) = timeout_at(until.into(), self.answers.recv()).await else {
                break;
            };
            if answers.is_empty() {
                until = until.min(Instant::now() + COMPANY);
            }
            self.open -= 1;
            held += weight(&answer.told);
            answers.push(answer.told);
        }
        News {
            answers,
            open: u32::try_from(self.open).unwrap_or(u32::MAX),
        }
    }
}

fn weight(told: &Told) -> usize {
    match &told.found {
        Ok(Found::Http(found)) => found.body.len(),
        Ok(Found::Tcp(found)) => found.received.len(),
        _ => 0,
    }
}

/// Asks one after the other until none is left.
async fn lane(shared: Arc<Shared>, queue: Arc<Queue>, sender: UnboundedSender<Held>) {
    while let Some(ask) = queue.pop() {
        let id = ask.id;
        let kib = u32::try_from(kept(&ask).div_ceil(1024)).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let Ok(room) = Arc::clone(&queue.room).acquire_many_owned(kib).await else {
            return;
        };
        if ask.delay_ms > 0 {
            tokio::time::sleep(Duration::from_millis(ask.delay_ms.into())).await;
        }
        // Whatever a peer brings about, each ask gets an answer, else the guest would wait.
        let asked = AssertUnwindSafe(question::ask(&shared, ask)).catch_unwind();
        let (found, presented) = asked.await.unwrap_or_else(|_| {
            let text = "the probe itself failed; this is a bug of mhost";
            (Err(Fault::Failed(text.to_owned())), None)
        });
        let told = Told {
            id,
            found: found.map_err(|fault| shared.masked(fault).into()),
            presented,
        };
        if sender.send(Held { told, _room: room }).is_err() {
            return;
        }
    }
}

fn kept(ask: &Ask) -> usize {
    match &ask.question {
        Question::Http(http) => (http.keep as usize).min(MOST_KEPT),
        Question::Tcp(_) => super::MOST,
        _ => 0,
    }
}

impl HostBatch for Call<'_> {
    async fn add(&mut self, batch: Resource<Batch>, asks: Vec<Ask>) -> Answer<()> {
        let shared = Arc::clone(&self.shared);
        self.table.get_mut(&batch)?.add(&shared, asks)?;
        Ok(())
    }

    async fn next(&mut self, batch: Resource<Batch>, max: u32, wait_ms: u32) -> Answer<News> {
        if !(1..=4096).contains(&max) {
            let text = format!("a batch hands out 1 to 4096 answers at a time, not {max}");
            return Err(Fault::Invalid(text).into());
        }
        let left = self
            .shared
            .deadline
            .saturating_duration_since(Instant::now());
        let wait = Duration::from_millis(wait_ms.into()).min(left);
        let batch = self.table.get_mut(&batch)?;
        Ok(batch.next(max as usize, wait).await)
    }

    async fn drop(&mut self, batch: Resource<Batch>) -> wasmtime::Result<()> {
        self.table.delete(batch)?;
        Ok(())
    }
}
