//! Where a transaction begins and ends, and which id it has, also where one of the fields that
//! say so is wrong.

use std::io::{Read, Seek};

use super::parts;
use super::reader::Reader;
use crate::error::{Damage, Flaw, Result};
use crate::layout::{Head, RECORD_HEAD, RecordHead, TRAILER, TXN_HEAD, Tid, status};
use crate::window::Window;

/// A transaction whose bounds are known.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub at: u64,
    /// As it should be.
    pub head: Head,
    /// Where its records end.
    pub end: u64,
    /// What was set right, a few words each.
    pub repairs: [Option<&'static str>; 2],
}

impl Frame {
    pub fn records(&self) -> u64 {
        self.at + self.head.size()
    }

    pub fn next(&self) -> u64 {
        self.end + TRAILER
    }
}

/// What is at a place where a transaction should begin.
pub enum Found {
    Framed(Frame),
    Nothing(Damage),
}

/// Looks at a place. `last` is the id of the transaction before it.
pub fn find<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
    last: Tid,
    reader: &mut Reader,
) -> Result<Found> {
    let rest = window.size() - at;
    if rest < TXN_HEAD as u64 + TRAILER {
        return Ok(Found::Nothing(Damage::new(at, Flaw::HeadCut)));
    }
    let head = Head::parse(window.slice(at, TXN_HEAD)?);
    if let Some(frame) = by_lengths(window, at, head)? {
        return Ok(Found::Framed(with_id(window, frame, last)?));
    }
    if let Some(frame) = by_records(window, at, head, reader)? {
        return Ok(Found::Framed(frame));
    }
    Ok(Found::Nothing(damage(window, at, head)?))
}

/// Both lengths are the same: this holds whatever is between them.
fn by_lengths<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
    head: Head,
) -> Result<Option<Frame>> {
    if head.length < head.size()
        || !fits(head.length, window.size() - at)
        || head.tid == Tid::default()
    {
        return Ok(None);
    }
    let end = at + head.length;
    if window.long_ahead(at, end)? != head.length {
        return Ok(None);
    }
    let repair = match head.status {
        status::DONE | status::PACKED | status::UNDONE => None,
        _ => Some("its status"),
    };
    Ok(Some(Frame {
        at,
        head,
        end,
        repairs: [repair, None],
    }))
}

fn fits(length: u64, rest: u64) -> bool {
    length
        .checked_add(TRAILER)
        .is_some_and(|whole| whole <= rest)
}

/// One length is wrong: the records follow each other, each whole, until the other length says that they end.
fn by_records<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
    head: Head,
    reader: &mut Reader,
) -> Result<Option<Frame>> {
    let known = matches!(
        head.status,
        status::DONE | status::PACKED | status::CHECKPOINT
    );
    if !known || !head.tid.plausible() || !fits(head.size(), window.size() - at) {
        return Ok(None);
    }
    let mut frame = Frame {
        at,
        head,
        end: window.size() - TRAILER,
        repairs: [None, None],
    };
    let mut place = frame.records();
    while let Some(end) = parts::strict(window, &frame, place, reader)? {
        place = end;
        let again = match place + TRAILER <= window.size() {
            true => window.long(place)?,
            false => return Ok(None),
        };
        if again != place - at && head.length != place - at {
            continue;
        }
        frame.repairs[0] = Some(match again == place - at {
            true => "its first length",
            false => "its second length",
        });
        frame.end = place;
        frame.head.length = place - at;
        return Ok(Some(frame));
    }
    Ok(None)
}

/// The header's id may be the wrong one, where all records have another.
fn with_id<R: Read + Seek>(window: &mut Window<R>, mut frame: Frame, last: Tid) -> Result<Frame> {
    let Some((tid, votes)) = records_id(window, &frame)? else {
        return Ok(frame);
    };
    if tid == frame.head.tid {
        return Ok(frame);
    }
    let next = next_id(window, &frame)?;
    let in_order = |tid: Tid| tid > last && next.is_none_or(|next| tid < next);
    if in_order(tid) && (votes > 1 || !in_order(frame.head.tid)) {
        frame.head.tid = tid;
        frame.repairs[1] = Some("its id");
    }
    Ok(frame)
}

/// The id that the first two records agree on, and how many there are.
fn records_id<R: Read + Seek>(window: &mut Window<R>, frame: &Frame) -> Result<Option<(Tid, u32)>> {
    let mut at = frame.records();
    let mut found = None;
    for votes in 1..=2 {
        if at.saturating_add(RECORD_HEAD as u64) > frame.end {
            break;
        }
        let head = RecordHead::parse(window.slice(at, RECORD_HEAD)?);
        match found {
            None if head.txn == frame.at => found = Some((head.tid, votes)),
            Some((tid, _)) if tid == head.tid && head.txn == frame.at => found = Some((tid, votes)),
            _ => break,
        }
        at = at.saturating_add(head.size().unwrap_or(u64::MAX));
    }
    Ok(found)
}

/// The id of what follows, where that looks like a transaction.
fn next_id<R: Read + Seek>(window: &mut Window<R>, frame: &Frame) -> Result<Option<Tid>> {
    if window.size() - frame.next() < TXN_HEAD as u64 {
        return Ok(None);
    }
    let head = Head::parse(window.slice(frame.next(), TXN_HEAD)?);
    Ok(head.tid.plausible().then_some(head.tid))
}

/// Why the place makes no sense.
fn damage<R: Read + Seek>(window: &mut Window<R>, at: u64, head: Head) -> Result<Damage> {
    let rest = window.size() - at;
    let flaw = match () {
        () if !matches!(
            head.status,
            status::DONE | status::PACKED | status::UNDONE | status::CHECKPOINT
        ) =>
        {
            Flaw::Status(head.status)
        }
        () if head.length < head.size() => Flaw::TxnShort,
        () if !fits(head.length, rest) && head.status == status::CHECKPOINT => Flaw::Unfinished,
        () if !fits(head.length, rest) => Flaw::TxnCut,
        () => Flaw::Lengths(head.length, window.long(at + head.length)?),
    };
    let damage = Damage::new(at, flaw);
    Ok(match head.tid.plausible() {
        true => damage.tid(head.tid),
        false => damage,
    })
}

/// The whole records at the beginning of a transaction whose end is lost, before `limit`.
pub fn beginning<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
    limit: u64,
    last: Tid,
    reader: &mut Reader,
) -> Result<Option<Frame>> {
    if limit - at < TXN_HEAD as u64 {
        return Ok(None);
    }
    let head = Head::parse(window.slice(at, TXN_HEAD)?);
    let known = matches!(head.status, status::DONE | status::PACKED);
    if !known || !head.tid.plausible() || head.tid <= last || head.size() > limit - at {
        return Ok(None);
    }
    let mut frame = Frame {
        at,
        head,
        end: limit,
        repairs: [None, None],
    };
    let first = frame.records();
    let mut place = first;
    while let Some(end) = parts::strict(window, &frame, place, reader)? {
        place = end;
    }
    frame.end = place;
    Ok((place > first).then_some(frame))
}
