//! Runs attacks with ports that remember what they were asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use mhost_engine::{
    Allocation, Cancel, Context, EngineConfig, Finished, GrantedBy, Job, Plugin, Sandbox,
};
use mhost_model::grant::{Access, DirGrant, Grants, SecretSource};
use mhost_model::limits::Limits;
use mhost_model::plan::Ended;
use mhost_model::plugin::{Declared, Digest, Manifest};
use mhost_model::run::{LogLine, Report, RunError};
use mhost_model::{Fence, FixedClock, Span};
use serde_json::{Map, Value};

// Named, so that the benches find it too.
#[path = "support/ports.rs"]
mod ports;

pub use ports::Fake;

/// The hostile component, built once.
pub fn component() -> &'static [u8] {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    COMPONENT.get_or_init(|| {
        let near = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let built = mhost_plugin_build::build(&["mhost-guest-hostile"], near).unwrap();
        std::fs::read(&built[0]).unwrap()
    })
}

/// A sandbox without a cache.
pub fn sandbox(protected: &[&Path]) -> Sandbox {
    Sandbox::new(EngineConfig {
        allocation: Allocation::OnDemand,
        cache: None,
        protected: protected.iter().map(|path| path.to_path_buf()).collect(),
    })
    .unwrap()
}

/// The hostile plugin, loaded once.
pub fn plugin() -> Arc<Plugin> {
    static PLUGIN: OnceLock<Arc<Plugin>> = OnceLock::new();
    let load = || block_on(sandbox(&[]).load(component())).unwrap();
    Arc::clone(PLUGIN.get_or_init(load))
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// One attack, and what it is given.
pub struct Attack {
    pub action: &'static str,
    pub config: Value,
    pub grants: Grants,
    pub limits: Limits,
    pub dry_run: bool,
    pub cancel: Cancel,
    pub grace: Duration,
    pub fake: Arc<Fake>,
    pub plugin: Arc<Plugin>,
}

/// What came of it.
pub struct Went {
    pub finished: Finished,
    pub fake: Arc<Fake>,
}

impl Attack {
    pub fn new(action: &'static str, config: Value) -> Self {
        Self::with(plugin(), action, config)
    }

    /// The same of another plugin.
    pub fn with(plugin: Arc<Plugin>, action: &'static str, config: Value) -> Self {
        Self {
            action,
            config,
            grants: Grants::default(),
            limits: Limits {
                time: Span::seconds(60),
                ..Limits::default()
            },
            dry_run: false,
            cancel: Cancel::default(),
            grace: Duration::from_millis(100),
            fake: Arc::default(),
            plugin,
        }
    }

    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    pub fn grants(mut self, change: impl FnOnce(&mut Grants)) -> Self {
        change(&mut self.grants);
        self
    }

    pub fn dir(self, name: &str, path: &Path, access: Access) -> Self {
        let grant = DirGrant {
            path: path.to_owned(),
            access,
        };
        self.grants(|grants| drop(grants.dirs.insert(name.parse().unwrap(), grant)))
    }

    /// A secret of this name and value.
    pub fn secret(self, name: &str, value: &str) -> Self {
        self.fake
            .secrets
            .lock()
            .unwrap()
            .insert(name.into(), value.into());
        let source = SecretSource::Env(name.into());
        self.grants(|grants| drop(grants.secrets.insert(name.parse().unwrap(), source)))
    }

    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    pub fn go(self) -> Went {
        let fake = Arc::clone(&self.fake);
        let plugin = Arc::clone(&self.plugin);
        let job = self.job();
        let finished = block_on(async move { plugin.run(job).await });
        Went { finished, fake }
    }

    pub fn job(self) -> Job {
        let declared = declared(&self.plugin, self.action);
        let fake = self.fake;
        let Value::Object(config) = self.config else {
            panic!("the configuration is an object");
        };
        Job {
            context: context(self.action, config, self.dry_run),
            grants: self.grants,
            granted_by: GrantedBy::Task,
            declared,
            limits: self.limits,
            databases: fake.clone(),
            repositories: fake.clone(),
            remotes: fake.clone(),
            secrets: fake.clone(),
            tasks: fake.clone(),
            messenger: fake.clone(),
            state: fake.clone(),
            watched: fake.clone(),
            log: fake.clone(),
            progress: fake.clone(),
            fence: fake,
            clock: Arc::new(FixedClock::new("2031-02-03T04:05:06Z".parse().unwrap())),
            cancel: self.cancel,
            grace: self.grace,
        }
    }
}

/// What the action's manifest says; each plugin is asked once. A plugin that cannot say it
/// declares nothing.
fn declared(plugin: &Arc<Plugin>, action: &str) -> Declared {
    static MANIFESTS: Mutex<BTreeMap<Digest, Option<Manifest>>> = Mutex::new(BTreeMap::new());
    let mut manifests = MANIFESTS.lock().unwrap();
    let describe = || block_on(plugin.describe()).ok();
    let manifest = manifests.entry(plugin.digest()).or_insert_with(describe);
    let action = manifest.as_ref().and_then(|one| one.action(action));
    action.map_or_else(Declared::default, |action| Declared::of(&action.needs))
}

fn context(action: &str, config: Map<String, Value>, dry_run: bool) -> Context {
    let fire_at = "2031-02-03T04:00:00Z".parse().unwrap();
    Context {
        task: "attack".into(),
        action: action.into(),
        config,
        dry_run,
        attempt: 1,
        idempotency_key: "1/2".into(),
        fence: Fence(1),
        fire_at,
        previous_success: None,
    }
}

impl Went {
    /// The report of a run that succeeded.
    pub fn report(&self) -> &Report {
        assert_eq!(self.finished.ended, Ended::Succeeded);
        self.finished.report.as_ref().unwrap()
    }

    /// The error of a run that failed.
    pub fn error(&self) -> &RunError {
        match &self.finished.ended {
            Ended::Failed(error) => error,
            other => panic!("it was to fail, and is {other:?}"),
        }
    }

    pub fn log(&self) -> Vec<LogLine> {
        self.fake.log.lock().unwrap().clone()
    }

    /// The log's text.
    pub fn log_text(&self) -> String {
        let lines = self.log();
        lines
            .iter()
            .map(|line| format!("{}\n", line.text))
            .collect()
    }
}

/// A map to look at; the lock is not held.
pub fn copy<K: Ord + Clone, V: Clone>(map: &Mutex<BTreeMap<K, V>>) -> BTreeMap<K, V> {
    map.lock().unwrap().clone()
}
