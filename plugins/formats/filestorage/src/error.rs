//! What can be wrong with a file, and where.

use std::io;

use serde::{Serialize, Serializer};
use thiserror::Error as ThisError;

use crate::layout::{Oid, Tid};
use crate::pickle::Unreadable;

pub type Result<T> = std::result::Result<T, Error>;

/// Why work on a file ended.
#[derive(Debug, ThisError)]
pub enum Error {
    #[error("cannot read at {position}: {source}")]
    Read { position: u64, source: io::Error },
    #[error("cannot write at {position}: {source}")]
    Write { position: u64, source: io::Error },
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The file holds objects, but not the one that all others are reached from.
    #[error("there is no root object (0x00), so nothing would count as reachable")]
    NoRoot,
    /// The caller asked for the end.
    #[error("asked to end")]
    Cancelled,
}

/// A place that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ThisError)]
#[error("{}{flaw} at {position}", self.about())]
pub struct Damage {
    /// Bytes from the start of the file.
    pub position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<Tid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oid: Option<Oid>,
    pub flaw: Flaw,
}

impl Damage {
    pub fn new(position: u64, flaw: Flaw) -> Self {
        Self {
            position,
            tid: None,
            oid: None,
            flaw,
        }
    }

    pub fn tid(mut self, tid: Tid) -> Self {
        self.tid = Some(tid);
        self
    }

    pub fn oid(mut self, oid: Oid) -> Self {
        self.oid = Some(oid);
        self
    }

    fn about(&self) -> String {
        let oid = self.oid.map(|oid| format!("object {oid}: "));
        let tid = self.tid.map(|tid| format!("transaction {tid}: "));
        [tid, oid].into_iter().flatten().collect()
    }
}

/// In what way a place is wrong.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Flaw {
    #[error("the file is empty")]
    Empty,
    #[error("no magic of a FileStorage")]
    Magic,
    #[error("the header of a transaction is cut off by the end of the file")]
    HeadCut,
    #[error("a transaction is cut off by the end of the file")]
    TxnCut,
    #[error("a transaction was voted for, but not finished")]
    Unfinished,
    #[error("a transaction has the unknown status {0:#04x}")]
    Status(u8),
    #[error("a transaction's id does not come after the one before it, {0}")]
    Order(Tid),
    #[error("a transaction is shorter than its own header")]
    TxnShort,
    #[error("the two lengths of a transaction differ: {0} and {1}")]
    Lengths(u64, u64),
    #[error("a data record runs over the end of its transaction")]
    RecordLong,
    #[error("a data record names another transaction's start, {0}")]
    RecordTxn(u64),
    #[error("a data record names another transaction, {0}")]
    RecordTid(Tid),
    #[error("a data record has a version")]
    Version,
    #[error("the previous record is said to be at {0}, but is at {1}")]
    Previous(u64, u64),
    #[error("the back pointer {0} does not lead to an earlier record of the same object")]
    Back(u64),
    #[error("its data cannot be read: {0}")]
    Data(Unreadable),
    #[error("it refers to an object that does not exist, {0}")]
    Dangling(Oid),
}

impl Flaw {
    /// What it means for who works with the file, and what to do.
    pub fn meaning(&self) -> &'static str {
        match self {
            Self::Empty => {
                "ZODB makes a new database of it; restore a backup if there should be one"
            }
            Self::Magic => {
                "it is no FileStorage, or its first bytes are damaged; `recover` goes on behind them"
            }
            Self::HeadCut | Self::TxnCut => {
                "the file is being written, the machine stopped while it was, or a copy is incomplete; ZODB cuts off \
                 all that follows when it opens the file for writing, and `recover` keeps what is whole behind it"
            }
            Self::Unfinished => {
                "the transaction is being committed, or the machine stopped while it was; ZODB cuts off all that \
                 follows when it opens the file for writing, and `recover` keeps what is whole behind it"
            }
            Self::Status(_) | Self::Order(_) | Self::TxnShort | Self::Lengths(..) => {
                "the header of a transaction is damaged; `recover` goes on behind it"
            }
            Self::RecordLong | Self::RecordTxn(_) | Self::RecordTid(_) | Self::Version => {
                "the header of a data record is damaged; `recover` sets it right where it can"
            }
            Self::Previous(..) => {
                "the history of the object is cut off here; its current state is not affected; a pack mends it"
            }
            Self::Back(_) => {
                "the state of the object cannot be read, an undo has led into nothing; `recover` leaves it out"
            }
            Self::Data(_) => {
                "the object cannot be loaded from this record; restore it from a backup"
            }
            Self::Dangling(_) => {
                "whoever follows the reference meets an error (POSKeyError); restore the object from a backup, or remove the reference"
            }
        }
    }

    /// Whether a file that is being written, or was when the machine stopped, ends so.
    pub fn at_the_tail(&self) -> bool {
        matches!(self, Self::HeadCut | Self::TxnCut | Self::Unfinished)
    }
}

impl Serialize for Flaw {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
