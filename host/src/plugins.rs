//! Which plugins there are (built in and installed), and their components, loaded
//! when they are first needed. Whether a task may run a plugin is `approval`'s.

pub mod approval;
mod embedded;

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use mhost_engine::{Allocation, EngineConfig, Plugin, Sandbox, digest};
use mhost_model::plugin::{Digest, Manifest, PluginRecord, PluginRef};
use tokio::sync::{Mutex, OnceCell};

use crate::exit::{Outcomes, Problem};
use crate::home::Home;
use crate::housekeeping;
pub use embedded::{Embedded, embedded};

/// The components of one mhost. The sandbox is made when the first is loaded: a
/// command that runs nothing never pays for it.
pub struct Catalog {
    home: Home,
    allocation: Allocation,
    cached: bool,
    sandbox: OnceCell<Sandbox>,
    loaded: Mutex<HashMap<Digest, Arc<Plugin>>>,
    /// What components say of themselves, as far as somebody asked.
    manifests: std::sync::Mutex<HashMap<Digest, Arc<Manifest>>>,
}

impl Catalog {
    pub fn new(home: Home, allocation: Allocation) -> Self {
        Self {
            home,
            allocation,
            cached: true,
            sandbox: OnceCell::new(),
            loaded: Mutex::new(HashMap::new()),
            manifests: Default::default(),
        }
    }

    /// One that leaves nothing behind: for a look at a component where there is no
    /// state folder.
    pub fn without_cache(home: Home, allocation: Allocation) -> Self {
        Self {
            cached: false,
            ..Self::new(home, allocation)
        }
    }

    /// The engine, made at the first call.
    pub async fn sandbox(&self) -> Outcomes<&Sandbox> {
        self.sandbox
            .get_or_try_init(|| async {
                Sandbox::new(EngineConfig {
                    allocation: self.allocation,
                    cache: self.cached.then(|| self.home.cache()),
                    protected: self.home.protected(),
                })
                .map_err(|error| Problem::failed(error.to_string()))
            })
            .await
    }

    /// The component behind a digest, ready to run.
    pub async fn load(&self, digest: Digest) -> Outcomes<Arc<Plugin>> {
        // Held while compiling, so that two runs do not compile the same component.
        let mut loaded = self.loaded.lock().await;
        if let Some(plugin) = loaded.get(&digest) {
            return Ok(Arc::clone(plugin));
        }
        let sandbox = self.sandbox().await?;
        let plugin = match sandbox.load_cached(digest).await {
            Some(plugin) => plugin,
            None => {
                let component = self.component(digest)?;
                sandbox
                    .load(&component)
                    .await
                    .map_err(|error| Problem::usage(error.to_string()))?
            }
        };
        loaded.insert(digest, Arc::clone(&plugin));
        Ok(plugin)
    }

    /// The bytes behind a digest; checked, so that a changed file is never run.
    pub fn component(&self, wanted: Digest) -> Outcomes<Vec<u8>> {
        if wanted == housekeeping::digest()? {
            let plugin = housekeeping::PLUGIN;
            return Err(Problem::usage(format!(
                "`{plugin}` is part of mhost itself: it has no component"
            )));
        }
        if let Some(built_in) = embedded().iter().find(|one| one.digest() == wanted) {
            return built_in.component();
        }
        let path = self.installed_path(wanted);
        let component = fs::read(&path).map_err(|error| {
            Problem::not_found(format!(
                "the component {} is not there ({error})",
                wanted.short()
            ))
            .hint("install the plugin again: `mhost plugin install FILE`")
        })?;
        let found = digest(&component);
        if found != wanted {
            return Err(Problem::refused(format!(
                "{} was changed: its digest is {}, not {}",
                path.display(),
                found.short(),
                wanted.short()
            ))
            .hint("install the plugin again from a source that you trust"));
        }
        Ok(component)
    }

    fn installed_path(&self, digest: Digest) -> PathBuf {
        self.home.components().join(format!("{digest}.wasm"))
    }

    /// Puts a component into the folder of installed ones, whole or not at all.
    pub fn keep(&self, component: &[u8]) -> Outcomes<Digest> {
        let digest = digest(component);
        let path = self.installed_path(digest);
        let folder = self.home.components();
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(component)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            fs::File::open(&folder)?.sync_all()
        };
        write().map_err(|error| Problem::io("write", &path, &error))?;
        Ok(digest)
    }

    /// Removes an installed component that no record names any more.
    pub fn discard(&self, digest: Digest) -> Outcomes<()> {
        let path = self.installed_path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Problem::io("remove", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// What was remembered of a component.
    pub fn remembered(&self, digest: Digest) -> Option<Arc<Manifest>> {
        self.manifests().get(&digest).cloned()
    }

    /// Keeps what a component says of itself at hand.
    pub fn remember(&self, digest: Digest, manifest: Manifest) -> Arc<Manifest> {
        let mut manifests = self.manifests();
        Arc::clone(manifests.entry(digest).or_insert(Arc::new(manifest)))
    }

    fn manifests(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Arc<Manifest>>> {
        let manifests = self.manifests.lock();
        manifests.unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What a component says of itself.
    pub async fn describe(&self, digest: Digest) -> Outcomes<Manifest> {
        if digest == housekeeping::digest()? {
            return housekeeping::manifest();
        }
        let plugin = self.load(digest).await?;
        plugin
            .describe()
            .await
            .map_err(|error| Problem::usage(error.to_string()))
    }
}

/// What comes with the binary, by name: the components in it, and mhost's own part.
pub fn built_in() -> Outcomes<Vec<(&'static str, Digest)>> {
    let own = (housekeeping::PLUGIN, housekeeping::digest()?);
    let components = embedded().iter().map(|one| (one.name, one.digest()));
    Ok(components.chain([own]).collect())
}

/// The component that a reference stands for now: a built-in one, or the newest
/// installed one of that name, or exactly the version asked for.
pub fn resolve(reference: &PluginRef, records: &[PluginRecord]) -> Outcomes<Digest> {
    let name = reference.name.as_str();
    let built_in = built_in()?.into_iter().find(|(of, _)| *of == name);
    match (&reference.version, built_in) {
        (None, Some((_, digest))) => Ok(digest),
        (version, _) => records
            .iter()
            .filter(|record| record.manifest.name == reference.name)
            .filter(|record| {
                version
                    .as_ref()
                    .is_none_or(|v| *v == record.manifest.version)
            })
            .max_by_key(|record| record.installed_at)
            .map(|record| record.digest)
            .ok_or_else(|| unknown(reference, records)),
    }
}

fn unknown(reference: &PluginRef, records: &[PluginRecord]) -> Problem {
    let mut names: Vec<String> = embedded().iter().map(|one| one.name.to_owned()).collect();
    names.extend(
        records
            .iter()
            .filter(|record| !record.built_in)
            .map(|record| format!("{}@{}", record.manifest.name, record.manifest.version)),
    );
    Problem::not_found(format!("there is no plugin `{reference}`")).hint(format!(
        "there are {}; `mhost plugin install FILE` adds one",
        names.join(", ")
    ))
}
