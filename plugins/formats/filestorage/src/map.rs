//! Positions by object id or by position: what grows with a file.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};

/// From an object's id, or a position, to a position.
pub type Positions = HashMap<u64, u64, Mixing>;
/// Object ids, or positions.
pub type Numbers = HashSet<u64, Mixing>;

/// Which objects are surely there, bit by bit: asked before a map, it answers most often and lies near. Ids that leave
/// wide gaps are not kept.
#[derive(Debug, Default)]
pub struct Surely {
    bits: Vec<u64>,
    objects: usize,
}

impl Surely {
    /// Words for ids that are not there yet.
    const AHEAD: usize = 1 << 10;

    #[inline]
    pub fn contains(&self, oid: u64) -> bool {
        let word = usize::try_from(oid / 64).ok();
        let word = word.and_then(|word| self.bits.get(word));
        word.is_some_and(|word| word & (1 << (oid % 64)) != 0)
    }

    #[inline]
    pub fn insert(&mut self, oid: u64) {
        let word = usize::try_from(oid / 64).unwrap_or(usize::MAX);
        if word >= self.bits.len() {
            if word >= self.objects + Self::AHEAD {
                return;
            }
            self.bits.resize(word + Self::AHEAD, 0);
        }
        let bit = 1 << (oid % 64);
        self.objects += usize::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }

    #[inline]
    pub fn remove(&mut self, oid: u64) {
        let word = usize::try_from(oid / 64).ok();
        if let Some(word) = word.and_then(|word| self.bits.get_mut(word)) {
            *word &= !(1 << (oid % 64));
        }
    }
}

/// Hashes one number by a multiplication; the usual hash takes several times as long, which a
/// guest feels. The factor is random, so that nobody can make a file whose ids collide.
#[derive(Debug, Clone)]
pub struct Mixing(u64);

impl Default for Mixing {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0_u64) | 1)
    }
}

impl BuildHasher for Mixing {
    type Hasher = Mixed;

    fn build_hasher(&self) -> Mixed {
        Mixed(self.0, 0)
    }
}

/// See [`Mixing`].
pub struct Mixed(u64, u64);

impl Hasher for Mixed {
    /// The upper bits of the product are the mixed ones, and a table looks at the lower bits first.
    #[inline]
    fn finish(&self) -> u64 {
        self.1.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.1 = (number ^ self.1).wrapping_mul(self.0);
    }
}
