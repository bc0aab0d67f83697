//! Managed databases, looked at by the operator, without any task.

use std::collections::BTreeMap;
use std::sync::Arc;

use mhost_databases::ManagedDatabases;
use mhost_model::ports::database::{Database, DatabaseInfo, Databases as _, TableInfo, Verdict};
use mhost_model::resource::DatabaseDef;
use mhost_model::{Fault, FaultResult, Name};
use serde::{Deserialize, Serialize};

use super::Call;
use crate::app::App;
use crate::exit::{Outcomes, Problem};

/// A defined database and what can be said of it at once.
#[derive(Debug, Serialize, Deserialize)]
pub struct DatabaseRow {
    pub name: Name,
    #[serde(flatten)]
    pub definition: DatabaseDef,
    pub info: Option<DatabaseInfo>,
    /// Why it could not be looked at.
    pub error: Option<Fault>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct ListDatabases {}

impl Call for ListDatabases {
    const PATH: &'static str = "db/list";
    type Answer = Vec<DatabaseRow>;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let definitions = app.store.definitions().await?.databases;
        blocking(move || {
            let drivers = ManagedDatabases::new(definitions.clone());
            let row = |(name, definition): (Name, DatabaseDef)| {
                let info = drivers.open(&name).and_then(|mut database| database.info());
                let (info, error) = match info {
                    Ok(info) => (Some(info), None),
                    Err(error) => (None, Some(error)),
                };
                DatabaseRow {
                    name,
                    definition,
                    info,
                    error,
                }
            };
            Ok(definitions.into_iter().map(row).collect())
        })
        .await
    }
}

/// Size, tables and rows of one database.
#[derive(Debug, Serialize, Deserialize)]
pub struct StatDatabase {
    pub name: Name,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct DatabaseStat {
    pub name: Name,
    #[serde(flatten)]
    pub definition: DatabaseDef,
    pub info: DatabaseInfo,
    pub tables: Vec<TableInfo>,
}

impl Call for StatDatabase {
    const PATH: &'static str = "db/stat";
    type Answer = DatabaseStat;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let (name, definition) = defined(app, self.name).await?;
        with(name.clone(), definition.clone(), move |database| {
            Ok(DatabaseStat {
                name,
                definition,
                info: database.info()?,
                tables: database.tables()?,
            })
        })
        .await
    }
}

/// Checks one database, changing nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct VerifyDatabase {
    pub name: Name,
}

impl Call for VerifyDatabase {
    const PATH: &'static str = "db/verify";
    type Answer = Verdict;

    async fn answer(self, app: &Arc<App>) -> Outcomes<Self::Answer> {
        let (name, definition) = defined(app, self.name).await?;
        with(name, definition, |database| database.verify()).await
    }
}

async fn defined(app: &App, name: Name) -> Outcomes<(Name, DatabaseDef)> {
    let mut databases = app.store.definitions().await?.databases;
    match databases.remove(&name) {
        Some(definition) => Ok((name, definition)),
        None => Err(Problem::not_found(format!("there is no database `{name}`"))
            .hint("`mhost db list` shows those that are defined")),
    }
}

async fn with<T: Send + 'static>(
    name: Name,
    definition: DatabaseDef,
    work: impl FnOnce(&mut dyn Database) -> FaultResult<T> + Send + 'static,
) -> Outcomes<T> {
    blocking(move || {
        let drivers = ManagedDatabases::new(BTreeMap::from([(name.clone(), definition)]));
        let mut database = drivers.open(&name)?;
        work(database.as_mut())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> FaultResult<T> + Send + 'static,
) -> Outcomes<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer.map_err(Problem::from),
        Err(error) => Err(Problem::bug(format!("a database driver: {error}"))),
    }
}
