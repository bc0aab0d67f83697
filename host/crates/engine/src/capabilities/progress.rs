//! `mhost:plugin/progress`: how far a run is, at most ten times a second, and
//! whether it was asked to end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use mhost_model::ports::run::{ProgressSink, ProgressState};
use wasmtime::component::Linker;

use crate::bindings::mhost::plugin::progress::{self, Host, State, Unit};
use crate::state::{Call, Calls, RunState, enter};

/// The shortest time between two updates that the host sees.
const PACE: Duration = Duration::from_millis(100);
/// The longest phase that is shown, bytes.
const LONGEST: usize = 200;

/// Thins out a guest's updates.
pub(crate) struct Progress {
    sink: Arc<dyn ProgressSink>,
    pace: Mutex<Pace>,
}

#[derive(Default)]
struct Pace {
    sent: Option<Moment>,
    /// The newest update that was held back.
    held: Option<ProgressState>,
}

impl Progress {
    pub(crate) fn new(sink: Arc<dyn ProgressSink>) -> Self {
        Self {
            sink,
            pace: Mutex::default(),
        }
    }

    pub(crate) fn update(&self, state: ProgressState, now: Moment) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace
            .sent
            .is_some_and(|sent| now.duration_since(sent) < PACE)
        {
            pace.held = Some(state);
            return;
        }
        pace.sent = Some(now);
        pace.held = None;
        self.sink.update(state);
    }

    /// Shows the newest update, if it was held back.
    pub(crate) fn finish(&self) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = pace.held.take() {
            self.sink.update(state);
        }
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    progress::add_to_linker::<_, Calls>(linker, enter)
}

impl Host for Call<'_> {
    async fn update(&mut self, state: State) -> wasmtime::Result<()> {
        if self.shared.is_over() {
            return Ok(());
        }
        let mut phase = self.shared.masks.hide(&state.phase).into_owned();
        phase.truncate(phase.floor_char_boundary(LONGEST));
        let unit = match state.unit {
            Unit::Bytes => "bytes",
            Unit::Files => "files",
            Unit::Items => "items",
            Unit::Steps => "steps",
        };
        let update = ProgressState {
            phase,
            done: state.done,
            total: state.total,
            unit,
            at: self.shared.clock.now(),
        };
        self.shared.progress.update(update, Moment::now());
        Ok(())
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.shared.cancel.is_cancelled())
    }
}
