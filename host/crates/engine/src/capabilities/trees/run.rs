//! The run as `mhost-trees` sees it; it may be held by a thread that outlives the run.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use mhost_model::FaultResult;
use mhost_trees::Watch;

use crate::capabilities::files::Work;
use crate::state::Shared;

pub(super) struct Run(Arc<Shared>);

impl Run {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }

    fn work(&self) -> Work<'_> {
        Work::of(&self.0)
    }
}

impl Watch for Run {
    fn go_on(&self) -> FaultResult<()> {
        Watch::go_on(&self.work())
    }

    fn write(&self, bytes: u64, on: BorrowedFd<'_>) -> FaultResult<()> {
        Watch::write(&self.work(), bytes, on)
    }

    fn share(&self, bytes: u64) -> FaultResult<()> {
        self.work().share(bytes)
    }

    fn room(&self, bytes: u64, on: BorrowedFd<'_>) -> FaultResult<()> {
        self.work().room(bytes, on)
    }

    fn change(&self) -> FaultResult<()> {
        Watch::change(&self.work())
    }

    fn opened(&self) {
        self.work().opened();
    }

    fn read(&self, bytes: u64) {
        self.work().read(bytes);
    }

    fn changed(&self) {
        self.work().changed();
    }

    fn wait(&self, time: Duration) -> FaultResult<()> {
        self.work().wait(time)
    }
}
