//! What the work asks of the run around it.

use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mhost_model::FaultResult;

/// The run, as the work sees it. Everything may be asked from several threads.
pub trait Watch: Send + Sync {
    /// An error once the run is over; asked between pieces.
    fn go_on(&self) -> FaultResult<()>;

    /// Asks to write so many bytes on the file system that `on` lies on.
    fn write(&self, bytes: u64, on: BorrowedFd<'_>) -> FaultResult<()>;

    /// Asks to write bytes that take no room: blocks that are shared.
    fn share(&self, bytes: u64) -> FaultResult<()>;

    /// Asks whether so many bytes have room; takes nothing.
    fn room(&self, bytes: u64, on: BorrowedFd<'_>) -> FaultResult<()>;

    /// Asks to change something that shows.
    fn change(&self) -> FaultResult<()>;

    /// A file was opened.
    fn opened(&self);

    /// Bytes were read.
    fn read(&self, bytes: u64);

    /// Something was changed.
    fn changed(&self);

    /// Waits, but not beyond the run's end.
    fn wait(&self, time: Duration) -> FaultResult<()>;
}

/// Lets everything through, and adds up what it is asked to wait: for tests.
#[derive(Debug, Default)]
pub struct Unwatched(Mutex<Duration>);

impl Unwatched {
    /// What a run would have waited.
    pub fn waited(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for Unwatched {
    fn go_on(&self) -> FaultResult<()> {
        Ok(())
    }

    fn write(&self, _: u64, _: BorrowedFd<'_>) -> FaultResult<()> {
        Ok(())
    }

    fn share(&self, _: u64) -> FaultResult<()> {
        Ok(())
    }

    fn room(&self, _: u64, _: BorrowedFd<'_>) -> FaultResult<()> {
        Ok(())
    }

    fn change(&self) -> FaultResult<()> {
        Ok(())
    }

    fn opened(&self) {}

    fn read(&self, _: u64) {}

    fn changed(&self) {}

    fn wait(&self, time: Duration) -> FaultResult<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
        Ok(())
    }
}
