//! Whole trees beneath the granted directories, many entries or steps a call, with
//! names as bytes. `wit/trees.wit` says what each means.

use crate::Result;
pub use crate::bindings::mhost::plugin::trees::{
    Basis, CopyStep, Copying, Done, Facts, LinkStep, ListOptions, MetadataStep, PairStep, Step,
};
use crate::files::{Kind, Lock, Moment};

/// A listing in progress; see `wit/trees.wit` for the order.
pub trait Listing {
    /// The next entries, for [`records`]; an empty page is the end.
    fn next(&self) -> Result<Vec<u8>>;
}

/// Work on trees; the functions mean what `wit/trees.wit` says of their namesakes.
pub trait Trees {
    fn list(&self, root: &str, options: ListOptions) -> Result<Box<dyn Listing + '_>>;
    fn look(&self, root: &str) -> Result<Facts>;
    fn apply(
        &self,
        source: Option<&str>,
        target: &str,
        beside: Option<&str>,
        steps: &[Step],
    ) -> Result<Vec<Result<Done>>>;
    fn same(
        &self,
        left: &str,
        right: &str,
        pairs: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Vec<Result<bool>>>;
    fn lock(&self, root: &str) -> Result<Box<dyn Lock + '_>>;
    fn flush(&self, root: &str) -> Result<()>;
}

/// One entry of a page; what it says is read only when asked for.
#[derive(Debug, Clone, Copy)]
pub struct Record<'p>(&'p [u8]);

/// Bytes of a record before its strings.
const FIXED: usize = 112;

impl<'p> Record<'p> {
    /// The record at the start of a page, and what follows it; none at the end, and
    /// where the page is cut.
    pub fn first(page: &'p [u8]) -> Option<(Self, &'p [u8])> {
        let length = page.get(..4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (record, rest) = page.split_at_checked(length)?;
        let record = Self(record);
        let fits = length >= FIXED && FIXED + record.path_length() + record.text_length() <= length;
        fits.then_some((record, rest))
    }

    fn u32(&self, at: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[at..at + 4]);
        u32::from_le_bytes(bytes)
    }

    fn u64(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[at..at + 8]);
        u64::from_le_bytes(bytes)
    }

    fn path_length(&self) -> usize {
        self.u32(104) as usize
    }

    fn text_length(&self) -> usize {
        self.u32(108) as usize
    }

    /// None for something that could not be looked at; [`Self::text`] then says why.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self.0[4] {
            0 => Kind::File,
            1 => Kind::Directory,
            2 => Kind::SymbolicLink,
            3 => Kind::Fifo,
            4 => Kind::Socket,
            5 => Kind::BlockDevice,
            6 => Kind::CharacterDevice,
            _ => return None,
        })
    }

    pub fn mode(&self) -> u32 {
        u32::from(u16::from_le_bytes([self.0[6], self.0[7]]))
    }

    pub fn uid(&self) -> u32 {
        self.u32(8)
    }

    pub fn gid(&self) -> u32 {
        self.u32(12)
    }

    pub fn size(&self) -> u64 {
        self.u64(16)
    }

    pub fn modified(&self) -> Moment {
        Moment {
            seconds: self.u64(32).cast_signed(),
            nanoseconds: self.u32(48),
        }
    }

    pub fn changed(&self) -> Moment {
        Moment {
            seconds: self.u64(40).cast_signed(),
            nanoseconds: self.u32(52),
        }
    }

    pub fn links(&self) -> u64 {
        self.u64(56)
    }

    pub fn device(&self) -> u64 {
        self.u64(64)
    }

    pub fn inode(&self) -> u64 {
        self.u64(72)
    }

    /// The number of a device's node.
    pub fn node(&self) -> u64 {
        self.u64(80)
    }

    /// Digest of the extended attributes; 0 where there are none.
    pub fn attributes(&self) -> u64 {
        self.u64(88)
    }

    /// Relative to the root, which is empty.
    pub fn path(&self) -> &'p [u8] {
        &self.0[FIXED..FIXED + self.path_length()]
    }

    /// The target of a symbolic link, or why something could not be looked at.
    pub fn text(&self) -> &'p [u8] {
        let start = FIXED + self.path_length();
        &self.0[start..start + self.text_length()]
    }
}

/// The entries of a page.
pub fn records(mut page: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        let (record, rest) = Record::first(page)?;
        page = rest;
        Some(record)
    })
}

/// A name or path as text that a person can read and tell from every other: what is
/// not printable UTF-8 stands as `\n`, `\xff` ….
pub fn shown(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_so_that_they_can_be_told_apart() {
        for (path, expected) in [
            (b"a/b c".as_slice(), "a/b c"),
            (b"a\nb", "a\\nb"),
            (b"a\\nb", "a\\\\nb"),
            (b"\xff\xc3\xa9", "\\xffé"),
        ] {
            assert_eq!(shown(path), expected);
        }
    }

    #[test]
    fn a_cut_page_is_no_record() {
        for page in [&[0; 3][..], &[200, 0, 0, 0, 1], &[4, 0, 0, 0]] {
            assert!(Record::first(page).is_none(), "{page:?}");
        }
    }
}
