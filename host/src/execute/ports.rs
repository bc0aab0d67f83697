//! The host's side of the engine's ports: drivers for what the definitions name,
//! the plugin's state in the store, and secrets from where the operator keeps them.

use std::future::Future;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, mpsc};

use mhost_databases::ManagedDatabases;
use mhost_engine::Given;
use mhost_model::grant::SecretSource;
use mhost_model::ports::database::Databases;
use mhost_model::ports::remote::Remotes;
use mhost_model::ports::repository::Repositories;
use mhost_model::ports::run::{Secrets, StateReader};
use mhost_model::{Fault, FaultResult, TaskId};
use mhost_remotes::NamedRemotes;
use mhost_repositories::ManagedRepositories;
use mhost_store::{Definitions, StoreResult, TaskStore};
use tokio::runtime::Handle;

/// A secret's value is at most so long; see `wit/secrets.wit`.
const MAX_SECRET: u64 = 64 << 10;

/// The drivers of what is defined; made anew when definitions change.
pub struct Powers {
    pub databases: Arc<dyn Databases>,
    pub repositories: Arc<dyn Repositories>,
    pub remotes: Arc<dyn Remotes>,
    /// The places of all, as options of a command name them.
    pub given: Arc<Given>,
}

impl Powers {
    /// `secrets` are those of logins.
    pub fn new(definitions: &Definitions, secrets: &SecretValues) -> Self {
        let secrets = Arc::new(secrets.clone());
        let remotes = NamedRemotes::new(definitions.remotes.clone(), secrets);
        let remotes: Arc<dyn Remotes> = Arc::new(remotes);
        Self {
            databases: Arc::new(ManagedDatabases::new(definitions.databases.clone())),
            repositories: Arc::new(ManagedRepositories::new(
                definitions.repositories.clone(),
                None,
                Arc::clone(&remotes),
            )),
            remotes,
            given: Arc::new(given(definitions)),
        }
    }
}

fn given(definitions: &Definitions) -> Given {
    let databases = definitions.databases.iter();
    let repositories = definitions.repositories.iter();
    let remotes = definitions.remotes.iter();
    Given {
        databases: databases
            .map(|(name, one)| {
                let place = format!("{}:{}", one.engine.as_str(), one.path.display());
                (name.clone(), place)
            })
            .collect(),
        repositories: repositories
            .map(|(name, one)| (name.clone(), one.endpoint.url.clone()))
            .collect(),
        remotes: remotes
            .map(|(name, one)| (name.clone(), one.endpoint.url.clone()))
            .collect(),
    }
}

/// The plugin state of a task; a run without a task begins with none.
pub fn state(store: &Arc<dyn TaskStore>, task: Option<TaskId>) -> Arc<dyn StateReader> {
    match task {
        Some(task) => Arc::new(StoredState {
            store: Waiting::new(store),
            task,
        }),
        None => Arc::new(NoState),
    }
}

/// Asks the store from a thread that blocks.
pub struct Waiting {
    store: Arc<dyn TaskStore>,
    runtime: Handle,
}

impl Waiting {
    /// To be made where the runtime is.
    pub fn new(store: &Arc<dyn TaskStore>) -> Self {
        Self {
            store: Arc::clone(store),
            runtime: Handle::current(),
        }
    }

    /// Waits on the calling thread, which may be inside a runtime of its own and so
    /// cannot wait for a future itself.
    pub fn wait<T, F>(&self, work: impl FnOnce(Arc<dyn TaskStore>) -> F) -> FaultResult<T>
    where
        T: Send + 'static,
        F: Future<Output = StoreResult<T>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::sync_channel(1);
        let work = work(Arc::clone(&self.store));
        self.runtime.spawn(async move {
            // The receiver is gone only if its run was cut off.
            let _ = sender.send(work.await);
        });
        receiver
            .recv()
            .map_err(|_| Fault::Failed("mhost is ending".into()))?
            .map_err(|error| Fault::Failed(error.to_string()))
    }
}

struct StoredState {
    store: Waiting,
    task: TaskId,
}

impl StateReader for StoredState {
    fn get(&self, key: &str) -> FaultResult<Option<Vec<u8>>> {
        let (task, key) = (self.task, key.to_owned());
        self.store
            .wait(|store| async move { store.state(task, key).await })
    }

    fn keys(&self, after: Option<&str>, limit: usize) -> FaultResult<Vec<String>> {
        let (task, after) = (self.task, after.map(str::to_owned));
        self.store
            .wait(|store| async move { store.state_keys(task, after, limit).await })
    }
}

struct NoState;

impl StateReader for NoState {
    fn get(&self, _: &str) -> FaultResult<Option<Vec<u8>>> {
        Ok(None)
    }

    fn keys(&self, _: Option<&str>, _: usize) -> FaultResult<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Values that came with the request, by their sources: `exec` reads secrets where it was called,
/// not where the service runs. Others are read where the operator keeps them.
#[derive(Clone, Default)]
pub struct SecretValues(pub Vec<(SecretSource, String)>);

impl Secrets for SecretValues {
    fn read(&self, source: &SecretSource) -> FaultResult<String> {
        match self.0.iter().find(|(known, _)| known == source) {
            Some((_, value)) => Ok(value.clone()),
            None => read_secret(source),
        }
    }
}

/// Reads a secret from where the operator keeps it, without a trailing line end.
pub fn read_secret(source: &SecretSource) -> FaultResult<String> {
    match source {
        SecretSource::Env(name) => std::env::var(name).map_err(|error| {
            Fault::NotFound(format!(
                "the environment variable {name}: {error}; set it for mhost"
            ))
        }),
        SecretSource::File(path) => read_file(path),
        SecretSource::Credential(name) => match std::env::var_os("CREDENTIALS_DIRECTORY") {
            Some(folder) => read_file(&Path::new(&folder).join(name)),
            None => Err(Fault::NotFound(format!(
                "the credential {name}: CREDENTIALS_DIRECTORY is not set; add LoadCredential={name}:… to the service"
            ))),
        },
    }
}

fn read_file(path: &Path) -> FaultResult<String> {
    let failed =
        |why: String| Fault::Failed(format!("cannot read the secret {}: {why}", path.display()));
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SECRET + 1).read_to_string(&mut text))
        .map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MAX_SECRET {
        return Err(failed("it is larger than 64 KiB".into()));
    }
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(text)
}
