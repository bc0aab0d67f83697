//! How redb reaches a file: below an overlay that keeps every write in memory, or
//! without taking locks where the caller holds them.
//!
//! redb marks a file as open, repairs it after a crash, and writes its allocator's
//! state when it closes. Below [`Overlay`] all of that happens in memory: reading
//! and verifying leave the file as it is, also one that is not writable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

const BLOCK: usize = 4096;

/// Reads from a file, writes to memory, and shares the file with other readers.
#[derive(Debug)]
pub(super) struct Overlay {
    file: File,
    /// Takes the shared locks; none where the caller holds a lock already.
    locks: Option<FileBackend>,
    state: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
    len: u64,
    /// Bytes of the file that still count: it was cut to this.
    base: u64,
}

impl Overlay {
    /// Locks like a reader.
    pub fn shared(file: File) -> io::Result<Self> {
        let locks = FileBackend::new(file.try_clone()?).map_err(io::Error::other)?;
        Self::over(file, Some(locks))
    }

    /// Takes no lock: the caller holds the file.
    pub fn held(file: File) -> io::Result<Self> {
        Self::over(file, None)
    }

    fn over(file: File, locks: Option<FileBackend>) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self {
            file,
            locks,
            state: Mutex::new(Written {
                blocks: BTreeMap::new(),
                len,
                base: len,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, Written> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the file alone; zeroes past what counts of it.
    fn read_base(&self, base: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = base.saturating_sub(offset).min(out.len() as u64) as usize;
        self.file.read_exact_at(&mut out[..there], offset)?;
        out[there..].fill(0);
        Ok(())
    }
}

/// The part of block `index` that lies in `len` bytes from `offset`: its place in
/// the block and in the bytes.
fn overlap(index: u64, offset: u64, len: usize) -> (usize, usize, usize) {
    let start = index * BLOCK as u64;
    let from = offset.max(start);
    let to = (offset + len as u64).min(start + BLOCK as u64);
    (
        (from - start) as usize,
        (from - offset) as usize,
        (to - from) as usize,
    )
}

fn blocks(offset: u64, len: usize) -> std::ops::Range<u64> {
    let block = BLOCK as u64;
    offset / block..(offset + len as u64).div_ceil(block)
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let end = offset.checked_add(out.len() as u64);
        if end.is_none_or(|end| end > state.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_base(state.base, offset, out)?;
        for (index, block) in state.blocks.range(blocks(offset, out.len())) {
            let (at, to, count) = overlap(*index, offset, out.len());
            out[to..to + count].copy_from_slice(&block[at..at + count]);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if len < state.len {
            state.base = state.base.min(len);
            state.blocks.split_off(&len.div_ceil(BLOCK as u64));
            let inside = (len % BLOCK as u64) as usize;
            if let Some(block) = state.blocks.get_mut(&(len / BLOCK as u64)) {
                block[inside..].fill(0);
            }
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        for index in blocks(offset, data.len()) {
            if !state.blocks.contains_key(&index) {
                let mut fresh = Box::new([0; BLOCK]);
                self.read_base(state.base, index * BLOCK as u64, &mut fresh[..])?;
                state.blocks.insert(index, fresh);
            }
            if let Some(block) = state.blocks.get_mut(&index) {
                let (at, from, count) = overlap(index, offset, data.len());
                block[at..at + count].copy_from_slice(&data[from..from + count]);
            }
        }
        state.len = state.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.locks.as_ref().map_or(Ok(()), StorageBackend::close)
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        let Some(locks) = &self.locks else {
            return Ok(true);
        };
        // redb asks for what a writer takes. A reader takes the same but the last
        // byte of the first range, where it looks for writers that share the file.
        let Bound::Included(last) = end else {
            return locks.try_lock_shared_range(start, end);
        };
        if !locks.try_lock_shared_range(start, Bound::Excluded(last))? {
            return Ok(false);
        }
        Ok(!locks.query_lock_range(Bound::Included(last), Bound::Included(last))?)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        let Some(locks) = &self.locks else {
            return Ok(());
        };
        match end {
            Bound::Included(last) => locks.unlock_range(start, Bound::Excluded(last)),
            _ => locks.unlock_range(start, end),
        }
    }
}

/// Reads and writes a file that the caller holds for itself.
#[derive(Debug)]
pub(super) struct Held(pub FileBackend);

impl StorageBackend for Held {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Act {
        Write(u64, Vec<u8>),
        SetLen(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        let bytes = prop::collection::vec(any::<u8>(), 1..6000);
        prop_oneof![
            (0_u64..20_000, bytes).prop_map(|(at, data)| Act::Write(at, data)),
            (0_u64..20_000).prop_map(Act::SetLen),
        ]
    }

    proptest! {
        /// The overlay behaves as a file does, and the file below stays as it was.
        #[test]
        fn overlay_is_a_file(acts in prop::collection::vec(act(), 1..20)) {
            let base: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
            let file = tempfile::tempfile().unwrap();
            file.write_all_at(&base, 0).unwrap();
            let overlay = Overlay::held(file.try_clone().unwrap()).unwrap();
            let mut model = base.clone();
            for act in acts {
                match act {
                    Act::Write(at, data) => {
                        overlay.write(at, &data).unwrap();
                        let (at, end) = (at as usize, at as usize + data.len());
                        if model.len() < end {
                            model.resize(end, 0);
                        }
                        model[at..end].copy_from_slice(&data);
                    }
                    Act::SetLen(len) => {
                        overlay.set_len(len).unwrap();
                        model.resize(len as usize, 0);
                    }
                }
                prop_assert_eq!(overlay.len().unwrap(), model.len() as u64);
                let mut seen = vec![1; model.len()];
                overlay.read(0, &mut seen).unwrap();
                prop_assert!(seen == model);
            }
            let past = model.len() as u64;
            prop_assert!(overlay.read(past, &mut [0]).is_err());
            let mut below = vec![0; base.len()];
            file.read_exact_at(&mut below, 0).unwrap();
            prop_assert!(below == base);
        }
    }
}
