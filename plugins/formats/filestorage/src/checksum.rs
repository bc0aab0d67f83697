//! A checksum of a file's contents, taken while it is written and once more of what can be read again: that the
//! disk and the memory have kept every byte.
//!
//! It is the XXH64 of the file in which the first of a transaction's two lengths is 0: that one is not known when it
//! is written. Both lengths are compared wherever a file is read.

use std::hash::Hasher as _;
use std::io::{Read, Seek};

use twox_hash::XxHash64;

use crate::error::Result;
use crate::layout::Head;
use crate::window::Window;

/// See the module.
#[derive(Debug, Default)]
pub struct Sum(XxHash64);

impl Sum {
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// A transaction's header, without its texts.
    pub fn head(&mut self, head: Head) {
        self.bytes(&Head { length: 0, ..head }.bytes());
    }

    /// What stands in a file.
    pub fn part<R: Read + Seek>(
        &mut self,
        window: &mut Window<R>,
        from: u64,
        to: u64,
    ) -> Result<()> {
        window.pieces(from, to, |piece| {
            self.bytes(piece);
            Ok(())
        })
    }

    pub fn finish(&self) -> u64 {
        self.0.finish()
    }
}
