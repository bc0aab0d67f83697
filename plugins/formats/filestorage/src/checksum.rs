//! A checksum of a file's contents, taken while it is written and once more of what can be read again: that the
//! disk and the memory have kept every byte.
//!
//! It is the CRC-32 of the file in which the first of a transaction's two lengths is 0: that one is not known when it
//! is written. Both lengths are compared wherever a file is read.

use std::io::{Read, Seek};

use crc32fast::Hasher;

use crate::error::Result;
use crate::layout::{Head, START, TXN_HEAD};
use crate::scan;
use crate::watch::{Phase, Ticker, Watch};
use crate::window::Window;

/// So many bytes are taken at once.
const PIECE: u64 = 256 << 10;

/// Of a file whose structure is sound.
pub fn of<R: Read + Seek>(window: &mut Window<R>, watch: &mut dyn Watch) -> Result<u32> {
    let mut hasher = Hasher::new();
    hasher.update(&scan::magic(window)?);
    let mut ticker = Ticker::new(watch, Phase::Compare, window.size());
    let mut at = START;
    while at < window.size() {
        ticker.at(at)?;
        let txn = scan::head(window, at)?;
        let head = Head {
            length: 0,
            ..txn.head
        };
        hasher.update(&head.bytes());
        at += TXN_HEAD as u64;
        while at < txn.next() {
            let piece = (txn.next() - at).min(PIECE);
            hasher.update(window.slice(at, piece as usize)?);
            at += piece;
        }
    }
    ticker.done()?;
    Ok(hasher.finalize())
}
