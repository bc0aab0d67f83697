//! Puts another SQLite file in a file's place.
//!
//! The new content is a verified copy, so that nothing done to the source meanwhile
//! counts. The old file is held exclusively until the new one stands there. SQLite
//! has no lock that tells of an idle connection in another program; such a one finds
//! that its file was moved, and refuses to write to it, until it opens it again.

use std::io;
use std::path::{Path, PathBuf};

use mhost_model::{Fault, FaultResult};
use rusqlite::Connection;

use super::Site;
use super::connect::{Access, Held, connect, is_hot, open_still};
use super::fault::fault;
use super::whole::{copy, demand_sound};
use crate::file::{self, check_regular};
use crate::place::{self, Aside, COMPANIONS, Hook, Step, suffixed};
use crate::unattended;

/// Answers the old file's new path, empty where there was no file.
pub(super) fn restore(site: &Site, source: &Path, hook: Hook) -> FaultResult<String> {
    let old = check_regular(&site.path)?;
    let aside = Aside::beside(&site.path)?;
    hook(Step::Begun);
    copy_source(site, source, &aside)?;
    hook(Step::Copied);
    demand_sound(&aside, "the source", source)?;
    hook(Step::Verified);
    // Held from here on, so that nobody writes what would be lost.
    let held = match &old {
        Some(_) => hold(site)?,
        None => None,
    };
    if let Some(old) = &old {
        aside.dress(old)?;
    }
    aside.sync()?;
    hook(Step::Synced);
    let kept = place::keep_old(&site.path)?;
    keep_companions(&site.path, kept.as_deref())?;
    hook(Step::Kept);
    aside.place_over(&site.path, hook)?;
    drop(held);
    Ok(kept.map_or_else(String::new, |p| p.display().to_string()))
}

/// Copies the source's committed state. Where it has a log or a journal, SQLite reads
/// these too; else it is read as it lies, also from a folder that cannot be written.
fn copy_source(site: &Site, source: &Path, aside: &Aside) -> FaultResult<()> {
    if check_regular(source)?.is_none() {
        return Err(file::missing(source));
    }
    let mut lively = false;
    for suffix in COMPANIONS {
        let companion = check_regular(&suffixed(source, suffix))?;
        lively |= companion.is_some_and(|m| m.len() > 0);
    }
    if !lively {
        return copy(&open_still(source)?, aside, source, &unattended());
    }
    let from = Site {
        path: source.to_path_buf(),
        wait: site.wait,
    };
    if is_hot(&from)? {
        return Err(Fault::Invalid(format!(
            "{} has the journal of a writer that crashed: open it once with SQLite, which rolls that back",
            source.display()
        )));
    }
    let connection = connect(&from, Access::Look)?;
    copy(&connection, aside, source, &unattended())
}

/// Keeps everybody else out of the old file, its log moved into it and removed.
/// `None` for one that is too damaged for SQLite to lock it.
fn hold(site: &Site) -> FaultResult<Option<Held>> {
    let connection = match connect(site, Access::Write) {
        Err(Fault::Damaged(_) | Fault::Invalid(_)) => return Ok(None),
        connected => connected?,
    };
    match alone(&connection) {
        Ok(true) => Ok(Some(connection)),
        Ok(false) => Err(Fault::Busy(format!(
            "cannot restore {}: another process is using it; stop that, or try again later",
            site.path.display()
        ))),
        Err(error) => match fault("restore", &site.path, error) {
            Fault::Damaged(_) => Ok(None),
            other => Err(other),
        },
    }
}

/// Without a log an exclusive transaction keeps readers out as well. A log can only be
/// given up where no other connection is open.
fn alone(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    Ok(mode != "wal")
}

/// Moves away what would be taken for the new file's log and journal: they belong
/// to the old one, and go with it.
fn keep_companions(path: &Path, kept: Option<&Path>) -> FaultResult<()> {
    let kept = kept.map_or_else(|| suffixed(path, ".before-restore"), PathBuf::from);
    for suffix in COMPANIONS {
        let companion = suffixed(path, suffix);
        let moved = match suffix {
            // An index of the log, made anew from it.
            "-shm" => std::fs::remove_file(&companion),
            _ => std::fs::rename(&companion, suffixed(&kept, suffix)),
        };
        match moved {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file::fault("move away", &companion, &error));
            }
            _ => {}
        }
    }
    place::sync_folder(path)
}
