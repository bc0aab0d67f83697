//! The store of one machine: a redb file, a thread that writes it in groups, and
//! threads that read it.
//!
//! What the operations do stands in the modules below; this one binds them to
//! [`TaskStore`]. It leaves to the planner what is due and what follows from an end.

mod agenda;
mod ask;
mod caught;
mod claim;
mod dependents;
mod edit;
mod end;
mod era;
mod forget;
mod held;
mod holdings;
mod known;
mod lease;
mod log;
mod migrate;
mod notice;
mod observed;
mod open;
mod overlap;
mod read;
mod record;
mod source;
mod tables;
mod trouble;
mod tx;
mod verify;
mod worker;
mod zones;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use mhost_model::alert::Attachment;
use mhost_model::notify::Standing;
use mhost_model::plan::Planner;
use mhost_model::run::{LogLine, Run};
use mhost_model::watch::Summary;
use mhost_model::{Clock, Instant, Name, NodeId, RunId, Span, TaskId};

use crate::{
    Answer, Ask, ClaimDue, ClaimKey, Claimed, Completed, Completion, Definitions, Edit, Forget,
    History, Holding, Letter, Notices, Posting, RenewedZones, RunFilter, StoreResult, TaskStatus,
    TaskStore, Tried, Watcher,
};
pub use migrate::FORMAT;
use source::Source;
use worker::Worker;

/// How to open the embedded store.
pub struct OpenOptions {
    /// The file; its directory must exist.
    pub path: PathBuf,
    /// Decides what is due and when a lease ends.
    pub clock: Arc<dyn Clock>,
    pub planner: Arc<dyn Planner>,
    /// Make the file if it is not there.
    pub create: bool,
}

/// The embedded [`TaskStore`]. Dropping it waits for what was asked before, and
/// closes the file.
pub struct RedbStore {
    node: NodeId,
    clock: Arc<dyn Clock>,
    planner: Arc<dyn Planner>,
    worker: Worker,
}

impl RedbStore {
    /// Opens the file, alone: while it is open, another opening is
    /// [`StoreError::Busy`](crate::StoreError::Busy), from this process too. Every
    /// opening is a new node, which the first change writes down, so that all claims of former
    /// ones are dead. One that changes nothing writes nothing.
    pub fn open(options: OpenOptions) -> StoreResult<Self> {
        Self::over(Source::file(&options.path, options.create), &options)
    }

    /// Opens a store that lies in `backend`; the path only stands in messages.
    pub fn open_with_backend(
        options: OpenOptions,
        backend: impl redb::StorageBackend,
    ) -> StoreResult<Self> {
        let mut backend = Some(backend);
        Self::over(
            Source::backends(&options.path, move || backend.take()),
            &options,
        )
    }

    /// As [`Self::open_with_backend`]; `backends` is asked again when the one before has
    /// failed to read or write, as a file is opened again then.
    pub fn open_with_backends<B: redb::StorageBackend>(
        options: OpenOptions,
        mut backends: impl FnMut() -> B + Send + 'static,
    ) -> StoreResult<Self> {
        let source = Source::backends(&options.path, move || Some(backends()));
        Self::over(source, &options)
    }

    fn over(mut source: Source, options: &OpenOptions) -> StoreResult<Self> {
        let database = source.open()?;
        let opened = open::prepare(&database, &options.path, options.create)?;
        Ok(Self {
            node: opened.node,
            clock: Arc::clone(&options.clock),
            planner: Arc::clone(&options.planner),
            worker: Worker::start(database, opened, source, options)?,
        })
    }
}

#[async_trait]
impl Notices for RedbStore {
    async fn waiting(&self, limit: usize) -> StoreResult<Vec<Letter>> {
        self.worker
            .read("read the outbox", move |snapshot| {
                snapshot.waiting_letters(limit)
            })
            .await
    }

    async fn waiting_by_channel(
        &self,
        each: usize,
        but: BTreeSet<Name>,
    ) -> StoreResult<Vec<Letter>> {
        self.worker
            .read("read the outbox", move |snapshot| {
                snapshot.waiting_by_channel(each, &but)
            })
            .await
    }

    async fn letters(&self, limit: usize) -> StoreResult<Vec<Letter>> {
        self.worker
            .read("read letters", move |snapshot| snapshot.letters(limit))
            .await
    }

    async fn delivered_since(&self, since: Instant) -> StoreResult<Vec<(Name, Instant)>> {
        self.worker
            .read("read what was delivered", move |snapshot| {
                snapshot.delivered_since(since)
            })
            .await
    }

    async fn enclosures(&self, letter: u64) -> StoreResult<Vec<Attachment>> {
        self.worker
            .read("read enclosures", move |snapshot| {
                snapshot.enclosures(letter)
            })
            .await
    }

    async fn post(&self, posting: Posting) -> StoreResult<bool> {
        self.worker
            .change("post a message", move |tx| tx.post(&posting))
            .await
    }

    async fn tried(&self, tried: Vec<Tried>) -> StoreResult<()> {
        self.worker
            .change("write down what was delivered", move |tx| tx.tried(&tried))
            .await
    }

    async fn alerts(&self) -> StoreResult<Vec<Standing>> {
        self.worker
            .read("read alerts", |snapshot| snapshot.alerts())
            .await
    }

    async fn acknowledge(
        &self,
        task: Option<Name>,
        key: Option<String>,
    ) -> StoreResult<Vec<Standing>> {
        self.worker
            .change("acknowledge alerts", move |tx| {
                tx.acknowledge(task.as_ref(), key.as_deref())
            })
            .await
    }
}

#[async_trait]
impl TaskStore for RedbStore {
    fn node(&self) -> NodeId {
        self.node
    }

    async fn now(&self) -> StoreResult<Instant> {
        Ok(self.clock.now())
    }

    async fn next_wake(&self) -> StoreResult<Option<Instant>> {
        self.worker
            .change("look for the next due time", |tx| tx.wake_or_reap())
            .await
    }

    async fn claim_due(&self, request: ClaimDue) -> StoreResult<Claimed> {
        self.worker
            .change("claim what is due", move |tx| tx.claim_due(&request))
            .await
    }

    async fn ask(&self, ask: Ask) -> StoreResult<Answer> {
        self.worker
            .change("ask for a run", move |tx| tx.ask(&ask))
            .await
    }

    async fn renew(&self, keys: Vec<ClaimKey>, lease: Span) -> StoreResult<Vec<bool>> {
        self.worker
            .change("renew leases", move |tx| tx.renew(&keys, lease))
            .await
    }

    async fn complete(&self, completion: Completion) -> StoreResult<Completed> {
        self.worker
            .change("complete a run", move |tx| tx.complete(&completion))
            .await
    }

    async fn reap(&self) -> StoreResult<Vec<Completed>> {
        self.worker.change("reap dead claims", |tx| tx.reap()).await
    }

    async fn cancel_open(&self, run: RunId, reason: String) -> StoreResult<bool> {
        self.worker
            .change("cancel a run", move |tx| tx.cancel_open(run, &reason))
            .await
    }

    async fn edit(&self, edits: Vec<Edit>) -> StoreResult<()> {
        self.worker
            .change("edit the definitions", move |tx| tx.edit(&edits))
            .await
    }

    async fn renew_zones(&self) -> StoreResult<Option<RenewedZones>> {
        self.worker
            .change("compute due times anew", |tx| tx.renew_zones())
            .await
    }

    async fn history(&self, task: TaskId) -> StoreResult<History> {
        let planner = Arc::clone(&self.planner);
        self.worker
            .read("read a task's history", move |snapshot| {
                snapshot.history(task, &*planner)
            })
            .await
    }

    async fn fires(
        &self,
        task: TaskId,
        since: Instant,
        until: Instant,
        limit: usize,
    ) -> StoreResult<Vec<Instant>> {
        self.worker
            .read("read a task's fires", move |snapshot| {
                snapshot.fires(task, since, until, limit)
            })
            .await
    }

    async fn watchers(&self) -> StoreResult<Vec<TaskStatus>> {
        self.worker
            .read("list watching tasks", |snapshot| snapshot.watchers())
            .await
    }

    async fn mark(&self, task: TaskId) -> StoreResult<Option<Vec<u8>>> {
        self.worker
            .read("read a task's mark", move |snapshot| snapshot.mark(task))
            .await
    }

    async fn set_mark(&self, task: TaskId, mark: Vec<u8>) -> StoreResult<()> {
        self.worker
            .change("remember a task's mark", move |tx| tx.set_mark(task, &mark))
            .await
    }

    async fn definitions(&self) -> StoreResult<Definitions> {
        self.worker
            .read("read the definitions", |snapshot| snapshot.definitions())
            .await
    }

    async fn task(&self, name: &Name) -> StoreResult<Option<TaskStatus>> {
        let name = name.clone();
        self.worker
            .read("read a task", move |snapshot| snapshot.task(&name))
            .await
    }

    async fn task_by_id(&self, id: TaskId) -> StoreResult<Option<TaskStatus>> {
        self.worker
            .read("read a task", move |snapshot| snapshot.task_by_id(id))
            .await
    }

    async fn tasks(&self, after: Option<Name>, limit: usize) -> StoreResult<Vec<TaskStatus>> {
        self.worker
            .read("list tasks", move |snapshot| {
                snapshot.tasks(after.as_ref(), limit)
            })
            .await
    }

    async fn runs(&self, filter: RunFilter) -> StoreResult<Vec<Run>> {
        self.worker
            .read("list runs", move |snapshot| snapshot.runs(&filter))
            .await
    }

    async fn run(&self, id: RunId) -> StoreResult<Option<Run>> {
        self.worker
            .read("read a run", move |snapshot| snapshot.run(id))
            .await
    }

    async fn append_log(&self, run: RunId, lines: Vec<LogLine>) -> StoreResult<()> {
        self.worker
            .change("append to a log", move |tx| tx.append_log(run, &lines))
            .await
    }

    async fn log(&self, run: RunId, from: u64, limit: usize) -> StoreResult<Vec<LogLine>> {
        self.worker
            .read("read a log", move |snapshot| snapshot.log(run, from, limit))
            .await
    }

    async fn state(&self, task: TaskId, key: String) -> StoreResult<Option<Vec<u8>>> {
        self.worker
            .read("read a plugin's state", move |snapshot| {
                snapshot.state(task, &key)
            })
            .await
    }

    async fn state_keys(
        &self,
        task: TaskId,
        after: Option<String>,
        limit: usize,
    ) -> StoreResult<Vec<String>> {
        self.worker
            .read("list a plugin's state", move |snapshot| {
                snapshot.state_keys(task, after.as_deref(), limit)
            })
            .await
    }

    async fn forget(&self, what: Vec<Forget>) -> StoreResult<usize> {
        self.worker
            .change("forget runs", move |tx| tx.forget(&what))
            .await
    }

    async fn size(&self) -> StoreResult<u64> {
        self.worker.size()
    }

    async fn compact(&self) -> StoreResult<()> {
        self.worker.compact().await
    }

    async fn holdings(&self) -> StoreResult<Vec<Holding>> {
        self.worker
            .read("look who holds what", |snapshot| snapshot.holdings())
            .await
    }

    async fn memories(
        &self,
        watcher: Watcher,
        subjects: Vec<String>,
    ) -> StoreResult<Vec<Option<Vec<u8>>>> {
        self.worker
            .read("read what is remembered", move |snapshot| {
                snapshot.memories(&watcher, &subjects)
            })
            .await
    }

    async fn observed(&self, watcher: Watcher) -> StoreResult<Vec<Summary>> {
        let now = self.now().await?;
        self.worker
            .read("read what was observed", move |snapshot| {
                snapshot.observed(&watcher, now)
            })
            .await
    }

    async fn verify(&self) -> StoreResult<Vec<String>> {
        self.worker.verify().await
    }
}
