//! How far a backup, a restore or a check is, told now and then while it runs.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use mhost_model::ports::repository::{Stage, Watch};

const PAUSE: Duration = Duration::from_millis(200);

/// See the module.
pub struct Pace<'a> {
    watch: &'a dyn Watch,
    doing: &'static str,
    files: AtomicU64,
    bytes: AtomicU64,
    total_files: u64,
    total_bytes: u64,
    told: Mutex<Moment>,
}

impl<'a> Pace<'a> {
    pub fn new(
        watch: &'a dyn Watch,
        doing: &'static str,
        total_files: u64,
        total_bytes: u64,
    ) -> Self {
        Self {
            watch,
            doing,
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            total_files,
            total_bytes,
            told: Mutex::new(Moment::now()),
        }
    }

    pub fn file(&self) {
        self.files.fetch_add(1, Relaxed);
    }

    pub fn bytes(&self, more: u64) {
        self.bytes.fetch_add(more, Relaxed);
    }

    /// Tells how far it is, if it is time to; whether it may go on.
    pub fn may_go_on(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < PAUSE {
            return true;
        }
        *told = Moment::now();
        self.watch.at(&Stage {
            doing: self.doing,
            files: self.files.load(Relaxed),
            files_total: Some(self.total_files),
            bytes: self.bytes.load(Relaxed),
            bytes_total: Some(self.total_bytes),
        });
        !self.watch.cancelled()
    }
}
