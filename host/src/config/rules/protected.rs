//! Grants and definitions that reach what no task may reach, such as mhost's own state.
//! What that is, the engine says; each grant is shown to it alone, so that the right line is
//! blamed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use mhost_engine::{Protected, Reach, real_path};
use mhost_model::grant::{Access, DatabaseVerb, Grants};
use mhost_model::resource::{DatabaseDef, RemoteDef, RepositoryDef};
use mhost_model::{Fault, Name};
use percent_encoding::percent_decode_str;

use super::{Finding, Show};
use crate::config::check::{EndpointCheck, Refused};
use crate::config::exec::ExecGrants;
use crate::config::mistake::Refusal;
use crate::config::path::KeyPath;

/// Paths are below the task.
pub(in crate::config) fn grants(grants: &Grants, refused: Refused) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut judge = |path: &[&str], alone: Grants| {
        let path = KeyPath::keys(path);
        findings.extend(refused(&alone).into_iter().map(|fault| told(&path, &fault)));
    };
    for (name, grant) in &grants.dirs {
        let dirs = [(name.clone(), grant.clone())].into();
        let path = ["grants", "dirs", name.as_str(), "path"];
        judge(
            &path,
            Grants {
                dirs,
                ..Grants::default()
            },
        );
    }
    for (name, grant) in &grants.secrets {
        let secrets = [(name.clone(), grant.clone())].into();
        let path = ["grants", "secrets", name.as_str()];
        judge(
            &path,
            Grants {
                secrets,
                ..Grants::default()
            },
        );
    }
    for (name, grant) in &grants.processes {
        let processes = [(name.clone(), grant.clone())].into();
        let path = ["grants", "processes", name.as_str()];
        judge(
            &path,
            Grants {
                processes,
                ..Grants::default()
            },
        );
    }
    findings
}

/// The engine's texts begin with the grant, which is shown anyway, and end with `; ` and the remedy.
fn told(path: &KeyPath, fault: &Fault) -> Finding {
    let text = fault.to_string();
    let kinds = ["dirs.", "secrets.", "processes."];
    let text = match text.split_once(": ") {
        Some((grant, rest)) if kinds.iter().any(|kind| grant.starts_with(kind)) => rest,
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
pub(in crate::config) fn definitions(places: Places, protected: &Protected) -> Vec<Finding> {
    let databases = places.databases.iter();
    let databases =
        databases.map(|(name, one)| ("databases", name, "path", Some(one.path.clone())));
    let repositories = places.repositories.iter();
    let repositories =
        repositories.map(|(name, one)| ("repositories", name, "url", folder(&one.endpoint.url)));
    let remotes = places.remotes.iter();
    let remotes = remotes.map(|(name, one)| ("remotes", name, "url", folder(&one.endpoint.url)));
    let reach = |section: &str| match section {
        "remotes" => Reach::Tree,
        _ => Reach::File,
    };
    databases
        .chain(repositories)
        .chain(remotes)
        .filter_map(|(section, name, key, path)| {
            let message = protected.hit(&path?, reach(section))?;
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

/// A file's database may come later; one that an option names is to be used now. To be
/// restored it need not be there. Paths are below the root.
pub(in crate::config) fn missing_databases(given: &ExecGrants) -> Vec<Finding> {
    let missing = given.databases.iter().filter_map(|(name, one)| {
        let verbs = &given.grants.databases.get(name)?.verbs;
        if one.path.exists() || verbs.contains(&DatabaseVerb::Restore) {
            return None;
        }
        let message = format!("there is no database {}", one.path.display());
        let refusal = Refusal::new(message, format!("correct the path of `--db {name}=…`"));
        let path = KeyPath::keys(&["databases", name.as_str(), "path"]);
        Some(Finding::error(path, Show::Value, refusal))
    });
    missing.collect()
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
pub(in crate::config) fn endpoints(places: Places, check: EndpointCheck) -> Vec<Finding> {
    let repositories = places.repositories.iter();
    let repositories = repositories
        .filter(|(_, one)| folder(&one.endpoint.url).is_none())
        .map(|(name, one)| ("repositories", name, &one.endpoint));
    let remotes = places.remotes.iter();
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
