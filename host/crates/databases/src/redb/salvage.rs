//! What is sound in a redb file that redb itself cannot repair.
//!
//! Every page of redb's trees has a checksum beside the place that leads to it, up to one for the root in the header. So
//! the trees are gone over here, by the format that redb's `docs/design.md` describes ([`tree`]): what a damaged page
//! leads to is lost, everything else is what was committed, byte for byte. It is written to a new database, and each
//! table is told how many of its rows are not there.
//!
//! Nothing is put together of two commits: of the two that a file knows the newest is taken whose list of
//! tables is sound, else the one of which more tables are found.

mod header;
mod tree;

use std::fs::File;
use std::path::Path;

use mhost_model::ports::database::{Around, Recovered};
use mhost_model::{Fault, FaultResult};
use redb::backends::FileBackend;

use super::backend::Held;
use super::fault::fault;
use super::kind::Shape;
use super::open;
use super::rows::definition;
use crate::file;
use crate::place::Aside;
use crate::traffic::{self, Counted};
use header::{Header, Root};
use tree::{Tree, Widths};

/// Rows of so many bytes are committed together.
const BATCH: usize = 32 << 20;

/// Writes the sound rows of `source` into `aside`, which becomes a database; `None` where there are none.
pub(super) fn salvage(
    source: &File,
    aside: &Aside,
    path: &Path,
    around: &Around,
) -> FaultResult<Option<Recovered>> {
    let tree = Tree::new(source, path)?;
    let Some(found) = tables(&tree)? else {
        return Ok(None);
    };
    let emptied = aside.file().set_len(0);
    emptied.map_err(|error| file::fault("empty a copy of", path, &error))?;
    let backend = FileBackend::new(aside.file_again(path)?);
    let backend = Held(backend.map_err(|error| fault("make a copy of", path, error))?);
    let mut salvage = Salvage {
        tree,
        new: open::database(path, "make a copy of", backend, |_| {})?,
        path,
        around,
        done: Recovered::default(),
    };
    let doing = "reading what is sound in";
    let size = Some(salvage.tree.size());
    traffic::during(around, doing, Counted::Read, size, || salvage.all(&found))?;
    let done = salvage.done;
    Ok((done.rows > 0 || done.rows_lost == 0).then_some(done))
}

/// The tables of one commit.
struct Found {
    tables: Vec<Table>,
    /// Pages of the list of tables that are lost, and what that list should have held.
    pages_lost: u64,
    listed: u64,
    newest: bool,
}

fn tables(tree: &Tree<'_>) -> FaultResult<Option<Found>> {
    let Some(header) = Header::read(tree)? else {
        return Ok(None);
    };
    let mut best: Option<Found> = None;
    for (newest, root) in [(true, header.newest), (false, header.older)] {
        let Some(root) = root else { continue };
        let mut tables = Vec::new();
        let mut take = |name: &[u8], entry: &[u8]| {
            tables.extend(Table::parse(name, entry));
            Ok(())
        };
        let walked = tree.walk(&header.layout, &root, Widths::default(), &mut take)?;
        let found = Found {
            tables,
            pages_lost: walked.pages_lost,
            listed: root.rows,
            newest,
        };
        let sound = found.pages_lost == 0;
        if best
            .as_ref()
            .is_none_or(|best| found.tables.len() > best.tables.len())
        {
            best = Some(found);
        }
        if sound {
            break;
        }
    }
    Ok(best.filter(|found| !found.tables.is_empty()))
}

/// A table as the list of tables describes it.
struct Table {
    name: String,
    multimap: bool,
    root: Option<Root>,
    rows: u64,
    widths: Widths,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Table {
    /// The entry's checksum was right, so that one which makes no sense is a newer redb's.
    fn parse(name: &[u8], mut entry: &[u8]) -> Option<Self> {
        let mut take = |length: usize| {
            let (taken, rest) = entry.split_at_checked(length)?;
            entry = rest;
            Some(taken)
        };
        let multimap = match take(1)? {
            [3] => false,
            [4] => true,
            _ => return None,
        };
        let rows = header::long(take(8)?);
        let rooted = take(1)? != [0];
        let root = Root::parse(take(Root::LENGTH)?);
        let mut width = || {
            let fixed = take(1)? != [0];
            let width = header::short(take(4)?) as usize;
            Some(fixed.then_some(width))
        };
        let widths = Widths {
            key: width()?,
            value: width()?,
        };
        // Alignments, which are 1 everywhere.
        take(8)?;
        let length = header::short(take(4)?) as usize;
        let key = take(length)?.to_vec();
        Some(Self {
            name: String::from_utf8_lossy(name).into_owned(),
            multimap,
            root: rooted.then_some(root),
            rows,
            widths,
            key,
            value: entry.to_vec(),
        })
    }
}

struct Salvage<'s> {
    tree: Tree<'s>,
    new: redb::Database,
    path: &'s Path,
    around: &'s Around,
    done: Recovered,
}

impl Salvage<'_> {
    fn all(&mut self, found: &Found) -> FaultResult<()> {
        let Some(header) = Header::read(&self.tree)? else {
            return Ok(());
        };
        self.done.findings.push(
            "redb cannot repair the file: what its sound pages hold was copied to a new one".into(),
        );
        if !found.newest {
            self.done.findings.push(
                "the list of tables of the newest commit is damaged: this is the commit before it"
                    .into(),
            );
        }
        self.done.pages_lost = found.pages_lost;
        let missing = found.listed.saturating_sub(found.tables.len() as u64);
        if missing > 0 {
            self.done.findings.push(format!(
                "{missing} tables are lost with their names: {} pages of the list of tables are damaged",
                found.pages_lost
            ));
        }
        for table in &found.tables {
            self.table(&header, table)?;
        }
        Ok(())
    }

    fn table(&mut self, header: &Header, table: &Table) -> FaultResult<()> {
        let shape = Shape::named(&table.key, &table.value);
        let why = match (table.multimap, shape) {
            (false, Some(shape)) => return self.rows(header, table, shape),
            (true, _) => "it is a multimap table, of which no rows are copied",
            (false, None) => "it has types of its own, whose order only its application knows",
        };
        self.done.rows_lost += table.rows;
        let lost = table.rows;
        let finding = format!("table `{}`: all {lost} rows are lost: {why}", table.name);
        self.done.findings.push(finding);
        Ok(())
    }

    fn rows(&mut self, header: &Header, table: &Table, shape: Shape) -> FaultResult<()> {
        let mut copy = Copy {
            new: &self.new,
            path: self.path,
            around: self.around,
            table: &table.name,
            shape,
            batch: Vec::new(),
            bytes: 0,
            rows: 0,
        };
        // Also a table without rows is there.
        copy.write()?;
        let mut pages_lost = 0;
        if let Some(root) = &table.root {
            let mut take = |key: &[u8], value: &[u8]| copy.take(key, value);
            let walked = self
                .tree
                .walk(&header.layout, root, table.widths, &mut take)?;
            pages_lost = walked.pages_lost;
        }
        copy.write()?;
        let rows = copy.rows;
        let lost = table.rows.saturating_sub(rows);
        self.done.tables += 1;
        self.done.rows += rows;
        self.done.rows_lost += lost;
        self.done.pages_lost += pages_lost;
        if lost + pages_lost > 0 {
            self.done.findings.push(format!(
                "table `{}`: {lost} of {} rows are lost, below or in {pages_lost} damaged pages",
                table.name, table.rows
            ));
        }
        Ok(())
    }
}

/// Rows on their way into a table of the new database.
struct Copy<'c> {
    new: &'c redb::Database,
    path: &'c Path,
    around: &'c Around,
    table: &'c str,
    shape: Shape,
    batch: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    rows: u64,
}

impl Copy<'_> {
    fn take(&mut self, key: &[u8], value: &[u8]) -> FaultResult<()> {
        self.batch.push((key.to_vec(), value.to_vec()));
        self.bytes += key.len() + value.len();
        match self.bytes < BATCH {
            true => Ok(()),
            false => self.write(),
        }
    }

    fn write(&mut self) -> FaultResult<()> {
        self.around.go_on()?;
        let failed = |error: redb::Error| fault("write to a copy of", self.path, error);
        let put = || -> Result<(), redb::Error> {
            let transaction = self.new.begin_write()?;
            let mut table = transaction.open_table(definition(self.table))?;
            for (key, value) in &self.batch {
                table.insert(key.as_slice(), value.as_slice())?;
            }
            drop(table);
            Ok(transaction.commit()?)
        };
        self.shape.with(put).map_err(failed)?;
        self.rows += self.batch.len() as u64;
        self.batch.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// The fault of a file of which nothing could be saved, for what redb has said of it.
pub(super) fn nothing(path: &Path) -> Fault {
    Fault::Damaged(format!(
        "{} cannot be recovered: redb finds neither of the two commits that the file knows sound, and no table can be read; nothing was \
         written; restore it from a snapshot",
        path.display()
    ))
}
