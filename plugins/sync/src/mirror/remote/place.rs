//! An end of such a mirror, as far as both kinds of them are alike.

use std::collections::{BTreeMap, BTreeSet};

use mhost_sdk::files::Moment;
use mhost_sdk::{Error, Failure, Result};
use sha2::{Digest as _, Sha256};

use crate::mirror::plan::Trouble;
use crate::mirror::stream::Path;

/// A file or a folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entry {
    pub directory: bool,
    /// Nobody listed it: it is there because something lies in it.
    pub implied: bool,
    pub size: u64,
    pub modified: Option<Moment>,
    /// When anything of it changed last, where that is known.
    pub changed: Option<Moment>,
    pub etag: Option<String>,
    /// Its permission bits, where it has any.
    pub mode: Option<u32>,
}

/// What is at an end.
#[derive(Debug, Default)]
pub struct Tree {
    /// Whether the end is there at all.
    pub there: bool,
    pub entries: BTreeMap<Path, Entry>,
    /// What is none of both, or has a name that a remote cannot have: it is neither
    /// mirrored nor removed, and nothing takes its place.
    pub others: BTreeSet<Path>,
    pub unread: Vec<Trouble>,
    /// Left over from copies that were cut off.
    pub partials: Vec<Path>,
}

/// A file that is read to its end.
pub trait Pieces {
    /// The next bytes, at most 256 KiB; none at the end.
    fn next(&mut self) -> Result<Vec<u8>>;
}

/// One end. Paths are relative to it.
pub trait Place {
    /// As the configuration names it.
    fn name(&self) -> &str;

    fn list(&self) -> Result<Tree>;

    fn stat(&self, path: &str) -> Result<Entry>;

    fn open(&self, path: &str) -> Result<Box<dyn Pieces + '_>>;

    /// Writes a file of `like`'s size and time, which takes the place of what is there whole
    /// or not at all: `sure` is asked when all of it is written, and may refuse it. Returns
    /// the bytes.
    fn put(
        &self,
        path: &str,
        content: &mut dyn Pieces,
        like: &Entry,
        there: Option<&Entry>,
        sure: &dyn Fn(u64) -> Result<()>,
    ) -> Result<u64>;

    /// Makes the end itself where it is missing.
    fn make(&self) -> std::result::Result<(), Failure>;

    /// Makes a folder below one that is there.
    fn make_directory(&self, path: &str) -> Result<()>;

    /// A file, or an empty folder.
    fn remove(&self, path: &str, directory: bool) -> Result<()>;

    /// SHA-256 of a file's content.
    fn digest(&self, path: &str) -> Result<Vec<u8>> {
        let mut pieces = self.open(path)?;
        let mut hash = Sha256::new();
        loop {
            let piece = pieces.next()?;
            if piece.is_empty() {
                return Ok(hash.finalize().to_vec());
            }
            hash.update(&piece);
        }
    }
}

/// A path as text; all that are in [`Tree::entries`] are.
pub fn text(path: &Path) -> Result<&str> {
    std::str::from_utf8(&path.0)
        .map_err(|_| Error::Invalid("a name that is no UTF-8 cannot be on a remote".to_owned()))
}

/// Whether a remote can have a file of this path.
pub fn is_speakable(path: &[u8]) -> bool {
    !path.contains(&b'\\') && std::str::from_utf8(path).is_ok()
}
