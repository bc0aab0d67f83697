//! What went wrong on the way although the restore went on; told at its end.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mhost_model::ports::repository::RestoreSummary;
use mhost_model::{Fault, FaultResult};

/// So many are told by name.
const TOLD: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub struct Problems(Mutex<All>);

#[derive(Debug, Default)]
struct All {
    /// What could not be set although the contents are there.
    unset: Vec<String>,
    /// Files that did not come back; what stood in their places is still there.
    lost: Vec<String>,
    places: HashSet<PathBuf>,
    /// Whether the repository is the reason for any of those.
    damaged: bool,
}

impl Problems {
    pub fn note(&self, path: &Path, what: &str, error: &io::Error) {
        let text = format!("{}: {what}: {error}", path.display());
        self.with(|all| all.unset.push(text));
    }

    /// A file that does not come back; the fault names it.
    pub fn lost(&self, path: &Path, fault: &Fault) {
        self.with(|all| {
            all.damaged |= matches!(fault, Fault::Damaged(_));
            all.places.insert(path.to_path_buf());
            all.lost.push(fault.to_string());
        });
    }

    /// Whether any file did not come back.
    pub fn has_losses(&self) -> bool {
        self.with(|all| !all.lost.is_empty())
    }

    pub fn is_lost(&self, path: &Path) -> bool {
        self.with(|all| all.places.contains(path))
    }

    fn with<T>(&self, change: impl FnOnce(&mut All) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn into_result(self, summary: RestoreSummary) -> FaultResult<RestoreSummary> {
        let all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !all.lost.is_empty() {
            let lost = all.lost.len() as u64;
            let text = format!(
                "{lost} of {} files could not be restored, and nothing was removed; all others are restored: {}",
                summary.files,
                first(&all.lost)
            );
            return Err(match all.damaged {
                true => Fault::Damaged(text),
                false => Fault::Failed(text),
            });
        }
        if all.unset.is_empty() {
            return Ok(summary);
        }
        Err(Fault::Failed(format!(
            "{} files were restored, but not all about them: {}",
            summary.files,
            first(&all.unset)
        )))
    }
}

fn first(all: &[String]) -> String {
    let first: Vec<_> = all.iter().take(TOLD).map(String::as_str).collect();
    match all.len() - first.len() {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}
