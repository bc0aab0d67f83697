//! What no single value can be blamed for: names that must be defined elsewhere, grants that
//! need each other, cycles, and what a plugin asks of its tasks.

mod after;
mod grants;
mod notify;
pub(super) mod plugin;
mod policy;
pub(super) mod protected;
mod schema;
mod tasks;

use super::check::Checks;
use super::document::Document;
use super::mistake::{Mistake, Notes, Refusal, Severity};
use super::path::KeyPath;
use super::source::Source;
use super::tree::Node;

/// Which of a key and its value is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    Key,
    Value,
}

/// Something found at a path below a task, or below the root.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub path: KeyPath,
    pub show: Show,
    pub severity: Severity,
    pub refusal: Refusal,
}

impl Finding {
    pub fn error(path: KeyPath, show: Show, refusal: Refusal) -> Self {
        Self {
            path,
            show,
            severity: Severity::Error,
            refusal,
        }
    }

    pub fn warning(path: KeyPath, show: Show, refusal: Refusal) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, show, refusal)
        }
    }

    /// As a mistake in something that is no file.
    pub fn outside(self, place: &str) -> Mistake {
        let mut mistake = Mistake::outside(place, self.refusal);
        mistake.key = Some(self.path.to_string()).filter(|key| !key.is_empty());
        mistake
    }

    /// The same below another path.
    pub fn below(self, path: &KeyPath) -> Self {
        let mut steps = path.0.clone();
        steps.extend(self.path.0);
        Self {
            path: KeyPath(steps),
            ..self
        }
    }
}

/// Judges a document by all rules.
pub(super) fn judge(
    source: &Source,
    root: &Node,
    document: &Document,
    checks: &Checks,
    notes: &mut Notes,
) {
    let mut findings = Vec::new();
    for (name, task) in &document.tasks {
        let path = KeyPath::keys(&["tasks", name.as_str()]);
        let mut found = grants::judge(root, name, &task.spec);
        found.extend(tasks::judge(root, name, document));
        found.extend(policy::judge(&task.spec.policy));
        found.extend(protected::covers_repository(
            &task.spec.grants,
            &document.repositories,
        ));
        if let Some(refused) = checks.refused {
            found.extend(protected::grants(&task.spec.grants, refused));
        }
        findings.extend(found.into_iter().map(|one| one.below(&path)));
    }
    findings.extend(after::judge(document));
    findings.extend(notify::judge(root, document));
    let places = protected::Places {
        databases: &document.databases,
        repositories: &document.repositories,
        remotes: &document.remotes,
    };
    if let Some(protected) = checks.protected {
        findings.extend(protected::definitions(places, protected));
    }
    if let Some(check) = checks.endpoint {
        findings.extend(protected::endpoints(places, check));
    }
    if let Some(plugins) = checks.plugins {
        findings.extend(plugin::judge_all(document, plugins, notes));
    }
    for finding in findings {
        note(source, root, finding, notes);
    }
}

fn note(source: &Source, root: &Node, finding: Finding, notes: &mut Notes) {
    let place = root.locate(&finding.path);
    let extent = match finding.show {
        Show::Key => place.key,
        Show::Value => place.node.extent,
    };
    match finding.severity {
        Severity::Error => notes.error(source, &extent, &finding.path, finding.refusal),
        Severity::Warning => notes.warning(source, &extent, &finding.path, finding.refusal),
    }
}
