//! Copies of content: a whole file into a new one, a range into an existing one.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use mhost_model::{Fault, FaultResult};
use rustix::fs::{Mode, SeekFrom, Stat};
use rustix::io::Errno;

use super::aside::{Aside, Existing};
use super::metadata::carry_over;
use super::work::{PIECE, Work};
use crate::beneath::{Content, Place};

/// How to copy a file.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CopyOptions {
    pub replace: bool,
    pub preserve: bool,
}

/// Copies a regular file; the new one appears whole or not at all. Returns its bytes.
pub(crate) fn copy(
    work: Work<'_>,
    source: &Place,
    target: &Place,
    options: CopyOptions,
) -> FaultResult<u64> {
    const VERB: &str = "copy to";
    let existing = match options.replace {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    let (from, stat) = source.content(Content::Read)?;
    work.meter.opened();
    let aside = Aside::create(
        target.leaf(VERB)?,
        first_mode(&stat, options),
        existing,
        VERB,
    )?;
    let bytes = fill(work, &from, &stat, &aside.file, target)?;
    if options.preserve {
        carry_over(&stat, &aside.file).map_err(|error| target.fault(VERB, error))?;
    }
    work.change()?;
    aside.commit(existing, VERB)?;
    work.meter.read(bytes);
    work.meter.changed(1);
    Ok(bytes)
}

/// Nobody else looks into a file whose owner and mode are still to come.
fn first_mode(source: &Stat, options: CopyOptions) -> Mode {
    match options.preserve {
        true => Mode::from_raw_mode(0o600),
        false => Mode::from_raw_mode(source.st_mode & 0o777),
    }
}

fn fill(work: Work<'_>, from: &File, stat: &Stat, to: &File, target: &Place) -> FaultResult<u64> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        // Shared blocks take no room, but they are written as far as a budget goes.
        let size = to
            .metadata()
            .map_err(|error| target.fault("copy to", error))?
            .len();
        work.go_on()?;
        work.budget.take_unplaced(size)?;
        return Ok(size);
    }
    let allocated = u64::try_from(stat.st_blocks)
        .unwrap_or(0)
        .saturating_mul(512);
    work.budget.room(size.min(allocated), to)?;
    let end = copy_data(work, from, size, to, target)?;
    rustix::fs::ftruncate(to, end).map_err(|error| target.fault("copy to", error))?;
    Ok(end)
}

/// Copies what is data and leaves holes as holes, up to `size` and beyond it where
/// the file grew meanwhile; returns where the content ends.
fn copy_data(
    work: Work<'_>,
    from: &File,
    size: u64,
    to: &File,
    target: &Place,
) -> FaultResult<u64> {
    let mut at = 0;
    loop {
        let (start, end) = match next_data(from, at) {
            Ok(Some(range)) => range,
            Ok(None) => return Ok(size.max(at)),
            Err(error) => return Err(target.fault("copy to", error)),
        };
        let moved = transfer(work, from, start, to, start, end - start, target)?;
        at = start + moved;
        if moved < end - start {
            return Ok(at);
        }
    }
}

/// The next range of data at or after `at`. A file system that knows no holes
/// answers with all the rest.
fn next_data(file: &File, at: u64) -> rustix::io::Result<Option<(u64, u64)>> {
    let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        Err(Errno::INVAL | Errno::NOTSUP) => return Ok(rest_of(file, at)),
        Err(error) => return Err(error),
    };
    let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
    Ok(Some((start, end)).filter(|(start, end)| start < end))
}

fn rest_of(file: &File, at: u64) -> Option<(u64, u64)> {
    let size = file.metadata().map(|metadata| metadata.len()).unwrap_or(0);
    (at < size).then_some((at, size))
}

/// Copies a range of one file into another existing one. Returns the bytes.
pub(crate) fn copy_range(
    work: Work<'_>,
    source: (&Place, u64),
    length: Option<u64>,
    target: (&Place, u64),
) -> FaultResult<u64> {
    let (source, offset) = source;
    let (target, target_offset) = target;
    let (from, read) = source.content(Content::Read)?;
    let (to, written) = target.content(Content::Write)?;
    work.meter.opened();
    work.meter.opened();
    let size = u64::try_from(read.st_size).unwrap_or(0);
    let rest = size.saturating_sub(offset);
    let length = length.map_or(rest, |length| length.min(rest));
    let same = (read.st_dev, read.st_ino) == (written.st_dev, written.st_ino);
    check_range(same, offset, target_offset, length)?;
    work.granter.current()?;
    work.budget.room(length, &to)?;
    let moved = transfer(work, &from, offset, &to, target_offset, length, target)?;
    work.meter.read(moved);
    work.meter.changed(1);
    Ok(moved)
}

fn check_range(same: bool, offset: u64, target_offset: u64, length: u64) -> FaultResult<()> {
    let end = |start: u64| {
        start
            .checked_add(length)
            .filter(|end| *end <= i64::MAX as u64)
    };
    let (Some(source_end), Some(target_end)) = (end(offset), end(target_offset)) else {
        return Err(Fault::Invalid(
            "the range ends beyond what a file can hold".to_owned(),
        ));
    };
    if same && offset < target_end && target_offset < source_end {
        return Err(Fault::Invalid(
            "the ranges of one file overlap; copy to another file first".to_owned(),
        ));
    }
    Ok(())
}

/// Moves up to `length` bytes in pieces, in the kernel where it can. Ends early where
/// the source does.
pub(super) fn transfer(
    work: Work<'_>,
    from: &File,
    offset: u64,
    to: &File,
    target_offset: u64,
    length: u64,
    target: &Place,
) -> FaultResult<u64> {
    let mut buffer = Vec::new();
    let mut moved = 0;
    while moved < length {
        let piece = (length - moved).min(PIECE as u64) as usize;
        work.write(piece as u64, to)?;
        let (at, target_at) = (offset + moved, target_offset + moved);
        let done = move_piece(from, at, to, target_at, piece, &mut buffer)
            .map_err(|error| target.fault("copy to", error))?;
        if done == 0 {
            break;
        }
        moved += done as u64;
    }
    Ok(moved)
}

/// In the kernel until it says that it cannot, then through `buffer`, whose having
/// a length remembers that.
fn move_piece(
    from: &File,
    at: u64,
    to: &File,
    target_at: u64,
    piece: usize,
    buffer: &mut Vec<u8>,
) -> std::io::Result<usize> {
    if buffer.is_empty() {
        let (mut at, mut target_at) = (at, target_at);
        let (from, to) = (from.as_fd(), to.as_fd());
        match rustix::fs::copy_file_range(from, Some(&mut at), to, Some(&mut target_at), piece) {
            Ok(done) if done > 0 => return Ok(done),
            Ok(_)
            | Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => {
                buffer.resize(PIECE, 0);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let read = from.read_at(&mut buffer[..piece], at)?;
    to.write_all_at(&buffer[..read], target_at)?;
    Ok(read)
}
