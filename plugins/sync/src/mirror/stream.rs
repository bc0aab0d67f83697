//! One side of the mirror: a listing, entry by entry, in the order of [`order`].

use std::cmp::Ordering;

use mhost_sdk::trees::{ListOptions, Listing, Record, Trees};
use mhost_sdk::{Error, Result};

/// Entries one by one; the newest page is held.
pub struct Stream<'h> {
    listing: Option<Box<dyn Listing + 'h>>,
    page: Vec<u8>,
    at: usize,
}

impl<'h> Stream<'h> {
    pub fn open(trees: &'h dyn Trees, root: &str, options: ListOptions) -> Result<Self> {
        let mut stream = Self {
            listing: Some(trees.list(root, options)?),
            page: Vec::new(),
            at: 0,
        };
        stream.turn()?;
        Ok(stream)
    }

    /// A tree that is not there.
    pub fn none() -> Self {
        Self {
            listing: None,
            page: Vec::new(),
            at: 0,
        }
    }

    /// The entry at hand; none at the end.
    pub fn peek(&self) -> Option<Record<'_>> {
        Record::first(self.page.get(self.at..)?).map(|(record, _)| record)
    }

    /// Goes on to the next entry.
    pub fn advance(&mut self) -> Result<()> {
        let rest = self.page.get(self.at..).and_then(Record::first);
        let left = rest.map_or(0, |(_, rest)| rest.len());
        self.at = self.page.len() - left;
        match left {
            0 => self.turn(),
            _ => Ok(()),
        }
    }

    /// Goes on to the first entry that does not lie before a path.
    pub fn advance_to(&mut self, path: &[u8]) -> Result<()> {
        while self
            .peek()
            .is_some_and(|record| order(record.path(), path) == Ordering::Less)
        {
            self.advance()?;
        }
        Ok(())
    }

    fn turn(&mut self) -> Result<()> {
        self.at = 0;
        self.page.clear();
        let Some(listing) = &self.listing else {
            return Ok(());
        };
        self.page = listing.next()?;
        if self.page.is_empty() {
            self.listing = None;
        } else if self.peek().is_none() {
            let text = "a page of the listing cannot be read: the host has another version";
            return Err(Error::Damaged(text.to_owned()));
        }
        Ok(())
    }
}

/// A relative path that is kept, in the order of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(pub Vec<u8>);

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        order(&self.0, &other.0)
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of a walk: by components, so that a directory comes right before what is
/// in it.
pub fn order(a: &[u8], b: &[u8]) -> Ordering {
    let differs = a.iter().zip(b).position(|(a, b)| a != b);
    let Some(at) = differs else {
        return a.len().cmp(&b.len());
    };
    // No name holds a NUL, so a slash may stand for the least.
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    rank(a[at]).cmp(&rank(b[at]))
}

/// Whether a path lies below another.
pub fn below(path: &[u8], top: &[u8]) -> bool {
    top.is_empty() && !path.is_empty()
        || path
            .strip_prefix(top)
            .is_some_and(|rest| rest.starts_with(b"/"))
}

/// The folder that a path lies in; the root lies in itself.
pub fn parent(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    &path[..slash.unwrap_or(0)]
}

/// The last name of a path.
pub fn name(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    &path[slash.map_or(0, |at| at + 1)..]
}

/// What a copy that was cut off leaves, until the next run.
pub fn is_partial(path: &[u8]) -> bool {
    let middle = name(path)
        .strip_prefix(b".mhost-")
        .and_then(|rest| rest.strip_suffix(b".partial"));
    middle.is_some_and(|middle| middle.len() == 16 && middle.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_right_before_what_is_in_them() {
        let mut paths = ["b", "a.d", "a/x", "", "a", "a/x/y", "a b"];
        paths.sort_by(|a, b| order(a.as_bytes(), b.as_bytes()));
        assert_eq!(paths, ["", "a", "a/x", "a/x/y", "a b", "a.d", "b"]);
    }

    #[test]
    fn parts_of_paths() {
        assert!(below(b"a/b", b"a") && below(b"a", b""));
        assert!(!below(b"ab", b"a") && !below(b"a", b"a") && !below(b"", b""));
        assert_eq!((parent(b"a/b/c"), name(b"a/b/c")), (&b"a/b"[..], &b"c"[..]));
        assert_eq!((parent(b"a"), name(b"a")), (&b""[..], &b"a"[..]));
        assert!(is_partial(b"x/.mhost-0123456789abcdef.partial"));
        assert!(!is_partial(b".mhost-77-1.partial") && !is_partial(b"a.partial"));
    }
}
