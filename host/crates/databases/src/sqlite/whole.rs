//! Work on a whole SQLite file: snapshot, pack, verify.
//!
//! A snapshot is SQLite's online backup within one read transaction: it sees one
//! state, and a writer in WAL mode is not kept waiting.
//!
//! A pack is a `VACUUM` of the file itself. Other programs may have it open, and SQLite
//! has no lock that tells of an idle one: if a packed copy took the file's place,
//! they would go on with the old one. `VACUUM` is a transaction: after a crash its
//! journal is rolled back, or its log ignored. It may give new rowids to tables without
//! an integer primary key, as SQLite documents.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mhost_model::ports::database::{Around, KeepOld, PackResult, Packed, Verdict};
use mhost_model::{ByteSize, Fault, FaultResult};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, Error};

use super::connect::{Access, connect, is_hot, open_copy, open_still, without_connections};
use super::fault::fault;
use super::{Site, schema};
use crate::file::{self, check_regular, folder, open_regular};
use crate::place::{self, Aside, Hook, Step, suffixed};
use crate::space::{self, Free};
use crate::traffic::{self, Counted};

/// Pages copied at a time.
const STEP: i32 = 4096;

/// Bytes of the file, its write-ahead log and its journal.
pub(super) fn size(path: &Path) -> FaultResult<u64> {
    let mut size = check_regular(path)?
        .ok_or_else(|| file::missing(path))?
        .len();
    for suffix in ["-wal", "-journal"] {
        size += check_regular(&suffixed(path, suffix))?.map_or(0, |m| m.len());
    }
    Ok(size)
}

/// Bytes of as many pages as a pragma counts.
pub(super) fn pages(connection: &Connection, pragma: &str) -> Result<u64, Error> {
    let count: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0))?;
    let size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    Ok(count.unsigned_abs().saturating_mul(size.unsigned_abs()))
}

/// Copies the state that `source` sees into `aside`.
pub(super) fn copy(
    source: &Connection,
    aside: &Aside,
    path: &Path,
    around: &Around,
) -> FaultResult<()> {
    let failed = |error| fault("copy", path, error);
    let mut target = open_copy(aside.path())?;
    // A crash leaves a file aside, which nobody reads: no journal is needed.
    target
        .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        .map_err(failed)?;
    source
        .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
        .map_err(failed)?;
    let page: u64 = source
        .pragma_query_value(None, "page_size", |row| row.get::<_, i64>(0))
        .map_err(failed)?
        .unsigned_abs();
    let backup = Backup::new(source, &mut target).map_err(failed)?;
    loop {
        around.go_on()?;
        let step = backup.step(STEP).map_err(failed)?;
        let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * page;
        let so_far = backup.progress();
        let done = bytes(so_far.pagecount - so_far.remaining);
        (around.progress)("copying", done, Some(bytes(so_far.pagecount)));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => {
                return Err(Fault::Busy(format!(
                    "cannot copy {}: another process is using it; try again later",
                    path.display()
                )));
            }
        }
    }
    drop(backup);
    source.execute_batch("COMMIT").map_err(failed)
}

/// Takes a snapshot at `target`, which must not exist.
pub(super) fn snapshot(site: &Site, target: &Path, hook: Hook) -> FaultResult<u64> {
    place::check_free(target)?;
    let source = connect(site, Access::Read)?;
    let mode = metadata(&site.path)?;
    let aside = Aside::beside(target)?;
    hook(Step::Begun);
    copy(&source, &aside, &site.path, &crate::unattended())?;
    drop(source);
    hook(Step::Copied);
    demand_sound(&aside, "the database", &site.path)?;
    hook(Step::Verified);
    aside.dress_as_copy(&mode)?;
    aside.sync()?;
    hook(Step::Synced);
    let size = aside.size()?;
    aside.place_new(target)?;
    hook(Step::Placed);
    Ok(size)
}

fn metadata(path: &Path) -> FaultResult<Metadata> {
    check_regular(path)?.ok_or_else(|| file::missing(path))
}

/// Refuses a copy whose structure is damaged.
pub(super) fn demand_sound(aside: &Aside, what: &str, path: &Path) -> FaultResult<()> {
    let copy = open_still(aside.path())?;
    demand(&copy, what, path)
}

/// The same for the database, with `doing` told.
fn check(
    connection: &Connection,
    what: &str,
    site: &Site,
    around: &Around,
    doing: &str,
) -> FaultResult<()> {
    let total = Some(size(&site.path)?);
    traffic::during(around, doing, Counted::Read, total, || {
        demand(connection, what, &site.path)
    })
}

fn demand(connection: &Connection, what: &str, path: &Path) -> FaultResult<()> {
    let found = integrity(connection).map_err(|error| fault("verify", path, error))?;
    if found.is_empty() {
        return Ok(());
    }
    Err(Fault::Damaged(format!(
        "{what} {} is damaged; nothing was changed: {}",
        path.display(),
        found.join("; ")
    )))
}

/// What SQLite finds wrong with the structure.
pub(super) fn integrity(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    lines
        .filter(|line| !matches!(line, Ok(text) if text == "ok"))
        .collect()
}

/// Rows that refer to what is not there.
fn foreign_keys(connection: &Connection) -> Result<Vec<String>, Error> {
    let mut statement = connection
        .prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 100")?;
    let lines = statement.query_map([], |row| {
        let (table, rowid, parent): (String, Option<i64>, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let rowid = rowid.map_or_else(String::new, |id| format!(" {id}"));
        Ok(format!(
            "row{rowid} of table `{table}` refers to a row that `{parent}` does not have"
        ))
    })?;
    lines.collect()
}

/// Gives unused pages back.
pub(super) fn pack(
    site: &Site,
    keep: KeepOld,
    around: &Around,
    free: Free,
    hook: Hook,
) -> FaultResult<PackResult> {
    let mut connection = connect(site, Access::Write)?;
    let failed = |error| fault("pack", &site.path, error);
    let before = size(&site.path)?;
    check(&connection, "the database", site, around, "checking")?;
    let used = pages(&connection, "page_count").map_err(failed)?;
    let old = place::old_path(&site.path, keep, around.now);
    check_room(&site.path, used, old.is_some(), around.keep_free, free)?;
    hook(Step::Begun);
    if let Some(old) = &old {
        keep_copy(site, &connection, old, around, hook)?;
    }
    around.go_on()?;
    let unused = pages(&connection, "freelist_count").map_err(failed)?;
    // What is used is written to a temporary file, and from there to the database or its log; the pages that are replaced
    // go to a journal, or all of the log into the file.
    let written = used.saturating_mul(3).saturating_sub(2 * unused);
    traffic::during(around, "packing", Counted::Written, Some(written), || {
        vacuum(&mut connection, around).map_err(failed)?;
        hook(Step::Packed);
        truncate_log(&connection, &site.path)
    })?;
    check(
        &connection,
        "the packed database",
        site,
        around,
        "checking the packed state of",
    )?;
    hook(Step::Verified);
    drop(connection);
    let packed = Packed {
        before,
        after: size(&site.path)?,
    };
    Ok(PackResult {
        packed,
        old,
        forgotten: place::forget_old(&site.path, keep, around.now)?,
    })
}

/// `VACUUM`, which a run that is to end interrupts: it is rolled back then.
fn vacuum(connection: &mut Connection, around: &Around) -> Result<(), Error> {
    const OPERATIONS: i32 = 100_000;
    let cancelled = around.cancelled.clone();
    connection.progress_handler(OPERATIONS, Some(move || cancelled()))?;
    let packed = connection.execute_batch("VACUUM");
    connection.progress_handler(0, None::<fn() -> bool>)?;
    packed
}

/// Keeps a verified copy of the file as it is under another name.
fn keep_copy(
    site: &Site,
    connection: &Connection,
    old: &Path,
    around: &Around,
    hook: Hook,
) -> FaultResult<()> {
    let mode = metadata(&site.path)?;
    let aside = Aside::beside(old)?;
    copy(connection, &aside, &site.path, around)?;
    hook(Step::Copied);
    demand_sound(&aside, "the copy of the database", &site.path)?;
    aside.dress(&mode)?;
    aside.sync()?;
    hook(Step::Synced);
    aside.place_over(old, &mut |_| {})?;
    hook(Step::Kept);
    Ok(())
}

/// Moves the write-ahead log into the file; without one this does nothing.
fn truncate_log(connection: &Connection, path: &Path) -> FaultResult<()> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(|error| fault("checkpoint", path, error))?;
    if busy != 0 {
        return Err(Fault::Busy(format!(
            "{} is packed, but a reader in another process keeps the old pages: the file shrinks with the next checkpoint; try again when that reader has ended",
            path.display()
        )));
    }
    Ok(())
}

/// `VACUUM` writes the new content to a temporary file, and the old pages to the
/// journal or the new ones to the log, which lie beside the database.
fn check_room(
    path: &Path,
    used: u64,
    keep: bool,
    keep_free: ByteSize,
    free: Free,
) -> FaultResult<()> {
    let (beside, temporary) = (folder(path), temporary_folder());
    let device = |folder: &Path| folder.metadata().map(|m| m.dev()).ok();
    let here = if keep { 2 } else { 1 };
    if device(&beside) == device(&temporary) {
        return space::check(&beside, used.saturating_mul(here + 1), keep_free, free);
    }
    space::check(&beside, used.saturating_mul(here), keep_free, free)?;
    space::check(&temporary, used, keep_free, free)
}

/// The folder that SQLite takes for temporary files.
fn temporary_folder() -> PathBuf {
    let named = ["SQLITE_TMPDIR", "TMPDIR"]
        .into_iter()
        .filter_map(std::env::var_os)
        .map(PathBuf::from);
    let fixed = ["/var/tmp", "/usr/tmp", "/tmp"].map(PathBuf::from);
    named
        .chain(fixed)
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| PathBuf::from("."))
}

/// Checks the file without changing it.
pub(super) fn verify(site: &Site) -> FaultResult<Verdict> {
    if is_hot(site)? {
        return verify_rolled_back(site);
    }
    match connect(site, Access::Look).and_then(|c| inspect(&c, &site.path)) {
        Err(Fault::Damaged(why)) => Ok(Verdict {
            sound: false,
            findings: vec![why],
        }),
        other => other,
    }
}

/// A crashed writer's transaction must be rolled back before anything can be read.
/// That is left to who opens the file next; here a copy is.
fn verify_rolled_back(site: &Site) -> FaultResult<Verdict> {
    let aside = Aside::beside(&site.path)?;
    without_connections(&site.path, || {
        copy_bytes(&site.path, aside.path())?;
        copy_bytes(
            &suffixed(&site.path, "-journal"),
            &suffixed(aside.path(), "-journal"),
        )
    })?;
    let copy = open_copy(aside.path())?;
    let mut verdict = inspect(&copy, &site.path)?;
    let note = "a writer crashed in a transaction, which is rolled back when the file is next opened; this was checked on a copy";
    verdict.findings.insert(0, note.into());
    Ok(verdict)
}

fn copy_bytes(source: &Path, target: &Path) -> FaultResult<()> {
    let failed = |error: std::io::Error| file::fault("copy", source, &error);
    let mut from = open_regular(source, false)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut to = options.open(target).map_err(failed)?;
    std::io::copy(&mut from, &mut to).map(drop).map_err(failed)
}

fn inspect(connection: &Connection, path: &Path) -> FaultResult<Verdict> {
    let failed = |error| fault("verify", path, error);
    let structure = integrity(connection).map_err(failed)?;
    let references = foreign_keys(connection).map_err(failed)?;
    let sound = structure.is_empty() && references.is_empty();
    let mut findings = vec![
        summary("structure", structure.len()),
        summary("foreign keys", references.len()),
    ];
    if structure.is_empty() {
        let tables = schema::tables(connection).map_err(failed)?;
        let rows: u64 = tables.iter().map(|table| table.rows).sum();
        findings.push(format!("counted {rows} rows of {} tables", tables.len()));
    }
    findings.extend(structure);
    findings.extend(references);
    Ok(Verdict { sound, findings })
}

fn summary(what: &str, count: usize) -> String {
    match count {
        0 => format!("{what}: sound"),
        1 => format!("{what}: 1 finding"),
        _ => format!("{what}: {count} findings"),
    }
}
