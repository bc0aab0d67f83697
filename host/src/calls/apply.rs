//! The configuration: applied to the store, and written out of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_engine::{Protected, real_path};
use mhost_model::grant::{Access, Grants};
use mhost_model::plugin::{Manifest, PluginRecord, PluginRef};
use mhost_model::resource::Endpoint;
use mhost_model::schedule::Schedule;
use mhost_model::{Fault, FaultResult, Name};
use mhost_store::Edit;
use serde::{Deserialize, Serialize};

use super::Call;
use crate::app::App;
use crate::config::{
    self, Change, Checks, ConfigError, Current, Document, Draft, Mistake, Plugins, TaskEntry,
};
use crate::exit::{Outcomes, Problem};
use crate::{housekeeping, plugins, watch};

/// Makes the store match a configuration.
#[derive(Debug, Serialize, Deserialize)]
pub struct Apply {
    pub text: String,
    /// Where the text comes from: for messages, and for relative paths.
    pub file: PathBuf,
    /// Only show the difference.
    pub dry_run: bool,
    /// What had not started when a schedule is changed, or came due while a task was
    /// paused, counts as missed; else it is passed over.
    #[serde(default)]
    pub catch_up: bool,
}

impl Apply {
    /// The configuration in a file.
    pub fn read(path: &Path, dry_run: bool) -> Outcomes<Self> {
        let file =
            std::path::absolute(path).map_err(|error| Problem::io("resolve", path, &error))?;
        let text = config::read(path)?;
        Ok(Self {
            text,
            file,
            dry_run,
            catch_up: false,
        })
    }
}

/// The difference that was, or would be, made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Applied {
    pub applied: bool,
    pub changes: Vec<Change>,
    /// What only looks wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Mistake>,
}

/// The document, checked against plugins, the drivers of storage, and what nothing may reach.
fn judged(
    draft: Draft,
    plugins: &dyn Plugins,
    protected: &[PathBuf],
    file: &Path,
) -> Result<Document, ConfigError> {
    let protected = Protected::new(protected);
    let refused = |grants: &Grants| -> Vec<Fault> {
        let judged = protected.check_grants(grants);
        let mut faults = judged.err().unwrap_or_default();
        faults.extend(rewrites(grants, file));
        faults
    };
    draft.finish(&Checks {
        plugins: Some(plugins),
        refused: Some(&refused),
        endpoint: Some(&endpoint),
        protected: Some(&protected),
    })
}

/// What is wrong with where a repository (true) or a remote is.
pub(super) fn endpoint(repository: bool, endpoint: &Endpoint) -> FaultResult<()> {
    match repository {
        true => mhost_remotes::check_repository(endpoint),
        false => mhost_remotes::check(endpoint),
    }
}

/// Whoever can write the configuration grants himself everything, at the service's next start.
/// Reading it is harmless.
fn rewrites(grants: &Grants, file: &Path) -> Vec<Fault> {
    let file = real_path(file);
    let writable = grants.dirs.iter();
    let writable = writable.filter(|(_, grant)| grant.access == Access::ReadWrite);
    let hit = writable.filter(|(_, grant)| file.starts_with(real_path(&grant.path)));
    hit.map(|(name, grant)| {
        Fault::Invalid(format!(
            "dirs.{name}: {} holds {}, which this grant would let the task rewrite; \
             grant a directory apart from it, or grant it read-only",
            grant.path.display(),
            file.display()
        ))
    })
    .collect()
}

/// A fire of a new or changed `at` that is over already never comes.
async fn never_fires(app: &Arc<App>, plan: &config::Plan) -> Outcomes<()> {
    let now = app.now();
    for edit in &plan.edits {
        let Edit::PutTask { name, spec, .. } = edit else {
            continue;
        };
        let Schedule::Once { at } = spec.schedule else {
            continue;
        };
        let known = app.store.task(name).await?;
        let same = known.is_some_and(|known| known.task.spec.schedule == spec.schedule);
        if at <= now && !same {
            return Err(Problem::usage(format!(
                "tasks.{name}.schedule: its only fire, {}, is over, so it would never run",
                at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
            ))
            .hint("write a time that is to come, or take the task out"));
        }
    }
    Ok(())
}

impl Call for Apply {
    const PATH: &'static str = "apply";
    const CREATES: bool = true;
    type Answer = Applied;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        app.reconcile().await?;
        let draft = config::parse(&self.text, &self.file)?;
        let known = manifests(app, draft.plugins()).await?;
        let mut document = judged(draft, &known, &app.home.protected(), &self.file)?;
        // Built in: a file that does not speak of it leaves it as it comes.
        let built_in = TaskEntry {
            spec: housekeeping::spec()?,
            enabled: true,
        };
        let name = housekeeping::task_name()?;
        document.tasks.entry(name).or_insert(built_in);
        let current = Current {
            definitions: app.store.definitions().await?,
            tasks: app.all_tasks().await?,
        };
        let plan = config::plan(&document, &current, &known)?;
        never_fires(app, &plan).await?;
        let mut edits = plan.edits;
        // The service goes on with this file. One whose name is not text is always named.
        if current.definitions.source.as_ref() != Some(&self.file) && self.file.to_str().is_some() {
            edits.push(Edit::SetSource(self.file));
        }
        if !self.dry_run && !edits.is_empty() {
            if self.catch_up {
                let names: Vec<_> = edits.iter().filter_map(task_of).collect();
                edits.extend(names.into_iter().map(Edit::CatchUp));
            }
            app.store.edit(edits).await?;
            app.runs.edited().await?;
            watch::first_look(app).await?;
        }
        Ok(Applied {
            applied: !self.dry_run,
            changes: plan.changes,
            warnings: document.warnings,
        })
    }
}

/// The task that an edit may make due at another time.
fn task_of(edit: &Edit) -> Option<Name> {
    match edit {
        Edit::PutTask { name, .. } | Edit::SetEnabled { name, .. } => Some(name.clone()),
        _ => None,
    }
}

/// The plugins that a document names, as far as they are there.
pub struct Known {
    records: BTreeMap<PluginRef, PluginRecord>,
    names: Vec<String>,
}

impl config::Plugins for Known {
    fn manifest(&self, reference: &PluginRef) -> Option<&Manifest> {
        self.records.get(reference).map(|record| &record.manifest)
    }

    fn digest(&self, reference: &PluginRef) -> Option<mhost_model::plugin::Digest> {
        self.records.get(reference).map(|record| record.digest)
    }

    fn names(&self) -> Vec<String> {
        self.names.clone()
    }
}

async fn manifests(app: &Arc<App>, wanted: Vec<PluginRef>) -> Outcomes<Known> {
    let mut records = BTreeMap::new();
    for reference in wanted {
        match app.plugin(&reference).await {
            Ok(record) => {
                records.insert(reference, record);
            }
            // The document's own check says where it is named and what there is.
            Err(problem) if problem.kind == crate::exit::Kind::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    let installed = app.store.definitions().await?.plugins;
    let mut names: Vec<String> = plugins::embedded()
        .iter()
        .map(|one| one.name.to_owned())
        .collect();
    names.extend(
        installed
            .iter()
            .map(|record| record.manifest.name.to_string()),
    );
    names.sort();
    names.dedup();
    Ok(Known { records, names })
}

/// The store's definitions as a configuration file.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {}

#[derive(Debug, Serialize, Deserialize)]
pub struct Exported {
    /// As a file.
    pub toml: String,
    /// The same, a program's: what stands in the file's tables, with what holds without
    /// being said.
    pub tables: serde_json::Map<String, serde_json::Value>,
}

impl Call for Export {
    const PATH: &'static str = "export";
    type Answer = Exported;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let definitions = app.store.definitions().await?;
        let mut tasks = app.all_tasks().await?;
        tasks.retain(|status| !housekeeping::is_untouched(&status.task));
        Ok(Exported {
            toml: config::export(&definitions, &tasks),
            tables: config::export_tables(&definitions, &tasks),
        })
    }
}
