//! New, empty files with their mode and owner from the first moment on.

use mhost_model::{Fault, FaultResult};
use rustix::fs::{Gid, Mode, Uid};

use super::aside::{Aside, Existing};
use super::work::Work;
use crate::beneath::Place;

/// Makes a file that must not exist.
pub(crate) fn file(
    work: Work<'_>,
    place: &Place,
    mode: u32,
    (uid, gid): (Option<u32>, Option<u32>),
) -> FaultResult<()> {
    const VERB: &str = "make";
    if mode > 0o7777 || [uid, gid].contains(&Some(u32::MAX)) {
        return Err(Fault::Invalid(
            "the mode or the owner is none: write permission bits from 0 to 0o7777".to_owned(),
        ));
    }
    let private = Mode::from_raw_mode(0o600);
    let aside = Aside::create(place.leaf(VERB)?, private, Existing::Keep, VERB)?;
    work.meter.opened();
    let fault = |error| place.fault(VERB, error);
    if uid.is_some() || gid.is_some() {
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        rustix::fs::fchown(&aside.file, uid, gid).map_err(fault)?;
    }
    rustix::fs::fchmod(&aside.file, Mode::from_raw_mode(mode)).map_err(fault)?;
    work.change()?;
    aside.name(Existing::Keep, VERB)?;
    work.meter.changed(1);
    Ok(())
}
