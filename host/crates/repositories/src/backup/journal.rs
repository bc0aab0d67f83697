//! What became of the files that the walk found.

use std::fmt::Display;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// So many lines are told; of more, only how many.
const LINES: usize = 1000;

/// Filled while walking and reading, from several threads.
#[derive(Debug, Default)]
pub struct Journal {
    lines: Mutex<Lines>,
    found: AtomicU64,
    given_up: AtomicU64,
}

#[derive(Debug, Default)]
struct Lines {
    first: Vec<String>,
    more: u64,
}

impl Journal {
    /// The walk has handed out something that is no folder.
    pub fn found(&self) {
        self.found.fetch_add(1, Ordering::Relaxed);
    }

    /// What was handed out is not stored; a reason to tell stands in [`unread`](Self::note).
    pub fn given_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// Something is missing from the snapshot.
    pub fn note(&self, path: &Path, error: impl Display) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.first.len() < LINES {
            lines.first.push(format!("{}: {error}", path.display()));
        } else {
            lines.more += 1;
        }
    }

    /// Sorted, since several threads wrote.
    pub fn unread(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = lines.first.clone();
        all.sort_unstable();
        if lines.more > 0 {
            all.pop();
            all.push(format!("and {} more", lines.more + 1));
        }
        all
    }

    /// How many of the found files are neither stored nor given up.
    pub fn unexplained(&self, stored: u64) -> Option<u64> {
        let found = self.found.load(Ordering::Relaxed);
        let explained = stored + self.given_up.load(Ordering::Relaxed);
        found.checked_sub(explained).filter(|lost| *lost > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts() {
        let journal = Journal::default();
        for _ in 0..5 {
            journal.found();
        }
        journal.given_up();
        assert_eq!(journal.unexplained(4), None);
        assert_eq!(journal.unexplained(2), Some(2));
    }

    #[test]
    fn many_lines_are_cut() {
        let journal = Journal::default();
        for number in 0..1500 {
            journal.note(Path::new(&format!("/{number:04}")), "no");
        }
        let unread = journal.unread();
        assert_eq!(unread.len(), 1000);
        assert_eq!(unread[0], "/0000: no");
        assert_eq!(unread[999], "and 501 more");
    }
}
