//! The threads that guests run on: one for each run, kept for the next. They are
//! not the async runtime's, so that a host call may block; a run that is stuck in
//! one is abandoned with its thread, and neither the runtime nor the end of the
//! process waits for it.

use std::pin::pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::thread::Thread;

use tokio::runtime::Handle;

/// Idle threads that are kept: as many as the service has instances, since starting one takes as
/// long as an empty run.
const IDLE: usize = 64;

type Work = Box<dyn FnOnce() + Send>;

/// A pool that grows with the runs.
#[derive(Clone, Default)]
pub(crate) struct Workers(Arc<Mutex<Vec<Sender<Work>>>>);

impl Workers {
    /// Polls a future to its end on a thread of its own. `runtime` drives timers and
    /// sockets of it.
    pub(crate) fn run<F>(
        &self,
        runtime: Handle,
        future: impl FnOnce() -> F + Send + 'static,
    ) -> std::io::Result<()>
    where
        F: Future<Output = ()>,
    {
        let work: Work = Box::new(move || {
            let _entered = runtime.enter();
            block_on(future());
        });
        let idle = self.idle().pop();
        let work = match idle {
            Some(worker) => match worker.send(work) {
                Ok(()) => return Ok(()),
                Err(unsent) => unsent.0,
            },
            None => work,
        };
        self.start(work)
    }

    fn start(&self, first: Work) -> std::io::Result<()> {
        let workers = self.clone();
        let body = move || {
            first();
            loop {
                let (sender, receiver) = channel();
                {
                    let mut idle = workers.idle();
                    if idle.len() >= IDLE {
                        return;
                    }
                    idle.push(sender);
                }
                match receiver.recv() {
                    Ok(work) => work(),
                    Err(_) => return,
                }
            }
        };
        std::thread::Builder::new()
            .name("mhost-guest".into())
            .spawn(body)
            .map(drop)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Sender<Work>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls on this thread. The runtime's own `block_on` would forbid a host call to
/// wait for another future in turn.
fn block_on(future: impl Future<Output = ()>) {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    while future.as_mut().poll(&mut context).is_pending() {
        std::thread::park();
    }
}
