//! What became of the files that the walk found.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many lines are told; of more, only how many.
const LINES: usize = 1000;

/// Filled while walking and reading, from several threads.
#[derive(Debug, Default)]
pub struct Journal {
    lines: Mutex<Lines>,
    remarks: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    first: Vec<String>,
    more: u64,
}

impl Journal {
    /// Something is missing from the snapshot.
    pub fn note(&self, path: &Path, error: impl Display) {
        locked(&self.lines).push(path, error);
    }

    /// Something worth knowing about what is in the snapshot.
    pub fn remark(&self, path: &Path, what: impl Display) {
        locked(&self.remarks).push(path, what);
    }

    pub fn unread(&self) -> Vec<String> {
        locked(&self.lines).told()
    }

    pub fn remarks(&self) -> Vec<String> {
        locked(&self.remarks).told()
    }
}

fn locked(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lines {
    fn push(&mut self, path: &Path, what: impl Display) {
        if self.first.len() < LINES {
            self.first.push(format!("{}: {what}", path.display()));
        } else {
            self.more += 1;
        }
    }

    /// Sorted, since several threads wrote.
    fn told(&self) -> Vec<String> {
        let mut all = self.first.clone();
        all.sort_unstable();
        if self.more > 0 {
            all.pop();
            all.push(format!("and {} more", self.more + 1));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
