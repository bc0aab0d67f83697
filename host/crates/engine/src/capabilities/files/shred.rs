//! Overwriting a file before it goes.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};

use mhost_model::{Fault, FaultResult};
use rustix::fs::AtFlags;

use super::work::{PIECE, Work};
use crate::beneath::{Content, Place};

const MOST_PASSES: u32 = 100;

pub(crate) fn shred(work: Work<'_>, place: &Place, passes: u32) -> FaultResult<()> {
    const VERB: &str = "shred";
    if !(1..=MOST_PASSES).contains(&passes) {
        return Err(Fault::Invalid(format!(
            "a file is overwritten 1 to {MOST_PASSES} times, not {passes}"
        )));
    }
    let leaf = place.leaf(VERB)?;
    let (mut file, stat) = place.content(Content::Write)?;
    work.meter.opened();
    // What is written here is written to every name of the file, wherever it lies.
    if stat.st_nlink > 1 {
        return Err(Fault::Unsupported(format!(
            "cannot {VERB} `{}`: it has {} names (hard links), and would be destroyed under each: \
             remove it instead",
            place.text(),
            stat.st_nlink
        )));
    }
    work.change()?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    for _ in 0..passes {
        overwrite(work, &mut file, size).map_err(|error| match error.downcast::<Fault>() {
            Ok(fault) => fault,
            Err(error) => place.fault(VERB, error),
        })?;
    }
    work.change()?;
    rustix::fs::unlinkat(&leaf.folder, &leaf.name, AtFlags::empty())
        .map_err(|error| leaf.fault(VERB, error))?;
    work.meter.changed(1);
    Ok(())
}

fn overwrite(work: Work<'_>, file: &mut File, size: u64) -> std::io::Result<()> {
    let mut random = File::open("/dev/urandom")?;
    let mut buffer = vec![0; PIECE];
    file.rewind()?;
    let mut left = size;
    while left > 0 {
        let piece = left.min(PIECE as u64) as usize;
        work.go_on().map_err(std::io::Error::other)?;
        random.read_exact(&mut buffer[..piece])?;
        file.write_all(&buffer[..piece])?;
        left -= piece as u64;
    }
    file.sync_data()
}
