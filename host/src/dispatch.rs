//! The event loop that owns all runs of this process: what is due is claimed,
//! attempts are started and watched, and everybody who waits for one is answered.
//!
//! A closed set of events; the loop itself neither decides (the planner does, inside
//! the store) nor blocks (attempts and their commits run beside it).

mod clocks;
mod events;
mod live;
mod progress;
mod settle;
mod ticks;
mod waiters;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mhost_model::policy::default_pool;
use mhost_model::{Instant, Name, RunId, Span};
use mhost_store::{Answer, Asked, Claim, ClaimDue, ClaimKey, Completed, Definitions};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant as Moment;

use crate::app::App;
use crate::execute::{self, Attempt, Powers, SecretValues, Work};
use crate::exit::{Outcomes, Problem};
use clocks::Clocks;
pub use events::{Event, Handle, Request, channel};
use live::Live;
use settle::Patience;

/// A claim that is not renewed for so long is dead; `MHOST_LEASE` sets it, for tests.
pub static LEASE: LazyLock<Span> = LazyLock::new(|| {
    let text = std::env::var("MHOST_LEASE").ok();
    let lease = text.and_then(|text| text.parse::<Span>().ok());
    lease.unwrap_or(Span::seconds(60)).max(Span::seconds(1))
});
/// At most so many runs are claimed in one transaction.
const BATCH: usize = 1000;
/// So many events are handled before the loop looks at what they led to: the ends of
/// many short runs are one look, not many.
const EVENTS: usize = 256;
/// The longest the loop waits without asking the store: a clock that jumped is
/// noticed by then.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A store that failed to claim is asked again so much later.
const CLAIM_AGAIN: Duration = Duration::from_secs(5);

/// Starts the loop. It ends with the last handle, or when it was told to.
pub fn spawn(app: Arc<App>, events: UnboundedReceiver<Event>) {
    tokio::spawn(Loop::new(app).run(events));
}

/// Told when something is over.
type Done = tokio::sync::oneshot::Sender<()>;

struct Loop {
    app: Arc<App>,
    definitions: Definitions,
    powers: Arc<Powers>,
    live: BTreeMap<RunId, Live>,
    /// Waiting for a run to settle.
    run_waiters: Vec<(RunId, events::RunReply)>,
    /// Waiting for everything that was due at an instant.
    tick_waiters: Vec<events::TickWaiter>,
    /// Whether timers are obeyed: in the service, and while a tick is waited for.
    timers: bool,
    draining: bool,
    drained: Vec<Done>,
    closed: Option<Done>,
    next_wake: Option<Instant>,
    /// Something may be claimable: ask the store before waiting.
    look: bool,
    clocks: Clocks,
    patience: Patience,
}

impl Loop {
    fn new(app: Arc<App>) -> Self {
        let definitions = Definitions::default();
        Self {
            clocks: Clocks::new(&*app.clock),
            patience: Patience::default(),
            app,
            powers: Arc::new(Powers::new(&definitions, &SecretValues::default())),
            definitions,
            live: BTreeMap::new(),
            run_waiters: Vec::new(),
            tick_waiters: Vec::new(),
            timers: false,
            draining: false,
            drained: Vec::new(),
            closed: None,
            next_wake: None,
            look: false,
        }
    }

    async fn run(self, events: UnboundedReceiver<Event>) {
        let closed = self.obey(events).await;
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    async fn obey(mut self, mut events: UnboundedReceiver<Event>) -> Option<Done> {
        let mut renew = tokio::time::interval(LEASE.0 / 3);
        renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        renew.tick().await;
        loop {
            self.clocks.look(&*self.app.clock);
            if let Err(problem) = self.advance().await {
                self.give_up_ticks(&problem);
            }
            if self.over() {
                break;
            }
            let wait = self.wait();
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle_all(event, &mut events).await,
                    None => break,
                },
                _ = renew.tick(), if !self.live.is_empty() => self.renew().await,
                () = tokio::time::sleep_until(wait.unwrap_or_else(Moment::now)), if wait.is_some() => self.look = true,
            }
        }
        self.closed
    }

    /// Whether the loop was told to end and nothing keeps it; answers who told it, after
    /// the store's handle of the loop is gone.
    fn over(&self) -> bool {
        self.closed.is_some() && self.live.is_empty() && self.run_waiters.is_empty()
    }

    /// When to look for due fires again; none while timers do not matter.
    fn wait(&self) -> Option<Moment> {
        if !self.claiming() || !self.timers {
            return None;
        }
        let wake = self.next_wake?;
        let wait = (wake - self.app.now()).to_std().unwrap_or_default();
        Some(Moment::now() + wait.min(LONGEST_WAIT))
    }

    fn claiming(&self) -> bool {
        let asked = !self.tick_waiters.is_empty() || !self.run_waiters.is_empty();
        !self.draining && (self.timers || asked)
    }

    /// Claims and starts what can be, and answers whoever has waited enough.
    async fn advance(&mut self) -> Outcomes<()> {
        while self.look {
            self.look = false;
            if self.claiming() {
                self.claim().await?;
            }
        }
        self.answer_ticks();
        self.answer_idle().await;
        if self.draining && self.live.is_empty() {
            self.drained.drain(..).for_each(|done| {
                let _ = done.send(());
            });
        }
        Ok(())
    }

    async fn claim(&mut self) -> Outcomes<()> {
        let claimed = self
            .app
            .store
            .claim_due(ClaimDue {
                node: self.app.store.node(),
                slots: self.slots(),
                lease: *LEASE,
                limit: BATCH,
            })
            .await?;
        self.next_wake = claimed.next_wake;
        self.look = claimed.more;
        self.cancel_all(&claimed.cancel);
        self.tell_ticks_passed(&claimed.passed);
        for claim in claimed.start {
            self.start_task(claim);
        }
        self.app.post.stir();
        Ok(())
    }

    /// Free slots of every pool that is defined or in use.
    fn slots(&self) -> BTreeMap<Name, u32> {
        let mut slots: BTreeMap<Name, u32> = BTreeMap::from([(default_pool(), 1)]);
        slots.extend(
            self.definitions
                .pools
                .iter()
                .map(|(name, pool)| (name.clone(), pool.size)),
        );
        for live in self.live.values() {
            let free = slots.entry(live.pool.clone()).or_insert(1);
            *free = free.saturating_sub(1);
        }
        slots
    }

    fn slots_of(&self, pool: &Name) -> u32 {
        self.slots().get(pool).copied().unwrap_or(1)
    }

    fn start_task(&mut self, claim: Claim) {
        if let Some(task) = claim.task.clone() {
            let powers = Arc::clone(&self.powers);
            self.start(claim, Work::Task(task), powers, SecretValues::default());
        }
    }

    fn start(&mut self, claim: Claim, work: Work, powers: Arc<Powers>, secrets: SecretValues) {
        let live = Live::new(&claim, work.spec().policy.pool.clone());
        let attempt = Attempt {
            work,
            powers,
            secrets,
            cancel: live.cancel.clone(),
            stale: live.stale.clone(),
            claim,
        };
        let key = attempt.claim.key();
        tracing::info!(run = %key.run, task = %attempt.claim.run.task_name, attempt = attempt.claim.run.attempt, "run started");
        if let Some(former) = self.live.insert(key.run, live) {
            former.cut_off();
        }
        self.app.post.stir();
        let app = Arc::clone(&self.app);
        let (service, patience) = (self.timers, self.patience.clone());
        tokio::spawn(async move {
            let completion = execute::attempt(&app, attempt).await;
            let completed = settle::complete(&*app.store, completion, service, &patience).await;
            app.runs.send(Event::Ended {
                key,
                completed: Box::new(completed),
            });
        });
    }

    /// Handles an event, and those that wait behind it: slots are free, dependencies
    /// may have fired, queued runs may start.
    async fn handle_all(&mut self, first: Event, events: &mut UnboundedReceiver<Event>) {
        self.handle(first).await;
        for _ in 1..EVENTS {
            match events.try_recv() {
                Ok(event) => self.handle(event).await,
                Err(_) => break,
            }
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Ask(request) => self.ask(*request).await,
            Event::Ended { key, completed } => self.ended(key, *completed),
            Event::Tick(reply) => self.tick(reply),
            Event::Cancel { run, reason, reply } => {
                let answer = self.cancel(run, reason).await;
                let _ = reply.send(answer);
            }
            Event::Live(reply) => {
                let _ = reply.send(self.live.keys().copied().collect());
            }
            Event::Edited(reply) => {
                let answer = self.refresh().await;
                self.app.runs.tell_edited();
                let _ = reply.send(answer);
            }
            Event::Reap(reply) => {
                let answer = self.reap().await;
                let _ = reply.send(answer);
            }
            Event::ObeyTimers => {
                self.timers = true;
                self.look = true;
            }
            Event::Drain(done) => {
                self.draining = true;
                self.patience.lose();
                self.drained.push(done);
            }
            Event::Close(done) => {
                self.closed = Some(done);
                self.patience.lose();
                self.look = true;
            }
            Event::Force(reason) => self.force(&reason),
            Event::Interrupt(reason) => self.interrupt(&reason).await,
        }
    }

    /// Ends claims whose lease has ended; not those of what is on here, however long this
    /// process was stopped.
    async fn reap(&mut self) -> Outcomes<()> {
        if !self.live.is_empty() {
            self.renew().await;
        }
        for completed in self.app.store.reap().await? {
            let run = completed.run;
            tracing::warn!(run = %run.id, task = %run.task_name, state = ?run.state, "the process of a run died");
        }
        self.look = true;
        Ok(())
    }

    /// Reads the definitions anew.
    async fn refresh(&mut self) -> Outcomes<()> {
        self.definitions = self.app.store.definitions().await?;
        self.powers = Arc::new(Powers::new(&self.definitions, &SecretValues::default()));
        self.look = true;
        Ok(())
    }

    async fn ask(&mut self, request: Request) {
        let Request {
            mut ask,
            definitions,
            secrets,
            pool,
            wait,
            reply,
        } = request;
        ask.slots = self.slots_of(&pool);
        let exec = match &ask.what {
            Asked::Exec { spec, digest } => Some(Work::Exec(spec.clone(), *digest)),
            Asked::Task(_) => None,
        };
        if self.draining || self.closed.is_some() {
            let problem = Problem::busy("mhost is shutting down and starts no run");
            let hint = "ask again when it has ended; `mhost serve` starts it anew";
            let _ = reply.send(Err(problem.hint(hint)));
            return;
        }
        let answer = match self.app.store.ask(ask).await {
            Ok(answer) => answer,
            Err(error) => {
                let _ = reply.send(Err(error.into()));
                return;
            }
        };
        let run = match answer {
            Answer::Start(claim) => {
                let run = claim.run.clone();
                match exec {
                    Some(work) => {
                        let powers = Arc::new(Powers::new(&definitions, &secrets));
                        self.start(*claim, work, powers, secrets);
                    }
                    None => self.start_task(*claim),
                }
                run
            }
            Answer::Queued(run) | Answer::Passed(run) => *run,
            Answer::CancelThen { run, cancel } => {
                self.cancel_all(&cancel);
                *run
            }
        };
        if wait && run.outcome().is_none() {
            self.run_waiters.push((run.id, reply));
        } else {
            let _ = reply.send(Ok(run));
        }
    }

    fn ended(&mut self, key: ClaimKey, completed: Outcomes<Completed>) {
        let run = key.run;
        // A slot is free, a dependency may have fired, a queued run may start.
        self.look = true;
        if self.live.get(&run).is_none_or(|live| live.key != key) {
            // The claim was taken over, and the run is on again under another one.
            return tracing::warn!(%run, "an attempt ended whose claim was taken over");
        }
        let live = self.live.remove(&run);
        self.app.runs.forget_progress(run);
        // People may be told of it.
        self.app.post.stir();
        match completed {
            Ok(completed) => {
                let row = completed.run;
                told(&row, self.timers);
                self.app.runs.tell_ended(&row);
                self.answer_ticks_with(live.as_ref(), &row);
                self.answer_run(run, &Ok(row));
            }
            Err(problem) => {
                tracing::error!(%run, %problem, "the end of a run could not be written down");
                self.answer_run(run, &Err(problem));
            }
        }
    }

    fn force(&self, reason: &str) {
        for live in self.live.values() {
            live.cancel.cancel(reason);
        }
    }

    async fn interrupt(&mut self, reason: &str) {
        self.draining = true;
        self.patience.lose();
        self.force(reason);
        for run in self.idle() {
            let cancelled = self.app.store.cancel_open(run, reason.to_owned()).await;
            if let Err(error) = cancelled {
                tracing::error!(%run, %error, "a run that waits cannot be cancelled");
            }
        }
    }

    fn cancel_all(&self, runs: &[RunId]) {
        runs.iter()
            .filter_map(|run| self.live.get(run))
            .for_each(|live| live.cancel.cancel("the next fire took its place"));
    }

    async fn cancel(&mut self, run: RunId, reason: String) -> Outcomes<bool> {
        if let Some(live) = self.live.get(&run) {
            live.cancel.cancel(&reason);
            return Ok(true);
        }
        Ok(self.app.store.cancel_open(run, reason).await?)
    }

    /// Extends the leases of what is running; a claim that was taken over is cut off.
    async fn renew(&mut self) {
        let keys: Vec<ClaimKey> = self.live.values().map(|live| live.key).collect();
        match self.app.store.renew(keys.clone(), *LEASE).await {
            Ok(stands) => {
                let lost = keys.iter().zip(stands).filter(|(_, stands)| !stands);
                for live in lost.filter_map(|(key, _)| self.live.get(&key.run)) {
                    live.cut_off();
                }
            }
            Err(error) => tracing::error!(%error, "cannot renew leases"),
        }
    }
}

/// In the service's log an attempt that failed is worth more of the operator's attention than one
/// that did not; a command prints the run itself.
fn told(run: &mhost_model::run::Run, service: bool) {
    let (id, task) = (run.id, &run.task_name);
    let why = run.error.as_ref().map(|error| error.message.as_str());
    match (run.outcome(), why) {
        (None, why) if service => {
            let why = why.unwrap_or_default();
            tracing::warn!(run = %id, %task, why, "run ended, and will be tried again");
        }
        (Some(outcome), Some(why)) if service => {
            tracing::warn!(run = %id, %task, %outcome, why, "run ended");
        }
        (Some(outcome), _) => tracing::info!(run = %id, %task, %outcome, "run ended"),
        (None, _) => tracing::info!(run = %id, %task, "run ended, and may be tried again"),
    }
}
