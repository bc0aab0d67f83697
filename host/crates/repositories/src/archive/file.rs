//! Reading one file, once, for all the repositories that need it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crossbeam_channel::Sender;
use rustic_core::DataId;
use rustic_core::repofile::BlobType;
use rustix::fs::SeekFrom;

use super::cutter::Cutter;
use super::feed::{Feed, Known, Piece};
use super::{Blob, Shared};
use crate::backup::reader::{Body, Content};

const BUFFER: usize = 256 * 1024;

/// A file for one of the reading threads.
pub struct Job {
    pub content: Content,
    /// For each repository: the pieces to follow, or none where it has the file.
    pub asks: Vec<Option<Vec<Known>>>,
    pub reply: Sender<Done>,
}

/// What became of a file.
pub enum Done {
    /// For each repository that needed it, its content; and the bytes that were read.
    Stored {
        content: Vec<Option<Vec<DataId>>>,
        size: u64,
    },
    /// It is gone, or cannot be read, or the backup is over.
    GivenUp,
}

/// A reading thread's own.
pub struct Reader<'a> {
    shared: &'a Shared<'a>,
    blobs: Sender<Blob>,
    cutters: Vec<Cutter>,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub fn new(shared: &'a Shared<'a>, blobs: Sender<Blob>, cutters: Vec<Cutter>) -> Self {
        Self {
            shared,
            blobs,
            cutters,
            buffer: vec![0; BUFFER],
        }
    }

    /// What cannot be read is told in the journal; what is gone is no gap.
    pub fn read(&mut self, job: Job) {
        let path = job.content.path.clone();
        let done = match self.store(job.content, job.asks) {
            Ok(done) => done,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.shared.journal.note(&path, &error);
                }
                Done::GivenUp
            }
        };
        // Nobody waits for it any more where the backup is over.
        let _ = job.reply.send(done);
    }

    fn store(&mut self, content: Content, asks: Vec<Option<Vec<Known>>>) -> io::Result<Done> {
        let body = content.open()?;
        let cutters = self.cutters.iter_mut();
        let feeds = cutters.zip(asks);
        let mut feeds: Vec<_> = feeds
            .map(|(cutter, ask)| ask.map(|follow| Feed::new(cutter, follow)))
            .collect();
        let mut stream = Stream {
            shared: self.shared,
            blobs: &self.blobs,
            feeds: &mut feeds,
        };
        let size = stream.read(&body, &mut self.buffer);
        // A cutter must not carry over what a failed file began.
        let ended = stream.end();
        match (size?, ended) {
            (size, true) => Ok(Done::Stored {
                content: feeds
                    .into_iter()
                    .map(|feed| feed.map(|feed| feed.content))
                    .collect(),
                size,
            }),
            (_, false) => Ok(Done::GivenUp),
        }
    }
}

struct Stream<'a, 'c> {
    shared: &'a Shared<'a>,
    blobs: &'a Sender<Blob>,
    feeds: &'a mut Vec<Option<Feed<'c>>>,
}

impl Stream<'_, '_> {
    fn read(&mut self, body: &Body, buffer: &mut [u8]) -> io::Result<u64> {
        let mut at = 0;
        let mut data_until = if body.sparse { 0 } else { u64::MAX };
        while at < body.limit {
            if at >= data_until {
                let (data, hole) = next_data(&body.file, at, body.limit)?;
                if !self.hole(data - at) {
                    break;
                }
                self.shared.pace.bytes(data - at);
                (at, data_until) = (data, hole);
                continue;
            }
            let most = usize::try_from(body.limit - at)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            let read = match body.file.read_at(&mut buffer[..most], at) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if !self.each(|feed, store| feed.push(&buffer[..read], store)) {
                break;
            }
            self.shared.pace.bytes(read as u64);
            at += read as u64;
        }
        Ok(at)
    }

    fn hole(&mut self, length: u64) -> bool {
        self.each(|feed, store| {
            let mut left = length;
            while left > 0 {
                match feed.push_hole(left, store) {
                    Some(taken) => left -= taken,
                    None => return false,
                }
            }
            true
        })
    }

    fn end(&mut self) -> bool {
        self.each(|feed, store| feed.finish(store))
    }

    /// For each repository; false once the backup is over.
    fn each(
        &mut self,
        mut work: impl FnMut(&mut Feed<'_>, &mut dyn FnMut(Piece) -> bool) -> bool,
    ) -> bool {
        let (shared, blobs) = (self.shared, self.blobs);
        for (target, feed) in self.feeds.iter_mut().enumerate() {
            let Some(feed) = feed else { continue };
            let mut store = |piece| store(shared, blobs, target, piece);
            if !work(feed, &mut store) {
                return false;
            }
        }
        !shared.is_over()
    }
}

fn store(shared: &Shared<'_>, blobs: &Sender<Blob>, target: usize, piece: Piece) -> bool {
    let id = rustic_core::Id::new(piece.id);
    if !shared.works(target) || !shared.depots[target].claim(BlobType::Data, id) {
        return !shared.is_over();
    }
    let blob = Blob {
        target,
        kind: BlobType::Data,
        id: piece.id,
        bytes: piece.bytes,
    };
    blobs.send(blob).is_ok()
}

/// Where the data after a position begins and ends; the limit, where only a hole
/// follows. All is data where the file system knows no holes.
fn next_data(file: &File, at: u64, limit: u64) -> io::Result<(u64, u64)> {
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(data) if data >= limit => Ok((limit, limit)),
        Ok(data) => {
            let hole = rustix::fs::seek(file, SeekFrom::Hole(data)).unwrap_or(limit);
            Ok((data, hole.max(data + 1)))
        }
        Err(rustix::io::Errno::NXIO) => Ok((limit.min(file.metadata()?.len()).max(at), limit)),
        Err(rustix::io::Errno::INVAL) => Ok((at, u64::MAX)),
        Err(error) => Err(error.into()),
    }
}
