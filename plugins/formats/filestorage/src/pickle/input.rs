//! Where the bytes of a pickle come from: memory, or, for a very large record, the file
//! piece by piece.

use std::io::{Read, Seek};

use memchr::memchr;

use super::Unreadable;
use crate::Window;

/// Bytes, taken from front to back.
pub trait Input {
    fn byte(&mut self) -> Result<u8, Unreadable>;
    /// At most a few hundred bytes.
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Unreadable>;
    fn skip(&mut self, length: u64) -> Result<(), Unreadable>;
    /// To the end of the line, which is left out; `room` is for what does not lie in memory. A line longer than 64 KiB is
    /// an error.
    fn line<'a>(&'a mut self, room: &'a mut Vec<u8>) -> Result<&'a [u8], Unreadable>;
    /// Bytes taken so far.
    fn taken(&self) -> u64;
    /// What comes next and lies in memory: perhaps nothing.
    fn ahead(&self) -> &[u8];
    /// So much of [`Self::ahead`] is taken.
    fn advance(&mut self, length: usize);
}

const LONGEST_LINE: usize = 64 << 10;

/// Where a line ends.
#[inline]
pub fn newline(data: &[u8]) -> Option<usize> {
    memchr(b'\n', &data[..data.len().min(LONGEST_LINE)])
}

/// A record in memory.
pub struct Slice<'d> {
    data: &'d [u8],
    at: usize,
}

impl<'d> Slice<'d> {
    pub fn new(data: &'d [u8]) -> Self {
        Self { data, at: 0 }
    }
}

impl Input for Slice<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Unreadable> {
        let byte = *self.data.get(self.at).ok_or(Unreadable::End)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let rest = &self.data[self.at..];
        let bytes = rest.first_chunk::<N>().ok_or(Unreadable::End)?;
        self.at += N;
        Ok(*bytes)
    }

    #[inline]
    fn skip(&mut self, length: u64) -> Result<(), Unreadable> {
        if length > (self.data.len() - self.at) as u64 {
            return Err(Unreadable::End);
        }
        self.at += length as usize;
        Ok(())
    }

    fn line<'a>(&'a mut self, _: &'a mut Vec<u8>) -> Result<&'a [u8], Unreadable> {
        let rest = &self.data[self.at..];
        let end = newline(rest).ok_or(Unreadable::End)?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn taken(&self) -> u64 {
        self.at as u64
    }

    #[inline]
    fn ahead(&self) -> &[u8] {
        &self.data[self.at..]
    }

    #[inline]
    fn advance(&mut self, length: usize) {
        self.at += length;
    }
}

/// A record that stays in its file.
pub struct Streamed<'w, R> {
    window: &'w mut Window<R>,
    start: u64,
    at: u64,
    end: u64,
}

impl<'w, R: Read + Seek> Streamed<'w, R> {
    /// The data from `start` to `end`, which lie within the file.
    pub fn new(window: &'w mut Window<R>, start: u64, end: u64) -> Self {
        let at = start;
        Self {
            window,
            start,
            at,
            end,
        }
    }

    fn need(&self, length: u64) -> Result<(), Unreadable> {
        match length <= self.end - self.at {
            true => Ok(()),
            false => Err(Unreadable::End),
        }
    }
}

impl<R: Read + Seek> Input for Streamed<'_, R> {
    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.need(N as u64)?;
        let bytes = self
            .window
            .slice(self.at, N)
            .map_err(|_| Unreadable::File)?;
        self.at += N as u64;
        bytes.try_into().map_err(|_| Unreadable::File)
    }

    fn skip(&mut self, length: u64) -> Result<(), Unreadable> {
        self.need(length)?;
        self.at += length;
        Ok(())
    }

    fn line<'a>(&'a mut self, room: &'a mut Vec<u8>) -> Result<&'a [u8], Unreadable> {
        room.clear();
        loop {
            match self.byte()? {
                b'\n' => return Ok(room),
                _ if room.len() >= LONGEST_LINE => return Err(Unreadable::End),
                byte => room.push(byte),
            }
        }
    }

    fn taken(&self) -> u64 {
        self.at - self.start
    }

    fn ahead(&self) -> &[u8] {
        &[]
    }

    fn advance(&mut self, length: usize) {
        self.at += length as u64;
    }
}
