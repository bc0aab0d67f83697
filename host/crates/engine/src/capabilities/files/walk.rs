//! A walk beneath a permitted place; walking itself is `mhost-trees`'.

use mhost_model::FaultResult;
pub(crate) use mhost_trees::{Entry, WalkOptions};

use super::work::Work;
use crate::beneath::Place;

/// A walk in progress.
#[derive(Debug)]
pub(crate) struct Walker(mhost_trees::Walker);

impl Walker {
    /// Opens the root.
    pub(crate) fn open(place: &Place, options: WalkOptions) -> FaultResult<Self> {
        let handle = place.directory("list")?;
        mhost_trees::Walker::new(handle, place.text(), options).map(Self)
    }

    /// The next entries, at most `max`; none at the end.
    pub(crate) fn next(&mut self, work: Work<'_>, max: usize) -> FaultResult<Vec<Entry>> {
        self.0.next(&work, max)
    }
}
