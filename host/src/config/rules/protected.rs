//! Grants and definitions that reach what no task may reach, such as mhost's own state.
//! What that is for directories, the engine says; each is shown to it alone, so that the
//! right line is blamed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use mhost_engine::real_path;
use mhost_model::grant::{Access, Grants};
use mhost_model::resource::{DatabaseDef, RemoteDef, RepositoryDef};
use mhost_model::{Fault, Name};
use percent_encoding::percent_decode_str;

use super::{Finding, Show};
use crate::config::check::{EndpointCheck, Refused};
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

/// The definitions that name places of this machine.
#[derive(Clone, Copy)]
pub(in crate::config) struct Places<'a> {
    pub databases: &'a BTreeMap<Name, DatabaseDef>,
    pub repositories: &'a BTreeMap<Name, RepositoryDef>,
    pub remotes: &'a BTreeMap<Name, RemoteDef>,
}

/// Databases, repositories and remotes are opened by the host itself, which can reach
/// everything: none of them may lie in a protected folder, and no remote may cover one.
/// Paths are below the root.
pub(in crate::config) fn definitions(places: Places, protected: &[PathBuf]) -> Vec<Finding> {
    let databases = places.databases.iter();
    let databases =
        databases.map(|(name, one)| ("databases", name, "path", Some(one.path.clone())));
    let repositories = places.repositories.iter();
    let repositories =
        repositories.map(|(name, one)| ("repositories", name, "url", folder(&one.endpoint.url)));
    let remotes = places.remotes.iter();
    let remotes = remotes.map(|(name, one)| ("remotes", name, "url", folder(&one.endpoint.url)));
    let held: Vec<PathBuf> = protected.iter().map(|path| real_path(path)).collect();
    let hit = |section: &str, path: &Path| {
        let path = real_path(path);
        let covers = |held: &PathBuf| section == "remotes" && held.starts_with(&path);
        held.iter()
            .any(|held| path.starts_with(held) || covers(held))
    };
    databases
        .chain(repositories)
        .chain(remotes)
        .filter_map(|(section, name, key, path)| {
            let path = path.filter(|path| hit(section, path))?;
            let message = format!("{} covers or lies in mhost's own state", path.display());
            let refusal = Refusal::new(message, "name a place apart from that folder");
            let path = KeyPath::keys(&[section, name.as_str(), key]);
            Some(Finding::error(path, Show::Value, refusal))
        })
        .collect()
}

/// Who may write where a repository lies can remove its snapshots and data, whatever verbs
/// are granted: no directory of a task that may be written covers or lies in a repository
/// of that task. Paths are below the task.
pub(in crate::config) fn covers_repository(
    grants: &Grants,
    repositories: &BTreeMap<Name, RepositoryDef>,
) -> Vec<Finding> {
    let writable = grants.dirs.iter();
    let writable = writable.filter(|(_, grant)| grant.access == Access::ReadWrite);
    let folders = grants.repositories.keys().filter_map(|name| {
        let place = folder(&repositories.get(name)?.endpoint.url)?;
        Some((name, real_path(&place), place))
    });
    let folders: Vec<_> = folders.collect();
    let mut findings = Vec::new();
    for (name, grant) in writable {
        let dir = real_path(&grant.path);
        let hit = folders
            .iter()
            .find(|(_, folder, _)| folder.starts_with(&dir) || dir.starts_with(folder));
        if let Some((repository, _, place)) = hit {
            let message = format!(
                "{} covers or lies in the repository `{repository}` ({}), whose snapshots the task could \
                 remove without being granted that",
                grant.path.display(),
                place.display()
            );
            let help = "grant a directory apart from it, or grant it read-only";
            let path = KeyPath::keys(&["grants", "dirs", name.as_str(), "path"]);
            findings.push(Finding::error(
                path,
                Show::Value,
                Refusal::new(message, help),
            ));
        }
    }
    findings
}

/// The folder that a URL names, where it is one of this machine.
fn folder(url: &str) -> Option<PathBuf> {
    if url.starts_with('/') {
        return Some(PathBuf::from(url));
    }
    let rest = url.strip_prefix("file:")?;
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let bytes: Vec<u8> = percent_decode_str(rest).collect();
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// Storage of a kind that this mhost has not, or whose keys do not go together. Paths are
/// below the root.
pub(super) fn endpoints(document: &Document, check: EndpointCheck) -> Vec<Finding> {
    let repositories = document.repositories.iter();
    let repositories = repositories
        .filter(|(_, one)| folder(&one.endpoint.url).is_none())
        .map(|(name, one)| ("repositories", name, &one.endpoint));
    let remotes = document.remotes.iter();
    let remotes = remotes.map(|(name, one)| ("remotes", name, &one.endpoint));
    repositories
        .chain(remotes)
        .filter_map(|(section, name, one)| {
            let fault = check(section == "repositories", one).err()?;
            let path = KeyPath::keys(&[section, name.as_str(), "url"]);
            let help = "see the forms in the documentation of backups and of the configuration";
            Some(Finding::error(
                path,
                Show::Value,
                Refusal::of(fault).or(help),
            ))
        })
        .collect()
}
