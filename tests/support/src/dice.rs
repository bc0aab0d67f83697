//! Numbers that look random and follow from a seed.

/// Bytes that no compression makes fewer, the same for each seed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let eight = || dice.any().to_le_bytes();
    std::iter::repeat_with(eight)
        .flatten()
        .take(length)
        .collect()
}

/// A source of such numbers.
pub struct Dice(u64);

impl Dice {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number. The mixing is splitmix64's (Steele, Lea and Flood, 2014).
    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..count`.
    pub fn below(&mut self, count: u64) -> u64 {
        self.any() % count
    }

    /// One of `low..high`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as u64) as i64
    }

    /// True once in so many times.
    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
