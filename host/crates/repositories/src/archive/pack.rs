//! A pack file in the making: sealed blobs one after the other, then a sealed header
//! that lists them, then the header's length. See "Pack Format" in restic's design
//! document.

use rustic_core::Id;
use rustic_core::repofile::BlobType;
use sha2::{Digest, Sha256};

use super::index;
use crate::crypto::Sealer;

/// The most blobs of one pack: more would make its header large.
const MOST_BLOBS: usize = 10_000;

/// A blob ready to be stored.
#[derive(Debug)]
pub struct Sealed {
    pub id: [u8; 32],
    pub bytes: Vec<u8>,
    /// Where it is compressed.
    pub plain_length: Option<u32>,
}

/// See the module.
#[derive(Debug)]
pub struct Pack {
    kind: BlobType,
    bytes: Vec<u8>,
    header: Vec<u8>,
    blobs: Vec<index::Blob>,
}

/// A pack file with its name.
#[derive(Debug)]
pub struct Finished {
    pub id: Id,
    pub bytes: Vec<u8>,
    pub entry: index::Pack,
}

impl Pack {
    pub fn new(kind: BlobType) -> Self {
        Self {
            kind,
            bytes: Vec::new(),
            header: Vec::new(),
            blobs: Vec::new(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// Whether it is worth a file of about `size` bytes.
    pub fn is_full(&self, size: usize) -> bool {
        self.bytes.len() >= size || self.blobs.len() >= MOST_BLOBS
    }

    pub fn add(&mut self, blob: &Sealed) {
        let (offset, length) = (small(self.bytes.len()), small(blob.bytes.len()));
        self.bytes.extend_from_slice(&blob.bytes);
        let (plain, compressed, kind) = match self.kind {
            BlobType::Data => (0, 2, "data"),
            BlobType::Tree => (1, 3, "tree"),
        };
        self.header.push(if blob.plain_length.is_some() {
            compressed
        } else {
            plain
        });
        self.header.extend(length.to_le_bytes());
        self.header
            .extend(blob.plain_length.into_iter().flat_map(u32::to_le_bytes));
        self.header.extend(blob.id);
        self.blobs.push(index::Blob {
            id: hex::encode(blob.id),
            kind,
            offset,
            length,
            uncompressed_length: blob.plain_length,
        });
    }

    /// `None` where sealing fails, which needs a blob of more than 64 GiB.
    pub fn finish(mut self, sealer: &Sealer) -> Option<Finished> {
        let header = sealer.seal(&self.header)?;
        self.bytes.extend_from_slice(&header);
        self.bytes.extend(small(header.len()).to_le_bytes());
        let id: [u8; 32] = Sha256::digest(&self.bytes).into();
        let entry = index::Pack {
            id: hex::encode(id),
            blobs: self.blobs,
        };
        Some(Finished {
            id: Id::new(id),
            bytes: self.bytes,
            entry,
        })
    }
}

/// A pack is written long before it reaches 4 GiB: pieces are at most a few MiB.
fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
