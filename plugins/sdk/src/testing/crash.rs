//! Crashing at a chosen change, to prove that the next run goes on from there.

use std::cell::Cell;

use crate::{Error, Result};

/// What the change answers at which the run crashes, and each after it.
pub(super) const CRASHED: &str = "the test crashed here";

/// Counts the changes of the outside world, and fails from one of them on.
#[derive(Debug, Default)]
pub struct Crash {
    done: Cell<u32>,
    /// The change to crash at, and whether it still happens.
    at: Cell<Option<(u32, bool)>>,
}

impl Crash {
    /// The change number `n` (from 0) and all later ones fail. With `happens` that one
    /// takes effect, but the plugin does not hear of it.
    pub fn at(&self, n: u32, happens: bool) {
        self.done.set(0);
        self.at.set(Some((n, happens)));
    }

    /// No more crashes, and the count starts anew.
    pub fn never(&self) {
        self.done.set(0);
        self.at.set(None);
    }

    /// Changes that were asked for since the last setting.
    pub fn changes(&self) -> u32 {
        self.done.get()
    }

    pub(super) fn around<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let n = self.done.get();
        self.done.set(n + 1);
        match self.at.get() {
            Some((at, true)) if n == at => {
                act()?;
            }
            Some((at, _)) if n >= at => {}
            _ => return act(),
        }
        Err(Error::Failed(CRASHED.to_owned()))
    }
}
