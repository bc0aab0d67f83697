//! How far the living runs are: kept in memory, for those who look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mhost_model::RunId;
use mhost_model::ports::run::{ProgressSink, ProgressState};

/// The newest state of every living run.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<HashMap<RunId, ProgressState>>>);

impl Board {
    pub fn get(&self, run: RunId) -> Option<ProgressState> {
        self.lock().get(&run).cloned()
    }

    /// Any living run's state, for a command that started one.
    pub fn newest(&self) -> Option<ProgressState> {
        self.lock().values().max_by_key(|state| state.at).cloned()
    }

    pub fn forget(&self, run: RunId) {
        self.lock().remove(&run);
    }

    pub fn sink(&self, run: RunId) -> Arc<dyn ProgressSink> {
        Arc::new(Sink {
            board: self.clone(),
            run,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, ProgressState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Sink {
    board: Board,
    run: RunId,
}

impl ProgressSink for Sink {
    fn update(&self, state: ProgressState) {
        self.board.lock().insert(self.run, state);
    }
}
