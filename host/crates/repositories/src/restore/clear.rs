//! Removing what the snapshot does not hold, without what `exclude` protects.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::Path;

use super::{Job, is_abandoned};
use crate::folder::Folder;

/// What stands in a folder and may go: neither held by the snapshot nor protected.
/// `path` is where the folder stands in the snapshot.
pub fn spare(
    job: &Job,
    folder: &Folder,
    names: &HashSet<OsString>,
    path: &Path,
) -> io::Result<Vec<OsString>> {
    let mut there = folder.names()?;
    there.retain(|name| !names.contains(name) && !job.wanted.excludes(&path.join(name)));
    Ok(there)
}

/// Removes an entry with everything below it but what is protected, and the folders
/// that lead there. Whether it is gone.
pub fn remove(job: &Job, folder: &Folder, name: &OsStr, path: &Path) -> io::Result<bool> {
    if !folder.metadata(name)?.is_dir() {
        return fs::remove_file(folder.at(name)).map(|()| true);
    }
    if !job.wanted.has_excludes() {
        return fs::remove_dir_all(folder.at(name)).map(|()| true);
    }
    let inner = folder.child(name)?;
    let mut whole = true;
    for entry in inner.names()? {
        let path = path.join(&entry);
        whole &= !job.wanted.excludes(&path) && remove(job, &inner, &entry, &path)?;
    }
    if whole {
        fs::remove_dir(folder.at(name))?;
    }
    Ok(whole)
}

/// Whether anything below a folder is protected.
pub fn is_protected(job: &Job, folder: &Folder, path: &Path) -> io::Result<bool> {
    if !job.wanted.has_excludes() {
        return Ok(false);
    }
    for name in folder.names()? {
        let path = path.join(&name);
        let inside = folder.metadata(&name)?.is_dir();
        if job.wanted.excludes(&path) || inside && is_protected(job, &folder.child(&name)?, &path)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what a restore that was cut off left in a folder. Nobody misses it, so what
/// cannot be removed stays.
pub fn abandoned(folder: &Folder, names: &HashSet<OsString>) {
    let there = folder.names().unwrap_or_default();
    let left = there.iter().filter(|name| is_abandoned(name));
    for name in left.filter(|name| !names.contains(*name)) {
        let _ = fs::remove_file(folder.at(name));
    }
}
