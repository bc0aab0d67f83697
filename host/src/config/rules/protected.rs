//! Grants and definitions that reach what no task may reach, such as mhost's own state.
//! What that is for directories, the engine says; each is shown to it alone, so that the
//! right line is blamed.

use std::path::{Path, PathBuf};

use mhost_model::Fault;
use mhost_model::grant::Grants;

use super::{Finding, Show};
use crate::config::check::Refused;
use crate::config::document::Document;
use crate::config::mistake::Refusal;
use crate::config::path::KeyPath;

/// Paths are below the task.
pub(super) fn grants(grants: &Grants, refused: Refused) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, grant) in &grants.dirs {
        let mut alone = Grants::default();
        alone.dirs.insert(name.clone(), grant.clone());
        let path = KeyPath::keys(&["grants", "dirs", name.as_str(), "path"]);
        findings.extend(refused(&alone).into_iter().map(|fault| told(&path, &fault)));
    }
    let mut rest = grants.clone();
    rest.dirs.clear();
    let path = KeyPath::keys(&["grants"]);
    findings.extend(refused(&rest).into_iter().map(|fault| told(&path, &fault)));
    findings
}

/// The engine's texts begin with the grant, which is shown anyway, and end with `; ` and the remedy.
fn told(path: &KeyPath, fault: &Fault) -> Finding {
    let text = fault.to_string();
    let text = match text.split_once(": ") {
        Some((grant, rest)) if grant.starts_with("dirs.") => rest,
        _ => text.as_str(),
    };
    let refusal = match text.rsplit_once("; ") {
        Some((message, help)) => Refusal::new(message, help),
        None => Refusal::new(text, "correct the grant"),
    };
    Finding::error(path.clone(), Show::Value, refusal)
}

/// Databases and repositories are opened by the host itself, which can reach everything:
/// none of them may lie in a protected folder. Paths are below the root.
pub(super) fn definitions(document: &Document, protected: &[PathBuf]) -> Vec<Finding> {
    let databases = document.databases.iter();
    let databases =
        databases.map(|(name, one)| (["databases", name.as_str(), "path"], one.path.as_path()));
    let repositories = document
        .repositories
        .iter()
        .filter(|(_, one)| one.url.starts_with('/'));
    let repositories = repositories
        .map(|(name, one)| (["repositories", name.as_str(), "url"], Path::new(&one.url)));
    let held: Vec<PathBuf> = protected.iter().map(|path| real(path)).collect();
    databases
        .chain(repositories)
        .filter(|(_, path)| held.iter().any(|held| real(path).starts_with(held)))
        .map(|(keys, path)| {
            let message = format!("{} lies in mhost's own state", path.display());
            let refusal = Refusal::new(message, "keep it apart from that folder");
            Finding::error(KeyPath::keys(&keys), Show::Value, refusal)
        })
        .collect()
}

/// The path with symbolic links resolved in the longest part of it that exists.
fn real(path: &Path) -> PathBuf {
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
