//! The `IMPORT` folder of one queue, as one that receives sees it. Its form is that of the
//! queues of the plugin `sync`: `{TO_PROCESS,PROCESSING,DONE,ERROR}`, an item a file, the
//! reason of an error beside it.
//!
//! Everything is resolved beneath the granted directory, through no link. What is still
//! incomplete has a name of its own that begins with a dot and holds the digest it is to
//! have: so two versions of one item never mix, and who imports does not see it.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::OwnedFd;

use axum::http::StatusCode;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::headers::Range;
use super::{Place, Refusal};
use crate::exit::Problem;

/// A reason is no longer.
const REASON: u64 = 64 << 10;

/// What is known of an item that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It waits, or is just being applied.
    Waiting,
    Done,
    /// It could not be applied: why.
    Failed(String),
}

/// A piece of an item.
#[derive(Debug)]
pub struct Part {
    pub range: Range,
    /// SHA-256 of the whole item.
    pub digest: [u8; 32],
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// So many bytes are here now.
    Partial(u64),
    /// So many bytes are here: the piece does not follow them.
    Elsewhere(u64),
    /// It is whole and durable.
    Arrived,
    /// It was here before.
    There(Held),
}

/// How full a queue is: counted when it seems too full, and added to meanwhile.
#[derive(Debug, Default)]
pub struct Room {
    used: Option<u64>,
}

/// An item's name may neither lead elsewhere nor be hidden.
pub fn check_name(name: &str) -> Result<(), Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = name.len() <= 150
        && name.ends_with(".item")
        && !name.starts_with('.')
        && name.chars().all(plain);
    match good {
        true => Ok(()),
        false => Err(Refusal::bad(
            "an item's name consists of letters, digits, `-`, `_` and `.`, and ends with `.item`",
        )),
    }
}

/// See the module.
pub struct Inbox<'p> {
    place: &'p Place,
    to_process: OwnedFd,
    processing: OwnedFd,
    done: OwnedFd,
    error: OwnedFd,
}

impl<'p> Inbox<'p> {
    /// The folders must be there: what is not mounted must not be made anew.
    pub fn open(place: &'p Place) -> Result<Self, Refusal> {
        let failed = |errno: Errno| {
            tracing::error!(
                task = %place.task, queue = %place.queue,
                "nothing can be received in {}: {errno}; make the queue with `create-queue`, or mount it",
                place.root.display()
            );
            let hint = "make it there with the action `create-queue`";
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                Problem::busy(format!("the queue `{}` is not there: {errno}", place.queue))
                    .hint(hint),
            )
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&place.root, flags, Mode::empty()).map_err(failed)?;
        let below = match place.below.as_str() {
            "" => format!("{}/IMPORT", place.queue),
            below => format!("{below}/{}/IMPORT", place.queue),
        };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let folder = |state: &str| {
            let path = format!("{below}/{state}");
            rustix::fs::openat2(&root, path, flags, Mode::empty(), beneath).map_err(failed)
        };
        Ok(Self {
            to_process: folder("TO_PROCESS")?,
            processing: folder("PROCESSING")?,
            done: folder("DONE")?,
            error: folder("ERROR")?,
            place,
        })
    }

    /// What is known of an item. Items move forward, so they are looked for in that order.
    pub fn held(&self, name: &str) -> Result<Option<Held>, Refusal> {
        for (folder, held) in [
            (&self.to_process, Held::Waiting),
            (&self.processing, Held::Waiting),
            (&self.done, Held::Done),
        ] {
            if self.is_there(folder, name)? {
                return Ok(Some(held));
            }
        }
        match self.is_there(&self.error, name)? {
            true => Ok(Some(Held::Failed(self.reason(name)?))),
            false => Ok(None),
        }
    }

    fn is_there(&self, folder: &OwnedFd, name: &str) -> Result<bool, Refusal> {
        match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(self.failed("look for", name, errno)),
        }
    }

    fn reason(&self, name: &str) -> Result<String, Refusal> {
        let path = format!("{name}.reason");
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.error, &path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT) => return Ok(String::new()),
            Err(errno) => return Err(self.failed("read", &path, errno)),
        };
        let mut text = Vec::new();
        match file.take(REASON).read_to_end(&mut text) {
            Ok(_) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) => Err(self.failed("read", &path, error)),
        }
    }

    /// Takes one piece. An item that is an error here may come again.
    pub fn take(
        &self,
        name: &str,
        part: &Part,
        piece: &[u8],
        room: &mut Room,
    ) -> Result<Answer, Refusal> {
        let (first, length) = part.range.bytes.unwrap_or((0, 0));
        if length != piece.len() as u64 {
            return Err(Refusal::bad(format!(
                "the header names {length} bytes, and {} came",
                piece.len()
            )));
        }
        let most = self.place.receiver.max_item.0;
        if part.range.size > most {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                Problem::refused(format!(
                    "the item has {} bytes; `max_item` of the receiving task allows {most}",
                    part.range.size
                )),
            ));
        }
        if let Some(held @ (Held::Waiting | Held::Done)) = self.held(name)? {
            return Ok(Answer::There(held));
        }
        let aside = format!(".new-{name}.{}", hex::encode(&part.digest[..8]));
        let mut file = self.aside(&aside)?;
        // Another request may have finished it before this one had the file for itself.
        if let Some(held @ (Held::Waiting | Held::Done)) = self.held(name)? {
            self.forget(&aside);
            return Ok(Answer::There(held));
        }
        let failed = |error: std::io::Error| self.failed("write", name, error);
        let mut received = file.metadata().map_err(failed)?.len();
        if received > part.range.size {
            file.set_len(0).map_err(failed)?;
            received = 0;
        }
        let follows = part.range.bytes.map(|_| first == received);
        match follows {
            None => return Ok(Answer::Partial(received)),
            Some(false) => return Ok(Answer::Elsewhere(received)),
            Some(true) => {}
        }
        self.reserve(length, room)?;
        file.seek(SeekFrom::Start(received))
            .and_then(|_| file.write_all(piece))
            .map_err(failed)?;
        received += length;
        if received < part.range.size {
            return Ok(Answer::Partial(received));
        }
        self.finish(name, &aside, file, part)
    }

    /// The file of what is not whole yet, for this request alone.
    fn aside(&self, aside: &str) -> Result<File, Refusal> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.to_process, aside, flags, mode)
            .map_err(|errno| self.failed("write", aside, errno))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(File::from(file)),
            Err(Errno::WOULDBLOCK) => Err(Refusal::busy("another request sends this item")),
            Err(errno) => Err(self.failed("lock", aside, errno)),
        }
    }

    /// Gives the item its place, where it is what it is to be.
    fn finish(
        &self,
        name: &str,
        aside: &str,
        mut file: File,
        part: &Part,
    ) -> Result<Answer, Refusal> {
        let failed = |error: std::io::Error| self.failed("receive", name, error);
        file.sync_all().map_err(failed)?;
        if digest(&mut file).map_err(failed)? != part.digest {
            self.forget(aside);
            return Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Problem::failed("what arrived is not what `repr-digest` says; it was dropped")
                    .hint("send it again from its beginning"),
            ));
        }
        rustix::fs::renameat(&self.to_process, aside, &self.to_process, name)
            .and_then(|()| rustix::fs::fsync(&self.to_process))
            .map_err(|errno| failed(errno.into()))?;
        tracing::info!(task = %self.place.task, queue = %self.place.queue, item = name, "received");
        Ok(Answer::Arrived)
    }

    fn forget(&self, aside: &str) {
        // What stays is found by nobody, and goes with the next import that prunes.
        let _ = rustix::fs::unlinkat(&self.to_process, aside, AtFlags::empty());
    }

    /// Refuses what would make the queue larger than it may be, or fill the disk.
    fn reserve(&self, length: u64, room: &mut Room) -> Result<(), Refusal> {
        let disk = rustix::fs::fstatvfs(&self.to_process)
            .map_err(|errno| self.failed("ask for the free space of", "the queue", errno))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free.saturating_sub(length) < self.place.floor {
            return Err(Refusal::new(
                StatusCode::INSUFFICIENT_STORAGE,
                Problem::busy(format!(
                    "the disk of the queue `{}` is full: less than `limits.free_space` of the receiving task would be left",
                    self.place.queue
                ))
                .hint("it takes items again once there is room"),
            ));
        }
        let most = self.place.receiver.max_waiting.0;
        let mut used = match room.used {
            Some(used) if used.saturating_add(length) <= most => used,
            _ => self.used()?,
        };
        used = used.saturating_add(length);
        room.used = Some(used);
        if used <= most {
            return Ok(());
        }
        Err(Refusal::new(
            StatusCode::INSUFFICIENT_STORAGE,
            Problem::busy(format!(
                "the queue `{}` is full: `max_waiting` of the receiving task allows {most} bytes",
                self.place.queue
            ))
            .hint("it takes items again once some were imported"),
        ))
    }

    /// Bytes of what waits and of what is being received.
    fn used(&self) -> Result<u64, Refusal> {
        let mut sum = 0u64;
        for folder in [&self.to_process, &self.processing] {
            let failed = |errno: Errno| self.failed("list", "the queue", errno);
            for entry in rustix::fs::Dir::read_from(folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let found =
                    rustix::fs::statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
                // It may have moved on.
                sum += found.map_or(0, |found| u64::try_from(found.st_size).unwrap_or(0));
            }
        }
        Ok(sum)
    }

    fn failed(&self, verb: &str, name: &str, error: impl Into<std::io::Error>) -> Refusal {
        let error = error.into();
        tracing::warn!(
            task = %self.place.task, queue = %self.place.queue,
            "cannot {verb} {name}: {error}"
        );
        let status = match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        Refusal::new(
            status,
            Problem::failed(format!("cannot {verb} {name}: {error}")),
        )
    }
}

fn digest(file: &mut File) -> std::io::Result<[u8; 32]> {
    file.seek(SeekFrom::Start(0))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().into()),
            count => hash.update(&buffer[..count]),
        }
    }
}
