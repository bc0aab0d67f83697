//! Latencies by their size: 16 classes for each doubling, so that a percentile is right
//! within 4 %, however many latencies there were, and two histograms add up.
//!
//! The classes are those of HdrHistogram with 4 bits of precision.

use serde::{Deserialize, Serialize};

/// Bits below the leading one that tell classes apart.
const BITS: u32 = 4;
const CLASSES: u64 = 1 << BITS;

/// Classes in order, each with how many latencies fell into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram(Vec<(u16, u32)>);

impl Histogram {
    pub fn add(&mut self, value: u64) {
        self.put(class(value), 1);
    }

    fn put(&mut self, class: u16, count: u32) {
        match self.0.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (class, count)),
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            self.put(*class, *count);
        }
    }

    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The value that the given share of all (0 to 1) does not exceed.
    pub fn percentile(&self, share: f64) -> Option<u64> {
        let rank = (share.clamp(0.0, 1.0) * self.count() as f64)
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        let found = self.0.iter().find(|(_, count)| {
            seen += u64::from(*count);
            seen >= rank
        });
        found.map(|(class, _)| middle(*class))
    }

    pub fn max(&self) -> Option<u64> {
        self.0.last().map(|(class, _)| middle(*class))
    }
}

fn class(value: u64) -> u16 {
    if value < CLASSES {
        return value as u16;
    }
    let shift = 63 - value.leading_zeros() - BITS;
    let within = (value >> shift) & (CLASSES - 1);
    ((u64::from(shift) + 1) * CLASSES + within) as u16
}

/// The middle of a class.
fn middle(class: u16) -> u64 {
    let class = u64::from(class);
    if class < CLASSES {
        return class;
    }
    let shift = (class / CLASSES - 1).min(59);
    let low = (CLASSES + class % CLASSES) << shift;
    low.saturating_add((1 << shift) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_is_close() {
        let mut value = 1u64;
        while value < u64::MAX / 3 {
            for value in [value, value + 1, value * 2 - 1] {
                let near = middle(class(value));
                let error = near.abs_diff(value) as f64 / value as f64;
                assert!(error <= 0.04, "{value} became {near}");
                assert!(class(value) <= class(value + 1));
            }
            value = value * 3 / 2 + 1;
        }
        assert!(middle(class(u64::MAX)) > u64::MAX / 2);
    }

    #[test]
    fn percentiles_of_what_was_added() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentile(0.5), None);
        for value in 1..=1000u64 {
            histogram.add(value * 100);
        }
        for (share, exact) in [(0.5, 50_000.0), (0.9, 90_000.0), (0.99, 99_000.0)] {
            let found = histogram.percentile(share).unwrap() as f64;
            assert!((found - exact).abs() / exact < 0.05, "{share}: {found}");
        }
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!(twice.count(), 2000);
        assert_eq!(twice.percentile(0.5), histogram.percentile(0.5));
        assert_eq!(twice.max(), histogram.max());
    }
}
