//! What a machine loses that crashes: contents that were written and not made durable. Names stay.

use std::fs::OpenOptions;
use std::path::Path;

use crate::Error;
use crate::testing::NativeHost;
use crate::testing::crash::CRASHED;

impl NativeHost {
    /// What follows is not durable before the next sync.
    pub(in crate::testing) fn written(&self, path: &Path) {
        if self.loses_cache.get() {
            self.unsynced.borrow_mut().insert(path.to_owned());
        }
    }

    /// Contents that were not durable are gone with the machine.
    pub(in crate::testing) fn crashed(&self, error: &Error) {
        let crash = matches!(error, Error::Failed(text) if text == CRASHED);
        if !crash {
            return;
        }
        for path in std::mem::take(&mut *self.unsynced.borrow_mut()) {
            // One that was removed since has nothing to lose.
            if let Ok(file) = OpenOptions::new().write(true).open(path) {
                let _ = file.set_len(0);
            }
        }
    }

    /// A name goes, and what was not durable of the file goes with it.
    pub(in crate::testing) fn renamed(&self, from: &Path, to: &Path) {
        let mut unsynced = self.unsynced.borrow_mut();
        match unsynced.remove(from) {
            true => unsynced.insert(to.to_owned()),
            false => unsynced.remove(to),
        };
    }
}
