//! What a run can learn of what was observed before, of windows in time and of other
//! tasks: the host's side of the engine's port.

use std::sync::Arc;

use mhost_model::ports::run::Watched;
use mhost_model::run::Run;
use mhost_model::schedule::Schedule;
use mhost_model::watch::Summary;
use mhost_model::{Fault, FaultResult, Instant, Name, Span};
use mhost_sched::Compiled;
use mhost_store::{TaskStore, Watcher};
use tokio::runtime::Handle;

use super::ports::wait;
use crate::app::App;
use crate::calls::watched;

/// The port for one run.
pub fn of(app: &App, run: &Run) -> Arc<dyn Watched> {
    Arc::new(Stored {
        store: Arc::clone(&app.store),
        watcher: match run.task {
            Some(task) => Watcher::Task(task),
            None => Watcher::Exec(run.plugin.name.clone()),
        },
        name: run.task_name.clone(),
        runtime: Handle::current(),
    })
}

struct Stored {
    store: Arc<dyn TaskStore>,
    watcher: Watcher,
    name: Name,
    runtime: Handle,
}

impl Watched for Stored {
    fn recall(&self, subjects: &[String]) -> FaultResult<Vec<Option<Vec<u8>>>> {
        let (store, watcher) = (Arc::clone(&self.store), self.watcher.clone());
        let subjects = subjects.to_vec();
        wait(&self.runtime, async move {
            store.memories(watcher, subjects).await
        })
    }

    fn summaries(&self) -> FaultResult<Vec<Summary>> {
        let store = Arc::clone(&self.store);
        let (watcher, name) = (self.watcher.clone(), self.name.clone());
        wait(&self.runtime, async move {
            match watcher {
                Watcher::Task(_) => watched::of_watcher(&store, watcher, &name).await,
                // Whoever calls `exec` may ask for everything in this state folder.
                Watcher::Exec(plugin) => watched::of_plugin(&store, &plugin).await,
            }
        })
    }

    fn in_window(
        &self,
        schedule: &Schedule,
        length: Span,
        at: Instant,
    ) -> FaultResult<Option<Instant>> {
        let compiled =
            Compiled::parse(schedule).map_err(|fault| Fault::Invalid(fault.to_string()))?;
        let early = at.checked_sub_signed(length.delta());
        let early = early.ok_or_else(|| Fault::Invalid(format!("{length} is too long")))?;
        // The window that began last ends last.
        let begins = compiled.between(early, at, Instant::UNIX_EPOCH);
        let newest = begins.take(MOST_BEGINS).last();
        Ok(newest.map(|begin| begin + length.delta()))
    }
}

/// A schedule that begins a window each second is looked at no further.
const MOST_BEGINS: usize = 100_000;
