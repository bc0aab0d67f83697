//! Writing down how an attempt ended. What was done must not be done again only because a
//! disk was full for a moment, so a store that fails is asked again while anybody can wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mhost_store::{Completed, Completion, StoreError, TaskStore};

use crate::exit::{Outcomes, Problem};

/// Between two tries at first, and at most.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Tries of a command, which a person waits for.
const TRIES: u32 = 10;

/// Whether anybody can still wait for a store that fails.
#[derive(Clone, Default)]
pub struct Patience(Arc<AtomicBool>);

impl Patience {
    /// The process is to end: what cannot be written down now is left to the next one,
    /// which finds the claim dead.
    pub fn lose(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn lost(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Writes it down; `service` tries for as long as it lives. The lease is renewed meanwhile.
pub async fn complete(
    store: &dyn TaskStore,
    completion: Completion,
    service: bool,
    patience: &Patience,
) -> Outcomes<Completed> {
    let mut wait = WAIT.0;
    for attempt in 1.. {
        let error = match store.complete(completion.clone()).await {
            Ok(completed) => return Ok(completed),
            Err(error) => error,
        };
        let again = matches!(error, StoreError::Failed { .. });
        if !again || patience.lost() || (!service && attempt >= TRIES) {
            return Err(error.into());
        }
        tracing::error!(run = %completion.key.run, %error, "the end of a run cannot be written down yet");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAIT.1);
    }
    Err(Problem::bug("more tries than numbers"))
}
