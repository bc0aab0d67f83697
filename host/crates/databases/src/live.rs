//! Counts the living transactions of one connection: whole-file work must not
//! start under them, and a second writer would wait for the first for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mhost_model::{Fault, FaultResult};

#[derive(Debug, Default)]
struct Counts {
    reads: AtomicUsize,
    writing: AtomicBool,
}

/// The living transactions of a connection. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Counts>);

/// A living read transaction.
#[derive(Debug)]
pub(crate) struct Reading(Arc<Counts>);

/// The living write transaction.
#[derive(Debug)]
pub(crate) struct Writing(Arc<Counts>);

impl Live {
    /// Counts a read transaction until the guard is dropped.
    pub fn read(&self) -> Reading {
        self.0.reads.fetch_add(1, Ordering::SeqCst);
        Reading(self.0.clone())
    }

    /// Takes the place of the one writer, or is busy.
    pub fn write(&self) -> FaultResult<Writing> {
        if self.0.writing.swap(true, Ordering::SeqCst) {
            return Err(Fault::Busy(
                "a write transaction of this connection is open: commit or drop it first".into(),
            ));
        }
        Ok(Writing(self.0.clone()))
    }

    /// Busy while any transaction lives; `verb` is what was asked for.
    pub fn none(&self, verb: &str) -> FaultResult<()> {
        if self.reading() || self.writing() {
            return Err(Fault::Busy(format!(
                "cannot {verb} while a transaction of this connection is open: end it first"
            )));
        }
        Ok(())
    }

    pub fn reading(&self) -> bool {
        self.0.reads.load(Ordering::SeqCst) > 0
    }

    pub fn writing(&self) -> bool {
        self.0.writing.load(Ordering::SeqCst)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.reads.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writing.store(false, Ordering::SeqCst);
    }
}
