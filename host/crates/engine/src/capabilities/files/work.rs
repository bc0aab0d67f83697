//! What a verb needs of its run, on a thread that may outlive it.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mhost_model::{Fault, FaultResult};
use mhost_trees::Watch;

use crate::budget::WriteBudget;
use crate::meter::Meter;
use crate::permits::Granter;
use crate::state::Shared;

/// Bytes that are read or written between two looks at the run's end.
pub(super) const PIECE: usize = 1 << 20;

/// The run, as the verbs see it.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    pub meter: &'a Meter,
    pub granter: &'a Granter,
    pub budget: &'a WriteBudget,
    /// Set when the run ended without waiting for this thread.
    pub over: &'a AtomicBool,
    pub deadline: Instant,
}

impl<'a> Work<'a> {
    pub(crate) fn of(shared: &'a Shared) -> Self {
        Self {
            meter: &shared.meter,
            granter: &shared.granter,
            budget: &shared.budget,
            over: &shared.over,
            deadline: shared.deadline,
        }
    }

    /// An error once the run is over; to be asked between pieces.
    pub(super) fn go_on(&self) -> FaultResult<()> {
        if self.over.load(Relaxed) {
            return Err(Fault::TimedOut("the run has ended".to_owned()));
        }
        if Instant::now() >= self.deadline {
            return Err(Fault::TimedOut(
                "limits.time: the run's time is up; raise the limit if it needs more".to_owned(),
            ));
        }
        Ok(())
    }

    /// Asks to write a piece.
    pub(super) fn write(&self, bytes: u64, on: impl AsFd) -> FaultResult<()> {
        self.go_on()?;
        self.budget.take(bytes, on)
    }

    /// Asks to change something that shows: the run must not be over, nor its claim
    /// taken over.
    pub(super) fn change(&self) -> FaultResult<()> {
        self.go_on()?;
        self.granter.current()
    }
}

impl Watch for Work<'_> {
    fn go_on(&self) -> FaultResult<()> {
        Work::go_on(self)
    }

    fn write(&self, bytes: u64, on: BorrowedFd<'_>) -> FaultResult<()> {
        Work::write(self, bytes, on)
    }

    fn share(&self, bytes: u64) -> FaultResult<()> {
        self.budget.take_unplaced(bytes)
    }

    fn room(&self, bytes: u64, on: BorrowedFd<'_>) -> FaultResult<()> {
        self.budget.room(bytes, on)
    }

    fn change(&self) -> FaultResult<()> {
        Work::change(self)
    }

    fn opened(&self) {
        self.meter.opened();
    }

    fn read(&self, bytes: u64) {
        self.meter.read(bytes);
    }

    fn changed(&self) {
        self.meter.changed(1);
    }

    /// In short stretches, as nobody wakes this thread.
    fn wait(&self, time: Duration) -> FaultResult<()> {
        let until = Instant::now() + time;
        loop {
            Work::go_on(self)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::park_timeout(left.min(Duration::from_millis(100)));
        }
    }
}
