//! The configuration: applied to the store, and written out of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::fault::Fault;
use mhost_model::grant::Grants;
use mhost_model::plugin::{Manifest, PluginRecord, PluginRef};
use serde::{Deserialize, Serialize};

use super::Call;
use crate::app::App;
use crate::config::{self, Change, Current};
use crate::exit::{Outcomes, Problem};
use crate::plugins;

/// Makes the store match a configuration.
#[derive(Debug, Serialize, Deserialize)]
pub struct Apply {
    pub text: String,
    /// Where the text comes from: for messages, and for relative paths.
    pub file: PathBuf,
    /// Only show the difference.
    pub dry_run: bool,
}

impl Apply {
    /// The configuration in a file.
    pub fn read(path: &Path, dry_run: bool) -> Outcomes<Self> {
        let file =
            std::path::absolute(path).map_err(|error| Problem::io("resolve", path, &error))?;
        let text = config::read(path).map_err(|error| Problem::usage(error.to_string()))?;
        Ok(Self {
            text,
            file,
            dry_run,
        })
    }
}

/// The difference that was, or would be, made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Applied {
    pub applied: bool,
    pub changes: Vec<Change>,
}

impl Call for Apply {
    const PATH: &'static str = "apply";
    const CREATES: bool = true;
    type Answer = Applied;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let wrong = |error: config::ConfigError| Problem::usage(error.to_string());
        app.reconcile().await?;
        let draft = config::parse(&self.text, &self.file).map_err(wrong)?;
        let known = manifests(app, draft.plugins()).await?;
        let protected = app.home.protected();
        let refused = |grants: &Grants| -> Vec<Fault> {
            mhost_engine::check_grants(grants, &protected)
                .err()
                .unwrap_or_default()
        };
        let document = draft.validate(&known, &refused).map_err(wrong)?;
        let current = Current {
            definitions: app.store.definitions().await?,
            tasks: app.all_tasks().await?,
        };
        let plan = config::plan(&document, &current, &known).map_err(wrong)?;
        if !self.dry_run && !plan.edits.is_empty() {
            app.store.edit(plan.edits).await?;
            app.runs.edited().await?;
        }
        Ok(Applied {
            applied: !self.dry_run,
            changes: plan.changes,
        })
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
    pub toml: String,
}

impl Call for Export {
    const PATH: &'static str = "export";
    type Answer = Exported;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let definitions = app.store.definitions().await?;
        let tasks = app.all_tasks().await?;
        Ok(Exported {
            toml: config::export(&definitions, &tasks),
        })
    }
}
