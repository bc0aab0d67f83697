//! The closed set of events, and the handle by which everybody else speaks to the
//! loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use mhost_model::ports::run::{ProgressSink, ProgressState};
use mhost_model::run::Run;
use mhost_model::{Instant, Name, RunId};
use mhost_store::{Ask, ClaimKey, Completed, Definitions};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{broadcast, oneshot, watch};

use super::progress::Board;
use crate::execute::SecretValues;
use crate::exit::{Outcomes, Problem};

pub type RunReply = oneshot::Sender<Outcomes<Run>>;
pub type TickReply = oneshot::Sender<Outcomes<Vec<Run>>>;

/// A run that somebody asks for.
pub struct Request {
    /// Its `slots` are filled in by the loop, which knows them.
    pub ask: Ask,
    /// What `exec` defines beside its spec; empty for a stored task.
    pub definitions: Definitions,
    pub secrets: SecretValues,
    pub pool: Name,
    /// Answer when it is over, not when it is claimed.
    pub wait: bool,
    pub reply: RunReply,
}

/// Somebody who waits for all that was due at an instant.
pub struct TickWaiter {
    pub asked_at: Instant,
    /// The tasks of which a run that this tick waited for has ended, and when.
    pub ended: BTreeMap<Name, Instant>,
    pub runs: Vec<Run>,
    pub reply: TickReply,
}

pub enum Event {
    Ask(Box<Request>),
    /// An attempt is over and written down, or could not be.
    Ended {
        key: ClaimKey,
        completed: Box<Outcomes<Completed>>,
    },
    Tick(TickReply),
    Cancel {
        run: RunId,
        reason: String,
        reply: oneshot::Sender<Outcomes<bool>>,
    },
    Live(oneshot::Sender<Vec<RunId>>),
    /// Definitions or tasks changed.
    Edited(oneshot::Sender<Outcomes<()>>),
    /// End the claims of the dead.
    Reap(oneshot::Sender<Outcomes<()>>),
    /// The service: claim what is due from now on.
    ObeyTimers,
    /// Start nothing more; answer when the last run is over.
    Drain(oneshot::Sender<()>),
    /// Cancel every run, for this reason.
    Force(String),
    /// A command was told to end: start nothing more, and cancel what is on or waited for.
    Interrupt(String),
    /// Finish what somebody waits for, start nothing else, and end the loop.
    Close(oneshot::Sender<()>),
}

/// Speaks to the loop. Clones speak to the same one.
#[derive(Clone)]
pub struct Handle {
    events: UnboundedSender<Event>,
    board: Board,
    edits: watch::Sender<u64>,
    ends: broadcast::Sender<Arc<Run>>,
}

/// So many ends wait for a listener that is slow; it is told when it missed some.
const ENDS: usize = 4096;

/// A handle and the end that the loop reads.
pub fn channel() -> (Handle, UnboundedReceiver<Event>) {
    let (events, receiver) = unbounded_channel();
    let handle = Handle {
        events,
        board: Board::default(),
        edits: watch::Sender::new(0),
        ends: broadcast::Sender::new(ENDS),
    };
    (handle, receiver)
}

fn gone() -> Problem {
    Problem::bug("the event loop has ended")
}

impl Handle {
    /// Sends what needs no answer.
    pub fn send(&self, event: Event) {
        // Nobody listens any more only when the process is about to end.
        let _ = self.events.send(event);
    }

    async fn call<T>(&self, event: impl FnOnce(oneshot::Sender<T>) -> Event) -> Outcomes<T> {
        let (reply, answer) = oneshot::channel();
        self.events.send(event(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Asks for a run; see [`Request`].
    pub async fn ask(
        &self,
        ask: Ask,
        definitions: Definitions,
        secrets: SecretValues,
        pool: Name,
        wait: bool,
    ) -> Outcomes<Run> {
        self.call(|reply| {
            Event::Ask(Box::new(Request {
                ask,
                definitions,
                secrets,
                pool,
                wait,
                reply,
            }))
        })
        .await?
    }

    /// Claims and runs what is due now; answers with what came of it.
    pub async fn tick(&self) -> Outcomes<Vec<Run>> {
        self.call(Event::Tick).await?
    }

    pub async fn cancel(&self, run: RunId, reason: String) -> Outcomes<bool> {
        self.call(|reply| Event::Cancel { run, reason, reply })
            .await?
    }

    /// The runs that are on in this process.
    pub async fn live(&self) -> Outcomes<Vec<RunId>> {
        self.call(Event::Live).await
    }

    /// Tells the loop that definitions changed.
    pub async fn edited(&self) -> Outcomes<()> {
        self.call(Event::Edited).await?
    }

    /// Ends the claims of the dead, and of nobody who lives.
    pub async fn reap(&self) -> Outcomes<()> {
        self.call(Event::Reap).await?
    }

    /// Changes with every edit of tasks and definitions, after it is in the store.
    pub fn edits(&self) -> watch::Receiver<u64> {
        self.edits.subscribe()
    }

    pub(super) fn tell_edited(&self) {
        self.edits.send_modify(|edits| *edits += 1);
    }

    /// Every run of this process that ended or waits for a retry, after it is in the store.
    pub fn ends(&self) -> broadcast::Receiver<Arc<Run>> {
        self.ends.subscribe()
    }

    pub(super) fn tell_ended(&self, run: &Run) {
        if self.ends.receiver_count() > 0 {
            let _ = self.ends.send(Arc::new(run.clone()));
        }
    }

    /// Ends when the last run has.
    pub async fn drain(&self) -> Outcomes<()> {
        self.call(Event::Drain).await
    }

    /// Ends the loop once nobody waits for a run of it any more.
    pub async fn close(&self) -> Outcomes<()> {
        self.call(Event::Close).await
    }

    pub fn progress(&self, run: RunId) -> Arc<dyn ProgressSink> {
        self.board.sink(run)
    }

    pub fn progress_of(&self, run: RunId) -> Option<ProgressState> {
        self.board.get(run)
    }

    pub fn newest_progress(&self) -> Option<ProgressState> {
        self.board.newest()
    }

    pub fn forget_progress(&self, run: RunId) {
        self.board.forget(run);
    }
}
