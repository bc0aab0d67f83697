//! Tasks as they were read last. A fire needs its task twice, and reading one is
//! parsing JSON; what is kept here is what is in the file, or in the present
//! transaction.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use mhost_model::task::Task;

/// Some megabytes at most. Emptied when full.
const ENTRIES: usize = 16_384;

/// A task that is shared until it is changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared(Arc<Task>);

impl From<Task> for Shared {
    fn from(task: Task) -> Self {
        Self(Arc::new(task))
    }
}

impl From<Shared> for Arc<Task> {
    fn from(shared: Shared) -> Self {
        shared.0
    }
}

impl Deref for Shared {
    type Target = Task;
    fn deref(&self) -> &Task {
        &self.0
    }
}

/// Makes a copy of its own first, where others share it.
impl DerefMut for Shared {
    fn deref_mut(&mut self) -> &mut Task {
        Arc::make_mut(&mut self.0)
    }
}

/// See the module's page. Whoever writes a task must forget it here, and whoever rolls
/// back must forget all.
#[derive(Default)]
pub struct Known(RefCell<HashMap<u64, Shared>>);

impl Known {
    pub fn get(&self, id: u64) -> Option<Shared> {
        self.0.borrow().get(&id).cloned()
    }

    pub fn keep(&self, id: u64, task: &Shared) {
        let mut tasks = self.0.borrow_mut();
        if tasks.len() >= ENTRIES {
            tasks.clear();
        }
        tasks.insert(id, task.clone());
    }

    pub fn forget(&self, id: u64) {
        self.0.borrow_mut().remove(&id);
    }

    pub fn forget_all(&self) {
        self.0.borrow_mut().clear();
    }
}
