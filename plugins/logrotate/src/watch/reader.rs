//! Takes what is new of a log through its lines, and marks how far it came: always before
//! a line that is not at its end.

use std::collections::BTreeMap;
use std::io::Read as _;

use mhost_format_logs::Lines;
use mhost_sdk::{Context, Error, Optional as _, Result};

use super::config::Config;
use super::marker::Marker;
use super::memory::Memory;
use super::report::Item;
use super::rules::Standing;
use super::tally::Tally;
use super::trail::{Part, Trail};

/// The most of a line that is looked at, bytes.
const LONGEST_LINE: usize = 64 << 10;
/// What is read at once, bytes.
const PIECE: usize = 256 << 10;

/// Where reading stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    part: usize,
    offset: u64,
}

struct Reader<'a, 'c, 'r> {
    context: &'a Context<'c>,
    config: &'a Config,
    standing: &'a mut Standing<'r>,
    tally: &'a mut Tally,
    lines: Lines,
    /// Before the line that waits.
    place: Place,
}

/// Reads all parts; what is to be remembered, but for the rules.
pub fn read(
    context: &Context<'_>,
    config: &Config,
    trail: &Trail,
    standing: &mut Standing<'_>,
    item: &mut Item,
    before: Option<&Memory>,
) -> Result<Memory> {
    item.read = trail.parts.iter().map(|part| part.path.clone()).collect();
    let Some(first) = trail.parts.first() else {
        return nothing(trail, before);
    };
    let mut reader = Reader {
        context,
        config,
        standing,
        tally: &mut item.tally,
        lines: Lines::new(LONGEST_LINE, trail.skipping),
        place: Place {
            part: 0,
            offset: first.start,
        },
    };
    let mut left = None;
    for (number, part) in trail.parts.iter().enumerate() {
        let last = number + 1 == trail.parts.len();
        let end = reader.part(number, part)?;
        if context.cancelled() {
            break;
        }
        let goes_on = trail.carried && number + 2 == trail.parts.len();
        if !last && !goes_on {
            reader.finish(number + 1);
        }
        if !last && !goes_on && !part.packed {
            left = Some((number, end));
        }
    }
    let (place, skipping) = (reader.place, reader.lines.skipping());
    let mark = |number: usize, offset: u64, skipping: bool| {
        let part = &trail.parts[number];
        Marker::new(part.file, offset, skipping, |from| part.open(context, from))
    };
    Ok(Memory {
        log: trail.log,
        at: mark(place.part, place.offset, skipping)?,
        left: left
            .filter(|(number, _)| *number < place.part)
            .map(|(number, offset)| mark(number, offset, false))
            .transpose()?,
        seen: context.now(),
        windows: BTreeMap::new(),
    })
}

/// The log is missing, and so is what was read of it: the place stays what it was.
fn nothing(trail: &Trail, before: Option<&Memory>) -> Result<Memory> {
    let missing = || Error::NotFound("it does not exist".to_owned());
    let before = before.ok_or_else(missing)?;
    Ok(Memory {
        log: trail.log,
        ..before.clone()
    })
}

impl Reader<'_, '_, '_> {
    /// One file to its end, or to what was its end at first; the offset that was come to.
    fn part(&mut self, number: usize, part: &Part) -> Result<u64> {
        let mut file = part.open(self.context, part.start)?;
        let now = self.context.now() / 1000;
        let mut offset = part.start;
        if self.lines.waiting() == 0 {
            self.place = Place {
                part: number,
                offset,
            };
        }
        let mut buffer = vec![0; PIECE];
        while !self.context.cancelled() {
            let room = part.end.map_or(u64::MAX, |end| end.saturating_sub(offset));
            let most = PIECE.min(usize::try_from(room).unwrap_or(PIECE));
            let read = file.read(&mut buffer[..most]);
            let read =
                read.map_err(|error| Error::from_io(&format!("read `{}`", part.path), &error))?;
            if read == 0 {
                break;
            }
            offset += read as u64;
            self.tally.bytes += read as u64;
            let (tally, standing) = (&mut *self.tally, &mut *self.standing);
            let format = self.config.format;
            let ended = self.lines.feed(&buffer[..read], |line| {
                tally.line(line, format, now, standing);
            });
            if ended || self.lines.waiting() == 0 {
                let waiting = self.lines.waiting() as u64;
                self.place = Place {
                    part: number,
                    offset: offset - waiting,
                };
            }
        }
        self.unchanged(part)?;
        Ok(offset)
    }

    /// The path must lead to the file that was looked at all the time.
    fn unchanged(&self, part: &Part) -> Result<()> {
        let found = self.context.files().stat(&part.path).optional()?;
        let same = found.is_some_and(|found| (found.device, found.inode) == part.file);
        match same {
            true => Ok(()),
            false => Err(Error::Busy(format!(
                "`{}` was rotated while it was read: the next run reads on",
                part.path
            ))),
        }
    }

    /// What waits is a whole line, as nothing follows in this file.
    fn finish(&mut self, next: usize) {
        let now = self.context.now() / 1000;
        let (tally, standing) = (&mut *self.tally, &mut *self.standing);
        let format = self.config.format;
        self.lines
            .finish(|line| tally.line(line, format, now, standing));
        self.place = Place {
            part: next,
            offset: 0,
        };
    }
}
