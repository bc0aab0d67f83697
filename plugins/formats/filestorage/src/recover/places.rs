//! Where records that were written came to lie: for the back pointers that lead to them.
//!
//! Of a record only its distance from the one before it is kept, mostly in two bytes; each [`RUN`] of them, and what was
//! moved by another distance than its neighbour, begin with whole positions.

/// So many records are gone over at most to find one.
const RUN: u32 = 64;

/// See the module. Records are added in the order of the damaged file.
#[derive(Debug, Default)]
pub struct Places {
    runs: Vec<Run>,
    /// Distances, seven bits a byte, the lowest first; the last byte of each has the eighth bit clear.
    distances: Vec<u8>,
    /// The record that was added last, and how many followed its run's first.
    last: u64,
    length: u32,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    from: u64,
    to: u64,
    /// Where its distances begin.
    distances: usize,
}

impl Places {
    /// The record at `from` of the damaged file lies at `to` of the new one.
    pub fn add(&mut self, from: u64, to: u64) {
        let goes_on = self.length < RUN
            && self
                .runs
                .last()
                .is_some_and(|run| from.wrapping_sub(run.from) == to.wrapping_sub(run.to));
        if goes_on {
            self.push(from - self.last);
            self.length += 1;
        } else {
            let distances = self.distances.len();
            self.runs.push(Run {
                from,
                to,
                distances,
            });
            self.length = 0;
        }
        self.last = from;
    }

    fn push(&mut self, mut distance: u64) {
        while distance >= 0x80 {
            self.distances.push(distance as u8 | 0x80);
            distance >>= 7;
        }
        self.distances.push(distance as u8);
    }

    /// Where the record lies that was at `from`; `None` where none was, or it was not written.
    pub fn get(&self, from: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.from <= from);
        let run = self.runs[..after].last()?;
        let end = self.runs.get(after).map(|run| run.distances);
        let mut distances =
            self.distances[run.distances..end.unwrap_or(self.distances.len())].iter();
        let mut at = run.from;
        while at < from {
            let (mut distance, mut shift) = (0, 0);
            loop {
                let byte = *distances.next()?;
                distance |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            at += distance;
        }
        (at == from).then(|| run.to + (from - run.from))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_record_is_found_and_nothing_else(
            steps in prop::collection::vec((1_u64..0x5_0000, prop::option::weighted(0.1, 0_u64..1000)), 0..300),
        ) {
            let mut places = Places::default();
            let mut known = BTreeMap::new();
            let (mut from, mut moved) = (4, 0);
            for (step, other) in steps {
                moved = other.unwrap_or(moved);
                places.add(from, from + moved);
                known.insert(from, from + moved);
                from += step;
            }
            for at in known.keys().flat_map(|at| [at - 1, *at, at + 1]).chain([0, from]) {
                prop_assert_eq!(places.get(at), known.get(&at).copied());
            }
        }
    }
}
