//! The header: where pages lie, and the roots of the two newest commits.

use mhost_model::FaultResult;
use twox_hash::XxHash3_128;

use super::tree::Tree;

/// Of the header itself, and of each commit in it.
const HEADER: usize = 64;
const SLOT: usize = 128;
/// A slot ends in the checksum of what is before it.
const SUMMED: usize = SLOT - 16;
/// redb's pages have this size on every machine.
const PAGE: u32 = 4096;
/// The newest format that is known here.
const VERSION: u8 = 3;

/// Where pages lie.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    region_header: u64,
    region: u64,
}

impl Layout {
    /// Where a page begins, and how long it is at most.
    pub fn place(&self, number: u64) -> Option<(u64, u64)> {
        let order = (number >> 59) as u32;
        let index = number & (0xf_ffff >> order.min(20));
        let region = (number >> 20) & 0xf_ffff;
        let length = u64::from(PAGE) << order.min(20);
        let within = self.region_header + index * length;
        let start = region.checked_mul(self.region)?;
        Some((u64::from(PAGE) + start.checked_add(within)?, length))
    }
}

/// What leads to a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    pub page: u64,
    pub checksum: u128,
    pub rows: u64,
}

impl Root {
    pub const LENGTH: usize = 32;

    pub fn parse(bytes: &[u8]) -> Self {
        Self {
            page: long(bytes),
            checksum: wide(&bytes[8..]),
            rows: long(&bytes[24..]),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Header {
    pub layout: Layout,
    /// Of the lists of tables.
    pub newest: Option<Root>,
    pub older: Option<Root>,
}

impl Header {
    /// `None` where it makes no sense.
    pub fn read(tree: &Tree<'_>) -> FaultResult<Option<Self>> {
        let Some(bytes) = tree.bytes(0, HEADER + 2 * SLOT)? else {
            return Ok(None);
        };
        let [size, region_header, region] = [12, 16, 20].map(|at| short(&bytes[at..]));
        if size != PAGE || region == 0 || region.max(region_header) > 1 << 20 {
            return Ok(None);
        }
        let pages = |count: u32| u64::from(count) * u64::from(PAGE);
        let layout = Layout {
            region_header: pages(region_header),
            region: pages(region_header) + pages(region),
        };
        let mut commits: Vec<_> = bytes[HEADER..]
            .chunks_exact(SLOT)
            .filter_map(commit)
            .collect();
        commits.sort_by_key(|(transaction, _)| std::cmp::Reverse(*transaction));
        let mut roots = commits.into_iter().filter_map(|(_, root)| root);
        Ok(Some(Self {
            layout,
            newest: roots.next(),
            older: roots.next(),
        }))
    }
}

/// A commit's number, and the root of its list of tables; `None` where its checksum is wrong.
fn commit(slot: &[u8]) -> Option<(u64, Option<Root>)> {
    let sound = XxHash3_128::oneshot(&slot[..SUMMED]) == wide(&slot[SUMMED..]);
    let known = slot[0] <= VERSION;
    let root = (slot[1] != 0).then(|| Root::parse(&slot[8..]));
    (sound && known).then(|| (long(&slot[104..]), root))
}

pub fn short(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |four| u32::from_le_bytes(*four))
}

pub fn long(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |eight| u64::from_le_bytes(*eight))
}

pub fn wide(bytes: &[u8]) -> u128 {
    bytes
        .first_chunk()
        .map_or(0, |sixteen| u128::from_le_bytes(*sixteen))
}
