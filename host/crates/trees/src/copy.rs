//! One regular file of the source tree, copied with what belongs to it.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use mhost_model::{Fault, FaultResult};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::content::{Explain, copy_content};
use crate::partial::Partial;
use crate::place::{Folders, Leaf};
use crate::step::{Basis, Copying, Done, Holes};
use crate::{Watch, attributes, metadata};

/// A file up to this size is read and written in one go.
const SMALL: u64 = 64 << 10;
/// What is compared with what is there already, bytes at a time.
const BLOCK: usize = 128 << 10;
/// Runs of zeroes that become holes are blocks of file systems.
const HOLE: usize = 4 << 10;
/// A copy of at least this size is worth going on with.
const RESUMABLE: u64 = 4 << 20;

const VERB: &str = "copy to";

/// An opened source.
struct Source<'f> {
    file: File,
    stat: Stat,
    size: u64,
    allocated: u64,
    leaf: Leaf<'f>,
}

pub(crate) fn copy(
    watch: &dyn Watch,
    (from, source): (&mut Folders<'_>, &[u8]),
    (to, path): (&mut Folders<'_>, &[u8]),
    how: Copying,
) -> FaultResult<Done> {
    let source = open(from, source)?;
    watch.opened();
    let root = to.root;
    // That something is not found is said of the source alone.
    let found = |fault| match fault {
        Fault::NotFound(text) => Fault::Failed(text),
        fault => fault,
    };
    let explain = |error| found(root.fault(VERB, path, error));
    let target = to.leaf(path, VERB).map_err(found)?;
    let paced = Paced {
        watch,
        rate: how.rate,
    };
    let watch: &dyn Watch = if how.rate.is_some() { &paced } else { watch };
    if how.basis == Basis::InPlace
        && let Some(done) = in_place(watch, &source, &target, how, &explain)?
    {
        return Ok(done);
    }
    let resume = how.resume && source.size >= RESUMABLE;
    let mut partial = Partial::open(target.folder, &target.name, resume)
        .map_err(|error| explain(error.into()))?;
    let filled = fill(watch, &source, &target, &partial, how, &explain);
    let (bytes, written) = match filled {
        Ok(done) => done,
        Err(fault) => {
            // The run's time was up: the next one goes on.
            if resume && matches!(fault, Fault::TimedOut(_)) {
                partial.keep();
            }
            return Err(fault);
        }
    };
    let place = (target.folder, partial.name());
    carry_over(&source, &partial.file, place, how).map_err(|error| explain(error.into()))?;
    watch.change()?;
    partial
        .commit(&target.name)
        .map_err(|error| explain(error.into()))?;
    conclude(watch, &source, bytes, written)
}

fn conclude(watch: &dyn Watch, source: &Source<'_>, bytes: u64, written: u64) -> FaultResult<Done> {
    watch.read(bytes);
    watch.changed();
    let now = rustix::fs::fstat(&source.file);
    let same = |now: Stat| {
        (now.st_size, now.st_mtime, now.st_mtime_nsec)
            == (
                source.stat.st_size,
                source.stat.st_mtime,
                source.stat.st_mtime_nsec,
            )
    };
    Ok(Done {
        bytes,
        written,
        changed_meanwhile: !now.is_ok_and(same),
    })
}

/// A FIFO or device is refused before it is opened, so nothing blocks.
fn open<'f>(from: &'f mut Folders<'_>, path: &[u8]) -> FaultResult<Source<'f>> {
    const VERB: &str = "read";
    let root = from.root;
    let explain = |error: Errno| root.fault(VERB, path, error);
    let leaf = from.leaf(path, VERB)?;
    let demand = |stat: &Stat| match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        _ => Err(Fault::Invalid(format!(
            "cannot read `{}`: it is no regular file any more",
            root.shown(path)
        ))),
    };
    let stat = rustix::fs::statat(leaf.folder, &leaf.name, AtFlags::SYMLINK_NOFOLLOW);
    demand(&stat.map_err(explain)?)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::openat(
        leaf.folder,
        &leaf.name,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(explain)?;
    let stat = rustix::fs::fstat(&file).map_err(explain)?;
    demand(&stat)?;
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(Source {
        size: number(stat.st_size),
        allocated: number(stat.st_blocks).saturating_mul(512),
        file: file.into(),
        stat,
        leaf,
    })
}

/// Returns the bytes of the content, and those that were written.
fn fill(
    watch: &dyn Watch,
    source: &Source<'_>,
    target: &Leaf<'_>,
    partial: &Partial<'_>,
    how: Copying,
    explain: Explain<'_>,
) -> FaultResult<(u64, u64)> {
    let to = &partial.file;
    let based = how.basis == Basis::Clone && clone_existing(target, to);
    if partial.resumed || based {
        return overwrite(watch, &source.file, to, explain);
    }
    if how.holes == Holes::Make {
        let bytes = punched(watch, &source.file, to, explain)?;
        return Ok((bytes, bytes));
    }
    if source.size <= SMALL
        && source.allocated >= source.size
        && let Some(bytes) = at_once(watch, source, to, explain)?
    {
        return Ok((bytes, bytes));
    }
    let sizes = (source.size, source.allocated);
    let bytes = copy_content(watch, &source.file, sizes, to, explain)?;
    Ok((bytes, bytes))
}

/// None where the file turns out to be larger than it was.
fn at_once(
    watch: &dyn Watch,
    source: &Source<'_>,
    to: &File,
    explain: Explain<'_>,
) -> FaultResult<Option<u64>> {
    if source.size == 0 {
        watch.go_on()?;
        return Ok(Some(0));
    }
    let mut buffer = vec![0; source.size as usize + 1];
    let mut filled = 0;
    loop {
        let read = source.file.read_at(&mut buffer[filled..], filled as u64);
        match read.map_err(explain)? {
            0 => break,
            read => filled += read,
        }
        if filled == buffer.len() {
            return Ok(None);
        }
    }
    watch.write(filled as u64, to.as_fd())?;
    to.write_all_at(&buffer[..filled], 0).map_err(explain)?;
    Ok(Some(filled as u64))
}

/// Whether the file began as a clone of what is there.
fn clone_existing(target: &Leaf<'_>, to: &File) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(target.folder, &target.name, flags, Mode::empty())
        .is_ok_and(|there| rustix::fs::ioctl_ficlone(to, there).is_ok())
}

/// Makes the content of `to` that of `from`, writing only the blocks that differ.
fn overwrite(
    watch: &dyn Watch,
    from: &File,
    to: &File,
    explain: Explain<'_>,
) -> FaultResult<(u64, u64)> {
    let (mut wanted, mut there) = (vec![0; BLOCK], vec![0; BLOCK]);
    let (mut at, mut written) = (0, 0);
    loop {
        watch.go_on()?;
        let read = from.read_at(&mut wanted, at).map_err(explain)?;
        if read == 0 {
            break;
        }
        let same = read_full(to, &mut there[..read], at).map_err(explain)?;
        if !same || wanted[..read] != there[..read] {
            watch.write(read as u64, to.as_fd())?;
            to.write_all_at(&wanted[..read], at).map_err(explain)?;
            written += read as u64;
        }
        at += read as u64;
    }
    rustix::fs::ftruncate(to, at).map_err(|error| explain(error.into()))?;
    Ok((at, written))
}

/// Whether the file holds so many bytes there.
fn read_full(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64)? {
            0 => return Ok(false),
            read => filled += read,
        }
    }
    Ok(true)
}

/// Writes all but the blocks of zeroes into an empty file.
fn punched(watch: &dyn Watch, from: &File, to: &File, explain: Explain<'_>) -> FaultResult<u64> {
    let mut buffer = vec![0; BLOCK];
    let mut at = 0;
    loop {
        watch.go_on()?;
        let read = from.read_at(&mut buffer, at).map_err(explain)?;
        if read == 0 {
            break;
        }
        for (n, block) in buffer[..read].chunks(HOLE).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                watch.write(block.len() as u64, to.as_fd())?;
                let place = at + (n * HOLE) as u64;
                to.write_all_at(block, place).map_err(explain)?;
            }
        }
        at += read as u64;
    }
    rustix::fs::ftruncate(to, at).map_err(|error| explain(error.into()))?;
    Ok(at)
}

/// None where there is no regular file to overwrite, or it has other names.
fn in_place(
    watch: &dyn Watch,
    source: &Source<'_>,
    target: &Leaf<'_>,
    how: Copying,
    explain: Explain<'_>,
) -> FaultResult<Option<Done>> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(there) = rustix::fs::openat(target.folder, &target.name, flags, Mode::empty()) else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&there).map_err(|error| explain(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
        return Ok(None);
    }
    watch.change()?;
    let there = File::from(there);
    let (bytes, written) = overwrite(watch, &source.file, &there, explain)?;
    carry_over(source, &there, (target.folder, &target.name), how)
        .map_err(|error| explain(error.into()))?;
    conclude(watch, source, bytes, written).map(Some)
}

/// The owner first, as changing it clears bits of the mode and capabilities; the times
/// last.
fn carry_over(
    source: &Source<'_>,
    to: &File,
    place: (&std::os::fd::OwnedFd, &std::ffi::CStr),
    how: Copying,
) -> rustix::io::Result<()> {
    let mode = match how.owners {
        true => metadata::carry_owner(&source.stat, to.as_fd())?,
        false => Mode::from_raw_mode(source.stat.st_mode & 0o1777),
    };
    if how.attributes && !attributes::none_on(&source.file, to) {
        let from = (source.leaf.folder, source.leaf.name.as_c_str());
        attributes::carry(from, place)?;
    }
    rustix::fs::fchmod(to, mode)?;
    rustix::fs::futimens(to, &metadata::times(&source.stat))
}

/// Writes no more bytes a second than it may.
struct Paced<'w> {
    watch: &'w dyn Watch,
    rate: Option<u64>,
}

impl Watch for Paced<'_> {
    fn go_on(&self) -> FaultResult<()> {
        self.watch.go_on()
    }

    fn write(&self, bytes: u64, on: std::os::fd::BorrowedFd<'_>) -> FaultResult<()> {
        self.watch.write(bytes, on)?;
        let rate = self.rate.unwrap_or(u64::MAX).max(1);
        self.watch
            .wait(Duration::from_secs_f64(bytes as f64 / rate as f64))
    }

    fn share(&self, bytes: u64) -> FaultResult<()> {
        self.watch.share(bytes)
    }

    fn room(&self, bytes: u64, on: std::os::fd::BorrowedFd<'_>) -> FaultResult<()> {
        self.watch.room(bytes, on)
    }

    fn change(&self) -> FaultResult<()> {
        self.watch.change()
    }

    fn opened(&self) {
        self.watch.opened();
    }

    fn read(&self, bytes: u64) {
        self.watch.read(bytes);
    }

    fn changed(&self) {
        self.watch.changed();
    }

    fn wait(&self, time: Duration) -> FaultResult<()> {
        self.watch.wait(time)
    }
}
