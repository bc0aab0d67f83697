//! The saved index (`Data.fs.index`), with which ZODB opens a large file at once: pickles of protocol 3
//! for the position up to which it speaks, for each run of 65,536 ids a prefix and a bucket, and for the end.
//! A bucket is the last two bytes of all its ids, then the last six of all positions.

use std::io::{Seek, Write};

use crate::error::Result;
use crate::map::Positions;
use crate::output::Output;

/// ZODB does not trust the index of a smaller file.
pub const SMALLEST_FILE: u64 = 100;

/// Bytes that an index of so many objects takes at most.
pub fn most_bytes(objects: u64) -> u64 {
    64 + objects.saturating_mul(8 + 17)
}

/// Writes the index of a file that ends at `end`, byte for byte as ZODB does.
pub fn write<W: Write + Seek>(positions: &Positions, end: u64, to: W) -> Result<u64> {
    let mut output = Output::new(to);
    let mut oids: Vec<u64> = positions.keys().copied().collect();
    oids.sort_unstable();
    output.write(&number(end))?;
    for bucket in oids.chunk_by(|a, b| a >> 16 == b >> 16) {
        write_bucket(bucket, positions, &mut output)?;
    }
    output.write(b"\x80\x03N.")?;
    output.finish()
}

fn write_bucket<W: Write + Seek>(
    bucket: &[u64],
    positions: &Positions,
    output: &mut Output<W>,
) -> Result<()> {
    let mut content = Vec::with_capacity(8 * bucket.len());
    for oid in bucket {
        content.extend_from_slice(&oid.to_be_bytes()[6..]);
    }
    for oid in bucket {
        content.extend_from_slice(&positions[oid].to_be_bytes()[2..]);
    }
    output.write(b"\x80\x03C\x06")?;
    output.write(&bucket[0].to_be_bytes()[..6])?;
    match u8::try_from(content.len()) {
        Ok(length) => output.write(&[b'C', length])?,
        Err(_) => {
            output.write(b"B")?;
            // At most 65,536 times 8.
            output.write(&(content.len() as u32).to_le_bytes())?;
        }
    }
    output.write(&content)?;
    output.write(b"\x86.")
}

/// A number as the shortest pickle.
fn number(number: u64) -> Vec<u8> {
    let mut pickle = b"\x80\x03".to_vec();
    let bytes = number.to_le_bytes();
    match number {
        0..0x100 => pickle.extend([b'K', bytes[0]]),
        0x100..0x1_0000 => pickle.extend([b'M', bytes[0], bytes[1]]),
        0x1_0000..0x8000_0000 => {
            pickle.push(b'J');
            pickle.extend(&bytes[..4]);
        }
        _ => {
            // Little-endian with a sign bit, without bytes that say nothing.
            let length = 8 - number.leading_zeros() as usize / 8
                + usize::from(number.leading_zeros().is_multiple_of(8));
            pickle.extend([0x8a, length as u8]);
            pickle.extend(bytes.iter().chain(&[0]).take(length));
        }
    }
    pickle.push(b'.');
    pickle
}
