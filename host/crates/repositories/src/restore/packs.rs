//! Whether the packs that a restore will read are there. The index says where each
//! piece lies; only a look at the storage says whether that still holds.

use std::collections::{HashMap, HashSet};
use std::io;

use mhost_model::{Fault, FaultResult};
use rustic_core::repofile::PackId;

use super::Job;
use super::content::{self, Piece};
use super::survey::{Leaf, Survey};
use crate::medium::Medium;
use crate::trees::StepKind;

/// So many files are told by name.
const TOLD: usize = 10;

/// The packs that are needed, each with the end of its last piece that is.
#[derive(Debug, Default)]
pub struct Packs(HashMap<PackId, u64>);

impl Packs {
    pub fn need(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            let end = self.0.entry(piece.pack).or_default();
            *end = (*end).max(piece.end);
        }
    }

    /// Looks at the storage once, before anything is written.
    pub fn are_there(&self, job: &Job, survey: &Survey, medium: &dyn Medium) -> FaultResult<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let listed = match medium.list("data") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(|error| {
                Fault::Failed(format!("listing the packs of the repository: {error}"))
            })?,
        };
        let sizes: HashMap<String, u64> = listed.into_iter().collect();
        let lacking = self.0.iter().filter(|(pack, end)| {
            let size = sizes.get(pack.to_hex().as_str());
            size.is_none_or(|size| size < end)
        });
        let lacking: HashSet<PackId> = lacking.map(|(pack, _)| *pack).collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Err(told(&lacking, &affected(job, survey, &lacking)?))
    }
}

fn told(lacking: &HashSet<PackId>, files: &[String]) -> Fault {
    let mut packs: Vec<String> = lacking.iter().map(|id| short(*id)).collect();
    packs.sort_unstable();
    let first: Vec<_> = files.iter().take(TOLD).map(String::as_str).collect();
    let more = match files.len() - first.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    packs.truncate(TOLD);
    Fault::Damaged(format!(
        "nothing was restored: {} packs are missing or cut short in the repository ({}), so that {} \
         files cannot come back: {}{more}; leave them out with `exclude`, or restore an older snapshot",
        lacking.len(),
        packs.join(", "),
        files.len(),
        first.join(", "),
    ))
}

fn short(id: PackId) -> String {
    id.to_hex().as_str().chars().take(8).collect()
}

/// The files that need one of these packs.
fn affected(job: &Job, survey: &Survey, lacking: &HashSet<PackId>) -> FaultResult<Vec<String>> {
    let mut found = Vec::new();
    let mut leaves = survey.leaves.iter();
    for step in job.walk()? {
        let step = step?;
        if !matches!(step.kind, StepKind::Leaf) || leaves.next() != Some(&Leaf::ToWrite) {
            continue;
        }
        let pieces = content::pieces(&job.repo, &step.node, &step.path)?;
        if pieces.iter().any(|piece| lacking.contains(&piece.pack)) {
            found.push(step.path.display().to_string());
        }
    }
    Ok(found)
}
