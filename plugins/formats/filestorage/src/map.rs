//! Positions by object id or by position: what grows with a file.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hasher};

/// From an object's id, or a position, to a position.
pub type Positions = HashMap<u64, u64, Mixing>;
/// Object ids, or positions.
pub type Numbers = HashSet<u64, Mixing>;

/// Hashes one number by a multiplication; the usual hash takes several times as long, which a
/// guest feels. The seed is random, so that nobody can make a file whose ids collide.
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
    fn finish(&self) -> u64 {
        self.1
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        let product = u128::from(number ^ self.1 ^ self.0)
            * u128::from(0x9e37_79b9_7f4a_7c15 ^ (self.0 << 1));
        self.1 = (product as u64) ^ ((product >> 64) as u64);
    }
}
