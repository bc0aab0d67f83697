//! Emptying a log that its writer keeps open: what was written since it was copied is
//! copied too, and the log is emptied at once after the last look at its end.

use std::fs::File;
use std::time::{Duration, Instant};

use mhost_model::{Fault, FaultResult};

use super::work::Work;
use crate::beneath::{Content, Place};

/// How often the tail of a growing log is made durable before it is emptied all the same.
const LOOKS: u32 = 32;

/// What emptying took with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drained {
    pub bytes: u64,
    pub window: Duration,
}

/// A log on its way into its archive.
struct Tail<'a> {
    work: Work<'a>,
    log: (File, &'a Place),
    archive: (File, &'a Place),
    /// What was copied, and where the archive ends.
    at: u64,
    end: u64,
}

pub(crate) fn drain(
    work: Work<'_>,
    source: &Place,
    copied: u64,
    target: &Place,
) -> FaultResult<Drained> {
    let (log, log_stat) = source.content(Content::Read)?;
    let (emptied, emptied_stat) = source.content(Content::Write)?;
    let (archive, archive_stat) = target.content(Content::Write)?;
    work.meter.opened();
    work.meter.opened();
    let same =
        |a: &rustix::fs::Stat, b: &rustix::fs::Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
    if same(&log_stat, &archive_stat) || !same(&log_stat, &emptied_stat) {
        return Err(Fault::Invalid(format!(
            "`{}` cannot be emptied into `{}`: they are one file, or the log was exchanged",
            source.text(),
            target.text()
        )));
    }
    let mut tail = Tail {
        work,
        log: (log, source),
        archive: (archive, target),
        at: copied,
        end: u64::try_from(archive_stat.st_size).unwrap_or(0),
    };
    // Durable before the last look, so that the window stays short.
    for _ in 0..LOOKS {
        if tail.follow()? == 0 {
            break;
        }
        tail.settle()?;
    }
    work.change()?;
    let last = Instant::now();
    let late = tail.follow()?;
    rustix::fs::ftruncate(&emptied, 0).map_err(|error| source.fault("empty", error))?;
    let window = last.elapsed();
    if late > 0 {
        tail.settle()?;
    }
    work.meter.read(tail.at - copied);
    work.meter.changed(2);
    Ok(Drained {
        bytes: tail.at - copied,
        window,
    })
}

impl Tail<'_> {
    /// Copies what is new; its bytes.
    fn follow(&mut self) -> FaultResult<u64> {
        let (log, source) = &self.log;
        let size = log.metadata().map(|found| found.len());
        let size = size.map_err(|error| source.fault("look at", error))?;
        let Some(new) = size.checked_sub(self.at) else {
            return Err(Fault::Busy(format!(
                "`{}` became shorter while it was copied: another program empties it too",
                source.text()
            )));
        };
        let (archive, target) = &self.archive;
        let explain = |error| target.fault("copy to", error);
        let (from, to) = ((log, self.at), (archive, self.end));
        let moved = mhost_trees::transfer(&self.work, from, to, new, &explain)?;
        self.at += moved;
        self.end += moved;
        Ok(moved)
    }

    fn settle(&self) -> FaultResult<()> {
        let (archive, target) = &self.archive;
        rustix::fs::fdatasync(archive).map_err(|error| target.fault("sync", error))
    }
}
