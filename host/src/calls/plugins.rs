//! Plugins: listed, inspected, checked, installed, removed.

use std::sync::Arc;

use mhost_engine::Inspection;
use mhost_model::plugin::{Digest, Manifest, PluginRecord, PluginRef};
use mhost_model::{Instant, Name};
use mhost_store::Edit;
use serde::{Deserialize, Serialize};

use super::Call;
use crate::app::App;
use crate::exit::{Outcomes, Problem};
use crate::plugins::{self, Catalog};

/// A plugin in a list.
#[derive(Debug, Serialize, Deserialize)]
pub struct PluginRow {
    pub name: Name,
    pub version: String,
    pub digest: Digest,
    pub built_in: bool,
    pub summary: String,
    pub actions: Vec<String>,
    pub installed_at: Instant,
}

impl From<PluginRecord> for PluginRow {
    fn from(record: PluginRecord) -> Self {
        let manifest = record.manifest;
        Self {
            name: manifest.name,
            version: manifest.version,
            digest: record.digest,
            built_in: record.built_in,
            summary: manifest.summary,
            actions: manifest
                .actions
                .into_iter()
                .map(|action| action.name)
                .collect(),
            installed_at: record.installed_at,
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ListPlugins {}

impl Call for ListPlugins {
    const PATH: &'static str = "plugin/list";
    type Answer = Vec<PluginRow>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let mut rows = Vec::new();
        for (name, _) in plugins::built_in()? {
            let name = name
                .parse()
                .map_err(|error| Problem::bug(format!("{error}")))?;
            let reference = PluginRef {
                name,
                version: None,
            };
            rows.push(app.plugin(&reference).await?.into());
        }
        let installed = app.store.definitions().await?.plugins;
        rows.extend(
            installed
                .into_iter()
                .filter(|record| !record.built_in)
                .map(PluginRow::from),
        );
        Ok(rows)
    }
}

/// What a plugin says of itself, and what its component imports.
#[derive(Debug, Serialize, Deserialize)]
pub struct InspectPlugin {
    pub plugin: PluginRef,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct PluginView {
    pub manifest: Manifest,
    pub built_in: bool,
    pub inspection: Inspection,
}

impl Call for InspectPlugin {
    const PATH: &'static str = "plugin/inspect";
    type Answer = PluginView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let record = app.plugin(&self.plugin).await?;
        let component = app.catalog.component(record.digest)?;
        let sandbox = app.catalog.sandbox().await?;
        let inspection = sandbox
            .inspect(&component)
            .map_err(|error| Problem::usage(error.to_string()))?;
        Ok(PluginView {
            manifest: record.manifest,
            built_in: record.built_in,
            inspection,
        })
    }
}

/// Whether a component is a plugin that this mhost can run; nothing is stored.
#[derive(Debug, Serialize, Deserialize)]
pub struct CheckPlugin {
    /// The component itself, base64 on the wire.
    pub component: Bytes,
}

impl Call for CheckPlugin {
    const PATH: &'static str = "plugin/check";
    type Answer = PluginView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        examine(&app.catalog, &self.component.0).await
    }
}

/// Loads a component and asks it what it is.
pub async fn examine(catalog: &Catalog, component: &[u8]) -> Outcomes<PluginView> {
    let wrong = |error: mhost_engine::EngineError| Problem::usage(error.to_string());
    let sandbox = catalog.sandbox().await?;
    let inspection = sandbox.inspect(component).map_err(wrong)?;
    let plugin = sandbox.load(component).await.map_err(wrong)?;
    let manifest = plugin.describe().await.map_err(wrong)?;
    Ok(PluginView {
        manifest,
        built_in: false,
        inspection,
    })
}

/// Adds a plugin, or a new version of one.
#[derive(Debug, Serialize, Deserialize)]
pub struct InstallPlugin {
    pub component: Bytes,
}

/// What came of an installation.
#[derive(Debug, Serialize, Deserialize)]
pub struct Installed {
    pub plugin: PluginRow,
    /// Tasks that wait for an approval now.
    pub quarantined: Vec<String>,
}

impl Call for InstallPlugin {
    const PATH: &'static str = "plugin/install";
    const CREATES: bool = true;
    type Answer = Installed;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let view = examine(&app.catalog, &self.component.0).await?;
        let name = &view.manifest.name;
        if plugins::built_in()?
            .iter()
            .any(|(built_in, _)| *built_in == name.as_str())
        {
            return Err(
                Problem::usage(format!("`{name}` is the name of a built-in plugin"))
                    .hint("give the plugin another name in its manifest"),
            );
        }
        let record = PluginRecord {
            digest: app.catalog.keep(&self.component.0)?,
            manifest: view.manifest,
            built_in: false,
            installed_at: app.now(),
        };
        let definitions = app.store.definitions().await?;
        let edits = app.succession(&definitions, &record).await?;
        let quarantined = edits.iter().filter_map(quarantined).collect();
        app.store.edit(edits).await?;
        app.runs.edited().await?;
        Ok(Installed {
            plugin: record.into(),
            quarantined,
        })
    }
}

fn quarantined(edit: &Edit) -> Option<String> {
    match edit {
        Edit::SetQuarantine {
            name,
            quarantine: Some(why),
        } => Some(format!("{name}: {why}")),
        _ => None,
    }
}

/// Removes an installed plugin that no task uses.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemovePlugin {
    pub plugin: PluginRef,
}

impl Call for RemovePlugin {
    const PATH: &'static str = "plugin/remove";
    type Answer = PluginRow;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let definitions = app.store.definitions().await?;
        let digest = plugins::resolve(&self.plugin, &definitions.plugins)?;
        let record = definitions
            .plugins
            .iter()
            .find(|record| record.digest == digest && !record.built_in);
        let Some(record) = record else {
            return Err(Problem::usage(format!(
                "`{}` is built in and stays",
                self.plugin
            )));
        };
        let users: Vec<String> = app
            .all_tasks()
            .await?
            .into_iter()
            .filter(|status| status.task.pin == digest)
            .map(|status| status.task.name.to_string())
            .collect();
        if !users.is_empty() {
            return Err(Problem::usage(format!(
                "`{}` is used by {}",
                self.plugin,
                users.join(", ")
            ))
            .hint("remove these tasks first, or give them another plugin"));
        }
        app.store
            .edit(vec![Edit::RemovePlugin {
                name: record.manifest.name.clone(),
                version: record.manifest.version.clone(),
            }])
            .await?;
        let shared = |other: &&PluginRecord| other.digest == digest;
        if definitions.plugins.iter().filter(shared).count() == 1 {
            app.catalog.discard(digest)?;
        }
        Ok(record.clone().into())
    }
}

/// Bytes that are base64 in JSON.
#[derive(Debug)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use base64::Engine as _;
        serializer.serialize_str(&base64::engine::general_purpose::STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        let text = String::deserialize(deserializer)?;
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}
