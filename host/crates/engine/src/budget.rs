//! What a run may write in all, and how much room it must leave on a file system.
//!
//! Counted: every byte that a host verb writes on the guest's behalf, and every
//! byte through `wasi:filesystem`. Not counted: metadata, empty files and folders,
//! the databases' own journals, and what a pack or a repository writes by itself
//! (their drivers keep room on their own).

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use mhost_model::limits::Limits;
use mhost_model::{ByteSize, Fault, FaultResult};

use crate::meter::Meter;

/// The budget of one run.
#[derive(Debug)]
pub struct WriteBudget {
    limit: Option<u64>,
    floor: u64,
    taken: AtomicU64,
    refused: Mutex<Option<String>>,
    meter: Arc<Meter>,
}

impl WriteBudget {
    pub(crate) fn new(limits: &Limits, meter: Arc<Meter>) -> Self {
        Self {
            limit: limits.write.map(|size| size.0),
            floor: limits.free_space.0,
            taken: AtomicU64::new(0),
            refused: Mutex::default(),
            meter,
        }
    }

    /// What must stay free on a file system.
    pub(crate) fn floor(&self) -> ByteSize {
        ByteSize(self.floor)
    }

    /// The newest refusal, in words: `wasi:filesystem` can only say that there is no
    /// room.
    pub(crate) fn refused(&self) -> Option<String> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.clone()
    }

    fn refuse(&self, why: String) -> Fault {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused = Some(why.clone());
        Fault::Limit(why)
    }

    /// Asks to write `bytes` more on the file system that `on` lies on; to be called
    /// before each piece is written.
    pub fn take(&self, bytes: u64, on: impl AsFd) -> FaultResult<()> {
        self.room(bytes, on)?;
        self.take_unplaced(bytes)
    }

    /// The same for bytes that go to no file system of this machine.
    pub fn take_unplaced(&self, bytes: u64) -> FaultResult<()> {
        let before = self.taken.fetch_add(bytes, Relaxed);
        let asked = before.saturating_add(bytes);
        match self.limit {
            Some(limit) if asked > limit => {
                self.taken.fetch_sub(bytes, Relaxed);
                Err(self.refuse(format!(
                    "limits.write: this run asked to write {asked} bytes in all, and {limit} ({}) are allowed; raise the limit if it needs them",
                    ByteSize(limit)
                )))
            }
            _ => {
                self.meter.wrote(bytes);
                Ok(())
            }
        }
    }

    /// Returns what was taken and not written.
    pub fn give_back(&self, bytes: u64) {
        self.taken.fetch_sub(bytes, Relaxed);
        self.meter.unwrote(bytes);
    }

    /// Fails when `bytes` more would leave less than the floor free; takes nothing.
    pub fn room(&self, bytes: u64, on: impl AsFd) -> FaultResult<()> {
        let stat = rustix::fs::fstatvfs(on)
            .map_err(|error| Fault::Failed(format!("cannot ask for the free space: {error}")))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free.saturating_sub(bytes) < self.floor {
            let what = match bytes {
                0 => String::new(),
                bytes => format!("writing {bytes} bytes would leave too little: "),
            };
            return Err(self.refuse(format!(
                "limits.free_space: {what}{} must stay free, and {} are; make room, or lower the limit",
                ByteSize(self.floor),
                ByteSize(free)
            )));
        }
        Ok(())
    }
}
