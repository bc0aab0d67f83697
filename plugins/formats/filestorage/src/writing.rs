//! Writing transactions and records, with the pointers and the index that come of it.

use std::io::{Read, Seek, Write};

use crate::checksum::Sum;
use crate::error::Result;
use crate::layout::{Head, Oid, RecordHead, Tid, status};
use crate::map::Positions;
use crate::output::Output;
use crate::scan::Record;
use crate::window::Window;

/// A FileStorage being written.
pub struct Writer<W> {
    output: Output<W>,
    /// Of all that was written; see [`crate::checksum`].
    sum: Sum,
    /// The current record of each object.
    pub index: Positions,
    /// Those of the transaction at hand.
    fresh: Vec<(u64, u64)>,
    /// The transaction at hand: where it begins, and its id.
    open: Option<(u64, Tid)>,
    pub transactions: u64,
    pub records: u64,
}

/// A FileStorage that was written.
#[derive(Debug)]
pub struct Written {
    /// Bytes.
    pub length: u64,
    /// The current record of each object.
    pub index: Positions,
    /// Of the contents as they were meant; see [`crate::checksum`].
    pub checksum: u64,
    pub transactions: u64,
    pub records: u64,
}

/// What follows a record's header.
pub enum Body<'r> {
    /// The data of this record of the source.
    Data(&'r Record),
    /// Where the data are, 0 for none.
    Back(u64),
}

impl<W: Write + Seek> Writer<W> {
    pub fn new(to: W, magic: [u8; 4]) -> Result<Self> {
        let mut writer = Self {
            output: Output::new(to),
            sum: Sum::default(),
            index: Positions::default(),
            fresh: Vec::new(),
            open: None,
            transactions: 0,
            records: 0,
        };
        writer.put(&magic)?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum.bytes(bytes);
        self.output.write(bytes)
    }

    pub fn at(&self) -> u64 {
        self.output.at()
    }

    /// Begins a transaction with the texts that stand at `texts` of the source.
    pub fn begin<R: Read + Seek>(
        &mut self,
        head: Head,
        source: &mut Window<R>,
        texts: u64,
    ) -> Result<()> {
        self.open = Some((self.output.at(), head.tid));
        // The length is set when the transaction ends.
        self.put(&Head { length: 0, ..head }.bytes())?;
        let length = head.size() as usize - crate::layout::TXN_HEAD;
        self.put(source.slice(texts, length)?)
    }

    /// Whether a back pointer of the transaction at hand may lead there: before it begins.
    pub fn earlier(&self, position: u64) -> bool {
        position != 0 && self.open.is_some_and(|(start, _)| position < start)
    }

    /// The position of an object's current record, transactions at hand left out; 0 for none.
    pub fn current(&self, oid: Oid) -> u64 {
        self.index.get(&oid.0).copied().unwrap_or(0)
    }

    /// Adds a record to the transaction at hand. Answers where it lies.
    pub fn record<R: Read + Seek>(
        &mut self,
        oid: Oid,
        previous: u64,
        body: Body<'_>,
        source: &mut Window<R>,
    ) -> Result<u64> {
        let at = self.output.at();
        let (txn, tid) = self.open.unwrap_or_default();
        let length = match body {
            Body::Data(record) => record.length,
            Body::Back(_) => 0,
        };
        let head = RecordHead {
            oid,
            tid,
            previous,
            txn,
            version: 0,
            length,
        };
        self.put(&head.bytes())?;
        match body {
            Body::Data(record) => self.copy(source, record.data(), record.end())?,
            Body::Back(back) => self.put(&back.to_be_bytes())?,
        }
        self.fresh.push((oid.0, at));
        self.records += 1;
        Ok(at)
    }

    /// Bytes of the source as they are.
    pub fn copy<R: Read + Seek>(
        &mut self,
        source: &mut Window<R>,
        from: u64,
        to: u64,
    ) -> Result<()> {
        source.pieces(from, to, |piece| self.put(piece))
    }

    /// Ends the transaction at hand: both its lengths are set.
    pub fn end(&mut self) -> Result<()> {
        let Some((start, _)) = self.open.take() else {
            return Ok(());
        };
        let length = self.output.at() - start;
        self.output.patch(start + 8, length)?;
        self.put(&length.to_be_bytes())?;
        self.index.extend(self.fresh.drain(..));
        self.transactions += 1;
        Ok(())
    }

    /// Everything is with the file.
    pub fn finish(self) -> Result<Written> {
        Ok(Written {
            length: self.output.finish()?,
            index: self.index,
            checksum: self.sum.finish(),
            transactions: self.transactions,
            records: self.records,
        })
    }
}

/// The head of a transaction that a pack has gone over.
pub fn packed(head: Head) -> Head {
    Head {
        status: status::PACKED,
        ..head
    }
}
