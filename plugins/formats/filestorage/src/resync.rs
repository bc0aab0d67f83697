//! Finding the next whole transaction after a place that cannot be read.

use std::io::{Read, Seek};

use crate::error::{Error, Result};
use crate::layout::{Head, RECORD_HEAD, RecordHead, START, TRAILER, TXN_HEAD, long, status};
use crate::scan::{self, Scan, Txn};
use crate::watch::Ticker;
use crate::window::Window;

/// A transaction's head with the longest texts, and its first record's.
const MOST_HEAD: usize = TXN_HEAD + 3 * u16::MAX as usize + RECORD_HEAD;

/// Where the first whole transaction at or after `from` begins. Whole is one whose two lengths are
/// the same, and whose records fill it and name it. So many bytes are looked at
/// as lie between, once: a record that names its transaction's place can hardly be there by chance, and
/// nobody can make one that serves for two places.
pub fn next<R: Read + Seek>(
    window: &mut Window<R>,
    from: u64,
    ticker: &mut Ticker<'_>,
) -> Result<Option<Txn>> {
    let mut at = from.max(START);
    while at + TXN_HEAD as u64 + TRAILER <= window.size() {
        ticker.at(at)?;
        let Some(candidate) = candidate(window, at)? else {
            return Ok(None);
        };
        if let Some(txn) = whole(window, candidate)?
            && credible(window, &txn)?
        {
            return Ok(Some(txn));
        }
        at = candidate + 1;
    }
    Ok(None)
}

/// A transaction without records names its place nowhere, so that it must be followed by another.
fn credible<R: Read + Seek>(window: &mut Window<R>, txn: &Txn) -> Result<bool> {
    if txn.records() < txn.end() || txn.next() == window.size() {
        return Ok(true);
    }
    match scan::head(window, txn.next()) {
        Err(Error::Damaged(_)) => Ok(false),
        answer => answer.map(|next| next.head.tid > txn.head.tid),
    }
}

/// The next place that looks like a head followed by a record of the same transaction, or by
/// the end of an empty one.
fn candidate<R: Read + Seek>(window: &mut Window<R>, from: u64) -> Result<Option<u64>> {
    let size = window.size();
    let mut at = from;
    while at + TXN_HEAD as u64 + TRAILER <= size {
        let rest = usize::try_from(size - at).unwrap_or(usize::MAX);
        let wanted = rest.min(2 * MOST_HEAD);
        let bytes = window.slice(at, wanted)?;
        // Places whose record might lie beyond these bytes are for the next round.
        let last = match wanted == rest {
            true => wanted - TXN_HEAD - TRAILER as usize + 1,
            false => wanted - MOST_HEAD,
        };
        let found =
            (0..last).find(|offset| promising(&bytes[*offset..], at + *offset as u64, size));
        if let Some(offset) = found {
            return Ok(Some(at + offset as u64));
        }
        at += last as u64;
    }
    Ok(None)
}

/// Whether the bytes at `at` look like a whole transaction's beginning.
fn promising(bytes: &[u8], at: u64, size: u64) -> bool {
    if !matches!(bytes[16], status::DONE | status::PACKED | status::UNDONE) {
        return false;
    }
    let head = Head::parse(bytes);
    let fits = |length: u64| {
        length
            .checked_add(TRAILER)
            .is_some_and(|whole| whole <= size - at)
    };
    if head.length < head.size() || !fits(head.length) || !head.tid.plausible() {
        return false;
    }
    let first = head.size() as usize;
    if head.length == head.size() {
        return bytes.len() >= first + 8 && long(bytes, first) == head.length;
    }
    bytes.len() >= first + RECORD_HEAD && {
        let record = RecordHead::parse(&bytes[first..]);
        record.txn == at && record.tid == head.tid
    }
}

/// The transaction at `at`, if it is whole.
pub fn whole<R: Read + Seek>(window: &mut Window<R>, at: u64) -> Result<Option<Txn>> {
    let mut scan = Scan::from(window, at, Default::default());
    let walked = (|| {
        let txn = scan.transaction()?;
        while scan.record()?.is_some() {}
        Ok(txn)
    })();
    match walked {
        Err(Error::Damaged(_)) => Ok(None),
        other => other,
    }
}
