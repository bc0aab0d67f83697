//! The records of a transaction whose bounds are known, also where a field of their headers is wrong.

use std::io::{Read, Seek};

use super::frame::Frame;
use super::reader::Reader;
use crate::error::{Damage, Error, Flaw, Result};
use crate::layout::{RECORD_HEAD, RecordHead, START};
use crate::scan::Record;
use crate::window::Window;

const HEAD: u64 = RECORD_HEAD as u64;

/// A record that is sound, or was set right.
#[derive(Debug)]
pub struct Part {
    pub record: Record,
    /// Where the next one begins.
    pub end: u64,
    /// The record that has its data, where it has none itself.
    pub data: Option<Record>,
    /// What was set right.
    pub repair: Option<&'static str>,
}

/// A record that is lost.
#[derive(Debug)]
pub struct Bad {
    pub damage: Damage,
    /// Where the next one begins.
    pub until: u64,
}

/// The record at a place within a transaction.
pub fn next<R: Read + Seek>(
    window: &mut Window<R>,
    frame: &Frame,
    at: u64,
    reader: &mut Reader,
) -> Result<std::result::Result<Part, Bad>> {
    let damage = |flaw| Damage::new(at, flaw).tid(frame.head.tid);
    if frame.end - at <= HEAD {
        let damage = damage(Flaw::RecordLong);
        return Ok(Err(Bad {
            damage,
            until: frame.end,
        }));
    }
    let head = RecordHead::parse(window.slice(at, RECORD_HEAD)?);
    if head.txn != frame.at && head.tid != frame.head.tid {
        let until = next_head(window, frame, at + 1)?;
        let damage = damage(Flaw::RecordTxn(head.txn));
        return Ok(Err(Bad { damage, until }));
    }
    let end = head
        .size()
        .and_then(|size| at.checked_add(size))
        .filter(|end| *end <= frame.end);
    let fitting = match end {
        Some(end) if boundary(window, frame, end)? => Some(end),
        _ => None,
    };
    match fitting {
        Some(end) => checked(window, frame, at, end, &head, repair(&head, frame), reader),
        None => relength(window, frame, at, &head, reader),
    }
}

/// What in a header that is believed is wrong all the same.
fn repair(head: &RecordHead, frame: &Frame) -> Option<&'static str> {
    match () {
        () if head.txn != frame.at => Some("a record's transaction"),
        () if head.tid != frame.head.tid => Some("a record's id of the transaction"),
        () if head.version != 0 => Some("a record's version"),
        () => None,
    }
}

/// Whether a record can end here: the transaction does, or another begins.
fn boundary<R: Read + Seek>(window: &mut Window<R>, frame: &Frame, at: u64) -> Result<bool> {
    if at == frame.end {
        return Ok(true);
    }
    if frame.end - at <= HEAD {
        return Ok(false);
    }
    let head = RecordHead::parse(window.slice(at, RECORD_HEAD)?);
    Ok(head.txn == frame.at || head.tid == frame.head.tid)
}

/// The length does not lead to the next record: the data end where that begins, if
/// they are whole then.
fn relength<R: Read + Seek>(
    window: &mut Window<R>,
    frame: &Frame,
    at: u64,
    head: &RecordHead,
    reader: &mut Reader,
) -> Result<std::result::Result<Part, Bad>> {
    let until = next_head(window, frame, at + HEAD + 1)?;
    let length = until - at - HEAD;
    let fixed = RecordHead { length, ..*head };
    let record = as_record(window, at, frame, &fixed)?;
    if reader.taken(window, &record)? == Ok(length) {
        let repair = Some("a record's length");
        return checked(window, frame, at, until, &fixed, repair, reader);
    }
    let damage = Damage::new(at, Flaw::RecordLong)
        .tid(frame.head.tid)
        .oid(head.oid);
    Ok(Err(Bad { damage, until }))
}

/// A record whose bounds are known, with its data looked at.
fn checked<R: Read + Seek>(
    window: &mut Window<R>,
    frame: &Frame,
    at: u64,
    end: u64,
    head: &RecordHead,
    repair: Option<&'static str>,
    reader: &mut Reader,
) -> Result<std::result::Result<Part, Bad>> {
    let record = as_record(window, at, frame, head)?;
    let flaw = match record.length {
        0 => match behind(window, &record, reader)? {
            Ok(data) => {
                return Ok(Ok(Part {
                    record,
                    end,
                    data,
                    repair,
                }));
            }
            Err(flaw) => flaw,
        },
        _ => match reader.readable(window, &record)? {
            Ok(()) => {
                return Ok(Ok(Part {
                    record,
                    end,
                    data: None,
                    repair,
                }));
            }
            Err(why) => Flaw::Data(why),
        },
    };
    let damage = Damage::new(at, flaw).tid(frame.head.tid).oid(head.oid);
    Ok(Err(Bad { damage, until: end }))
}

fn as_record<R: Read + Seek>(
    window: &mut Window<R>,
    at: u64,
    frame: &Frame,
    head: &RecordHead,
) -> Result<Record> {
    let back = match head.length {
        0 => window.long(at + HEAD)?,
        _ => 0,
    };
    Ok(Record {
        at,
        oid: head.oid,
        tid: frame.head.tid,
        previous: head.previous,
        txn: frame.at,
        length: head.length,
        back,
    })
}

/// The record whose data one without data stands for; `None` where the object is gone. Only
/// object and data must be right there: its transaction may be lost.
fn behind<R: Read + Seek>(
    window: &mut Window<R>,
    from: &Record,
    reader: &mut Reader,
) -> Result<std::result::Result<Option<Record>, Flaw>> {
    let mut at = *from;
    while at.length == 0 {
        if at.back == 0 {
            return Ok(Ok(None));
        }
        let wrong = Flaw::Back(from.back);
        if at.back < START || at.back.saturating_add(HEAD + 8) > at.at {
            return Ok(Err(wrong));
        }
        let target = crate::scan::seen(window, at.back)?;
        let size = if target.length == 0 { 8 } else { target.length };
        let inside = target
            .data()
            .checked_add(size)
            .is_some_and(|end| end <= at.at);
        if target.oid != from.oid || !inside {
            return Ok(Err(wrong));
        }
        at = target;
    }
    match reader.readable(window, &at)? {
        Ok(()) => Ok(Ok(Some(at))),
        Err(why) => Ok(Err(Flaw::Data(why))),
    }
}

/// The next header of a record of this transaction at or after `from`, or the transaction's end.
fn next_head<R: Read + Seek>(window: &mut Window<R>, frame: &Frame, from: u64) -> Result<u64> {
    const STEP: u64 = 128 << 10;
    let mut at = from;
    while at + HEAD < frame.end {
        let length = (frame.end - at).min(STEP + HEAD) as usize;
        let bytes = window.slice(at, length)?;
        let last = length - RECORD_HEAD;
        let found = (0..=last).find(|offset| {
            // The first byte of a position is 0 in every file that there is.
            bytes[offset + 24] == 0 && {
                let head = RecordHead::parse(&bytes[*offset..]);
                head.txn == frame.at && head.tid == frame.head.tid && head.version == 0
            }
        });
        if let Some(offset) = found {
            return Ok(at + offset as u64);
        }
        at += last as u64 + 1;
    }
    Ok(frame.end)
}

/// Where a record ends that is right in every respect, its data included; `None` for any other.
pub fn strict<R: Read + Seek>(
    window: &mut Window<R>,
    frame: &Frame,
    at: u64,
    reader: &mut Reader,
) -> Result<Option<u64>> {
    if frame.end.saturating_sub(at) <= HEAD {
        return Ok(None);
    }
    let head = RecordHead::parse(window.slice(at, RECORD_HEAD)?);
    let end = head
        .size()
        .and_then(|size| at.checked_add(size))
        .filter(|end| *end <= frame.end);
    let Some(end) = end.filter(|_| head.tid == frame.head.tid && repair(&head, frame).is_none())
    else {
        return Ok(None);
    };
    match checked(window, frame, at, end, &head, None, reader) {
        Ok(Ok(_)) => Ok(Some(end)),
        Ok(Err(_)) | Err(Error::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
