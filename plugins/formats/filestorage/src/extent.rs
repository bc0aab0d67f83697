//! How far a file is complete, by the headers of its transactions alone.
//!
//! Its server appends to it at any time: a transaction is written with the status `c`, and is complete
//! once that byte becomes a blank. What stands before the last complete transaction never changes, so
//! that the file up to there is a state that existed.

use std::io::{Read, Seek};

use crate::error::{Error, Result};
use crate::layout::{Head, START, TRAILER, TXN_HEAD, Tid, status};
use crate::scan;
use crate::window::Window;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Complete up to `end`; `last` is the last transaction's id.
    Complete { end: u64, last: Tid },
    /// It cannot be followed from this position on.
    Broken { at: u64 },
}

/// `None` where the file is no FileStorage.
pub fn extent<R: Read + Seek>(window: &mut Window<R>) -> Result<Option<Extent>> {
    match scan::magic(window) {
        Err(Error::Damaged(_)) => return Ok(None),
        magic => drop(magic?),
    }
    let (mut end, mut last) = (START, Tid::default());
    loop {
        match step(window, end, last)? {
            Step::Next(next, tid) => (end, last) = (next, tid),
            Step::Open => return Ok(Some(Extent::Complete { end, last })),
            Step::Broken => return Ok(Some(Extent::Broken { at: end })),
        }
    }
}

enum Step {
    Next(u64, Tid),
    /// The end, or a transaction that is being written.
    Open,
    Broken,
}

fn step<R: Read + Seek>(window: &mut Window<R>, at: u64, last: Tid) -> Result<Step> {
    if window.size() - at < TXN_HEAD as u64 {
        return Ok(Step::Open);
    }
    let head = Head::parse(window.slice(at, TXN_HEAD)?);
    if head.status == status::CHECKPOINT {
        return Ok(Step::Open);
    }
    let known = matches!(head.status, status::DONE | status::PACKED | status::UNDONE);
    let end = head
        .length
        .checked_add(TRAILER)
        .and_then(|length| at.checked_add(length));
    let Some(end) = end.filter(|_| known && head.tid > last && head.length >= head.size()) else {
        return Ok(Step::Broken);
    };
    if end > window.size() {
        return Ok(Step::Open);
    }
    Ok(match window.long(end - TRAILER)? == head.length {
        true => Step::Next(end, head.tid),
        false => Step::Broken,
    })
}
