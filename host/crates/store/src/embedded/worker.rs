//! The threads behind the store. One owns all writing: it takes every change that is
//! waiting, makes them in one transaction, commits once, and answers all. Others
//! read from snapshots. No transaction lives across an await.
//!
//! A change that fails leaves nothing: where it failed before its first write there
//! is nothing to undo; else the group is rolled back and made again without it.

mod group;
mod readers;

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use redb::Database;
use tokio::sync::oneshot;

use super::caught::caught;
use super::open::Opened;
use super::read::Snapshot;
use super::source::{Shared, Source};
use super::trouble::Res;
use super::tx::Tx;
use super::{OpenOptions, verify};
use crate::{StoreError, StoreResult};
use group::{Change, Job, Writer};
use readers::Readers;

/// At most so many changes share a commit.
const GROUP: usize = 1024;

enum Message {
    Change(Box<dyn Job>),
    /// What needs the file for itself.
    Alone(Box<dyn FnOnce(&Writer) + Send>),
}

/// The threads, and the way to them.
pub struct Worker {
    path: Arc<Path>,
    shared: Arc<Shared>,
    changes: Option<Sender<Message>>,
    writer: Option<JoinHandle<()>>,
    readers: Readers,
}

impl Worker {
    pub fn start(
        database: Database,
        opened: Opened,
        source: Source,
        options: &OpenOptions,
    ) -> StoreResult<Self> {
        let shared = Arc::new(Shared::new(database));
        let readers = Readers::start(&shared)?;
        let (changes, messages) = channel();
        let writer = Writer::new(Arc::clone(&shared), opened, source, options);
        let writer = spawn("mhost-store", move || serve(writer, &messages))?;
        Ok(Self {
            path: PathBuf::into_boxed_path(options.path.clone()).into(),
            shared,
            changes: Some(changes),
            writer: Some(writer),
            readers,
        })
    }

    /// Makes a change in the next group, and answers once it is durable. `change` may
    /// be called again when another one of its group was rolled back.
    pub async fn change<T, F>(&self, operation: &'static str, change: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: Fn(&mut Tx<'_>) -> Res<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let path = Arc::clone(&self.path);
        let change = Change::new(operation, path, change, reply);
        self.send(Message::Change(Box::new(change)));
        answer.await.unwrap_or_else(|_| Err(ended(operation)))
    }

    /// Reads from what is committed.
    pub async fn read<T, F>(&self, operation: &'static str, read: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshot) -> Res<T> + Send + 'static,
    {
        self.open_again().await;
        let (reply, answer) = oneshot::channel();
        let path = Arc::clone(&self.path);
        self.readers.send(Box::new(move |shared| {
            let result = shared.with(|database| read(&Snapshot::of(database)?));
            // Whoever asked may have gone.
            let _ = reply.send(result.map_err(|trouble| trouble.during(operation, &path)));
        }));
        answer.await.unwrap_or_else(|_| Err(ended(operation)))
    }

    /// After a failure: the thread that writes opens the file anew with the next change.
    /// Whether it could, is told by what comes next.
    async fn open_again(&self) {
        if self.shared.failed() {
            let _ = self.change("open the store again", |_| Ok(())).await;
        }
    }

    /// Checks the file with nothing else going on.
    pub async fn verify(&self) -> StoreResult<Vec<String>> {
        self.alone("check the store", check).await
    }

    /// Moves what is used together, and cuts the rest off.
    pub async fn compact(&self) -> StoreResult<()> {
        self.alone("compact the store", compact).await
    }

    async fn alone<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: fn(&Writer) -> StoreResult<T>,
    ) -> StoreResult<T> {
        self.open_again().await;
        let (reply, answer) = oneshot::channel();
        self.send(Message::Alone(Box::new(move |writer| {
            // Whoever asked may have gone.
            let _ = reply.send(work(writer));
        })));
        answer.await.unwrap_or_else(|_| Err(ended(operation)))
    }

    /// Bytes of the file; a store in memory has none.
    pub fn size(&self) -> StoreResult<u64> {
        match self.path.metadata() {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(StoreError::Failed {
                operation: "look at the store",
                why: error.to_string(),
            }),
        }
    }

    /// A message to a thread that has ended is dropped, and its asker hears of it.
    fn send(&self, message: Message) {
        if let Some(changes) = &self.changes {
            let _ = changes.send(message);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.readers.stop();
        self.changes = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn serve(mut writer: Writer, messages: &Receiver<Message>) {
    while let Ok(first) = messages.recv() {
        let mut jobs = Vec::new();
        let mut alone = Vec::new();
        let waiting = messages.try_iter();
        for message in std::iter::once(first).chain(waiting).take(GROUP) {
            match message {
                Message::Change(job) => jobs.push(job),
                Message::Alone(work) => alone.push(work),
            }
        }
        writer.commit(jobs);
        alone.into_iter().for_each(|work| work(&writer));
    }
}

fn check(writer: &Writer) -> StoreResult<Vec<String>> {
    let check = |database: &mut Database| {
        caught(|| verify::findings(database)).map_err(|panic| words(&*panic))
    };
    let contradiction =
        |panic: String| Ok(vec![format!("the pages contradict each other: {panic}")]);
    let findings = writer
        .shared
        .alone(|database| check(database).unwrap_or_else(contradiction));
    findings.map_err(|trouble| trouble.during("check the store", &writer.path))
}

/// A part that is moved is committed: a crash leaves what was there, in whatever room.
fn compact(writer: &Writer) -> StoreResult<()> {
    let compact = |database: &mut Database| -> Res<()> {
        database.compact()?;
        Ok(())
    };
    let compacted = writer.shared.alone(compact);
    compacted.map_err(|trouble| trouble.during("compact the store", &writer.path))
}

fn ended(operation: &'static str) -> StoreError {
    StoreError::Failed {
        operation,
        why: "the store's thread has ended".into(),
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> StoreResult<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(run);
    thread.map_err(|error| StoreError::Failed {
        operation: "start the store's thread",
        why: error.to_string(),
    })
}

/// Calls `run`; a panic becomes its text. What `run` touched must be thrown away then.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|panic| words(&*panic))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".into())
}
