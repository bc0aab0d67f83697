//! Metadata: looked at, and changed.

use std::os::fd::AsFd;

use mhost_model::{Fault, FaultResult};
pub(crate) use mhost_trees::Changes;
use mhost_trees::apply_changes;
pub(super) use mhost_trees::carry_over;
use rustix::fs::{FileType, Stat};

use super::work::Work;
use crate::beneath::Place;

/// Metadata of the thing itself.
pub(crate) fn stat(place: &Place) -> FaultResult<Stat> {
    let handle = place.itself("stat")?;
    rustix::fs::fstat(handle).map_err(|error| place.fault("stat", error))
}

/// Changes metadata of the thing itself. A symbolic link has no mode of its own.
pub(crate) fn set(work: Work<'_>, place: &Place, changes: Changes) -> FaultResult<()> {
    const VERB: &str = "set the metadata of";
    check(&changes)?;
    let handle = place.itself(VERB)?;
    let stat = rustix::fs::fstat(&handle).map_err(|error| place.fault(VERB, error))?;
    let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
    if link && changes.mode.is_some() {
        return Err(Fault::Unsupported(format!(
            "cannot set the mode of `{}`: a symbolic link has none",
            place.text()
        )));
    }
    work.change()?;
    apply_changes(handle.as_fd(), &changes).map_err(|error| place.fault(VERB, error))?;
    work.meter.changed(1);
    Ok(())
}

pub(crate) fn check(changes: &Changes) -> FaultResult<()> {
    if changes.mode.is_some_and(|mode| mode > 0o7777) {
        return Err(Fault::Invalid(
            "the mode is none: write permission bits from 0 to 0o7777".to_owned(),
        ));
    }
    let moments = [changes.modified, changes.accessed];
    if moments
        .iter()
        .flatten()
        .any(|moment| moment.1 >= 1_000_000_000)
    {
        return Err(Fault::Invalid(
            "the time is none: its nanoseconds reach a second".to_owned(),
        ));
    }
    // -1 means "leave it" to the system call.
    if [changes.uid, changes.gid].contains(&Some(u32::MAX)) {
        return Err(Fault::Invalid("the owner is none: 4294967295".to_owned()));
    }
    Ok(())
}
