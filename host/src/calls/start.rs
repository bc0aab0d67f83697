//! What starts runs: a task by hand, a plugin without a task, and all that is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use mhost_engine::Protected;
use mhost_model::Name;
use mhost_model::grant::SecretSource;
use mhost_model::resource::{DatabaseDef, RemoteDef, RepositoryDef};
use mhost_model::run::Trigger;
use mhost_model::task::TaskSpec;
use mhost_store::{Ask, Asked, Definitions};
use serde::{Deserialize, Serialize};

use super::runs::RunView;
use super::{Call, apply, tasks};
use crate::app::App;
use crate::config::{self, ExecGrants};
use crate::dispatch::LEASE;
use crate::execute::SecretValues;
use crate::exit::{Outcomes, Problem};
use crate::watch;

/// Runs a task now.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunTask {
    pub name: Name,
    #[serde(default)]
    pub dry_run: bool,
    /// Beside a living run, whatever the overlap policy says.
    #[serde(default)]
    pub force: bool,
    /// Answer when it is over.
    #[serde(default)]
    pub wait: bool,
}

impl Call for RunTask {
    const PATH: &'static str = "run";
    const REPEATABLE: bool = false;
    type Answer = RunView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        app.reconcile().await?;
        app.runs.reap().await?;
        app.runs.edited().await?;
        let task = tasks::find(app, &self.name).await?.task;
        if let Some(quarantine) = &task.quarantine {
            return Err(Problem::refused(format!(
                "task `{}` is in quarantine: {quarantine}",
                task.name
            ))
            .hint(format!(
                "look at `mhost plugin inspect {}`, then `mhost task approve {} --digest {}`",
                task.spec.plugin,
                task.name,
                app.plugin(&task.spec.plugin).await?.digest.short()
            )));
        }
        let ask = Ask {
            node: app.store.node(),
            what: Asked::Task(task.id),
            trigger: Trigger::Manual,
            dry_run: self.dry_run,
            force: self.force,
            slots: 0,
            lease: *LEASE,
            mark: None,
        };
        let pool = task.spec.policy.pool;
        app.runs
            .ask(
                ask,
                Definitions::default(),
                SecretValues::default(),
                pool,
                self.wait,
            )
            .await
            .map(RunView::from)
    }
}

/// Runs a plugin once, without a stored task.
#[derive(Serialize, Deserialize)]
pub struct Exec {
    pub spec: TaskSpec,
    pub databases: BTreeMap<Name, DatabaseDef>,
    pub repositories: BTreeMap<Name, RepositoryDef>,
    pub remotes: BTreeMap<Name, RemoteDef>,
    /// Values of secrets, read where the command was given.
    pub secrets: Vec<(SecretSource, String)>,
    pub dry_run: bool,
}

impl Call for Exec {
    const PATH: &'static str = "exec";
    const REPEATABLE: bool = false;
    const CREATES: bool = true;
    type Answer = RunView;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let spec = self.spec;
        let record = app.plugin(&spec.plugin).await?;
        config::check_exec(&spec, &record.manifest)?;
        let given = ExecGrants {
            grants: spec.grants.clone(),
            databases: self.databases,
            repositories: self.repositories,
            remotes: self.remotes,
        };
        let protected = Protected::new(&app.home.protected());
        config::check_places(&given, &protected, &apply::endpoint)?;
        let pool = spec.policy.pool.clone();
        let ask = Ask {
            node: app.store.node(),
            what: Asked::Exec {
                spec: Box::new(spec),
                digest: record.digest,
            },
            trigger: Trigger::Exec,
            dry_run: self.dry_run,
            force: true,
            slots: 0,
            lease: *LEASE,
            mark: None,
        };
        let definitions = Definitions {
            databases: given.databases,
            repositories: given.repositories,
            remotes: given.remotes,
            ..Definitions::default()
        };
        let secrets = SecretValues(self.secrets);
        app.runs
            .ask(ask, definitions, secrets, pool, true)
            .await
            .map(RunView::from)
    }
}

/// Runs all that is due now, once.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tick {}

impl Call for Tick {
    const PATH: &'static str = "tick";
    type Answer = Vec<RunView>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        app.reconcile().await?;
        app.runs.reap().await?;
        app.runs.edited().await?;
        watch::look_at_all(app).await?;
        let runs = app.runs.tick().await?;
        Ok(runs.into_iter().map(RunView::from).collect())
    }
}
