//! Compressing blobs, and proving that they expand again. Its memory is used again
//! for blob after blob.

use mhost_model::{Fault, FaultResult};
use zstd::bulk::{Compressor, Decompressor};

/// One for each thread and repository.
pub struct Press(Option<Pair>);

struct Pair {
    compressor: Compressor<'static>,
    expander: Decompressor<'static>,
}

impl Press {
    /// `None` for repositories that do not compress.
    pub fn new(level: Option<i32>) -> FaultResult<Self> {
        let pair = |level| -> std::io::Result<Pair> {
            Ok(Pair {
                compressor: Compressor::new(level)?,
                expander: Decompressor::new()?,
            })
        };
        level.map(pair).transpose().map(Self).map_err(failed)
    }

    /// `None` where it would not become smaller.
    pub fn squeeze(&mut self, plain: &[u8]) -> FaultResult<Option<Vec<u8>>> {
        let Some(pair) = &mut self.0 else {
            return Ok(None);
        };
        let packed = pair.compressor.compress(plain).map_err(failed)?;
        Ok((packed.len() < plain.len()).then_some(packed))
    }

    /// Whether `packed` is `plain` again once it is expanded.
    pub fn expands_to(&mut self, packed: &[u8], compressed: bool, plain: &[u8]) -> bool {
        match &mut self.0 {
            Some(pair) if compressed => pair
                .expander
                .decompress(packed, plain.len())
                .is_ok_and(|expanded| expanded == plain),
            _ => packed == plain,
        }
    }
}

fn failed(error: std::io::Error) -> Fault {
    Fault::Failed(format!("backing up: compressing failed: {error}"))
}
