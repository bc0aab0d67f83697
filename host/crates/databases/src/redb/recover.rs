//! Getting a damaged redb file into a sound state, on a copy.
//!
//! redb's repair finds the newest commit of the two that the file knows whose pages all have their
//! checksums, and makes the list of unused pages anew. What was committed after that is lost; a file of which
//! both are damaged cannot be repaired.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use mhost_model::ports::database::{Around, Recovered};
use mhost_model::{Fault, FaultResult};

use super::fault::{fault, guarded};
use super::open::check_magic;
use super::whole::{Locked, copy, counts, demand, inspect, open_held};
use crate::file;
use crate::file::folder;
use crate::place::{self, Aside, Hook, Step};
use crate::space::{self, Free};

/// Writes the repaired database to `target`, which must not exist.
pub(super) fn recover(
    path: &Path,
    target: &Path,
    around: &Around,
    free: Free,
    hook: Hook,
) -> FaultResult<Recovered> {
    place::check_free(target)?;
    let locked = Locked::shared(path, "recover")?;
    check_magic(&locked.file, path)?;
    let mode = locked
        .file
        .metadata()
        .map_err(|error| file::fault("look at", path, &error))?;
    let aside = Aside::beside(target)?;
    space::check(&folder(target), mode.len(), around.keep_free, free)?;
    hook(Step::Begun);
    copy(&locked, &aside, path, around)?;
    drop(locked);
    hook(Step::Copied);
    around.go_on()?;
    let repaired = guarded("repair", path, || repair(&aside, path)).map_err(beyond(path))?;
    let copied = aside.file_again(path)?;
    demand(&inspect(&copied, path)?, "the repaired copy of", path)?;
    let there = counts(&copied, path)?;
    hook(Step::Verified);
    around.go_on()?;
    aside.dress_as_copy(&mode)?;
    aside.sync()?;
    hook(Step::Synced);
    let after = aside.size()?;
    aside.place_new(target)?;
    hook(Step::Placed);
    Ok(Recovered {
        before: mode.len(),
        after,
        tables: there.len() as u64,
        rows: there.values().sum(),
        findings: findings(repaired),
        ..Recovered::default()
    })
}

/// What redb had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Repair {
    Nothing,
    /// To make its own lists anew.
    Lists,
    /// To give up the newest commit.
    Commit,
}

fn repair(aside: &Aside, path: &Path) -> FaultResult<Repair> {
    let done = Arc::new(Mutex::new(Repair::Nothing));
    let told = done.clone();
    let note = move |what: Repair| {
        let mut done = told.lock().unwrap_or_else(PoisonError::into_inner);
        *done = what.max(*done);
    };
    let noted = note.clone();
    let mut db = open_held(aside, path, move |session| {
        // redb tells when it begins, and after each of three looks; after the first one only where it did not
        // find the newest commit sound.
        noted(match (0.2..0.5).contains(&session.progress()) {
            true => Repair::Commit,
            false => Repair::Lists,
        });
    })?;
    let clean = db
        .check_integrity()
        .map_err(|error| fault("repair", path, error))?;
    if !clean {
        note(Repair::Lists);
    }
    drop(db);
    let done = done.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(*done)
}

fn beyond(path: &Path) -> impl Fn(Fault) -> Fault {
    move |error| match error {
        Fault::Damaged(_) => Fault::Damaged(format!(
            "{} cannot be repaired: redb repairs what a crash has left, and finds neither of the two commits that the file knows sound; nothing was written; \
             restore it from a snapshot",
            path.display()
        )),
        other => other,
    }
}

fn findings(repair: Repair) -> Vec<String> {
    match repair {
        Repair::Nothing => Vec::new(),
        Repair::Lists => vec![
            "the file was not closed properly, or its lists of pages were damaged; they were made anew, and no row is lost".into(),
        ],
        Repair::Commit => vec![
            "pages of the newest commit are damaged: this is the one before it, and what the newest one changed is lost".into(),
        ],
    }
}
