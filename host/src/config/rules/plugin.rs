//! What a plugin asks of a task: that it is there and has the action, that the settings fit
//! its schema, and that it is granted the kinds of power without which it has no use.

use std::collections::HashMap;

use mhost_model::grant::{Access, Grants};
use mhost_model::plugin::{Action, Capability, Manifest, Need, PluginRef};
use mhost_model::task::TaskSpec;

use super::schema::{self, Schema};
use super::{Finding, Show};
use crate::config::check::Plugins;
use crate::config::document::Document;
use crate::config::mistake::{Notes, Refusal};
use crate::config::path::KeyPath;
use crate::config::suggest;

/// Compiled schemas by plugin, version and action.
pub(in crate::config) type Schemas = HashMap<(String, String, String), Schema>;

/// All tasks of a document; paths are below the root. What could not be read whole is not
/// judged.
pub(super) fn judge_all(document: &Document, plugins: &dyn Plugins, notes: &Notes) -> Vec<Finding> {
    let mut schemas = Schemas::default();
    let mut findings = Vec::new();
    for (name, task) in &document.tasks {
        let path = KeyPath::keys(&["tasks", name.as_str()]);
        let found = match plugins.manifest(&task.spec.plugin) {
            Some(manifest) => judge(&task.spec, manifest, From::File, &mut schemas),
            None => vec![unknown(&task.spec.plugin, plugins)],
        };
        let whole = |finding: &Finding| {
            let section = finding.path.0.iter().take(1);
            !notes.spoiled(&KeyPath(path.0.iter().chain(section).cloned().collect()))
        };
        findings.extend(found.into_iter().filter(whole).map(|one| one.below(&path)));
    }
    findings
}

fn unknown(reference: &PluginRef, plugins: &dyn Plugins) -> Finding {
    let names = plugins.names();
    let known = || names.iter().map(String::as_str);
    let same = known().any(|name| name == reference.name.as_str());
    let help = match same {
        true => "another version of it is there; `mhost plugin list` shows which".to_owned(),
        false => suggest::remedy(reference.name.as_str(), known(), || {
            format!(
                "there are {}; `mhost plugin install FILE` adds one",
                suggest::list(known())
            )
        }),
    };
    let message = format!("there is no plugin `{reference}`");
    Finding::error(
        KeyPath::keys(&["plugin"]),
        Show::Value,
        Refusal::new(message, help),
    )
}

/// Where the grants are written, and with it how a remedy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum From {
    File,
    /// Of `mhost exec`.
    Options,
}

/// One task against its plugin; paths are below the task.
pub(in crate::config) fn judge(
    spec: &TaskSpec,
    manifest: &Manifest,
    from: From,
    schemas: &mut Schemas,
) -> Vec<Finding> {
    let Some(action) = manifest.action(&spec.action) else {
        return vec![no_action(spec, manifest)];
    };
    let key = (
        manifest.name.to_string(),
        manifest.version.clone(),
        action.name.clone(),
    );
    let schema = schemas
        .entry(key)
        .or_insert_with(|| Schema::new(&action.config_schema));
    let mut findings = schema::judge(schema, &spec.config);
    let unmet = action
        .needs
        .iter()
        .filter_map(|need| unmet(spec, need, from));
    findings.extend(unmet);
    findings.extend(useless(&spec.grants, action));
    findings
}

fn no_action(spec: &TaskSpec, manifest: &Manifest) -> Finding {
    let known = || manifest.actions.iter().map(|action| action.name.as_str());
    let help = suggest::remedy(&spec.action, known(), || {
        format!("it has {}", suggest::list(known()))
    });
    let message = format!(
        "the plugin `{}` has no action `{}`",
        manifest.name, spec.action
    );
    Finding::error(
        KeyPath::keys(&["action"]),
        Show::Value,
        Refusal::new(message, help),
    )
}

/// The names of a capability: in grants, for people, and as an example.
fn words(capability: Capability) -> (&'static str, &'static str, &'static str) {
    match capability {
        Capability::Directories => ("dirs", "directory", "dirs.NAME = { path = \"/…\" }"),
        Capability::Databases => (
            "databases",
            "database",
            "databases.NAME = { verbs = [\"…\"] }",
        ),
        Capability::Network => ("net", "network peer", "net = [\"https://…\"]"),
        Capability::Repositories => (
            "repositories",
            "backup repository",
            "repositories.NAME = { verbs = [\"…\"] }",
        ),
        Capability::Remotes => ("remotes", "remote", "remotes.NAME = { access = \"…\" }"),
        Capability::Secrets => ("secrets", "secret", "secrets.NAME = { file = \"/…\" }"),
        Capability::Processes => (
            "processes",
            "process",
            "processes.NAME = { pid_file = \"/…\", signal = \"…\" }",
        ),
    }
}

/// How many of a kind are granted, and whether one of them can change anything.
fn granted(grants: &Grants, capability: Capability) -> (usize, bool) {
    use mhost_model::grant::{DatabaseVerb as D, RepositoryVerb as R};
    let writes = |access: Access| access == Access::ReadWrite;
    match capability {
        Capability::Directories => (
            grants.dirs.len(),
            grants.dirs.values().any(|one| writes(one.access)),
        ),
        Capability::Databases => {
            let changes = |verb: &D| matches!(verb, D::Write | D::Pack | D::Restore);
            (
                grants.databases.len(),
                grants
                    .databases
                    .values()
                    .any(|one| one.verbs.iter().any(changes)),
            )
        }
        Capability::Network => (grants.net.len(), true),
        Capability::Repositories => {
            let changes = |verb: &R| matches!(verb, R::Append | R::Forget | R::Prune | R::Keys);
            (
                grants.repositories.len(),
                grants
                    .repositories
                    .values()
                    .any(|one| one.verbs.iter().any(changes)),
            )
        }
        Capability::Remotes => (
            grants.remotes.len(),
            grants.remotes.values().any(|one| writes(one.access)),
        ),
        Capability::Secrets => (grants.secrets.len(), true),
        Capability::Processes => (grants.processes.len(), true),
    }
}

/// As [`words`]' example, as an option of `mhost exec`.
fn option(capability: Capability) -> &'static str {
    match capability {
        Capability::Directories => "--dir NAME=PATH:ro|rw",
        Capability::Databases => "--db NAME=ENGINE:PATH:VERB,VERB",
        Capability::Network => "--net https://…",
        Capability::Repositories => "--repo NAME=URL:VERB,VERB",
        Capability::Remotes => "--remote NAME=URL:ro|rw",
        Capability::Secrets => "--secret NAME=file:PATH",
        Capability::Processes => "--process NAME=PID_FILE:SIGNAL",
    }
}

fn unmet(spec: &TaskSpec, need: &Need, from: From) -> Option<Finding> {
    let (key, what, example) = words(need.capability);
    let (count, writes) = granted(&spec.grants, need.capability);
    if need.required && count == 0 {
        let (whom, add) = match from {
            From::File => ("this task", format!("add `{example}` to its grants")),
            From::Options => ("it", format!("add `{}`", option(need.capability))),
        };
        let message = format!(
            "the action `{}` needs a {what}, and {whom} is granted none",
            spec.action
        );
        let help = format!("{add}; the plugin says why: {}", need.reason);
        return Some(Finding::error(
            KeyPath::keys(&["grants"]),
            Show::Key,
            Refusal::new(message, help),
        ));
    }
    if need.required && need.writes && !writes {
        let message = format!(
            "the action `{}` changes what it is granted here, and may only read it",
            spec.action
        );
        let help = format!(
            "grant more, as in `{example}`; the plugin says why: {}",
            need.reason
        );
        let path = KeyPath::keys(&["grants", key]);
        return Some(Finding::warning(
            path,
            Show::Key,
            Refusal::new(message, help),
        ));
    }
    None
}

/// Kinds of power that the action never asks for, so that granting them has no effect.
fn useless(grants: &Grants, action: &Action) -> Vec<Finding> {
    // The password of a repository is the host's to read, not the plugin's.
    let mut plain = grants.clone();
    let passwords = grants.repositories.values().map(|one| &one.password);
    passwords.for_each(|password| drop(plain.secrets.remove(password)));
    let asked = |capability: &Capability| {
        action
            .needs
            .iter()
            .any(|need| need.capability == *capability)
    };
    Capability::ALL
        .into_iter()
        .filter(|capability| granted(&plain, *capability).0 > 0 && !asked(capability))
        .map(|capability| {
            let (key, what, _) = words(capability);
            let message = format!(
                "the action `{}` asks for no {what}: this grant has no effect",
                action.name
            );
            let path = KeyPath::keys(&["grants", key]);
            Finding::warning(path, Show::Key, Refusal::new(message, "remove it"))
        })
        .collect()
}
