//! Getting a damaged redb file into a sound state, on a copy.
//!
//! redb's repair finds the newest commit of the two that the file knows whose pages all have their
//! checksums, and makes the list of unused pages anew. What was committed after that is lost. Of a file of which
//! both are damaged, what its sound pages hold is copied to a new one ([`super::salvage`]).

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use mhost_model::ports::database::{Around, Recovered};
use mhost_model::{Fault, FaultResult};

use super::fault::{fault, guarded};
use super::open::check_magic;
use super::salvage::{nothing, salvage};
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
    hook(Step::Copied);
    around.go_on()?;
    let mut recovered = match repaired(&aside, path) {
        Err(Fault::Damaged(_)) => {
            let salvaged = guarded("recover", path, || {
                salvage(&locked.file, &aside, path, around)
            })?;
            let salvaged = salvaged.ok_or_else(|| nothing(path))?;
            let copied = aside.file_again(path)?;
            demand(&inspect(&copied, path)?, "the new copy of", path)?;
            salvaged
        }
        outcome => outcome?,
    };
    drop(locked);
    let there = counts(&aside.file_again(path)?, path)?;
    recovered.tables = there.len() as u64;
    recovered.rows = there.values().sum();
    hook(Step::Verified);
    around.go_on()?;
    aside.dress_as_copy(&mode)?;
    aside.sync()?;
    hook(Step::Synced);
    recovered.before = mode.len();
    recovered.after = aside.size()?;
    aside.place_new(target)?;
    hook(Step::Placed);
    Ok(recovered)
}

/// What redb can repair; `damaged` where it cannot, or where what it calls repaired is not sound.
fn repaired(aside: &Aside, path: &Path) -> FaultResult<Recovered> {
    let repaired = guarded("repair", path, || repair(aside, path))?;
    let copied = aside.file_again(path)?;
    demand(&inspect(&copied, path)?, "the repaired copy of", path)?;
    Ok(Recovered {
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
