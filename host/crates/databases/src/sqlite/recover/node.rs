//! One page of a tree, and its cells.

use super::pages::long;

/// What a page of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    IndexInner,
    TableInner,
    IndexLeaf,
    TableLeaf,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            0x02 => Some(Self::IndexInner),
            0x05 => Some(Self::TableInner),
            0x0a => Some(Self::IndexLeaf),
            0x0d => Some(Self::TableLeaf),
            _ => None,
        }
    }

    pub fn is_inner(self) -> bool {
        matches!(self, Self::IndexInner | Self::TableInner)
    }

    /// Whether it is part of a table with rowids.
    pub fn of_table(self) -> bool {
        matches!(self, Self::TableInner | Self::TableLeaf)
    }
}

/// A page of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Node<'p> {
    page: &'p [u8],
    usable: usize,
    start: usize,
    pub kind: Kind,
    cells: usize,
}

/// What a cell says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cell {
    /// The page below, of an inner page.
    pub child: Option<u32>,
    pub rowid: Option<i64>,
    pub payload: Option<Payload>,
}

/// Where a row's bytes are.
#[derive(Debug, Clone, Copy)]
pub struct Payload {
    pub length: usize,
    /// Of those the ones on this page.
    pub local: (usize, usize),
    /// The page with the rest; 0 where there is none.
    pub overflow: u32,
}

impl<'p> Node<'p> {
    /// The tree page in these bytes; `None` where its header makes no sense.
    pub fn new(page: &'p [u8], number: u32, usable: usize) -> Option<Self> {
        let start = if number == 1 { 100 } else { 0 };
        let kind = Kind::of(*page.get(start)?)?;
        let cells = usize::from(u16::from_be_bytes([page[start + 3], page[start + 4]]));
        let node = Self {
            page,
            usable,
            start,
            kind,
            cells,
        };
        (node.array() + 2 * cells <= usable).then_some(node)
    }

    /// Like `new`, of a page of which nothing is known: every cell must lie where it can.
    pub fn strict(page: &'p [u8], number: u32, usable: usize) -> Option<Self> {
        let node = Self::new(page, number, usable)?;
        let content = usize::from(u16::from_be_bytes([
            page[node.start + 5],
            page[node.start + 6],
        ]));
        let content = if content == 0 { 65536 } else { content };
        let fits = content <= usable.max(node.array()) && content >= node.array() + 2 * node.cells;
        (fits && (0..node.cells).all(|n| node.place(n).is_some_and(|at| at >= content)))
            .then_some(node)
    }

    pub fn cells(&self) -> usize {
        self.cells
    }

    /// The last page below an inner page.
    pub fn right(&self) -> Option<u32> {
        self.kind
            .is_inner()
            .then(|| long(self.page, self.start + 8))
    }

    fn array(&self) -> usize {
        self.start + if self.kind.is_inner() { 12 } else { 8 }
    }

    fn place(&self, number: usize) -> Option<usize> {
        let at = self.array() + 2 * number;
        let place = usize::from(u16::from_be_bytes([self.page[at], self.page[at + 1]]));
        (place >= self.array() + 2 * self.cells && place + 4 <= self.usable).then_some(place)
    }

    /// Where the last of its cells lies; 0 where it has none.
    pub fn last_cell(&self) -> usize {
        let places = (0..self.cells).filter_map(|n| self.place(n));
        places.max().unwrap_or(0)
    }

    /// A cell; `None` where it makes no sense.
    pub fn cell(&self, number: usize) -> Option<Cell> {
        let mut at = self.place(number)?;
        let mut cell = Cell::default();
        if self.kind.is_inner() {
            cell.child = Some(long(self.page, at));
            at += 4;
        }
        if self.kind == Kind::TableInner {
            return Some(cell);
        }
        let (length, next) = varint(self.page, at, self.usable)?;
        at = next;
        if self.kind == Kind::TableLeaf {
            let (rowid, next) = varint(self.page, at, self.usable)?;
            cell.rowid = Some(rowid.cast_signed());
            at = next;
        }
        cell.payload = Some(self.payload(length, at)?);
        Some(cell)
    }

    /// The bytes of a row that are on this page.
    pub fn bytes(&self, payload: Payload) -> &'p [u8] {
        &self.page[payload.local.0..payload.local.1]
    }

    fn payload(&self, length: u64, at: usize) -> Option<Payload> {
        // SQLite's own limit.
        if length == 0 || length > 2_147_483_647 {
            return None;
        }
        let length = length as usize;
        let local = self.local(length);
        let end = at + local;
        let overflow = match local < length {
            true if end + 4 <= self.usable => long(self.page, end),
            false if end <= self.usable => 0,
            _ => return None,
        };
        Some(Payload {
            length,
            local: (at, end),
            overflow,
        })
    }

    /// How many bytes of a row stay on its page.
    fn local(&self, length: usize) -> usize {
        let most = match self.kind {
            Kind::TableLeaf | Kind::TableInner => self.usable - 35,
            _ => (self.usable - 12) * 64 / 255 - 23,
        };
        if length <= most {
            return length;
        }
        let least = (self.usable - 12) * 32 / 255 - 23;
        let local = least + (length - least) % (self.usable - 4);
        if local <= most { local } else { least }
    }
}

/// A number of one to nine bytes, and where it ends.
pub fn varint(bytes: &[u8], at: usize, end: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (n, byte) in bytes.get(at..end)?.iter().take(9).enumerate() {
        if n == 8 {
            return Some(((value << 8) | u64::from(*byte), at + 9));
        }
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, at + n + 1));
        }
    }
    None
}
