//! The records as they lie in the file.

use std::fmt;

use serde::{Serialize, Serializer};

/// Of Python 3's files.
pub const MAGIC: [u8; 4] = *b"FS30";
/// Of Python 2's, which are laid out in the same way.
pub const MAGIC_2: [u8; 4] = *b"FS21";
/// Where the first transaction begins.
pub const START: u64 = 4;
/// Bytes of a transaction's header, without its texts.
pub const TXN_HEAD: usize = 23;
/// Bytes of a data record's header.
pub const RECORD_HEAD: usize = 42;
/// Bytes of the second copy of a transaction's length.
pub const TRAILER: u64 = 8;

/// An object's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub u64);

impl Oid {
    pub const ROOT: Self = Self(0);
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A transaction's id, which is its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(pub u64);

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Tid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a transaction's status byte says.
pub mod status {
    /// Complete.
    pub const DONE: u8 = b' ';
    /// Complete, and what is left of it after a pack.
    pub const PACKED: u8 = b'p';
    /// Undone long ago: its records do not count.
    pub const UNDONE: u8 = b'u';
    /// Voted for, but not finished.
    pub const CHECKPOINT: u8 = b'c';
}

/// A transaction's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub tid: Tid,
    /// Bytes from the header to the second copy of this length.
    pub length: u64,
    pub status: u8,
    /// Lengths of the user's name, the description and the extension.
    pub texts: [u16; 3],
}

impl Head {
    pub fn parse(bytes: &[u8]) -> Self {
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Self {
            tid: Tid(long(bytes, 0)),
            length: long(bytes, 8),
            status: bytes[16],
            texts: [short(17), short(19), short(21)],
        }
    }

    pub fn bytes(&self) -> [u8; TXN_HEAD] {
        let mut bytes = [0; TXN_HEAD];
        bytes[..8].copy_from_slice(&self.tid.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.length.to_be_bytes());
        bytes[16] = self.status;
        for (n, text) in self.texts.iter().enumerate() {
            bytes[17 + 2 * n..19 + 2 * n].copy_from_slice(&text.to_be_bytes());
        }
        bytes
    }

    /// Bytes of the header and its texts.
    pub fn size(&self) -> u64 {
        TXN_HEAD as u64 + self.texts.iter().map(|text| u64::from(*text)).sum::<u64>()
    }
}

/// A data record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHead {
    pub oid: Oid,
    pub tid: Tid,
    /// The previous record of this object, 0 where there is none.
    pub previous: u64,
    /// Where its transaction begins.
    pub txn: u64,
    /// Always 0; versions are gone.
    pub version: u16,
    /// Bytes of data; 0 where a back pointer follows.
    pub length: u64,
}

impl RecordHead {
    pub fn parse(bytes: &[u8]) -> Self {
        Self {
            oid: Oid(long(bytes, 0)),
            tid: Tid(long(bytes, 8)),
            previous: long(bytes, 16),
            txn: long(bytes, 24),
            version: u16::from_be_bytes([bytes[32], bytes[33]]),
            length: long(bytes, 34),
        }
    }

    pub fn bytes(&self) -> [u8; RECORD_HEAD] {
        let mut bytes = [0; RECORD_HEAD];
        let longs = [self.oid.0, self.tid.0, self.previous, self.txn];
        for (n, long) in longs.iter().enumerate() {
            bytes[8 * n..8 * n + 8].copy_from_slice(&long.to_be_bytes());
        }
        bytes[32..34].copy_from_slice(&self.version.to_be_bytes());
        bytes[34..].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// Bytes of the whole record; `None` where that is beyond every file.
    pub fn size(&self) -> Option<u64> {
        let body = if self.length == 0 { 8 } else { self.length };
        body.checked_add(RECORD_HEAD as u64)
    }
}

/// The eight bytes at an offset.
pub fn long(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_be_bytes(eight)
}
