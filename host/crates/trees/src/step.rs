//! What can be done to a tree, one step each. Paths are relative to the roots; the
//! empty one is a root itself.

use crate::Changes;

/// One step. What it makes takes the place of what was there at once, unless that is a
/// directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Makes a directory that its owner alone can use; one that is there stays.
    CreateDirectory { path: Vec<u8> },
    /// Copies a regular file of the source tree, with its metadata.
    Copy {
        source: Vec<u8>,
        path: Vec<u8>,
        how: Copying,
    },
    /// Makes a symbolic link with this text.
    SymbolicLink {
        path: Vec<u8>,
        text: Vec<u8>,
        changes: Changes,
    },
    /// A second name for a file of the same tree.
    HardLink { existing: Vec<u8>, path: Vec<u8> },
    /// A second name for a file of the tree beside.
    LinkBeside { existing: Vec<u8>, path: Vec<u8> },
    /// Gives a file a second name in the tree beside, with the folders above it; a
    /// file system that cannot moves it there.
    Keep { path: Vec<u8>, kept: Vec<u8> },
    /// Makes a FIFO, socket or device like one of the source tree.
    Node { source: Vec<u8>, path: Vec<u8> },
    /// Changes metadata; extended attributes become those of an entry of the source.
    Metadata {
        path: Vec<u8>,
        changes: Changes,
        attributes_of: Option<Vec<u8>>,
    },
    /// Moves within the tree, over what is there.
    Rename { from: Vec<u8>, path: Vec<u8> },
    /// Removes anything but a directory.
    Remove { path: Vec<u8> },
    /// Removes what a copy that was cut off left, unless somebody is writing it.
    RemovePartial { path: Vec<u8> },
    /// Removes an empty directory.
    RemoveDirectory { path: Vec<u8> },
}

impl Step {
    /// What is asked for, in two words: a verb, and the path that it changes.
    pub fn about(&self) -> (&'static str, &[u8]) {
        match self {
            Self::CreateDirectory { path } => ("create the directory", path),
            Self::Copy { path, .. } => ("copy", path),
            Self::SymbolicLink { path, .. } => ("make the link", path),
            Self::HardLink { path, .. } | Self::LinkBeside { path, .. } => ("link", path),
            Self::Keep { path, .. } => ("keep", path),
            Self::Node { path, .. } => ("make the node", path),
            Self::Metadata { path, .. } => ("set the metadata of", path),
            Self::Rename { path, .. } => ("rename to", path),
            Self::Remove { path } | Self::RemovePartial { path } => ("remove", path),
            Self::RemoveDirectory { path } => ("remove the directory", path),
        }
    }
}

/// How to copy a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copying {
    pub holes: Holes,
    /// Carry over extended attributes.
    pub attributes: bool,
    /// Carry over owner and group, where this process may.
    pub owners: bool,
    /// Go on with what a copy that was cut off left, and leave the like behind.
    pub resume: bool,
    /// What to begin with.
    pub basis: Basis,
    /// Bytes a second.
    pub rate: Option<u64>,
}

/// What becomes of holes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Holes {
    /// A hole stays one.
    #[default]
    Keep,
    /// Runs of zeroes become holes, too.
    Make,
}

/// What a copy begins with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Basis {
    /// Nothing.
    #[default]
    Nothing,
    /// A clone of the file that is there, where the file system can share blocks;
    /// only what differs is written.
    Clone,
    /// The file itself, of which what differs is overwritten: it is not whole
    /// meanwhile.
    InPlace,
}

/// What a step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Bytes of content that the new file has.
    pub bytes: u64,
    /// Of these, the bytes that had to be written.
    pub written: u64,
    /// The source changed while it was copied: look at it again.
    pub changed_meanwhile: bool,
}
