//! Getting out of a damaged SQLite file what is sound, by the algorithm of SQLite's own recover
//! extension (<https://sqlite.org/recovery.html>): the schema, the trees of its tables, then every page
//! that looks like one of a tree and was not come upon.
//!
//! The extension reads pages through SQLite, and is no part of what libsqlite3-sys builds. Here they are read
//! as bytes: nothing of a damaged file reaches C code, and a damaged first page hinders nothing. Beyond
//! the extension: a row that is cut, or that its table refuses, is kept in `lost_and_found`, and the
//! schema is looked for where the first page has lost it.
//!
//! It works on a copy, made while nobody else may write.

mod node;
mod pages;
mod record;
mod schema;
mod walk;
mod write;

use std::fs::File;
use std::io;
use std::path::Path;

use mhost_model::ports::database::{Around, RecoverOptions, Recovered};
use mhost_model::{Fault, FaultResult};
use rustix::fs::FlockOperation;

use self::pages::Pages;
use self::schema::{Entry, Kind};
use self::walk::{Gaps, Walker};
use self::write::{Output, drop_unreadable};
use super::Site;
use super::connect::{open_copy, open_still, without_connections};
use super::fault::not_a_database;
use super::whole::{integrity, size};
use crate::file::{self, check_regular, folder, open_regular};
use crate::place::{self, Aside, Hook, Step, suffixed};
use crate::space::{self, Free};

/// So many lines are told.
const MOST_FINDINGS: usize = 1000;

/// Writes what is sound to `target`, which must not exist.
pub(super) fn recover(
    site: &Site,
    target: &Path,
    options: RecoverOptions,
    around: &Around,
    free: Free,
    hook: Hook,
) -> FaultResult<Recovered> {
    place::check_free(target)?;
    let before = size(&site.path)?;
    space::check(
        &folder(target),
        before.saturating_mul(2),
        around.keep_free,
        free,
    )?;
    let mode = check_regular(&site.path)?.ok_or_else(|| file::missing(&site.path))?;
    // Beside the new file: that folder is the one that may be written.
    let copy = Aside::beside(&suffixed(target, "-source"))?;
    let aside = Aside::beside(target)?;
    hook(Step::Begun);
    copy_with_companions(site, copy.path())?;
    roll_back(copy.path());
    hook(Step::Copied);
    let log = open_if_there(&suffixed(copy.path(), "-wal"))?;
    let source = copy.file_again(&site.path)?;
    let pages =
        Pages::open(source, log).map_err(|error| file::fault("read", &site.path, &error))?;
    let mut work = Work {
        walker: Walker::new(pages, site.path.clone()),
        report: Recovered {
            before,
            ..Recovered::default()
        },
        around,
    };
    work.header();
    work.run(aside.path(), options)?;
    if work.report.tables == 0 && work.report.orphans == 0 && !work.walker.pages.header.sound {
        return Err(match not_a_database(&site.path) {
            Fault::Invalid(what) => Fault::Invalid(format!("{what}: no page of a table is in it")),
            Fault::Damaged(_) => Fault::Damaged(format!(
                "there is nothing to recover in {}: its header is damaged, and no page of a table is in it; restore it from a \
                 snapshot",
                site.path.display()
            )),
            other => other,
        });
    }
    let mut report = work.report;
    for name in drop_unreadable(aside.path())? {
        note(
            &mut report,
            format!("the virtual table `{name}` is lost: its statement makes no sense"),
        );
    }
    check(&aside, &mut report)?;
    hook(Step::Verified);
    around.go_on()?;
    aside.dress_as_copy(&mode)?;
    aside.sync()?;
    hook(Step::Synced);
    report.after = aside.size()?;
    aside.place_new(target)?;
    hook(Step::Placed);
    Ok(report)
}

/// The new file's structure must be sound; what its tables demand of rows need not hold.
fn check(aside: &Aside, report: &mut Recovered) -> FaultResult<()> {
    let failed = |error| super::fault::fault("check", aside.path(), error);
    let found = integrity(&open_still(aside.path())?).map_err(failed)?;
    for line in found {
        if !line.starts_with("CHECK constraint failed") {
            return Err(Fault::Failed(format!(
                "the new file is not sound, and was removed: {line}"
            )));
        }
        note(report, line);
    }
    Ok(())
}

/// Copies the file, its log and its journal while nobody writes.
fn copy_with_companions(site: &Site, to: &Path) -> FaultResult<()> {
    without_connections(&site.path, || {
        let (from, operation) = match open_regular(&site.path, true) {
            Ok(file) => (file, FlockOperation::NonBlockingLockExclusive),
            // Where nobody can write, nobody does.
            Err(Fault::Failed(_)) => (
                open_regular(&site.path, false)?,
                FlockOperation::NonBlockingLockShared,
            ),
            Err(other) => return Err(other),
        };
        rustix::fs::fcntl_lock(&from, operation).map_err(|error| match error {
            rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS => Fault::Busy(format!(
                "cannot recover {}: another process is using it; stop that, or try again later",
                site.path.display()
            )),
            error => file::fault("lock", &site.path, &error.into()),
        })?;
        copy(&from, &site.path, to)?;
        for suffix in ["-wal", "-journal"] {
            let companion = suffixed(&site.path, suffix);
            if let Some(from) = open_if_there(&companion)? {
                copy(&from, &companion, &suffixed(to, suffix))?;
            }
        }
        Ok(())
    })
}

fn open_if_there(path: &Path) -> FaultResult<Option<File>> {
    match check_regular(path)? {
        Some(metadata) if metadata.len() > 0 => open_regular(path, false).map(Some),
        _ => Ok(None),
    }
}

fn copy(mut from: &File, source: &Path, to: &Path) -> FaultResult<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let copied = options
        .open(to)
        .and_then(|mut to| io::copy(&mut from, &mut to));
    copied
        .map(drop)
        .map_err(|error| file::fault("copy", source, &error))
}

/// Lets SQLite undo what a crashed writer had begun. Where the file is too damaged for that, it is
/// read as it lies.
fn roll_back(copy: &Path) {
    let journal = suffixed(copy, "-journal");
    let log = suffixed(copy, "-wal");
    if journal.exists()
        && !log.exists()
        && let Ok(db) = open_copy(copy)
    {
        let _ = db.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    }
}

fn note(report: &mut Recovered, line: String) {
    match report.findings.len() {
        0..MOST_FINDINGS => report.findings.push(line),
        MOST_FINDINGS => report.findings.push("and more of the kind".into()),
        _ => {}
    }
}

struct Work<'a> {
    walker: Walker,
    report: Recovered,
    around: &'a Around,
}

impl Work<'_> {
    fn note(&mut self, line: String) {
        note(&mut self.report, line);
    }

    /// What the header says that cannot be.
    fn header(&mut self) {
        let (header, count) = (self.walker.pages.header, self.walker.pages.count);
        if !header.sound {
            self.note(format!(
                "the header is damaged; going by the contents, pages have {} bytes, and texts are {:?}",
                header.page_size, header.encoding
            ));
        }
        match header.pages {
            Some(pages) if pages > count => self.note(format!(
                "the file is cut short: it should have {pages} pages, and has {count}"
            )),
            _ => {}
        }
    }

    fn run(&mut self, to: &Path, options: RecoverOptions) -> FaultResult<()> {
        let entries = self.schema()?;
        let header = self.walker.pages.header;
        let mut output = Output::create(to, &header, self.around)?;
        for entry in &entries {
            self.walker.reserve(entry.root);
        }
        let tables = self.tables(&entries, &mut output)?;
        for entry in entries.iter().filter(|e| e.kind == Kind::Unique) {
            self.create(entry, &mut output)?;
        }
        for entry in tables {
            self.table(entry, &mut output)?;
        }
        self.others(&entries, &mut output)?;
        // Of tables that could not be made.
        self.walker.release_roots();
        let listed = self.walker.unused()?;
        if !listed {
            self.note("the list of unused pages is damaged: what lies in them is kept".into());
        }
        self.orphans(options.deleted, &mut output)?;
        for kind in [Kind::Index, Kind::View, Kind::Trigger] {
            for entry in entries.iter().filter(|e| e.kind == kind) {
                self.create(entry, &mut output)?;
            }
        }
        self.report.orphans = output.finish()?;
        Ok(())
    }

    /// The schema, from the first page or from wherever its rows lie.
    fn schema(&mut self) -> FaultResult<Vec<Entry>> {
        let mut rows = Vec::new();
        let gaps = self.walker.tree(1, Some(true), &mut |found| {
            rows.push(found.row);
            Ok(())
        })?;
        let mut entries: Vec<_> = rows.iter().filter_map(Entry::of).collect();
        let senseless = (rows.len() - entries.len()) as u64;
        if gaps.none() && senseless == 0 {
            return Ok(entries);
        }
        self.lost("the schema", &gaps, senseless);
        if !gaps.pages.is_empty() {
            rows.clear();
            for leaf in self.walker.leaves(|row| Entry::of(row).is_some())? {
                self.walker.tree(leaf, Some(true), &mut |found| {
                    rows.push(found.row);
                    Ok(())
                })?;
            }
            let more = entries.len();
            entries.extend(rows.iter().filter_map(Entry::of));
            if entries.len() > more {
                let found = entries.len() - more;
                self.note(format!("found {found} entries of the schema elsewhere"));
            }
        }
        Ok(entries)
    }

    fn lost(&mut self, what: &str, gaps: &Gaps, senseless: u64) {
        self.report.pages_lost += gaps.pages.len() as u64;
        self.report.rows_lost += gaps.rows + senseless;
        if !gaps.pages.is_empty() {
            let first: Vec<_> = gaps.pages.iter().take(5).map(u32::to_string).collect();
            let more = if gaps.pages.len() > 5 { ", …" } else { "" };
            self.note(format!(
                "{what}: {} pages are lost ({}{more})",
                gaps.pages.len(),
                first.join(", ")
            ));
        }
        if gaps.rows + senseless > 0 {
            self.note(format!("{what}: {} rows are lost", gaps.rows + senseless));
        }
    }

    /// Creates the tables. Answers those whose rows can be looked for.
    fn tables<'e>(
        &mut self,
        entries: &'e [Entry],
        output: &mut Output<'_>,
    ) -> FaultResult<Vec<&'e Entry>> {
        let mut made = Vec::new();
        for entry in entries {
            let wanted = matches!(entry.kind, Kind::Table | Kind::Virtual);
            if wanted && !entry.name.starts_with("sqlite_") && self.create(entry, output)? {
                self.report.tables += 1;
                if entry.kind == Kind::Table {
                    made.push(entry);
                }
            }
        }
        Ok(made)
    }

    fn create(&mut self, entry: &Entry, output: &mut Output<'_>) -> FaultResult<bool> {
        match output.create_entry(entry)? {
            Ok(()) => Ok(true),
            Err(why) => {
                self.note(format!("{} cannot be made: {why}", entry.label()));
                Ok(false)
            }
        }
    }

    fn table(&mut self, entry: &Entry, output: &mut Output<'_>) -> FaultResult<()> {
        self.around.go_on()?;
        let shape = match output.shape(&entry.name)? {
            Ok(shape) => shape,
            // Its tree is left for the orphans.
            Err(why) => {
                self.note(format!("{} cannot be filled: {why}", entry.label()));
                return Ok(());
            }
        };
        let (mut rows, mut astray) = (0, 0_u64);
        let of_table = Some(shape.of_table);
        let gaps = self.walker.tree(entry.root, of_table, &mut |found| {
            match output.insert(&shape, found)? {
                true => rows += 1,
                false => astray += 1,
            }
            Ok(())
        })?;
        self.report.rows += rows;
        self.lost(&entry.label(), &gaps, 0);
        if astray > 0 {
            self.note(format!(
                "{}: {astray} rows are cut or do not fit it, and are among the lost and found",
                entry.label()
            ));
        }
        Ok(())
    }

    /// Indexes are made anew, so that only which pages they take is of interest; SQLite's own
    /// tables likewise, but for one.
    fn others(&mut self, entries: &[Entry], output: &mut Output<'_>) -> FaultResult<()> {
        for entry in entries {
            let own = entry.kind == Kind::Table && entry.name.starts_with("sqlite_");
            let index = matches!(entry.kind, Kind::Index | Kind::Unique);
            if (!own && !index) || !self.walker.is_root(entry.root) {
                continue;
            }
            let sequence = entry.name == "sqlite_sequence";
            let gaps = self.walker.tree(entry.root, None, &mut |found| {
                if sequence {
                    output.sequence(&found)?;
                }
                Ok(())
            })?;
            if !gaps.none() {
                self.note(format!("{} is damaged, and is made anew", entry.label()));
            }
        }
        Ok(())
    }

    fn orphans(&mut self, deleted: bool, output: &mut Output<'_>) -> FaultResult<()> {
        if deleted {
            self.walker.open_unused();
        }
        let (mut trees, mut rows_lost) = (0_u64, 0);
        for top in self.walker.orphans()? {
            self.around.go_on()?;
            if !self.walker.open(top) {
                continue;
            }
            let gaps = self
                .walker
                .tree(top, None, &mut |found| output.orphan(&found))?;
            trees += 1;
            rows_lost += gaps.rows;
        }
        self.report.rows_lost += rows_lost;
        if trees > 0 {
            self.note(format!(
                "{trees} pages or trees belong to no table that is known; their rows are among the lost and found"
            ));
        }
        Ok(())
    }
}
