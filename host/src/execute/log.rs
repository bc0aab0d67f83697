//! A run's log on its way into the store: lines are gathered and written in
//! batches, so that a talkative run does not commit per line and a crash loses at
//! most the last moment.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mhost_model::RunId;
use mhost_model::ports::run::LogSink;
use mhost_model::run::LogLine;
use mhost_store::TaskStore;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A batch waits at most so long.
const DELAY: Duration = Duration::from_millis(500);
/// A batch of so many lines does not wait.
const BATCH: usize = 512;

/// Where the engine puts lines.
#[derive(Default)]
pub struct Sink {
    lines: Mutex<Vec<LogLine>>,
    full: Notify,
}

impl Sink {
    fn take(&self) -> Vec<LogLine> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LogSink for Sink {
    fn line(&self, line: LogLine) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
        if lines.len() >= BATCH {
            self.full.notify_one();
        }
    }
}

/// The log of one running attempt.
pub struct RunLog {
    sink: Arc<Sink>,
    writer: JoinHandle<()>,
}

impl RunLog {
    pub fn start(store: Arc<dyn TaskStore>, run: RunId) -> Self {
        let sink = Arc::new(Sink::default());
        let writer = tokio::spawn(write(store, run, Arc::clone(&sink)));
        Self { sink, writer }
    }

    pub fn sink(&self) -> Arc<Sink> {
        Arc::clone(&self.sink)
    }

    /// Ends the writing and hands back what is left, to be committed with the
    /// outcome.
    pub async fn finish(self) -> Vec<LogLine> {
        self.writer.abort();
        // A batch that is being written must be in the store before the rest is.
        let _ = self.writer.await;
        self.sink.take()
    }
}

async fn write(store: Arc<dyn TaskStore>, run: RunId, sink: Arc<Sink>) {
    loop {
        tokio::select! {
            () = sink.full.notified() => {}
            () = tokio::time::sleep(DELAY) => {}
        }
        let lines = sink.take();
        if !lines.is_empty()
            && let Err(error) = store.append_log(run, lines).await
        {
            tracing::warn!(%run, %error, "lines of a run's log are lost");
        }
    }
}
