//! Cutting a file where its content says so, at the same places as restic: a rolling
//! Rabin fingerprint over 64 bytes, with the repository's own polynomial.
//!
//! Bytes are pushed, not pulled, so that one reading of a file can feed the cutters
//! of several repositories.

use mhost_model::{Fault, FaultResult};
use rustic_cdc::{Rabin64, RollingHash64};
use rustic_core::repofile::{Chunker, ConfigFile};

/// The width of the fingerprint's window, as a power of two.
const WINDOW_BITS: u32 = 6;
const WINDOW: usize = 1 << WINDOW_BITS;

/// See the module. After [`finish`](Self::finish) it takes the next file.
#[derive(Clone)]
pub struct Cutter {
    rabin: Rabin64,
    mask: u64,
    smallest: usize,
    largest: usize,
    begun: Vec<u8>,
}

impl Cutter {
    pub fn new(config: &ConfigFile) -> FaultResult<Self> {
        let polynom = config
            .poly()
            .map_err(|error| crate::fault::rustic("reading the repository's polynomial", &error))?;
        let size = config.chunk_size();
        let (smallest, largest) = match config.chunker() {
            Chunker::Rabin => (config.chunk_min_size(), config.chunk_max_size()),
            Chunker::FixedSize => (size, size),
        };
        if !size.is_power_of_two() || smallest < WINDOW || smallest > largest {
            return Err(Fault::Damaged(format!(
                "the repository's configuration cuts files into pieces of {smallest} to {largest} bytes, \
                 {size} on the average, which is impossible"
            )));
        }
        Ok(Self {
            rabin: Rabin64::new_with_polynom(WINDOW_BITS, &polynom),
            mask: size as u64 - 1,
            smallest,
            largest,
            begun: Vec::new(),
        })
    }

    /// Takes bytes; whole pieces go to `pieces`.
    pub fn push(&mut self, mut bytes: &[u8], pieces: &mut Vec<Vec<u8>>) {
        while !bytes.is_empty() {
            let taken = self.push_to_cut(bytes, pieces);
            bytes = &bytes[taken..];
        }
    }

    /// Takes bytes up to the end of a piece at most; how many.
    pub fn push_to_cut(&mut self, bytes: &[u8], pieces: &mut Vec<Vec<u8>>) -> usize {
        let (taken, whole) = if self.begun.len() < self.smallest {
            self.fill(bytes)
        } else {
            self.scan(bytes)
        };
        if whole {
            pieces.push(std::mem::take(&mut self.begun));
        }
        taken
    }

    /// The last piece, unless the file ended with the one before.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        let last = std::mem::take(&mut self.begun);
        (!last.is_empty()).then_some(last)
    }

    /// Where no piece is begun: of how many zeroes the next one consists, if zeroes
    /// come. Their fingerprint is zero, so each piece ends as soon as it may.
    pub fn zeroes(&self) -> Option<usize> {
        self.begun.is_empty().then_some(self.smallest)
    }

    /// Up to the smallest size nothing is looked at.
    fn fill(&mut self, bytes: &[u8]) -> (usize, bool) {
        let taken = bytes.len().min(self.smallest - self.begun.len());
        self.begun.extend_from_slice(&bytes[..taken]);
        if self.begun.len() < self.smallest {
            return (taken, false);
        }
        let window = &self.begun[self.smallest - WINDOW..];
        self.rabin
            .reset_and_prefill_window(&mut window.iter().copied());
        let whole = self.smallest == self.largest || self.rabin.hash & self.mask == 0;
        (taken, whole)
    }

    fn scan(&mut self, bytes: &[u8]) -> (usize, bool) {
        let room = self.largest - self.begun.len();
        let bytes = &bytes[..bytes.len().min(room)];
        let (rabin, mask) = (&mut self.rabin, self.mask);
        let end = bytes.iter().position(|byte| {
            rabin.slide(*byte);
            rabin.hash & mask == 0
        });
        let taken = end.map_or(bytes.len(), |at| at + 1);
        self.begun.extend_from_slice(&bytes[..taken]);
        (taken, end.is_some() || self.begun.len() == self.largest)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use mhost_test_support::noise;

    use super::*;

    /// As restic cuts, whose polynomial is in its repository.
    pub fn cutter() -> Cutter {
        let config: ConfigFile = serde_json::from_value(serde_json::json!({
            "version": 2, "id": "00".repeat(32), "chunker_polynomial": "3DA3358B4DC173",
        }))
        .unwrap();
        Cutter::new(&config).unwrap()
    }

    fn cut(data: &[u8], step: usize) -> Vec<Vec<u8>> {
        let (mut cutter, mut pieces) = (cutter(), Vec::new());
        for part in data.chunks(step) {
            cutter.push(part, &mut pieces);
        }
        pieces.extend(cutter.finish());
        pieces
    }

    #[test]
    fn how_the_bytes_arrive_makes_no_difference() {
        let data = noise(9 << 20, 1);
        let whole = cut(&data, data.len());
        assert!(whole.len() > 3);
        assert_eq!(whole.concat(), data);
        for step in [1 << 20, 65_536, 4097, 63] {
            assert!(cut(&data, step) == whole, "in steps of {step}");
        }
    }

    /// What is inserted at the beginning changes the first pieces alone.
    #[test]
    fn pieces_find_their_places_again() {
        let data = noise(12 << 20, 1);
        let moved = [b"inserted".as_slice(), &data].concat();
        let (before, after) = (cut(&data, 1 << 20), cut(&moved, 1 << 20));
        assert_eq!(before.last(), after.last());
    }

    #[test]
    fn zeroes_are_pieces_of_the_smallest_size() {
        let cutter = cutter();
        let pieces = cut(&vec![0; 3 << 20], 1 << 20);
        let lengths: Vec<_> = pieces.iter().map(Vec::len).collect();
        assert_eq!(lengths, [cutter.zeroes().unwrap(); 6]);
    }
}
