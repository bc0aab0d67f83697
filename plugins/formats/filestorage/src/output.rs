//! Writing a file from front to back, with room to set right what was written a moment ago.

use std::io::{Seek, SeekFrom, Write};

use crate::error::{Error, Result};

/// A buffer before a file.
pub struct Output<W> {
    inner: W,
    buffer: Vec<u8>,
    /// Bytes before the buffer's.
    written: u64,
}

impl<W: Write + Seek> Output<W> {
    /// Enough that a call's costs do not count.
    const ROOM: usize = 1 << 20;

    pub fn new(inner: W) -> Self {
        Self {
            inner,
            buffer: Vec::with_capacity(Self::ROOM),
            written: 0,
        }
    }

    /// Where the next byte goes.
    pub fn at(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if self.buffer.len() + bytes.len() > Self::ROOM {
            self.flush()?;
        }
        if bytes.len() > Self::ROOM {
            return self.through(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Replaces eight bytes that were written before.
    pub fn patch(&mut self, position: u64, number: u64) -> Result<()> {
        let bytes = number.to_be_bytes();
        if position >= self.written {
            let offset = (position - self.written) as usize;
            self.buffer[offset..offset + 8].copy_from_slice(&bytes);
            return Ok(());
        }
        self.flush()?;
        let failed = |source| Error::Write { position, source };
        self.inner.seek(SeekFrom::Start(position)).map_err(failed)?;
        self.inner.write_all(&bytes).map_err(failed)?;
        self.inner
            .seek(SeekFrom::Start(self.written))
            .map_err(failed)?;
        Ok(())
    }

    /// Everything is with the file. Answers its length.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        let position = self.written;
        let failed = |source| Error::Write { position, source };
        self.inner.flush().map_err(failed)?;
        Ok(position)
    }

    fn flush(&mut self) -> Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        self.through(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn through(&mut self, bytes: &[u8]) -> Result<()> {
        let position = self.written;
        let failed = |source| Error::Write { position, source };
        self.inner.write_all(bytes).map_err(failed)?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}
