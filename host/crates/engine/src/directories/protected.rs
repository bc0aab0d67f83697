//! No grant may cover mhost's own state, cache, configuration or plugins, nor lie
//! within them: who can write there can grant themselves everything.

use std::path::{Path, PathBuf};

use mhost_model::grant::Grants;
use mhost_model::{Fault, FaultResult, Name};

/// The protected paths, symbolic links resolved.
pub(super) struct Guard(Vec<PathBuf>);

impl Guard {
    pub(super) fn new(protected: &[PathBuf]) -> Self {
        Self(protected.iter().map(|path| real_path(path)).collect())
    }

    /// `real` is `path` with symbolic links resolved.
    pub(super) fn check(&self, name: &Name, path: &Path, real: &Path) -> FaultResult<()> {
        let hit = |held: &&PathBuf| held.starts_with(real) || real.starts_with(held);
        match self.0.iter().find(hit) {
            Some(held) => Err(Fault::Invalid(format!(
                "dirs.{name}: {} covers or lies in {}, which is mhost's own; grant a directory apart from it",
                path.display(),
                held.display()
            ))),
            None => Ok(()),
        }
    }
}

/// Checks grants when they are made: every directory is absolute and neither covers
/// nor lies in a protected path, symbolic links resolved as far as they exist now.
/// A directory that is missing is no fault here, as it may come later; a run asks
/// again, of the directory that it really opened.
pub fn check_grants(grants: &Grants, protected: &[PathBuf]) -> Result<(), Vec<Fault>> {
    let guard = Guard::new(protected);
    let check = |(name, path): (&Name, &PathBuf)| {
        if !path.is_absolute() {
            return Err(super::fault(name, path, "the path is not absolute"));
        }
        if path.exists() && !path.is_dir() {
            return Err(super::fault(name, path, "it is not a directory"));
        }
        guard.check(name, path, &real_path(path))
    };
    let dirs = grants.dirs.iter().map(|(name, grant)| (name, &grant.path));
    let faults: Vec<Fault> = dirs.filter_map(|dir| check(dir).err()).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// The path with symbolic links resolved in the longest part of it that exists.
#[must_use]
pub fn real_path(path: &Path) -> PathBuf {
    let found = path
        .ancestors()
        .find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match found {
        Some((ancestor, found)) => found
            .join(path.strip_prefix(ancestor).unwrap_or(Path::new("")))
            .components()
            .collect(),
        None => path.to_owned(),
    }
}
