//! A group of changes: one transaction, one commit, and an answer to each.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use mhost_model::plan::Planner;
use mhost_model::{Clock, NodeId};
use redb::Database;
use tokio::sync::oneshot;

use super::{Shared, guarded};
use crate::embedded::OpenOptions;
use crate::embedded::known::Known;
use crate::embedded::open::{self, Opened};
use crate::embedded::record::{Counters, Number, encode};
use crate::embedded::source::Source;
use crate::embedded::tables::Tables;
use crate::embedded::trouble::Res;
use crate::embedded::tx::{Memory, Tx};
use crate::{StoreError, StoreResult};

/// A change, whatever it answers.
pub trait Job: Send {
    /// Makes the change; whether it succeeded.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Takes note that `run` panicked.
    fn panicked(&mut self, words: String);
    /// Answers, once the fate of the group is known.
    fn answer(self: Box<Self>, commit: StoreResult<()>);
}

/// A change and the way back to who asked for it.
pub struct Change<T, F> {
    operation: &'static str,
    path: Arc<Path>,
    change: F,
    /// Of the newest attempt.
    result: Option<StoreResult<T>>,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Change<T, F> {
    pub fn new(
        operation: &'static str,
        path: Arc<Path>,
        change: F,
        reply: oneshot::Sender<StoreResult<T>>,
    ) -> Self {
        Self {
            operation,
            path,
            change,
            result: None,
            reply,
        }
    }
}

impl<T, F> Job for Change<T, F>
where
    T: Send,
    F: Fn(&mut Tx<'_>) -> Res<T> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let result = (self.change)(tx);
        let result = result.map_err(|trouble| trouble.during(self.operation, &self.path));
        self.result.insert(result).is_ok()
    }

    fn panicked(&mut self, words: String) {
        self.result = Some(Err(StoreError::Failed {
            operation: self.operation,
            why: format!("a bug of mhost: {words}"),
        }));
    }

    fn answer(self: Box<Self>, commit: StoreResult<()>) {
        let result = match (self.result, commit) {
            (Some(Ok(value)), Ok(())) => Ok(value),
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (None, Ok(())) => Err(super::ended(self.operation)),
        };
        // Whoever asked may have gone; the change stands all the same.
        let _ = self.reply.send(result);
    }
}

/// How an attempt to make a group's changes ended.
enum Fate {
    Done,
    /// This one failed half-way; nothing of the group is in the file.
    Spoiled(usize),
}

/// The writing thread's own.
pub struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) path: Arc<Path>,
    source: Source,
    node: NodeId,
    /// The node is in the file. It gets there with the first change, so that a claim is
    /// never there without it.
    born: bool,
    clock: Arc<dyn Clock>,
    planner: Arc<dyn Planner>,
    counters: Counters,
    memory: Memory,
    known: Known,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, opened: Opened, source: Source, options: &OpenOptions) -> Self {
        Self {
            shared,
            path: options.path.clone().into_boxed_path().into(),
            source,
            node: opened.node,
            born: false,
            clock: Arc::clone(&options.clock),
            planner: Arc::clone(&options.planner),
            counters: opened.counters,
            memory: Memory::default(),
            known: Known::default(),
        }
    }

    /// Makes the changes, commits and answers.
    pub fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) {
        while !jobs.is_empty() {
            match self.attempt(&mut jobs) {
                Ok(Fate::Spoiled(at)) => {
                    self.known.forget_all();
                    jobs.remove(at).answer(Ok(()));
                }
                Ok(Fate::Done) => return jobs.into_iter().for_each(|job| job.answer(Ok(()))),
                Err(error) => {
                    self.shared.fail();
                    self.known.forget_all();
                    return jobs
                        .into_iter()
                        .for_each(|job| job.answer(Err(error.clone())));
                }
            }
        }
    }

    fn attempt(&mut self, jobs: &mut [Box<dyn Job>]) -> StoreResult<Fate> {
        if self.shared.failed() {
            self.open_again()?;
        }
        let shared = Arc::clone(&self.shared);
        let fate = shared.with(|database| self.transact(database, jobs));
        fate.map_err(|trouble| trouble.during("commit to the store", &self.path))
    }

    fn open_again(&mut self) -> StoreResult<()> {
        let (source, path) = (&mut self.source, &self.path);
        let (node, born) = (self.node, self.born);
        self.counters = self.shared.replace(|| {
            let database = source.open()?;
            let counters = open::rejoin(&database, path, node, born)?;
            Ok((database, counters))
        })?;
        self.memory.stirred = true;
        tracing::warn!(path = %self.path.display(), "the store was opened again after a failure");
        Ok(())
    }

    fn transact(&mut self, database: &Database, jobs: &mut [Box<dyn Job>]) -> Res<Fate> {
        let txn = database.begin_write()?;
        let wrote = Cell::new(false);
        let mut tx = Tx {
            tables: Tables::open(&txn, &wrote)?,
            wrote: &wrote,
            now: self.clock.now(),
            node: self.node,
            planner: &*self.planner,
            known: &self.known,
            counters: self.counters,
            memory: self.memory.clone(),
        };
        let written = match run_all(&mut tx, jobs) {
            Ok(written) => written,
            Err(spoiled) => {
                drop(tx);
                txn.abort()?;
                return Ok(Fate::Spoiled(spoiled));
            }
        };
        if written && !self.born {
            let node = encode(&Number(self.node.0))?;
            tx.tables.meta.put("node", node.as_slice())?;
        }
        if written && tx.counters != self.counters {
            let counters = encode(&tx.counters)?;
            tx.tables.meta.put("counters", counters.as_slice())?;
        }
        let (counters, memory) = (tx.counters, std::mem::take(&mut tx.memory));
        drop(tx);
        match written {
            true => txn.commit()?,
            false => txn.abort()?,
        }
        self.born |= written;
        self.counters = counters;
        self.memory = memory;
        Ok(Fate::Done)
    }
}

/// Whether anything was written, or the job that failed after it had begun to write.
fn run_all(tx: &mut Tx<'_>, jobs: &mut [Box<dyn Job>]) -> Result<bool, usize> {
    let mut written = false;
    for (at, job) in jobs.iter_mut().enumerate() {
        tx.wrote.set(false);
        let succeeded = guarded(|| job.run(tx)).map_err(|words| {
            job.panicked(words);
            at
        })?;
        if !succeeded && tx.wrote.get() {
            return Err(at);
        }
        written |= tx.wrote.get();
    }
    Ok(written)
}
