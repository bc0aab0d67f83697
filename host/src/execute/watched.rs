//! What a run can learn of what was observed before, of windows in time and of other
//! tasks: the host's side of the engine's port.

use std::sync::Arc;

use mhost_model::ports::run::Watched;
use mhost_model::run::Run;
use mhost_model::schedule::Schedule;
use mhost_model::watch::Summary;
use mhost_model::{Fault, FaultResult, Instant, Name, Span};
use mhost_sched::Compiled;
use mhost_store::Watcher;

use super::ports::Waiting;
use crate::app::App;
use crate::calls::watched;

/// The port for one run.
pub fn of(app: &App, run: &Run) -> Arc<dyn Watched> {
    Arc::new(Stored {
        store: Waiting::new(&app.store),
        watcher: match run.task {
            Some(task) => Watcher::Task(task),
            None => Watcher::Exec(run.plugin.name.clone()),
        },
        name: run.task_name.clone(),
    })
}

struct Stored {
    store: Waiting,
    watcher: Watcher,
    name: Name,
}

impl Watched for Stored {
    fn recall(&self, subjects: &[String]) -> FaultResult<Vec<Option<Vec<u8>>>> {
        let (watcher, subjects) = (self.watcher.clone(), subjects.to_vec());
        self.store
            .wait(|store| async move { store.memories(watcher, subjects).await })
    }

    fn summaries(&self) -> FaultResult<Vec<Summary>> {
        let (watcher, name) = (self.watcher.clone(), self.name.clone());
        self.store.wait(|store| async move {
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
