//! Going over the trees of a damaged file, each page at most once, so that whatever pages say of each
//! other this ends.

use std::collections::BTreeSet;
use std::path::PathBuf;

use mhost_model::FaultResult;

use super::node::{Kind, Node, Payload};
use super::pages::{Pages, long};
use super::record::{Decoded, decode};
use crate::file::fault;

/// What is known of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Unknown,
    /// The root of a tree that was not gone over yet.
    Root,
    Used,
    Unused,
}

/// A row as it was found.
pub struct Found {
    /// Of the tree.
    pub root: u32,
    pub page: u32,
    pub rowid: Option<i64>,
    pub row: Decoded,
}

/// Takes the rows of a tree.
pub type Take<'t> = &'t mut dyn FnMut(Found) -> FaultResult<()>;

/// What did not come out of one tree.
#[derive(Debug, Default, Clone)]
pub struct Gaps {
    pub pages: BTreeSet<u32>,
    pub rows: u64,
}

impl Gaps {
    pub fn none(&self) -> bool {
        self.pages.is_empty() && self.rows == 0
    }
}

pub struct Walker {
    pub pages: Pages,
    /// For messages.
    path: PathBuf,
    known: Vec<Page>,
    page: Vec<u8>,
    overflow: Vec<u8>,
}

impl Walker {
    pub fn new(pages: Pages, path: PathBuf) -> Self {
        let mut known = vec![Page::Unknown; pages.count as usize + 1];
        for number in 1..=pages.count {
            if pages.is_pointer_map(number) || pages.is_lock_page(number) {
                known[number as usize] = Page::Used;
            }
        }
        Self {
            pages,
            path,
            known,
            page: Vec::new(),
            overflow: Vec::new(),
        }
    }

    fn read(&mut self, number: u32) -> FaultResult<()> {
        let read = self.pages.read(number, &mut self.page);
        read.map_err(|error| fault("read", &self.path, &error))
    }

    fn is(&self, number: u32, what: Page) -> bool {
        self.pages.has(number) && self.known[number as usize] == what
    }

    /// Says that a tree begins here, so that no other takes the page for its own.
    pub fn reserve(&mut self, root: u32) {
        if self.is(root, Page::Unknown) {
            self.known[root as usize] = Page::Root;
        }
    }

    /// Gives every row of a tree out; `of_table` says which kind of tree it must be.
    pub fn tree(&mut self, root: u32, of_table: Option<bool>, take: Take) -> FaultResult<Gaps> {
        let mut gaps = Gaps::default();
        let mut of_table = of_table;
        let mut todo = vec![root];
        let mut first = true;
        while let Some(number) = todo.pop() {
            let free = self.is(number, Page::Unknown) || (first && self.is(number, Page::Root));
            first = false;
            if !free {
                gaps.pages.insert(number);
                continue;
            }
            self.read(number)?;
            let page = std::mem::take(&mut self.page);
            let node = Node::new(&page, number, self.pages.header.usable);
            let node = node.filter(|node| of_table.is_none_or(|of| of == node.kind.of_table()));
            match node {
                Some(node) => {
                    of_table = Some(node.kind.of_table());
                    self.known[number as usize] = Page::Used;
                    self.node(root, number, &node, &mut todo, &mut gaps, take)?;
                }
                None => drop(gaps.pages.insert(number)),
            }
            self.page = page;
        }
        Ok(gaps)
    }

    fn node(
        &mut self,
        root: u32,
        number: u32,
        node: &Node<'_>,
        todo: &mut Vec<u32>,
        gaps: &mut Gaps,
        take: Take,
    ) -> FaultResult<()> {
        // The first page below comes first off the stack.
        todo.extend(node.right());
        for n in (0..node.cells()).rev() {
            match node.cell(n) {
                Some(cell) => todo.extend(cell.child),
                None if node.kind == Kind::TableInner => {}
                None => gaps.rows += 1,
            }
        }
        if node.kind == Kind::TableInner {
            return Ok(());
        }
        for cell in (0..node.cells()).filter_map(|n| node.cell(n)) {
            let Some(payload) = cell.payload else {
                continue;
            };
            let (bytes, ended) = self.gather(node, payload)?;
            match decode(&bytes, payload.length, self.pages.header.encoding) {
                Some(mut row) => {
                    row.whole &= ended;
                    take(Found {
                        root,
                        page: number,
                        rowid: cell.rowid,
                        row,
                    })?;
                }
                None => gaps.rows += 1,
            }
        }
        Ok(())
    }

    /// A row's bytes, as many as there are, and whether its pages end where it does: a page with
    /// something else in it hardly says so.
    fn gather(&mut self, node: &Node<'_>, payload: Payload) -> FaultResult<(Vec<u8>, bool)> {
        let mut bytes = node.bytes(payload).to_vec();
        let mut next = payload.overflow;
        while bytes.len() < payload.length && self.is(next, Page::Unknown) {
            self.known[next as usize] = Page::Used;
            let read = self.pages.read(next, &mut self.overflow);
            read.map_err(|error| fault("read", &self.path, &error))?;
            let rest = payload.length - bytes.len();
            let end = self.pages.header.usable.min(4 + rest);
            bytes.extend_from_slice(&self.overflow[4..end]);
            next = long(&self.overflow, 0);
        }
        let ended = bytes.len() == payload.length && next == 0;
        Ok((bytes, ended))
    }

    /// Sets aside what the list of unused pages names, if that list makes sense; answers whether it does.
    pub fn unused(&mut self) -> FaultResult<bool> {
        let (mut trunk, count) = self.pages.header.freelist;
        let mut found = BTreeSet::new();
        while trunk != 0 {
            if !self.is(trunk, Page::Unknown) || !found.insert(trunk) {
                return Ok(false);
            }
            self.read(trunk)?;
            let leaves = long(&self.page, 4) as usize;
            if leaves > self.pages.header.usable / 4 - 2 {
                return Ok(false);
            }
            for n in 0..leaves {
                let leaf = long(&self.page, 8 + 4 * n);
                if !self.is(leaf, Page::Unknown) || !found.insert(leaf) {
                    return Ok(false);
                }
            }
            trunk = long(&self.page, 0);
        }
        if found.len() != count as usize {
            return Ok(false);
        }
        for number in found {
            self.known[number as usize] = Page::Unused;
        }
        Ok(true)
    }

    /// The tops of trees that nothing known leads to.
    pub fn orphans(&mut self) -> FaultResult<Vec<u32>> {
        let mut tops = Vec::new();
        let mut below = BTreeSet::new();
        for number in 1..=self.pages.count {
            if !self.is(number, Page::Unknown) {
                continue;
            }
            self.read(number)?;
            let Some(node) = Node::strict(&self.page, number, self.pages.header.usable) else {
                continue;
            };
            if node.kind.is_inner() {
                let children = (0..node.cells()).filter_map(|n| node.cell(n)?.child);
                below.extend(
                    children
                        .chain(node.right())
                        .filter(|child| *child != number),
                );
            }
            if node.cells() > 0 {
                tops.push(number);
            }
        }
        // Pages that lead to each other in a circle have no top: they come last.
        let (low, high): (Vec<_>, Vec<_>) = tops.into_iter().partition(|top| below.contains(top));
        Ok([high, low].concat())
    }

    /// Gives up what begins at roots that were not gone over.
    pub fn release_roots(&mut self) {
        for known in &mut self.known {
            if *known == Page::Root {
                *known = Page::Unknown;
            }
        }
    }

    /// Takes unused pages for such of which nothing is known.
    pub fn open_unused(&mut self) {
        for known in &mut self.known {
            if *known == Page::Unused {
                *known = Page::Unknown;
            }
        }
    }

    /// Whether a tree begins here that was not gone over yet.
    pub fn is_root(&self, number: u32) -> bool {
        self.is(number, Page::Root)
    }

    /// Whether a page was not gone over yet.
    pub fn open(&self, number: u32) -> bool {
        self.is(number, Page::Unknown)
    }

    /// Pages of tables whose first row `wanted` knows.
    pub fn leaves(&mut self, wanted: fn(&Decoded) -> bool) -> FaultResult<Vec<u32>> {
        let mut leaves = Vec::new();
        for number in 1..=self.pages.count {
            if !self.is(number, Page::Unknown) {
                continue;
            }
            self.read(number)?;
            let node = Node::strict(&self.page, number, self.pages.header.usable);
            let Some(node) = node.filter(|node| node.kind == Kind::TableLeaf) else {
                continue;
            };
            let known = (0..node.cells())
                .filter_map(|n| node.cell(n)?.payload)
                .any(|payload| {
                    let bytes = node.bytes(payload);
                    decode(bytes, payload.length, self.pages.header.encoding)
                        .is_some_and(|row| wanted(&row))
                });
            if known {
                leaves.push(number);
            }
        }
        Ok(leaves)
    }
}
