//! Threads that read. They are the store's own: a reader that waits for a thread of
//! the caller's pool could wait for itself.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::{Shared, guarded, spawn};
use crate::StoreResult;

/// Two, so that a long list does not hold up a short question.
const READERS: usize = 2;

pub type Read = Box<dyn FnOnce(&Shared) + Send>;

pub struct Readers {
    reads: Option<Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub fn start(shared: &Arc<Shared>) -> StoreResult<Self> {
        let (reads, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..READERS).map(|_| {
            let (queue, shared) = (Arc::clone(&queue), Arc::clone(shared));
            spawn("mhost-store-read", move || serve(&queue, &shared))
        });
        Ok(Self {
            threads: threads.collect::<StoreResult<_>>()?,
            reads: Some(reads),
        })
    }

    /// A read that nobody takes is dropped, and its asker hears of it.
    pub fn send(&self, read: Read) {
        if let Some(reads) = &self.reads {
            let _ = reads.send(read);
        }
    }

    /// Lets the threads finish what was asked, and waits for them.
    pub fn stop(&mut self) {
        self.reads = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(queue: &Mutex<Receiver<Read>>, shared: &Shared) {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(read) = next() {
        if let Err(panic) = guarded(|| read(shared)) {
            tracing::error!(panic, "a read of the store panicked");
        }
    }
}
