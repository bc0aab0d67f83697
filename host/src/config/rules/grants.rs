//! Grants that name something: it must be defined, and a repository needs its password.

use mhost_model::Name;
use mhost_model::grant::ProcessGrant;
use mhost_model::task::TaskSpec;

use super::{Finding, Show};
use crate::config::mistake::Refusal;
use crate::config::path::{KeyPath, Step};
use crate::config::scalar::short;
use crate::config::suggest;
use crate::config::tree::Node;

/// Paths are below the task.
pub(super) fn judge(root: &Node, task: &Name, spec: &TaskSpec) -> Vec<Finding> {
    let grants = &spec.grants;
    let databases = grants
        .databases
        .keys()
        .map(|name| ("databases", "database", name));
    let repositories = grants
        .repositories
        .keys()
        .map(|name| ("repositories", "repository", name));
    let remotes = grants
        .remotes
        .keys()
        .map(|name| ("remotes", "remote", name));
    let tasks = grants.tasks.iter().map(|name| ("tasks", "task", name));
    let channels = grants
        .channels
        .iter()
        .map(|name| ("channels", "channel", name));
    let named = databases.chain(repositories).chain(remotes);
    let named = named.chain(tasks).chain(channels);
    let mut findings: Vec<Finding> = named
        .filter(|(section, _, name)| root.at(&[section, name.as_str()]).is_none())
        .map(|(section, what, name)| undefined(root, section, what, name))
        .collect();
    for (name, grant) in &grants.repositories {
        let password = grant.password.as_str();
        if root
            .at(&["tasks", task.as_str(), "grants", "secrets", password])
            .is_none()
        {
            findings.push(no_password(name, password));
        }
    }
    findings.extend(
        grants
            .processes
            .iter()
            .filter_map(|(name, grant)| match grant {
                ProcessGrant::Command(command) => relative(name, command.command.first()?),
                ProcessGrant::Signal(_) => None,
            }),
    );
    findings
}

/// Programs are not looked for: the search path of a service is nobody's to know.
fn relative(name: &Name, program: &str) -> Option<Finding> {
    if program.starts_with('/') {
        return None;
    }
    let mut path = KeyPath::keys(&["grants", "processes", name.as_str(), "command"]);
    path.0.push(Step::Index(0));
    let message = format!("`{}` is not an absolute path", short(program));
    let help = "write the program's whole path, such as `/usr/sbin/nginx`";
    Some(Finding::error(
        path,
        Show::Value,
        Refusal::new(message, help),
    ))
}

fn undefined(root: &Node, section: &str, what: &str, name: &Name) -> Finding {
    let path = KeyPath::keys(&["grants", section, name.as_str()]);
    let defined = root
        .at(&[section])
        .and_then(Node::table)
        .into_iter()
        .flatten();
    let defined = defined.map(|(name, _)| name.as_str());
    let help = suggest::remedy(name.as_str(), defined, || {
        format!("define it: `[{section}.{name}]`")
    });
    let message = format!("there is no {what} `{name}` in this file");
    Finding::error(path, Show::Key, Refusal::new(message, help))
}

fn no_password(repository: &Name, password: &str) -> Finding {
    let path = KeyPath::keys(&["grants", "repositories", repository.as_str()]);
    let message = format!(
        "the repository's password is the secret `{password}`, which this task is not granted"
    );
    let help = format!("add `secrets.{password} = {{ file = \"/etc/…\" }}` to the task's grants");
    let named = path.key("password");
    Finding::error(named, Show::Key, Refusal::new(message, help))
}
