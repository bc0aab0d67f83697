//! Walking over a file, transaction by transaction, and holding it to the format.

use std::io::{Read, Seek};

use crate::error::{Damage, Flaw, Result};
use crate::layout::{
    Head, MAGIC, MAGIC_2, Oid, RECORD_HEAD, RecordHead, START, TRAILER, TXN_HEAD, Tid, status,
};
use crate::window::Window;

/// A transaction, without its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Txn {
    /// Where it begins.
    pub at: u64,
    pub head: Head,
}

impl Txn {
    /// Where its first record begins.
    pub fn records(&self) -> u64 {
        self.at + self.head.size()
    }

    /// Where its records end, and the second copy of its length begins.
    pub fn end(&self) -> u64 {
        self.at + self.head.length
    }

    /// Where the next transaction begins.
    pub fn next(&self) -> u64 {
        self.end() + TRAILER
    }

    /// Whether its records count.
    pub fn counts(&self) -> bool {
        self.head.status != status::UNDONE
    }
}

/// A data record, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Where it begins.
    pub at: u64,
    pub oid: Oid,
    pub tid: Tid,
    pub previous: u64,
    /// Where its transaction begins.
    pub txn: u64,
    /// Bytes of data, 0 where there are none.
    pub length: u64,
    /// Where there are no data: the record that has them, or 0, which means that the object
    /// was deleted, or its creation undone.
    pub back: u64,
}

impl Record {
    /// Where its data begin.
    pub fn data(&self) -> u64 {
        self.at + RECORD_HEAD as u64
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.data() + if self.length == 0 { 8 } else { self.length }
    }

    /// Whether the object is gone with it.
    pub fn deletes(&self) -> bool {
        self.length == 0 && self.back == 0
    }
}

/// The magic, which must be a FileStorage's.
pub fn magic<R: Read + Seek>(window: &mut Window<R>) -> Result<[u8; 4]> {
    if window.size() == 0 {
        return Err(Damage::new(0, Flaw::Empty).into());
    }
    let length = window.size().min(START) as usize;
    let found = window.slice(0, length)?;
    match [MAGIC, MAGIC_2].iter().find(|magic| magic[..] == *found) {
        Some(magic) => Ok(*magic),
        None => Err(Damage::new(0, Flaw::Magic).into()),
    }
}

/// The header at a position. An error where it cannot be one, or where what it says does not fit into the file.
pub fn head<R: Read + Seek>(window: &mut Window<R>, at: u64) -> Result<Txn> {
    // A damaged record may name any place.
    let rest = window.size().saturating_sub(at);
    if rest < TXN_HEAD as u64 {
        return Err(Damage::new(at, Flaw::HeadCut).into());
    }
    let head = Head::parse(window.slice(at, TXN_HEAD)?);
    let damaged = |flaw| Err(Damage::new(at, flaw).tid(head.tid).into());
    if !matches!(
        head.status,
        status::DONE | status::PACKED | status::UNDONE | status::CHECKPOINT
    ) {
        return damaged(Flaw::Status(head.status));
    }
    if head
        .length
        .checked_add(TRAILER)
        .is_none_or(|whole| whole > rest)
    {
        return damaged(Flaw::TxnCut);
    }
    if head.status == status::CHECKPOINT {
        return damaged(Flaw::Unfinished);
    }
    if head.length < head.size() {
        return damaged(Flaw::TxnShort);
    }
    Ok(Txn { at, head })
}

/// The record at a position of a transaction.
#[inline]
pub fn record<R: Read + Seek>(window: &mut Window<R>, txn: &Txn, at: u64) -> Result<Record> {
    let damaged = |flaw| Damage::new(at, flaw).tid(txn.head.tid);
    let rest = txn.end() - at;
    if rest < RECORD_HEAD as u64 + 1 {
        return Err(damaged(Flaw::RecordLong).into());
    }
    let head = RecordHead::parse(window.slice(at, RECORD_HEAD)?);
    let damaged = |flaw| Err(damaged(flaw).oid(head.oid).into());
    if head.txn != txn.at {
        return damaged(Flaw::RecordTxn(head.txn));
    }
    if head.tid != txn.head.tid {
        return damaged(Flaw::RecordTid(head.tid));
    }
    if head.version != 0 {
        return damaged(Flaw::Version);
    }
    if head.size().is_none_or(|size| size > rest) {
        return damaged(Flaw::RecordLong);
    }
    with_back(window, at, &head)
}

/// The record at a position where a scan has found one.
pub fn seen<R: Read + Seek>(window: &mut Window<R>, at: u64) -> Result<Record> {
    let head = RecordHead::parse(window.slice(at, RECORD_HEAD)?);
    with_back(window, at, &head)
}

#[inline]
fn with_back<R: Read + Seek>(window: &mut Window<R>, at: u64, head: &RecordHead) -> Result<Record> {
    let back = match head.length {
        0 => window.long(at + RECORD_HEAD as u64)?,
        _ => 0,
    };
    Ok(Record {
        at,
        oid: head.oid,
        tid: head.tid,
        previous: head.previous,
        txn: head.txn,
        length: head.length,
        back,
    })
}

/// Goes over the transactions from a position on.
pub struct Scan<'w, R> {
    pub window: &'w mut Window<R>,
    /// Where the next transaction begins.
    at: u64,
    /// The id that the next one must exceed.
    last: Tid,
    current: Option<(Txn, u64)>,
}

impl<'w, R: Read + Seek> Scan<'w, R> {
    /// From the first transaction on.
    pub fn new(window: &'w mut Window<R>) -> Self {
        Self::from(window, START, Tid::default())
    }

    /// From one that follows the transaction `last`.
    pub fn from(window: &'w mut Window<R>, at: u64, last: Tid) -> Self {
        Self {
            window,
            at,
            last,
            current: None,
        }
    }

    /// Where the next transaction begins, or would.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next transaction, whose records follow; `None` at the end of the file.
    pub fn transaction(&mut self) -> Result<Option<Txn>> {
        if self.at >= self.window.size() {
            return Ok(None);
        }
        let txn = head(self.window, self.at)?;
        if txn.head.tid <= self.last {
            let damage = Damage::new(self.at, Flaw::Order(self.last));
            return Err(damage.tid(txn.head.tid).into());
        }
        self.last = txn.head.tid;
        let first = match txn.counts() {
            true => txn.records(),
            false => txn.end(),
        };
        self.current = Some((txn, first));
        Ok(Some(txn))
    }

    /// The next record of the transaction; `None` at its end, where its second length is
    /// looked at. All must be asked for before the next transaction.
    #[inline]
    pub fn record(&mut self) -> Result<Option<Record>> {
        let Some((txn, at)) = &mut self.current else {
            return Ok(None);
        };
        if *at < txn.end() {
            let record = record(self.window, txn, *at)?;
            *at = record.end();
            return Ok(Some(record));
        }
        let again = self.window.long(txn.end())?;
        if again != txn.head.length {
            let flaw = Flaw::Lengths(txn.head.length, again);
            return Err(Damage::new(txn.at, flaw).tid(txn.head.tid).into());
        }
        self.at = txn.next();
        self.current = None;
        Ok(None)
    }
}

/// The record that a back pointer leads to: it must be an earlier one of the same object, in a whole
/// transaction whose records count.
pub fn back<R: Read + Seek>(window: &mut Window<R>, from: &Record) -> Result<Record> {
    let wrong = || {
        let damage = Damage::new(from.at, Flaw::Back(from.back));
        damage.tid(from.tid).oid(from.oid)
    };
    let room = RECORD_HEAD as u64 + 1;
    if from.back < START || from.back + room > from.at {
        return Err(wrong().into());
    }
    let there = RecordHead::parse(window.slice(from.back, RECORD_HEAD)?);
    if there.oid != from.oid || there.txn >= from.back || there.tid >= from.tid {
        return Err(wrong().into());
    }
    let txn = head(window, there.txn).map_err(|_| wrong())?;
    if !txn.counts()
        || txn.head.tid != there.tid
        || from.back < txn.records()
        || from.back >= txn.end()
    {
        return Err(wrong().into());
    }
    record(window, &txn, from.back).map_err(|_| wrong().into())
}

/// The record that holds the data which a record stands for, itself where it has data; `None`
/// where the object is gone.
pub fn resolve<R: Read + Seek>(window: &mut Window<R>, from: Record) -> Result<Option<Record>> {
    let mut at = from;
    // Each step leads to an earlier record, so that this ends.
    while at.length == 0 {
        if at.back == 0 {
            return Ok(None);
        }
        at = back(window, &at)?;
    }
    Ok(Some(at))
}
