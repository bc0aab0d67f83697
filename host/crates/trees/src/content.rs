//! Copies of content, in the kernel where it can: holes stay holes, shared blocks are
//! shared.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use mhost_model::{Fault, FaultResult};
use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::Watch;

/// Bytes that are read or written between two looks at the run's end.
pub(crate) const PIECE: usize = 1 << 20;

/// Says what an error of the operating system means here.
pub type Explain<'a> = &'a dyn Fn(std::io::Error) -> Fault;

/// Copies the content of a file of `size` bytes, of which `allocated` take room, into
/// an empty one. Returns its bytes.
pub fn copy_content(
    watch: &dyn Watch,
    from: &File,
    (size, allocated): (u64, u64),
    to: &File,
    explain: Explain<'_>,
) -> FaultResult<u64> {
    if size > 0 && rustix::fs::ioctl_ficlone(to, from).is_ok() {
        // Shared blocks take no room, but they are written as far as a budget goes.
        let size = to.metadata().map_err(explain)?.len();
        watch.go_on()?;
        watch.share(size)?;
        return Ok(size);
    }
    watch.room(size.min(allocated), to.as_fd())?;
    let end = copy_data(watch, from, size, to, explain)?;
    rustix::fs::ftruncate(to, end).map_err(|error| explain(error.into()))?;
    Ok(end)
}

/// Copies what is data and leaves holes as holes, up to `size` and beyond it where
/// the file grew meanwhile; returns where the content ends.
fn copy_data(
    watch: &dyn Watch,
    from: &File,
    size: u64,
    to: &File,
    explain: Explain<'_>,
) -> FaultResult<u64> {
    let mut at = 0;
    loop {
        let (start, end) = match next_data(from, at) {
            Ok(Some(range)) => range,
            Ok(None) => return Ok(size.max(at)),
            Err(error) => return Err(explain(error.into())),
        };
        let moved = transfer(watch, (from, start), (to, start), end - start, explain)?;
        at = start + moved;
        if moved < end - start {
            return Ok(at);
        }
    }
}

/// The next range of data at or after `at`. A file system that knows no holes
/// answers with all the rest.
pub(crate) fn next_data(file: &File, at: u64) -> rustix::io::Result<Option<(u64, u64)>> {
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

/// Moves up to `length` bytes in pieces, in the kernel where it can. Ends early where
/// the source does; returns the bytes.
pub fn transfer(
    watch: &dyn Watch,
    (from, offset): (&File, u64),
    (to, target_offset): (&File, u64),
    length: u64,
    explain: Explain<'_>,
) -> FaultResult<u64> {
    let mut buffer = Vec::new();
    let mut moved = 0;
    while moved < length {
        let piece = (length - moved).min(PIECE as u64) as usize;
        watch.write(piece as u64, to.as_fd())?;
        let (at, target_at) = (offset + moved, target_offset + moved);
        let done = move_piece(from, at, to, target_at, piece, &mut buffer).map_err(explain)?;
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
