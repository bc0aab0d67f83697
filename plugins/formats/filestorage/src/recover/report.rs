//! What was recovered, set right and lost.

use serde::Serialize;

use super::frame::Frame;
use super::parts::Part;
use crate::error::{Damage, Flaw};
use crate::layout::{Oid, Tid, status};

/// So many of each kind are named.
const MOST: usize = 1000;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Bytes of the damaged file.
    pub bytes: u64,
    pub transactions: u64,
    pub records: u64,
    /// Legacy transactions that were undone: they do not count, and are left out.
    pub undone: u64,
    /// The file does not begin as it must.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub magic: Option<Damage>,
    /// Transactions that were set right.
    pub repairs: Vec<Repair>,
    pub repaired: u64,
    /// Transactions of which a part is lost.
    pub partials: Vec<Partial>,
    pub partly: u64,
    /// Transactions whose ids did not come after the one before them.
    pub moves: Vec<Moved>,
    pub moved: u64,
    /// Stretches that are lost, in part or wholly.
    pub losses: Vec<Lost>,
    pub stretches: u64,
    pub bytes_lost: u64,
    /// Bytes of a transaction at the end that was never finished: no loss.
    pub bytes_unfinished: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Damage>,
}

/// A transaction with a field that was set right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    pub tid: Tid,
    pub position: u64,
    pub what: Vec<&'static str>,
}

/// A transaction of which only some records are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partial {
    pub tid: Tid,
    pub position: u64,
    pub records_kept: u64,
    pub records_lost: u64,
}

/// A transaction with a new id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    pub from: Tid,
    pub to: Tid,
}

/// A stretch with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lost {
    pub from: u64,
    pub bytes: u64,
    pub damage: Damage,
    /// Of transactions whose records lie there.
    pub tids: Vec<Tid>,
    pub oids: Vec<Oid>,
}

impl Report {
    pub fn new(bytes: u64) -> Self {
        Self {
            bytes,
            transactions: 0,
            records: 0,
            undone: 0,
            magic: None,
            repairs: Vec::new(),
            repaired: 0,
            partials: Vec::new(),
            partly: 0,
            moves: Vec::new(),
            moved: 0,
            losses: Vec::new(),
            stretches: 0,
            bytes_lost: 0,
            bytes_unfinished: 0,
            unfinished: None,
        }
    }

    /// Whether nothing was wrong.
    pub fn sound(&self) -> bool {
        let whole = self.magic.is_none() && self.unfinished.is_none();
        whole && self.repaired + self.partly + self.moved + self.stretches == 0
    }

    /// Notes what was set right, if anything.
    pub(super) fn repaired(&mut self, frame: &Frame, written: u8, tally: &Tally) {
        let mut what: Vec<_> = frame.repairs.iter().flatten().copied().collect();
        what.extend(&tally.repairs);
        if what.is_empty() {
            debug_assert!(written == frame.head.status || frame.head.status == status::CHECKPOINT);
            return;
        }
        self.repaired += 1;
        if self.repairs.len() < MOST {
            self.repairs.push(Repair {
                tid: frame.head.tid,
                position: frame.at,
                what,
            });
        }
    }

    pub(super) fn partial(&mut self, frame: &Frame, tally: &Tally) {
        self.partly += 1;
        if self.partials.len() < MOST {
            self.partials.push(Partial {
                tid: frame.head.tid,
                position: frame.at,
                records_kept: tally.good,
                records_lost: tally.bad,
            });
        }
    }

    pub(super) fn moved(&mut self, from: Tid, to: Tid) {
        self.moved += 1;
        if self.moves.len() < MOST {
            self.moves.push(Moved { from, to });
        }
    }

    pub(super) fn lost(&mut self, lost: Lost) {
        self.stretches += 1;
        self.bytes_lost += lost.bytes;
        if self.losses.len() < MOST {
            self.losses.push(lost);
        }
    }

    pub(super) fn tail(&mut self, bytes: u64, damage: Damage) {
        self.bytes_unfinished = bytes;
        self.unfinished = Some(damage);
    }
}

/// The records of one transaction, counted.
#[derive(Debug, Default)]
pub struct Tally {
    pub good: u64,
    pub bad: u64,
    repairs: Vec<&'static str>,
    first: Option<Damage>,
}

impl Tally {
    pub(super) fn good(&mut self, part: &Part) {
        self.good += 1;
        if let Some(repair) = part.repair.filter(|repair| !self.repairs.contains(repair)) {
            self.repairs.push(repair);
        }
    }

    pub(super) fn bad(&mut self, damage: Damage) {
        self.bad += 1;
        self.first.get_or_insert(damage);
    }

    pub(super) fn first_damage(&self, frame: &Frame) -> Damage {
        let unknown = || Damage::new(frame.at, Flaw::TxnShort).tid(frame.head.tid);
        self.first.clone().unwrap_or_else(unknown)
    }
}
