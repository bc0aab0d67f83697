//! Counts over a moving window of time, in few buckets: bounded, however much is written.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The window moves on by this part of itself.
const BUCKETS: u64 = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    /// Its beginning, in widths since 1970.
    at: u64,
    all: u32,
    hits: u32,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Seconds.
    width: u64,
    /// In the order of time, the newest last; all within one window.
    buckets: VecDeque<Bucket>,
    /// Whether anything was added since it was read from the state.
    #[serde(skip)]
    touched: bool,
}

/// What a window held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    pub all: u32,
    pub hits: u32,
}

impl Window {
    pub fn new(length: Duration) -> Self {
        Self {
            width: length.as_secs().div_ceil(BUCKETS).max(1),
            buckets: VecDeque::new(),
            touched: false,
        }
    }

    /// Whether it is of this length.
    pub fn fits(&self, length: Duration) -> bool {
        self.width == Self::new(length).width
    }

    /// What it holds now.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for bucket in &self.buckets {
            count.all = count.all.saturating_add(bucket.all);
            count.hits = count.hits.saturating_add(bucket.hits);
        }
        count
    }

    /// Moves on to a second since 1970. Where that leaves a bucket of this run behind, what
    /// the window held with it.
    pub fn advance(&mut self, second: u64) -> Option<Count> {
        let at = second / self.width;
        let newest = self.buckets.back()?.at;
        if at <= newest {
            return None;
        }
        let left = std::mem::take(&mut self.touched).then(|| self.count());
        while self
            .buckets
            .front()
            .is_some_and(|old| old.at + BUCKETS <= at)
        {
            self.buckets.pop_front();
        }
        left
    }

    /// Counts a line of that second; the answer is that of [`Self::advance`]. What is older
    /// than the window does not count.
    pub fn add(&mut self, second: u64, hit: bool) -> Option<Count> {
        let left = self.advance(second);
        let at = second / self.width;
        let newest = self.buckets.back().map_or(at, |bucket| bucket.at);
        if at + BUCKETS <= newest {
            return left;
        }
        let place = self.buckets.partition_point(|bucket| bucket.at < at);
        if self.buckets.get(place).is_none_or(|bucket| bucket.at != at) {
            let (all, hits) = (0, 0);
            self.buckets.insert(place, Bucket { at, all, hits });
        }
        let bucket = &mut self.buckets[place];
        bucket.all = bucket.all.saturating_add(1);
        bucket.hits = bucket.hits.saturating_add(u32::from(hit));
        self.touched = true;
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
        Window::new(Duration::from_secs(100))
    }

    #[test]
    fn it_holds_what_lies_within_it() {
        let mut window = window();
        for (second, hit) in [(1_000, true), (1_004, false), (1_050, true), (1_099, false)] {
            window.add(second, hit);
        }
        assert_eq!(window.count(), Count { all: 4, hits: 2 });
        assert_eq!(window.advance(1_101), Some(Count { all: 4, hits: 2 }));
        assert_eq!(window.count(), Count { all: 2, hits: 1 });
        assert_eq!(window.advance(1_102), None, "nothing was added");
        window.advance(9_000);
        assert_eq!(window.count(), Count::default());
    }

    #[test]
    fn what_comes_late_has_its_place_and_what_is_too_late_none() {
        let mut window = window();
        window.add(1_050, true);
        window.add(1_010, true);
        window.add(900, true);
        assert_eq!(window.count().hits, 2);
        window.add(1_111, true);
        assert_eq!(window.count().hits, 2, "1,010 is out of it, 1,050 is not");
    }

    #[test]
    fn it_takes_few_buckets_whatever_comes() {
        let mut window = window();
        for second in (0..100_000).chain((0..100_000).rev()) {
            window.add(second, second % 3 == 0);
        }
        assert!(window.buckets.len() as u64 <= BUCKETS);
        let text = serde_json::to_string(&window).unwrap();
        let mut again: Window = serde_json::from_str(&text).unwrap();
        assert_eq!(again.count(), window.count());
        assert!(again.advance(1_000_000).is_none(), "that run has judged it");
    }
}
