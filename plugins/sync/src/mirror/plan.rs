//! What is to be done to make one tree equal to another: two listings in the same order
//! are merged, and only what differs is kept.

mod entries;
mod folders;
mod linked;
mod survey;

use mhost_sdk::files::Changes;
use serde::Serialize;

pub use entries::{Rules, is_wanted};
pub use survey::{Survey, Trees, ends_all};

/// What happens to one path. Small, as a first copy has one for each entry.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Directory,
    Copy {
        size: u64,
        /// There is a file already.
        replaces: bool,
        /// The permission bits that it gets, where those of the source are not kept.
        mode: Option<u16>,
    },
    Link {
        text: Vec<u8>,
        changes: Box<Changes>,
        replaces: bool,
    },
    /// A second name for another path of the target.
    HardLink {
        leader: Vec<u8>,
        replaces: bool,
    },
    /// A second name for the same path of an earlier copy.
    LinkBeside {
        copy: usize,
        replaces: bool,
    },
    Node {
        replaces: bool,
    },
    Rename {
        from: Vec<u8>,
        /// What it gets besides, and the attributes of the source's file of the new
        /// name; none where it only moves out of the way.
        changes: Option<Box<Changes>>,
    },
    Metadata {
        changes: Box<Changes>,
        attributes: bool,
    },
    Delete,
    DeleteDirectory,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub path: Vec<u8>,
    pub what: What,
    pub code: Code,
}

/// What changes, as rsync itemises it: `>f.st......`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub [u8; 11]);

impl Code {
    /// Of something new.
    pub fn new(action: u8, kind: u8) -> Self {
        let mut code = [b'+'; 11];
        (code[0], code[1]) = (action, kind);
        Self(code)
    }

    /// Of something that is there; nothing differs yet.
    pub fn same(action: u8, kind: u8) -> Self {
        let mut code = [b'.'; 11];
        (code[0], code[1]) = (action, kind);
        Self(code)
    }

    /// Something that goes.
    pub const DELETING: Self = Self(*b"*deleting  ");

    /// Whether it names a difference.
    pub fn says_something(&self) -> bool {
        self.0[0] != b'.' || self.0[2..].iter().any(|mark| *mark != b'.')
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim_end().to_owned()
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

/// What is to be done, in order, and what was seen.
#[derive(Debug, Default)]
pub struct Plan {
    /// Directories of the target that must be opened for their owner first.
    pub open: Vec<Change>,
    /// Things of another kind that stand in the way; children follow their directory.
    pub clear: Vec<Change>,
    /// Directories before what is in them.
    pub make: Vec<Change>,
    /// Extraneous things; children follow their directory.
    pub delete: Vec<Extra>,
    /// Directories that get their metadata last, children first.
    pub finish: Vec<Change>,
    /// Left over from copies that were cut off.
    pub partials: Vec<Vec<u8>>,
    pub counts: Counts,
    /// Not mirrored, as configured, or as nothing can.
    pub left_out: Vec<Vec<u8>>,
    /// What could not be looked at in the source: the path and why.
    pub unread: Vec<Trouble>,
    /// The same in the target.
    pub unread_there: Vec<Trouble>,
    /// Things that stand in the way and may not be removed.
    pub blocked: Vec<Trouble>,
    /// Directories of the source that another file system is mounted on.
    pub mounts: Vec<Vec<u8>>,
    /// New files, as indices of `make`, with what a rename would need; only where
    /// renames are wanted.
    pub arrivals: Vec<Arrival>,
    /// Of the mount points that are expected, those with something in them.
    pub filled: Vec<Vec<u8>>,
}

/// A path, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub path: Vec<u8>,
    pub why: String,
}

/// Something that is in the target alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Extra {
    pub path: Vec<u8>,
    pub directory: bool,
    /// Of a regular file: size and time of modification.
    pub file: Option<(u64, mhost_sdk::files::Moment)>,
}

/// A file that is new in the target: it may have been moved there.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Of `make`.
    pub index: usize,
    pub size: u64,
    pub modified: mhost_sdk::files::Moment,
    pub wanted: Changes,
}

/// What was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries of the source that count.
    pub source: u64,
    /// Entries of the target that are not protected.
    pub target: u64,
    pub unchanged: u64,
    /// Bytes that are to be copied.
    pub bytes: u64,
}

impl Plan {
    /// Entries that go.
    pub fn removals(&self) -> u64 {
        (self.clear.len() + self.delete.len()) as u64
    }
}
