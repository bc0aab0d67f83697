//! A disk that remembers every write, so that a test can see what a machine that lost
//! its power at any moment would find.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;
use redb::backends::InMemoryBackend;

#[derive(Debug, Clone)]
pub enum Op {
    Write(u64, Vec<u8>),
    Len(u64),
    Sync,
}

#[derive(Debug)]
struct Tape {
    ops: Mutex<Vec<Op>>,
    live: InMemoryBackend,
}

/// What is written passes to memory, and is noted.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Tape>);

impl Recorder {
    pub fn new() -> Self {
        Self(Arc::new(Tape {
            ops: Mutex::default(),
            live: InMemoryBackend::new(),
        }))
    }

    /// So many operations were noted.
    pub fn len(&self) -> usize {
        self.0.ops.lock().unwrap().len()
    }

    pub fn ops(&self) -> Vec<Op> {
        self.0.ops.lock().unwrap().clone()
    }

    fn note(&self, op: Op) {
        self.0.ops.lock().unwrap().push(op);
    }
}

impl StorageBackend for Recorder {
    fn len(&self) -> io::Result<u64> {
        self.0.live.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.live.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(Op::Len(len));
        self.0.live.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(Op::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(Op::Write(offset, data.to_vec()));
        self.0.live.write(offset, data)
    }
}

/// What is on the disk: what was synced, and writes that may or may not have got there.
#[derive(Default)]
pub struct Disk {
    pub syncs: usize,
    durable: Vec<u8>,
    pending: Vec<Op>,
}

impl Disk {
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Sync => {
                self.syncs += 1;
                let pending = std::mem::take(&mut self.pending);
                pending.iter().for_each(|op| write(&mut self.durable, op));
            }
            op => self.pending.push(op.clone()),
        }
    }

    /// The file after a loss of power that let those pending writes through that
    /// `survives` picks by their place.
    pub fn after_crash(&self, survives: impl FnMut(usize) -> bool) -> InMemoryBackend {
        let mut image = self.durable.clone();
        let mut picked: Vec<usize> = (0..self.pending.len()).collect();
        let mut survives = survives;
        picked.retain(|place| survives(*place));
        picked
            .iter()
            .for_each(|place| write(&mut image, &self.pending[*place]));
        let backend = InMemoryBackend::new();
        backend.set_len(image.len() as u64).unwrap();
        backend.write(0, &image).unwrap();
        backend
    }
}

fn write(image: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write(offset, data) => {
            let start = *offset as usize;
            let end = start + data.len();
            image.resize(image.len().max(end), 0);
            image[start..end].copy_from_slice(data);
        }
        Op::Len(len) => image.resize(*len as usize, 0),
        Op::Sync => {}
    }
}
