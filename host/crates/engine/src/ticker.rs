//! Advances the engine's epoch while guests run, so that an endless loop gives way. When
//! none has run for a while, the thread sleeps until the next one begins: a run that
//! follows another closely need not wake it, which would cost more than a short run does.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How often a guest gives way.
const TICK: Duration = Duration::from_millis(10);
/// After so many ticks without a run the thread goes to sleep.
const LINGER: u32 = 10;

/// The ticking thread of one engine; ends with it.
pub(crate) struct Ticker(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    running: usize,
    asleep: bool,
    ended: bool,
}

/// Keeps the ticker going.
pub(crate) struct Running(Arc<Shared>);

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, ticking) = (engine.weak(), Arc::clone(&shared));
        std::thread::Builder::new()
            .name("mhost-epoch".into())
            .spawn(move || tick(&engine, &ticking))?;
        Ok(Self(shared))
    }

    pub(crate) fn running(&self) -> Running {
        let mut state = self.0.lock();
        state.running += 1;
        if state.asleep {
            self.0.changed.notify_one();
        }
        drop(state);
        Running(Arc::clone(&self.0))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tick(engine: &EngineWeak, shared: &Shared) {
    let mut idle = 0;
    let mut state = shared.lock();
    while !state.ended {
        idle = if state.running == 0 { idle + 1 } else { 0 };
        if idle > LINGER {
            state.asleep = true;
            let waited = shared.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
            state.asleep = false;
            continue;
        }
        let waited = shared.changed.wait_timeout(state, TICK);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}
