//! Trees of pages, of which only those count that have their checksums.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use mhost_model::FaultResult;
use twox_hash::XxHash3_128;

use super::header::{Layout, Root, long, short, wide};
use crate::file;

const LEAF: u8 = 1;
const BRANCH: u8 = 2;
/// redb's own limit.
const DEEPEST: u32 = 128;
/// A longer page is not read: so much memory is taken.
const LONGEST: u64 = 1 << 30;
/// How much of a page is read to see how long its content is.
const FIRST: usize = 4096;

/// Of keys and values whose types have one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Widths {
    pub key: Option<usize>,
    pub value: Option<usize>,
}

/// What came of a walk.
#[derive(Debug, Default)]
pub struct Walked {
    /// Pages whose checksums are wrong. What lies below one is not counted.
    pub pages_lost: u64,
}

/// The file.
pub struct Tree<'f> {
    file: &'f File,
    path: &'f Path,
    size: u64,
}

type Take<'t> = &'t mut dyn FnMut(&[u8], &[u8]) -> FaultResult<()>;

impl<'f> Tree<'f> {
    pub fn new(file: &'f File, path: &'f Path) -> FaultResult<Self> {
        let found = file.metadata();
        let size = found
            .map_err(|error| file::fault("look at", path, &error))?
            .len();
        Ok(Self { file, path, size })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// `None` where the file ends before.
    pub fn bytes(&self, at: u64, length: usize) -> FaultResult<Option<Vec<u8>>> {
        if at
            .checked_add(length as u64)
            .is_none_or(|end| end > self.size)
        {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, at);
        read.map_err(|error| file::fault("read", self.path, &error))?;
        Ok(Some(bytes))
    }

    /// Hands over all rows whose pages are sound, in order.
    pub fn walk(
        &self,
        layout: &Layout,
        root: &Root,
        widths: Widths,
        take: Take<'_>,
    ) -> FaultResult<Walked> {
        let mut walked = Walked::default();
        let mut todo = vec![(root.page, root.checksum, 0)];
        while let Some((number, checksum, depth)) = todo.pop() {
            match self.page(layout, number, checksum, widths)? {
                Some(page) if page[0] == LEAF => leaf(&page, widths, take)?,
                Some(page) if depth < DEEPEST => {
                    let children = children(&page);
                    todo.extend(children.rev().map(|(page, sum)| (page, sum, depth + 1)));
                }
                _ => walked.pages_lost += 1,
            }
        }
        Ok(walked)
    }

    /// What a page holds; `None` where its checksum is wrong.
    fn page(
        &self,
        layout: &Layout,
        number: u64,
        checksum: u128,
        widths: Widths,
    ) -> FaultResult<Option<Vec<u8>>> {
        let Some((at, most)) = layout.place(number) else {
            return Ok(None);
        };
        let Some(first) = self.bytes(at, FIRST)? else {
            return Ok(None);
        };
        let Some(length) = self.length(at, &first, widths)? else {
            return Ok(None);
        };
        if length > most.min(LONGEST) {
            return Ok(None);
        }
        let page = match length as usize {
            length if length <= FIRST => Some(first[..length].to_vec()),
            length => self.bytes(at, length)?,
        };
        Ok(page.filter(|page| XxHash3_128::oneshot(page) == checksum))
    }

    /// Bytes of a page up to the end of its content, as it says itself.
    fn length(&self, at: u64, first: &[u8], widths: Widths) -> FaultResult<Option<u64>> {
        let count = u64::from(u16::from_le_bytes([first[2], first[3]]));
        if count == 0 {
            return Ok(None);
        }
        let (ends, fixed) = match first[0] {
            LEAF => {
                let ends = Ends::of(widths, count);
                (ends.last, ends.start + ends.fixed * count)
            }
            BRANCH => {
                let start = 8 + 24 * (count + 1);
                match widths.key {
                    Some(width) => (None, start + width as u64 * count),
                    None => (Some(start + 4 * (count - 1)), 0),
                }
            }
            _ => return Ok(None),
        };
        let Some(place) = ends else {
            return Ok(Some(fixed));
        };
        let end = self.bytes(at + place, 4)?.map(|end| u64::from(short(&end)));
        // The last value's end, or the last key's, to which values of one width are added.
        let values = match (first[0], widths.value) {
            (LEAF, Some(width)) => width as u64 * count,
            _ => 0,
        };
        Ok(end.map(|end| end + values))
    }
}

/// Where a leaf says where its last pair ends.
struct Ends {
    /// The place of that number, unless all have one width.
    last: Option<u64>,
    /// Where keys begin, and the bytes of a pair whose widths are known.
    start: u64,
    fixed: u64,
}

impl Ends {
    fn of(widths: Widths, count: u64) -> Self {
        let keys = if widths.key.is_none() { 4 * count } else { 0 };
        let values = if widths.value.is_none() { 4 * count } else { 0 };
        let last = match (widths.key, widths.value) {
            (Some(_), Some(_)) => None,
            // Values come last, and so do their ends.
            (_, None) => Some(4 + keys + 4 * (count - 1)),
            (None, Some(_)) => Some(4 + 4 * (count - 1)),
        };
        let width = |width: Option<usize>| width.unwrap_or(0) as u64;
        Self {
            last,
            start: 4 + keys + values,
            fixed: width(widths.key) + width(widths.value),
        }
    }
}

/// The pages below a branch whose checksum is right, with theirs.
fn children(page: &[u8]) -> impl DoubleEndedIterator<Item = (u64, u128)> {
    let count = usize::from(u16::from_le_bytes([page[2], page[3]])) + 1;
    let sums = page[8..].chunks_exact(16).take(count);
    let pages = page.get(8 + 16 * count..).unwrap_or_default();
    let pages = pages.chunks_exact(8).take(count);
    pages.map(long).zip(sums.map(wide))
}

/// The rows of a leaf whose checksum is right.
fn leaf(page: &[u8], widths: Widths, take: Take<'_>) -> FaultResult<()> {
    let count = usize::from(u16::from_le_bytes([page[2], page[3]]));
    let ends = Ends::of(widths, count as u64);
    let start = ends.start as usize;
    let listed = |list: usize, n: usize| {
        page.get(4 + 4 * (list + n)..)
            .map(|end| short(end) as usize)
    };
    let key_end = |n: usize| match widths.key {
        Some(width) => Some(start + width * (n + 1)),
        None => listed(0, n),
    };
    let keys = key_end(count - 1);
    let value_end = |n: usize| match (widths.value, widths.key) {
        (Some(width), _) => Some(keys? + width * (n + 1)),
        (None, Some(_)) => listed(0, n),
        (None, None) => listed(count, n),
    };
    let (mut key, mut value) = (Some(start), keys);
    for n in 0..count {
        let (key_to, value_to) = (key_end(n), value_end(n));
        let part = |from: Option<usize>, to: Option<usize>| page.get(from?..to?);
        if let (Some(key), Some(value)) = (part(key, key_to), part(value, value_to)) {
            take(key, value)?;
        }
        (key, value) = (key_to, value_to);
    }
    Ok(())
}
