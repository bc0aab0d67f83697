//! Reading a large file through one buffer.

use std::io::{self, Read, Seek, SeekFrom};

use crate::{Error, Result};

/// A part of a file in memory, which moves as it is asked for.
pub struct Window<R> {
    inner: R,
    /// Where the next read of `inner` would be.
    at: u64,
    size: u64,
    buffer: Vec<u8>,
    start: u64,
    filled: usize,
    /// After a jump, so many bytes before the place are read too.
    behind: u64,
}

impl<R: Read + Seek> Window<R> {
    /// What is asked of the file at once. A read of a guest costs a few microseconds and the host
    /// answers with at most 64 KiB, so that less would be slower and more gains nothing.
    const CHUNK: usize = 256 << 10;

    /// The file as long as it is now; what is written after it is not looked at.
    pub fn new(mut inner: R) -> io::Result<Self> {
        let size = inner.seek(SeekFrom::End(0))?;
        Ok(Self {
            inner,
            at: size,
            size,
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            behind: 0,
        })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// After a jump to a place, what lies shortly before it will be asked for too.
    pub fn look_behind(&mut self, bytes: u64) {
        self.behind = bytes;
    }

    /// Lets the file end earlier.
    pub fn cut(&mut self, size: u64) {
        self.size = self.size.min(size);
        let most = self.size.saturating_sub(self.start);
        self.filled = self.filled.min(usize::try_from(most).unwrap_or(usize::MAX));
    }

    /// `length` bytes at `position`, which must lie within the file. `length` is to
    /// be small, or bounded by the caller: so much memory is taken.
    #[inline]
    pub fn slice(&mut self, position: u64, length: usize) -> Result<&[u8]> {
        let offset = position.wrapping_sub(self.start);
        if offset <= self.filled as u64 && length <= self.filled - offset as usize {
            let offset = offset as usize;
            return Ok(&self.buffer[offset..offset + length]);
        }
        self.fill(position, length)?;
        let offset = (position - self.start) as usize;
        Ok(&self.buffer[offset..offset + length])
    }

    /// Eight bytes as a number.
    pub fn long(&mut self, position: u64) -> Result<u64> {
        Ok(crate::layout::long(self.slice(position, 8)?, 0))
    }

    /// Eight bytes as a number, at `position`; what lies from `from` on stays in memory, or is read into it as far
    /// as there is room.
    pub fn long_ahead(&mut self, from: u64, position: u64) -> Result<u64> {
        let length = (position - from).saturating_add(8);
        if length <= Self::CHUNK as u64 {
            let bytes = self.slice(from, length as usize)?;
            return Ok(crate::layout::long(bytes, bytes.len() - 8));
        }
        let failed = |source| Error::Read { position, source };
        let mut eight = [0; 8];
        self.inner.seek(SeekFrom::Start(position)).map_err(failed)?;
        self.inner.read_exact(&mut eight).map_err(failed)?;
        self.at = position + 8;
        Ok(u64::from_be_bytes(eight))
    }

    /// Calls `each` for what stands from `from` to `to`, in pieces.
    pub fn pieces(
        &mut self,
        from: u64,
        to: u64,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut at = from;
        while at < to {
            let piece = (to - at).min(Self::CHUNK as u64);
            each(self.slice(at, piece as usize)?)?;
            at += piece;
        }
        Ok(())
    }

    /// Makes the buffer begin at `position` or shortly before, and hold `length` bytes of there.
    fn fill(&mut self, position: u64, length: usize) -> Result<()> {
        let failed = |source| Error::Read { position, source };
        if position
            .checked_add(length as u64)
            .is_none_or(|end| end > self.size)
        {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let offset = position.wrapping_sub(self.start);
        let (position, length) = match offset < self.filled as u64 {
            true => {
                self.buffer.copy_within(offset as usize..self.filled, 0);
                self.filled -= offset as usize;
                (position, length)
            }
            false => {
                self.filled = 0;
                let behind = self.behind.min(position);
                (position - behind, length + behind as usize)
            }
        };
        self.start = position;
        let rest = usize::try_from(self.size - position).unwrap_or(usize::MAX);
        let room = Self::CHUNK.max(length).min(rest);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        while self.filled < length {
            let from = position + self.filled as u64;
            if self.at != from {
                self.inner.seek(SeekFrom::Start(from)).map_err(failed)?;
                self.at = from;
            }
            match self.inner.read(&mut self.buffer[self.filled..room]) {
                Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => {
                    self.filled += read;
                    self.at += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        // A record of many MiB is rare; its buffer does not stay.
        if length <= Self::CHUNK && self.buffer.len() > 4 * Self::CHUNK {
            self.buffer.truncate(Self::CHUNK.max(self.filled));
            self.buffer.shrink_to_fit();
        }
        Ok(())
    }
}
