//! Work on a whole redb file: snapshot, pack, verify, restore.
//!
//! redb has no online backup. A snapshot copies the file's bytes under a reader's
//! lock, which keeps every writer out, so that the copy is one committed state; redb
//! repairs it where the writer had crashed. A pack compacts such a copy, and never
//! the file itself, where a crash would cost a full repair.
//!
//! A file that is replaced is held exclusively until its folder is durable. A
//! program that opened it in that moment fails to lock it, as with any open file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek};
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mhost_model::ports::database::{Around, KeepOld, PackResult, Packed, Verdict};
use mhost_model::{Fault, FaultResult};
use redb::StorageBackend;
use redb::backends::FileBackend;

use super::backend::{Held, Overlay};
use super::fault::{busy, fault, guarded};
use super::open::{self, check_magic};
use super::rows;
use crate::file::{self, check_regular, folder, open_regular};
use crate::place::{self, Aside, Hook, Step};
use crate::space::{self, Free};
use crate::traffic::{self, Counted};

/// A file that nobody else has open, or only readers; dropping it lets go.
pub(super) struct Locked {
    pub file: File,
    // Its locks end with the last handle of the file.
    _locks: FileBackend,
}

impl Locked {
    /// Keeps everybody out, also older redb, which locks by `flock` alone. Works
    /// on a damaged file too.
    fn alone(path: &Path, operation: &str) -> FaultResult<Self> {
        Self::take(path, operation, true)
    }

    /// Keeps writers out.
    pub fn shared(path: &Path, operation: &str) -> FaultResult<Self> {
        Self::take(path, operation, false)
    }

    fn take(path: &Path, operation: &str, alone: bool) -> FaultResult<Self> {
        let failed = |error: io::Error| file::fault("lock", path, &error);
        let file = open_regular(path, alone)?;
        let locks = FileBackend::new(file.try_clone().map_err(failed)?)
            .map_err(|error| fault("lock", path, error))?;
        let all = (Bound::Unbounded, Bound::Unbounded);
        let (whole, ranges) = if alone {
            (file.try_lock(), locks.try_lock_range(all.0, all.1))
        } else {
            (
                file.try_lock_shared(),
                locks.try_lock_shared_range(all.0, all.1),
            )
        };
        match whole {
            Err(std::fs::TryLockError::WouldBlock) => return Err(busy(operation, &path.display())),
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
            Ok(()) => {}
        }
        match ranges {
            Ok(true) => Ok(Self {
                file,
                _locks: locks,
            }),
            Ok(false) => Err(busy(operation, &path.display())),
            Err(error) => Err(failed(error.into())),
        }
    }
}

/// So much is copied before the run is told how far it is, and whether it goes on is asked.
const PIECE: u64 = 16 << 20;

/// Copies the file into `aside`, from its start.
pub(super) fn copy(
    locked: &Locked,
    aside: &Aside,
    path: &Path,
    around: &Around,
) -> FaultResult<()> {
    let failed = |error: io::Error| file::fault("copy", path, &error);
    let mut source = &locked.file;
    let total = source.metadata().map_err(failed)?.len();
    source.rewind().map_err(failed)?;
    let mut done = 0;
    loop {
        (around.progress)("copying", done, Some(total));
        around.go_on()?;
        let copied = io::copy(&mut source.take(PIECE), &mut aside.file()).map_err(failed)?;
        if copied == 0 {
            return Ok(());
        }
        done += copied;
    }
}

/// Lets redb repair a copy of a file that was not closed, and close it.
fn settle(aside: &Aside, path: &Path) -> FaultResult<()> {
    guarded("repair a copy of", path, || {
        open_held(aside, path, |_| {}).map(drop)
    })
}

/// Opens a copy, to change it; `repairing` is told if redb has to repair it, and how far that is.
pub(super) fn open_held(
    aside: &Aside,
    path: &Path,
    repairing: impl Fn(&mut redb::RepairSession) + 'static,
) -> FaultResult<redb::Database> {
    let file = aside.file().try_clone();
    let file = file.map_err(|error| file::fault("open a copy of", path, &error))?;
    let backend = FileBackend::new(file).map_err(|error| fault("open a copy of", path, error))?;
    open::database(path, "open a copy of", Held(backend), repairing)
}

/// Refuses a copy that is not sound.
pub(super) fn demand(verdict: &Verdict, what: &str, path: &Path) -> FaultResult<()> {
    if verdict.sound {
        return Ok(());
    }
    Err(Fault::Damaged(format!(
        "{what} {} is damaged; nothing was changed: {}",
        path.display(),
        verdict.findings.join("; ")
    )))
}

/// Takes a snapshot at `target`, which must not exist.
pub(super) fn snapshot(path: &Path, target: &Path, hook: Hook) -> FaultResult<u64> {
    place::check_free(target)?;
    let locked = Locked::shared(path, "take a snapshot of")?;
    check_magic(&locked.file, path)?;
    let mode = locked
        .file
        .metadata()
        .map_err(|error| file::fault("look at", path, &error))?;
    let aside = Aside::beside(target)?;
    hook(Step::Begun);
    copy(&locked, &aside, path, &crate::unattended())?;
    drop(locked);
    hook(Step::Copied);
    settle(&aside, path)?;
    demand(
        &inspect(&aside.file_again(path)?, path)?,
        "the database",
        path,
    )?;
    hook(Step::Verified);
    aside.dress_as_copy(&mode)?;
    aside.sync()?;
    hook(Step::Synced);
    let size = aside.size()?;
    aside.place_new(target)?;
    hook(Step::Placed);
    Ok(size)
}

/// Compacts the file by way of a verified copy.
pub(super) fn pack(
    path: &Path,
    keep: KeepOld,
    around: &Around,
    free: Free,
    hook: Hook,
) -> FaultResult<PackResult> {
    let locked = Locked::alone(path, "pack")?;
    check_magic(&locked.file, path)?;
    let old = locked
        .file
        .metadata()
        .map_err(|error| file::fault("look at", path, &error))?;
    let before = old.len();
    // A leftover's room will be free as well.
    let aside = Aside::beside(path)?;
    space::check(&folder(path), before + before / 8, around.keep_free, free)?;
    hook(Step::Begun);
    // Compacting gives damaged pages that it moves new checksums, and so hides them.
    let counts = check(&locked.file, "the database", path, around, "checking")?;
    copy(&locked, &aside, path, around)?;
    hook(Step::Copied);
    around.go_on()?;
    let doing = "compacting a copy of";
    traffic::during(around, doing, Counted::Written, None, || {
        guarded("pack a copy of", path, || compact(&aside, path))
    })?;
    hook(Step::Packed);
    let packed = aside.file_again(path)?;
    let what = "the packed copy of";
    if check(&packed, what, path, around, "checking the packed copy of")? != counts {
        return Err(Fault::Damaged(format!(
            "the packed copy of {} has other rows than the file; nothing was changed: verify the file",
            path.display()
        )));
    }
    hook(Step::Verified);
    let after = aside.size()?;
    let mut result = PackResult {
        packed: Packed {
            before,
            after: before,
        },
        old: None,
        forgotten: Vec::new(),
    };
    if after < before {
        aside.dress(&old)?;
        aside.sync()?;
        hook(Step::Synced);
        around.go_on()?;
        result.old = place::old_path(path, keep, around.now);
        if let Some(old) = &result.old {
            place::second_name(path, old)?;
            hook(Step::Kept);
        }
        aside.place_over(path, hook)?;
        result.packed.after = after;
    }
    drop(locked);
    result.forgotten = place::forget_old(path, keep, around.now)?;
    Ok(result)
}

/// Refuses a file that is not sound, and counts the rows of its tables, with `doing` told.
fn check(
    file: &File,
    what: &str,
    path: &Path,
    around: &Around,
    doing: &str,
) -> FaultResult<BTreeMap<String, u64>> {
    let found = file.metadata();
    let size = found
        .map_err(|error| crate::file::fault("look at", path, &error))?
        .len();
    traffic::during(around, doing, Counted::Read, Some(size), || {
        demand(&inspect(file, path)?, what, path)?;
        counts(file, path)
    })
}

fn compact(aside: &Aside, path: &Path) -> FaultResult<()> {
    let mut db = open_held(aside, path, |_| {})?;
    // Each call goes on until it finds nothing more to move; a second one finds
    // what the first one's own commits have freed.
    for _ in 0..4 {
        if !db.compact().map_err(|error| fault("pack", path, error))? {
            break;
        }
    }
    Ok(())
}

/// The rows of every table, of whatever type.
pub(super) fn counts(file: &File, path: &Path) -> FaultResult<BTreeMap<String, u64>> {
    guarded("count the rows of", path, || {
        let (db, _) = open_over(file, path)?;
        let tables = rows::tables(&db, path)?;
        Ok(tables.into_iter().map(|t| (t.name, t.rows)).collect())
    })
}

/// Opens a file that the caller holds, without changing it; also says whether redb
/// had to repair it.
pub(super) fn open_over(
    file: &File,
    path: &Path,
) -> FaultResult<(redb::Database, Arc<AtomicBool>)> {
    let overlay = file.try_clone().and_then(Overlay::held);
    let overlay = overlay.map_err(|error| file::fault("open", path, &error))?;
    let repaired = Arc::new(AtomicBool::new(false));
    let told = repaired.clone();
    let db = open::database(path, "open", overlay, move |_| {
        told.store(true, Ordering::Relaxed);
    })?;
    Ok((db, repaired))
}

/// Checks the file without changing it, beside other readers.
pub(super) fn verify(path: &Path) -> FaultResult<Verdict> {
    let locked = Locked::shared(path, "verify")?;
    check_magic(&locked.file, path)?;
    inspect(&locked.file, path)
}

/// The structure, every checksum, and every row of a known type. redb's own check
/// repairs what it finds: here only in memory.
pub(super) fn inspect(file: &File, path: &Path) -> FaultResult<Verdict> {
    let mut findings = Vec::new();
    let sound = match guarded("verify", path, || look(file, path, &mut findings)) {
        Ok(sound) => sound,
        Err(Fault::Damaged(why)) => {
            findings.push(why);
            false
        }
        Err(other) => return Err(other),
    };
    Ok(Verdict { sound, findings })
}

fn look(file: &File, path: &Path, findings: &mut Vec<String>) -> FaultResult<bool> {
    let (mut db, repaired) = open_over(file, path)?;
    if repaired.load(Ordering::Relaxed) {
        findings.push(
            "the file was not closed properly; redb repairs it when it is next opened for writing"
                .into(),
        );
    }
    let clean = db
        .check_integrity()
        .map_err(|error| fault("verify", path, error))?;
    findings.push(if clean {
        "structure and checksums: sound".into()
    } else {
        "structure and checksums: damaged".into()
    });
    let (rows, tables, unknown) = rows::read_all(&db, path)?;
    findings.push(format!("read {rows} rows of {tables} tables"));
    for table in unknown {
        findings.push(format!(
            "table `{table}` has types of its own: its checksums were checked, its rows not read"
        ));
    }
    Ok(clean)
}

/// Puts a verified copy of `source` in the file's place; answers the old file's
/// new path, empty where there was no file.
pub(super) fn restore(path: &Path, source: &Path, hook: Hook) -> FaultResult<String> {
    let from = Locked::shared(source, "restore from")?;
    check_magic(&from.file, source)?;
    let old = check_regular(path)?;
    // Held from here on, so that nobody writes what would be lost.
    let held = match &old {
        Some(_) => Some(Locked::alone(path, "restore")?),
        None => None,
    };
    let aside = Aside::beside(path)?;
    hook(Step::Begun);
    copy(&from, &aside, source, &crate::unattended())?;
    drop(from);
    hook(Step::Copied);
    settle(&aside, source)?;
    demand(
        &inspect(&aside.file_again(source)?, source)?,
        "the source",
        source,
    )?;
    hook(Step::Verified);
    if let Some(old) = &old {
        aside.dress(old)?;
    }
    aside.sync()?;
    hook(Step::Synced);
    let kept = place::keep_old(path)?;
    hook(Step::Kept);
    aside.place_over(path, hook)?;
    drop(held);
    Ok(kept.map_or_else(String::new, |p| p.display().to_string()))
}
