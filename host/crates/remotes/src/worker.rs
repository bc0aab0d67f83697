//! The thread on which services are waited for.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use mhost_model::{Fault, FaultResult};
use tokio::runtime::{Builder, Runtime};

/// Runs what services do on one thread of its own, started when it is needed.
#[derive(Debug, Default)]
pub(crate) struct Worker(OnceLock<Runtime>);

impl Worker {
    /// Runs to the end; must be called off the async threads.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> FaultResult<T> {
        Ok(self.runtime()?.block_on(work))
    }

    pub fn runtime(&self) -> FaultResult<&Runtime> {
        if self.0.get().is_none() {
            let built = Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("mhost-remotes")
                .enable_all()
                .build()
                .map_err(|error| {
                    Fault::Failed(format!("cannot start a thread for remotes: {error}"))
                })?;
            // Another thread may have been quicker.
            if let Err(spare) = self.0.set(built) {
                spare.shutdown_background();
            }
        }
        self.0
            .get()
            .ok_or_else(|| Fault::Failed("the thread for remotes has gone".into()))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Waiting for it would be an error on an async thread.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Tries after the first one.
pub(crate) const RETRIES: usize = 4;
pub(crate) const FIRST_WAIT: Duration = Duration::from_millis(500);
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// An error, and whether the same may succeed when it is tried again.
pub(crate) struct Trouble {
    pub fault: Fault,
    pub passing: bool,
}

impl Trouble {
    pub fn passing(fault: Fault) -> Self {
        Self {
            fault,
            passing: true,
        }
    }

    pub fn lasting(fault: Fault) -> Self {
        Self {
            fault,
            passing: false,
        }
    }
}

/// Tries again what failed for a reason that may pass, with growing waits.
pub(crate) async fn patiently<T>(work: impl AsyncFnMut() -> Result<T, Trouble>) -> FaultResult<T> {
    let waits = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(FIRST_WAIT)
        .with_max_delay(LONGEST_WAIT)
        .with_max_times(RETRIES);
    again(waits.build(), work).await
}

async fn again<T>(
    waits: impl Iterator<Item = Duration>,
    mut work: impl AsyncFnMut() -> Result<T, Trouble>,
) -> FaultResult<T> {
    for wait in waits {
        match work().await {
            Err(trouble) if trouble.passing => tokio::time::sleep(wait).await,
            done => return done.map_err(|trouble| trouble.fault),
        }
    }
    work().await.map_err(|trouble| trouble.fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_nothing_else() {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let count = |passing, succeed_at| {
            let mut tried = 0;
            let waits = [Duration::ZERO; RETRIES].into_iter();
            let done = runtime.block_on(again(waits, async || {
                tried += 1;
                match tried == succeed_at {
                    true => Ok(()),
                    false => Err(Trouble {
                        fault: Fault::Failed("no".into()),
                        passing,
                    }),
                }
            }));
            (tried, done.is_ok())
        };
        assert_eq!(count(true, 3), (3, true));
        assert_eq!(count(true, 99), (1 + RETRIES, false));
        assert_eq!(count(false, 3), (1, false));
    }
}
