//! How far the work is, and whether it is to end.

use crate::{Error, Result};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Every transaction is looked at.
    Scan,
    /// The references of current records are followed.
    Reach,
    /// What is kept is written.
    Copy,
    /// The new file is checked.
    Verify,
    /// Sound transactions are looked for and written.
    Recover,
}

/// Told about every so many bytes.
pub trait Watch {
    fn progress(&mut self, phase: Phase, done: u64, total: u64);
    /// Whether the work is to end; everything is left as it is then.
    fn cancelled(&mut self) -> bool;
}

/// Nobody watches.
pub struct Quiet;

impl Watch for Quiet {
    fn progress(&mut self, _: Phase, _: u64, _: u64) {}
    fn cancelled(&mut self) -> bool {
        false
    }
}

/// Tells a [`Watch`] every few MiB.
pub struct Ticker<'w> {
    watch: &'w mut dyn Watch,
    phase: Phase,
    total: u64,
    next: u64,
}

impl<'w> Ticker<'w> {
    const STEP: u64 = 4 << 20;

    pub fn new(watch: &'w mut dyn Watch, phase: Phase, total: u64) -> Self {
        watch.progress(phase, 0, total);
        Self {
            watch,
            phase,
            total,
            next: Self::STEP,
        }
    }

    /// The work has come to this byte.
    #[inline]
    pub fn at(&mut self, done: u64) -> Result<()> {
        if done < self.next {
            return Ok(());
        }
        self.next = done + Self::STEP;
        self.watch
            .progress(self.phase, done.min(self.total), self.total);
        if self.watch.cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    /// The phase is through.
    pub fn done(self) -> Result<()> {
        self.watch.progress(self.phase, self.total, self.total);
        match self.watch.cancelled() {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }
}
