//! Packing: a new file without what nobody can reach.
//!
//! Up to the pack time only the current revision of each reachable object is kept; later
//! transactions are kept whole. [`plan`] reads and decides, [`copy`] writes; a pack to now of a sound file is byte for
//! byte what ZODB makes. Beyond ZODB's own packer:
//!
//! - What records after the pack time refer to counts as reachable, also where it was unlinked at the pack
//!   time and linked again without being written anew; likewise what a kept older revision refers to.
//! - A revision that a later back pointer leads to is kept with or without garbage collection.
//! - A reference to nothing does not end the pack; it is counted.
//! - A record that cannot be read ends it, with the object and the position.

mod copy;
mod reach;
mod survey;

use serde::Serialize;

use crate::layout::{Oid, Tid};
use crate::map::{Numbers, Positions};

pub use copy::copy;
pub use reach::Dangling;
pub use survey::{dangling, plan};

/// What to keep.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The pack time: transactions up to and including it are packed.
    pub stop: Tid,
    /// Whether unreachable objects go; else only old revisions do.
    pub collect: bool,
    /// Whether to find out which blobs go.
    pub blobs: bool,
    /// Whether to copy what follows the last whole transaction of a file that ends in an unfinished one.
    pub tail: Tail,
}

/// What a file that ends in an unfinished transaction means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// It is being written, or was when the machine stopped: the rest is left out.
    LeaveOut,
    /// It is damaged.
    Refuse,
}

/// A revision, as a blob's file is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Revision {
    pub oid: Oid,
    pub tid: Tid,
}

/// Figures of the file and of what was decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Bytes up to the end of the last whole transaction.
    pub bytes: u64,
    /// Bytes of an unfinished transaction after that.
    pub tail: u64,
    pub transactions: u64,
    pub records: u64,
    /// Objects that exist at the pack time, and of those the ones that are kept.
    pub objects: u64,
    pub objects_kept: u64,
    /// Older revisions that are kept because a later record repeats them.
    pub older_kept: u64,
    /// Bytes of transactions after the pack time.
    pub bytes_younger: u64,
    /// References of kept records to objects that do not exist at the pack time.
    pub dangling: u64,
    /// At most this much is written.
    pub most_written: u64,
}

/// Why nothing would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Idle {
    /// It holds no object.
    Empty,
    /// No transaction is as old as the pack time.
    Young,
    /// It was packed to this time or a later one, and nothing older came since.
    Packed,
}

/// What a pack would do.
#[derive(Debug)]
pub struct Plan {
    pub figures: Figures,
    /// Set where there is nothing to pack.
    pub idle: Option<Idle>,
    /// The first references to nothing: from, to.
    pub dangling: Vec<(Oid, Oid)>,
    /// Blob files that go, in order.
    pub blobs: Vec<Revision>,
    /// Blob revisions up to the pack time that stay, in order.
    pub blobs_kept: Vec<Revision>,
    magic: [u8; 4],
    /// Where the first transaction after the pack time begins.
    split: u64,
    /// Positions of kept records before that, in order.
    kept: Vec<u64>,
    /// Records that later back pointers lead to, and where they come to lie.
    moved: Positions,
}

impl Plan {
    /// So many of the references to nothing are named.
    pub const MOST_DANGLING: usize = 100;

    fn note_dangling(&mut self, from: Oid, to: Oid) {
        self.figures.dangling += 1;
        if self.dangling.len() < Self::MOST_DANGLING {
            self.dangling.push((from, to));
        }
    }
}

/// What the survey hands to the search.
struct Surveyed {
    plan: Plan,
    /// Current positions at the pack time.
    current: Positions,
    /// Objects that records after the pack time refer to.
    later: Numbers,
    /// Where revisions lie that later back pointers lead to.
    targets: Vec<(Oid, u64)>,
    /// Blob revisions up to the pack time, with their positions.
    blobs: Vec<(Revision, u64)>,
}
