//! Digests of files.

use std::fs::File;
use std::os::unix::fs::FileExt;

use mhost_model::FaultResult;
use sha2::Digest as _;

use super::work::{PIECE, Work};
use crate::beneath::{Content, Place};

/// Which digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Sha256,
    Blake3,
    /// IEEE, answered big-endian.
    Crc32,
}

enum Hasher {
    Sha256(sha2::Sha256),
    Blake3(Box<blake3::Hasher>),
    Crc32(flate2::Crc),
}

impl Hasher {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
            Algorithm::Crc32 => Self::Crc32(flate2::Crc::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Self::Crc32(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
            Self::Crc32(hasher) => hasher.sum().to_be_bytes().to_vec(),
        }
    }
}

/// The digest of a regular file's bytes from `offset`, `length` of them or all; what
/// lies beyond the end is not there.
pub(crate) fn hash(
    work: Work<'_>,
    place: &Place,
    algorithm: Algorithm,
    offset: u64,
    length: Option<u64>,
) -> FaultResult<Vec<u8>> {
    let (file, _) = place.content(Content::Read)?;
    work.meter.opened();
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; PIECE];
    let mut left = length.unwrap_or(u64::MAX);
    let mut at = offset;
    while left > 0 {
        work.go_on()?;
        let piece = left.min(PIECE as u64) as usize;
        let read = read(&file, &mut buffer[..piece], at).map_err(|e| place.fault("read", e))?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        work.meter.read(read as u64);
        at += read as u64;
        left -= read as u64;
    }
    Ok(hasher.finish())
}

/// An offset that no file reaches reads as nothing.
fn read(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    if i64::try_from(at).is_err() {
        return Ok(0);
    }
    file.read_at(buffer, at)
}
