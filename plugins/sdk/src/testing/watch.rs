//! The memory of a watcher, in memory.

use std::time::Duration;

use super::NativeHost;
use crate::Result;
use crate::watch::{Observation, Summary, Watch};

impl Watch for NativeHost {
    fn recall(&self, subjects: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        let memories = self.memories.borrow();
        let recalled = subjects
            .iter()
            .map(|subject| memories.get(subject).cloned());
        Ok(recalled.collect())
    }

    fn observe(&self, observations: &[Observation]) -> Result<()> {
        if !self.dry_run.get() {
            let kept = observations.iter();
            let kept = kept.map(|one| (one.subject.clone(), one.memory.clone()));
            self.memories.borrow_mut().extend(kept);
            self.observed.borrow_mut().extend_from_slice(observations);
        }
        Ok(())
    }

    fn summaries(&self) -> Result<Vec<Summary>> {
        Ok(self.summaries.clone())
    }

    fn in_window(&self, schedule: &str, _: Duration, at: u64) -> Result<Option<u64>> {
        let end = self.windows.get(schedule).copied();
        Ok(end.filter(|end| at < *end))
    }
}
