//! Compiled schedules by their text: many tasks share few schedules, and the planner
//! is called for each of a million tasks.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use mhost_model::schedule::Schedule;

use crate::Compiled;

/// Some megabytes at most. Emptied when full: that costs one compilation of some
/// microseconds for each schedule still in use.
const ENTRIES: usize = 16_384;

/// Zone and expression; only cron expressions are worth keeping.
type Key = (Option<String>, String);

#[derive(Debug)]
pub(super) struct Cache {
    entries: RwLock<HashMap<Key, Arc<Compiled>>>,
    most: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self::of(ENTRIES)
    }
}

impl Cache {
    fn of(most: usize) -> Self {
        Self {
            entries: RwLock::default(),
            most,
        }
    }

    /// None where the schedule is not (any more) one that this mhost understands.
    pub(super) fn compiled(&self, schedule: &Schedule) -> Option<Arc<Compiled>> {
        let Schedule::Cron { cron, tz } = schedule else {
            return Compiled::parse(schedule).ok().map(Arc::new);
        };
        let key = (tz.clone(), cron.clone());
        if let Some(known) = self.read(&key) {
            return Some(known);
        }
        let compiled = Arc::new(Compiled::parse(schedule).ok()?);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= self.most {
            entries.clear();
        }
        entries.insert(key, compiled.clone());
        Some(compiled)
    }

    fn read(&self, key: &Key) -> Option<Arc<Compiled>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_bounded_and_right() {
        let cache = Cache::of(10);
        for n in 0..100 {
            let cron = format!("{} {} * * *", n % 60, n % 24);
            let schedule = Schedule::Cron { cron, tz: None };
            let expected = Compiled::parse(&schedule).unwrap();
            assert_eq!(cache.compiled(&schedule).as_deref(), Some(&expected));
            assert_eq!(cache.compiled(&schedule).as_deref(), Some(&expected));
            assert!(cache.entries.read().unwrap().len() <= 10);
        }
    }

    #[test]
    fn a_schedule_that_is_none_is_not_kept() {
        let cache = Cache::default();
        let schedule = Schedule::Cron {
            cron: "61 * * * *".into(),
            tz: None,
        };
        assert_eq!(cache.compiled(&schedule), None);
        assert!(cache.entries.read().unwrap().is_empty());
    }
}
