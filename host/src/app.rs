//! The composition root: everything that a command or the service works with, for
//! the process that holds the store.

use std::sync::{Arc, Mutex, PoisonError};

use mhost_engine::Allocation;
use mhost_model::plugin::{Digest, Manifest, PluginRecord, PluginRef};
use mhost_model::{Clock, FixedClock, Instant, SystemClock};
use mhost_sched::Scheduler;
use mhost_store::{Definitions, Edit, Notices, OpenOptions, RedbStore, TaskStatus, TaskStore};

use crate::dispatch;
use crate::exit::{Outcomes, Problem};
use crate::home::Home;
use crate::housekeeping;
use crate::plugins::{self, Catalog, approval};
use crate::post;
use crate::service::socket::Listening;

/// How many tasks are read from the store at a time.
const PAGE: usize = 1000;

/// One running mhost.
pub struct App {
    pub home: Home,
    pub clock: Arc<dyn Clock>,
    pub store: Arc<dyn TaskStore>,
    pub catalog: Catalog,
    /// The same store: what people are told.
    pub notices: Arc<dyn Notices>,
    pub runs: dispatch::Handle,
    /// Held while a watched directory is compared with what is remembered of it.
    pub looking: tokio::sync::Mutex<()>,
    pub post: post::Handle,
    /// While others can reach the store through this process.
    socket: Mutex<Option<Listening>>,
}

/// The clock of this process: the machine's, or the one that `MHOST_NOW` stops.
pub fn clock() -> Outcomes<Arc<dyn Clock>> {
    match std::env::var("MHOST_NOW") {
        Err(_) => Ok(Arc::new(SystemClock)),
        Ok(text) => Ok(Arc::new(FixedClock::new(parse_instant(&text).ok_or_else(
            || {
                Problem::usage(format!("MHOST_NOW is `{text}`, which is no time"))
                    .hint("write RFC 3339, such as 2026-12-01T03:00:00Z, or seconds since 1970")
            },
        )?))),
    }
}

/// RFC 3339, or seconds since 1970.
pub fn parse_instant(text: &str) -> Option<Instant> {
    match text.parse::<i64>() {
        Ok(seconds) => chrono::DateTime::from_timestamp(seconds, 0),
        Err(_) => chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| at.to_utc()),
    }
}

impl App {
    /// Opens the store, which nobody else may hold, and starts the event loop.
    pub fn open(home: Home, allocation: Allocation, create: bool) -> Outcomes<Arc<Self>> {
        if create {
            home.create()?;
        } else if !home.exists()? {
            return Err(Problem::not_found(format!(
                "there is no mhost state in {}",
                home.root().display()
            ))
            .hint("`mhost init` makes it, or name another folder with --home or MHOST_HOME"));
        } else {
            home.check_private()?;
        }
        let clock = clock()?;
        let store = RedbStore::open(OpenOptions {
            path: home.store(),
            clock: Arc::clone(&clock),
            planner: Arc::new(Scheduler::default()),
            create,
        })?;
        let store = Arc::new(store);
        let (runs, events) = dispatch::channel();
        let (post, orders) = post::channel();
        let app = Arc::new(Self {
            catalog: Catalog::new(home.clone(), allocation),
            home,
            clock,
            notices: Arc::clone(&store) as Arc<dyn Notices>,
            store,
            runs,
            looking: tokio::sync::Mutex::new(()),
            post,
            socket: Mutex::new(None),
        });
        dispatch::spawn(Arc::clone(&app), events);
        let postman = post::Post::new(
            Arc::clone(&app.store),
            Arc::clone(&app.notices),
            Arc::clone(&app.clock),
            Arc::new(post::Channels),
        );
        post::spawn(postman, app.post.clone(), orders);
        Ok(app)
    }

    /// Ends what runs in this process: the loop once nobody waits for a run of it any
    /// more, the postman once he delivered what he can.
    pub async fn close(&self) -> Outcomes<()> {
        self.runs.close().await?;
        self.post.close().await
    }

    /// Remembers the socket, to be closed with the rest.
    pub fn hold_socket(&self, listening: Listening) {
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
    }

    pub fn release_socket(&self) -> Option<Listening> {
        self.socket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Where this mhost knows other data of the time zones than the one before: computes due
    /// times anew, and says so.
    pub async fn renew_zones(&self) -> Outcomes<()> {
        let Some(renewed) = self.store.renew_zones().await? else {
            return Ok(());
        };
        tracing::warn!(
            former = renewed.former,
            present = renewed.present,
            moved = renewed.moved.len(),
            "the time zones' data are new: due times to come were computed anew"
        );
        for moved in &renewed.moved {
            let time = |at: Option<Instant>| at.map_or("never".to_owned(), |at| at.to_rfc3339());
            tracing::warn!(
                task = %moved.task, was = time(moved.was), is = time(moved.is),
                "the next due time moved with its time zone"
            );
        }
        Ok(())
    }

    /// Every task, in the order of names.
    pub async fn all_tasks(&self) -> Outcomes<Vec<TaskStatus>> {
        let mut tasks: Vec<TaskStatus> = Vec::new();
        loop {
            let after = tasks.last().map(|last| last.task.name.clone());
            let page = self.store.tasks(after, PAGE).await?;
            let last = page.len() < PAGE;
            tasks.extend(page);
            if last {
                return Ok(tasks);
            }
        }
    }

    /// The record of the component that a reference stands for; described and
    /// recorded when it is seen for the first time.
    pub async fn plugin(&self, reference: &PluginRef) -> Outcomes<PluginRecord> {
        let definitions = self.store.definitions().await?;
        let digest = plugins::resolve(reference, &definitions.plugins)?;
        if let Some(record) = recorded(&definitions, digest) {
            return Ok(record.clone());
        }
        let manifest = self.catalog.describe(digest).await?;
        self.record(&definitions, digest, manifest).await
    }

    /// What the component behind a digest declared when it was recorded. One whose record
    /// another took the place of is asked anew.
    pub async fn manifest(&self, digest: Digest) -> Outcomes<Arc<Manifest>> {
        if let Some(manifest) = self.catalog.remembered(digest) {
            return Ok(manifest);
        }
        let definitions = self.store.definitions().await?;
        let manifest = match recorded(&definitions, digest) {
            Some(record) => record.manifest.clone(),
            None => self.catalog.describe(digest).await?,
        };
        Ok(self.catalog.remember(digest, manifest))
    }

    /// Records a built-in component, and lets the tasks follow from the one before.
    async fn record(
        &self,
        definitions: &Definitions,
        digest: Digest,
        manifest: Manifest,
    ) -> Outcomes<PluginRecord> {
        let record = PluginRecord {
            digest,
            manifest,
            built_in: true,
            installed_at: self.now(),
        };
        let edits = self.succession(definitions, &record).await?;
        self.store.edit(edits).await?;
        Ok(record)
    }

    /// The edits by which a new component takes the place of the newest of its name.
    pub async fn succession(
        &self,
        definitions: &Definitions,
        record: &PluginRecord,
    ) -> Outcomes<Vec<Edit>> {
        let name = &record.manifest.name;
        let same = |old: &&PluginRecord| old.manifest.name == *name;
        let newest = definitions.plugins.iter().filter(same);
        let old = newest.max_by_key(|old| old.installed_at);
        let mut edits = Vec::new();
        if let Some(old) = old {
            if old.built_in && old.manifest.version != record.manifest.version {
                edits.push(Edit::RemovePlugin {
                    name: name.clone(),
                    version: old.manifest.version.clone(),
                });
            }
            for TaskStatus { task, .. } in self.all_tasks().await? {
                let follows = &task.spec.plugin;
                if follows.name != *name || follows.version.is_some() {
                    continue;
                }
                // A component that is not there any more approves nothing.
                let approved = self.manifest(task.pin).await.ok();
                edits.extend(approval::follow(&task, approved.as_deref(), record));
            }
        }
        edits.push(Edit::PutPlugin(Box::new(record.clone())));
        Ok(edits)
    }

    /// Brings the records of built-in plugins up to this binary's components. Cheap
    /// when nothing changed: it compares digests.
    pub async fn reconcile(&self) -> Outcomes<()> {
        let definitions = self.store.definitions().await?;
        for (name, digest) in plugins::built_in()? {
            let before = definitions
                .plugins
                .iter()
                .find(|record| record.built_in && record.manifest.name.as_str() == name);
            if before.is_some_and(|record| record.digest != digest) {
                let manifest = self.catalog.describe(digest).await?;
                self.record(&definitions, digest, manifest).await?;
            }
        }
        self.keep_house().await
    }

    /// Makes the task that looks after the store, where it is not there.
    pub async fn keep_house(&self) -> Outcomes<()> {
        let name = housekeeping::task_name()?;
        if self.store.task(&name).await?.is_some() {
            return Ok(());
        }
        let record = self.plugin(&housekeeping::plugin()?).await?;
        let edit = Edit::PutTask {
            name,
            spec: Box::new(housekeeping::spec()?),
            pin: record.digest,
            enabled: true,
        };
        Ok(self.store.edit(vec![edit]).await?)
    }
}

fn recorded(definitions: &Definitions, digest: Digest) -> Option<&PluginRecord> {
    definitions
        .plugins
        .iter()
        .find(|record| record.digest == digest)
}
