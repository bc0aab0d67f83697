//! Room for guests: the pool of the service's engine has so many instances, and a run that
//! comes when all are taken waits for one. What may run at one time is the pools' to say, not
//! the engine's.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Allocation, Cancel};

/// All the room there is.
pub(crate) struct Slots(Option<Arc<Semaphore>>);

/// Room for one guest, until its store is gone.
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(allocation: Allocation) -> Self {
        Self(match allocation {
            Allocation::OnDemand => None,
            Allocation::Pooling { instances } => {
                let instances = usize::try_from(instances).unwrap_or(Semaphore::MAX_PERMITS);
                Some(Arc::new(Semaphore::new(instances)))
            }
        })
    }

    /// Waits for room; none if the run is cancelled first.
    pub(crate) async fn take(&self, cancel: &Cancel) -> Option<Slot> {
        let Some(slots) = &self.0 else {
            return Some(Slot { _permit: None });
        };
        let permit = Arc::clone(slots).acquire_owned();
        tokio::select! {
            biased;
            permit = permit => Some(Slot { _permit: permit.ok() }),
            () = cancel.cancelled() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_pool_is_waited_for() {
        let slots = Slots::new(Allocation::Pooling { instances: 1 });
        let (cancel, never) = (Cancel::default(), Cancel::default());
        let first = slots.take(&never).await.unwrap();
        cancel.cancel("a test");
        assert!(slots.take(&cancel).await.is_none());
        drop(first);
        assert!(slots.take(&never).await.is_some());
    }

    #[tokio::test]
    async fn on_demand_there_is_always_room() {
        let slots = Slots::new(Allocation::OnDemand);
        let never = Cancel::default();
        let all = [slots.take(&never).await, slots.take(&never).await];
        assert!(all.iter().all(Option::is_some));
    }
}
