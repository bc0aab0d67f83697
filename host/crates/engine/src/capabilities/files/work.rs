//! What a verb needs of its run, on a thread that may outlive it.

use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use mhost_model::{Fault, FaultResult};

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
