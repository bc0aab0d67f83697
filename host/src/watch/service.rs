//! The service's part: the kernel's notices of changes, gathered into bursts that settle.
//! A notice only says when to look; see the module above.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mhost_model::{Instant, Span, TaskId};
use mhost_sched::change::Burst;
use tokio::time::Instant as Moment;

use super::kernel::Kernel;
use super::{Looked, is_on, look, watched};
use crate::app::App;
use crate::exit::Outcomes;

/// A tree that cannot be watched is looked at, and tried again, so often.
const AGAIN: Duration = Duration::from_secs(30);

/// Watches until the process ends. Trees that changed while nobody watched are found at once.
pub fn spawn(app: Arc<App>) {
    tokio::spawn(Service::new(app).run());
}

struct Service {
    app: Arc<App>,
    trees: BTreeMap<TaskId, Tree>,
    /// Tasks whose change waits for the end of a run.
    after_run: BTreeSet<TaskId>,
    /// None where it cannot be had: then trees are looked at from time to time.
    kernel: Option<Kernel>,
    /// Bursts are timed by a clock that nobody sets.
    begun: (Instant, Moment),
}

struct Tree {
    path: PathBuf,
    settle: Span,
    burst: Option<Burst>,
    /// That it cannot be watched, or looked at, was said.
    said: bool,
}

impl Service {
    fn new(app: Arc<App>) -> Self {
        let kernel = Kernel::new();
        let kernel = kernel.inspect_err(|error| {
            tracing::warn!(%error, "the kernel gives no notices of changes");
        });
        Self {
            kernel: kernel.ok(),
            begun: (app.now(), Moment::now()),
            app,
            trees: BTreeMap::new(),
            after_run: BTreeSet::new(),
        }
    }

    async fn run(mut self) {
        let (mut edits, mut ends) = (self.app.runs.edits(), self.app.runs.ends());
        if let Err(problem) = self.refresh().await {
            tracing::error!(%problem, "cannot watch for changes");
        }
        loop {
            let due = self.next_look();
            let result = tokio::select! {
                edited = edits.changed() => match edited {
                    Ok(()) => self.refresh().await,
                    Err(_) => return,
                },
                ended = ends.recv() => match ended {
                    Ok(run) => self.ended(run.task),
                    // Some were missed: any may have ended.
                    Err(_) => self.all_ended(),
                },
                noticed = noticed(&mut self.kernel) => self.noticed(noticed),
                () = tokio::time::sleep_until(due.unwrap_or_else(Moment::now)), if due.is_some() => {
                    self.look_at_settled().await
                }
            };
            if let Err(problem) = result {
                tracing::error!(%problem, "cannot look for changes");
                self.retry_later();
            }
        }
    }

    /// The time as bursts have it.
    fn now(&self) -> Instant {
        let (began, moment) = self.begun;
        began + (Moment::now() - moment)
    }

    /// When the next burst has settled.
    fn next_look(&self) -> Option<Moment> {
        let bursts = self.trees.values();
        let due = bursts.filter_map(|tree| Some(tree.burst?.due_at(tree.settle)));
        let (began, moment) = self.begun;
        due.min()
            .map(|due| moment + (due - began).to_std().unwrap_or_default())
    }

    fn change(&mut self, task: TaskId) {
        let now = self.now();
        if let Some(tree) = self.trees.get_mut(&task) {
            tree.burst = Some(match tree.burst {
                Some(burst) => burst.change(now),
                None => Burst::begin(now),
            });
        }
    }

    fn noticed(&mut self, noticed: io::Result<BTreeSet<TaskId>>) -> Outcomes<()> {
        match noticed {
            Ok(tasks) => tasks.into_iter().for_each(|task| self.change(task)),
            Err(error) => {
                tracing::warn!(%error, "the kernel gives no more notices of changes");
                self.kernel = None;
                let tasks: Vec<TaskId> = self.trees.keys().copied().collect();
                for task in tasks {
                    self.change(task);
                }
            }
        }
        Ok(())
    }

    fn ended(&mut self, task: Option<TaskId>) -> Outcomes<()> {
        if let Some(task) = task.filter(|task| self.after_run.remove(task)) {
            self.change(task);
        }
        Ok(())
    }

    fn all_ended(&mut self) -> Outcomes<()> {
        for task in std::mem::take(&mut self.after_run) {
            self.change(task);
        }
        Ok(())
    }

    /// Watches what is to be watched, and looks at what is new here.
    async fn refresh(&mut self) -> Outcomes<()> {
        let statuses = self.app.store.watchers().await?;
        let wanted: BTreeMap<TaskId, (PathBuf, Span)> = statuses
            .iter()
            .filter(|status| is_on(&status.task))
            .filter_map(|status| Some((status.task.id, watched(&status.task)?)))
            .collect();
        self.trees.retain(|task, tree| {
            let same = |(path, _): &(PathBuf, Span)| *path == tree.path;
            let stays = wanted.get(task).is_some_and(same);
            if let (false, Some(kernel)) = (stays, &mut self.kernel) {
                kernel.forget(*task);
            }
            stays
        });
        for (task, (path, settle)) in wanted {
            match self.trees.get_mut(&task) {
                Some(tree) => tree.settle = settle,
                None => self.add(task, path, settle).await?,
            }
        }
        Ok(())
    }

    async fn add(&mut self, task: TaskId, path: PathBuf, settle: Span) -> Outcomes<()> {
        let tree = Tree {
            path,
            settle,
            burst: None,
            said: false,
        };
        self.trees.insert(task, tree);
        self.watch(task);
        // What changed while nobody watched; and what changes now is noticed from here on.
        if self.app.store.mark(task).await?.is_some() {
            self.change(task);
            return Ok(());
        }
        let looked = look(&self.app, task).await?;
        self.note(task, looked);
        Ok(())
    }

    fn watch(&mut self, task: TaskId) {
        let (Some(tree), Some(kernel)) = (self.trees.get_mut(&task), &mut self.kernel) else {
            return;
        };
        if let Err(error) = kernel.watch(task, &tree.path)
            && !std::mem::replace(&mut tree.said, true)
        {
            tracing::warn!(
                %task, path = %tree.path.display(), %error,
                "a directory cannot be watched: it is looked at every half a minute instead (the kernel's bound is fs.inotify.max_user_watches)"
            );
        }
    }

    async fn look_at_settled(&mut self) -> Outcomes<()> {
        let now = self.now();
        let due = |tree: &Tree| {
            tree.burst
                .is_some_and(|burst| burst.due_at(tree.settle) <= now)
        };
        let settled = self.trees.iter().filter(|(_, tree)| due(tree));
        let settled: Vec<TaskId> = settled.map(|(task, _)| *task).collect();
        for task in settled {
            if let Some(tree) = self.trees.get_mut(&task) {
                tree.burst = None;
            }
            let looked = look(&self.app, task).await?;
            self.note(task, looked);
        }
        Ok(())
    }

    fn note(&mut self, task: TaskId, looked: Looked) {
        let Some(tree) = self.trees.get_mut(&task) else {
            return;
        };
        let failed = match looked {
            Looked::Failed(problem) => {
                if !std::mem::replace(&mut tree.said, true) {
                    tracing::warn!(%task, %problem, "changes cannot be noticed");
                }
                true
            }
            Looked::AfterRun => {
                self.after_run.insert(task);
                false
            }
            Looked::Same | Looked::Asked => false,
        };
        let kernel = self.kernel.as_ref();
        if kernel.is_some_and(|kernel| kernel.watches(task)) && !failed {
            tree.said = false;
            return;
        }
        // The directory may be gone, and another one may have come in its place.
        self.watch(task);
        let later = self.now() + AGAIN;
        if let Some(tree) = self.trees.get_mut(&task) {
            tree.burst = Some(Burst::begin(later));
        }
    }

    /// The store did not answer: nothing that was noticed is forgotten.
    fn retry_later(&mut self) {
        let later = self.now() + Duration::from_secs(5);
        for tree in self.trees.values_mut() {
            tree.burst = tree.burst.or(Some(Burst::begin(later)));
        }
    }
}

/// The tasks whose trees the kernel tells of.
async fn noticed(kernel: &mut Option<Kernel>) -> io::Result<BTreeSet<TaskId>> {
    match kernel {
        Some(kernel) => kernel.noticed().await,
        None => std::future::pending().await,
    }
}
