//! What tasks observed of the things that they watch: uptime and latencies over an
//! hour, a day and a month.

use std::collections::BTreeSet;
use std::sync::Arc;

use mhost_model::Name;
use mhost_model::watch::Summary;
use mhost_store::{StoreResult, TaskStore, Watcher};
use serde::{Deserialize, Serialize};

use super::Call;
use super::tasks::find;
use crate::app::App;
use crate::exit::Outcomes;

/// How many tasks are read from the store at a time.
const PAGE: usize = 1000;

/// Of one task, or of all tasks and all runs without one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Uptime {
    pub task: Option<Name>,
}

impl Call for Uptime {
    const PATH: &'static str = "runs/uptime";
    type Answer = Vec<Summary>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let Some(name) = self.task else {
            return Ok(of_all(app).await?);
        };
        let status = find(app, &name).await?;
        let watcher = Watcher::Task(status.task.id);
        Ok(of_watcher(&app.store, watcher, &name).await?)
    }
}

/// What one watcher observed, under this name.
pub async fn of_watcher(
    store: &Arc<dyn TaskStore>,
    watcher: Watcher,
    name: &Name,
) -> StoreResult<Vec<Summary>> {
    let mut summaries = store.observed(watcher).await?;
    for summary in &mut summaries {
        summary.task = name.to_string();
    }
    Ok(summaries)
}

/// What all tasks of a plugin observed, and its runs without a task.
pub async fn of_plugin(store: &Arc<dyn TaskStore>, plugin: &Name) -> StoreResult<Vec<Summary>> {
    let mut all = of_watcher(store, Watcher::Exec(plugin.clone()), plugin).await?;
    all.extend(of_tasks(store, |of| of == plugin).await?);
    Ok(all)
}

async fn of_all(app: &App) -> StoreResult<Vec<Summary>> {
    let mut all = Vec::new();
    let definitions = app.store.definitions().await?;
    let names = definitions.plugins.into_iter();
    let names: BTreeSet<Name> = names.map(|record| record.manifest.name).collect();
    for name in names {
        all.extend(of_watcher(&app.store, Watcher::Exec(name.clone()), &name).await?);
    }
    all.extend(of_tasks(&app.store, |_| true).await?);
    Ok(all)
}

async fn of_tasks(
    store: &Arc<dyn TaskStore>,
    wanted: impl Fn(&Name) -> bool + Send,
) -> StoreResult<Vec<Summary>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.tasks(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(all);
        };
        after = Some(last.task.name.clone());
        for status in page {
            let task = status.task;
            if wanted(&task.spec.plugin.name) {
                all.extend(of_watcher(store, Watcher::Task(task.id), &task.name).await?);
            }
        }
    }
}
