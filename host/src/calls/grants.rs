//! What a task may do, what its runs really used, and the smallest grants that would
//! have been enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use mhost_model::Name;
use mhost_model::grant::Grants;
use mhost_model::receipt::{Receipt, Use};
use mhost_model::run::Outcome;
use mhost_store::RunFilter;
use serde::{Deserialize, Serialize};

use super::{Call, tasks};
use crate::app::App;
use crate::exit::{Outcomes, Problem};
use crate::tighten::{self, Loosened};

/// How many runs are read at a time.
const PAGE: usize = 100;

/// The grants of a task, and what its newest successful run did with each.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShowGrants {
    pub task: Name,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct GrantsView {
    pub task: Name,
    pub grants: Grants,
    /// Of the newest run that succeeded, dry runs aside.
    pub used: BTreeMap<String, Use>,
}

impl Call for ShowGrants {
    const PATH: &'static str = "grants/show";
    type Answer = GrantsView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let task = tasks::find(app, &self.task).await?.task;
        let receipts = receipts(app, task.id, 1).await?;
        Ok(GrantsView {
            task: task.name,
            grants: task.spec.grants,
            used: receipts.into_iter().next().unwrap_or_default().used,
        })
    }
}

/// The smallest grants that the newest successful runs needed. Changes nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct TightenGrants {
    pub task: Name,
    /// How many runs are looked at.
    pub runs: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Tightened {
    pub task: Name,
    /// Runs that the proposal rests on.
    pub runs: usize,
    pub grants: Grants,
    /// What it takes away.
    pub loosened: Vec<Loosened>,
}

impl Call for TightenGrants {
    const PATH: &'static str = "grants/tighten";
    type Answer = Tightened;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let task = tasks::find(app, &self.task).await?.task;
        let receipts = receipts(app, task.id, self.runs).await?;
        if receipts.is_empty() {
            return Err(Problem::not_found(format!(
                "task `{}` has no successful run to learn from",
                task.name
            ))
            .hint(format!("run it first: `mhost run {}`", task.name)));
        }
        let (grants, loosened) = tighten::smallest(&task.spec, &receipts);
        Ok(Tightened {
            task: task.name,
            runs: receipts.len(),
            grants,
            loosened,
        })
    }
}

/// Receipts of real successful runs, newest first: a dry run uses less than it needs.
async fn receipts(app: &App, task: mhost_model::TaskId, limit: usize) -> Outcomes<Vec<Receipt>> {
    let (mut receipts, mut before) = (Vec::new(), None);
    loop {
        let page = app
            .store
            .runs(RunFilter {
                task: Some(task),
                outcomes: [Outcome::Succeeded].into(),
                before,
                limit: PAGE,
                ..RunFilter::default()
            })
            .await?;
        before = page.last().map(|last| last.id);
        let over = page.len() < PAGE;
        let real = page.into_iter().filter(|run| !run.dry_run);
        receipts.extend(
            real.filter_map(|run| run.receipt)
                .take(limit - receipts.len()),
        );
        if over || receipts.len() == limit {
            return Ok(receipts);
        }
    }
}
