//! Does the steps of a plan, many in one call to the host: a step that fails does not
//! keep the others from being done, but the run says so in the end.

use std::collections::HashSet;

use mhost_sdk::progress::Unit;
use mhost_sdk::trees::{
    Basis, CopyStep, Copying, Done, LinkStep, MetadataStep, PairStep, Step, shown,
};
use mhost_sdk::{Capped, Context, Error, Failure, Result};
use serde::Serialize;

use super::config::{DeleteWhen, Delta, Mirror, Verify};
use super::ends;
use super::plan::{Change, Code, Extra, Plan, What, ends_all};
use super::stream::{below, order};

/// Steps in one call, at most.
const BATCH: usize = 512;
/// Bytes that are copied in one call, beyond which it ends: so that the run can be asked
/// to end, and progress is seen.
const BATCH_BYTES: u64 = 64 << 20;

/// What was done.
#[derive(Debug, Default)]
pub struct Tally {
    pub copied: u64,
    pub bytes: u64,
    pub written: u64,
    pub linked: u64,
    pub hard_linked: u64,
    pub renamed: u64,
    pub created: u64,
    pub deleted: u64,
    pub metadata: u64,
    pub vanished: u64,
    pub steps: Capped<Shown>,
    pub errors: Capped<Refused>,
    /// The first refusal, which decides the exit code.
    pub cause: Option<Error>,
    /// Files that changed while they were copied.
    pub restless: Vec<Vec<u8>>,
    /// What was copied, where that is to be verified.
    pub to_verify: Vec<Vec<u8>>,
    /// Deletions that were left, because something before them failed.
    pub not_deleted: u64,
}

/// A step that was done, as rsync itemises it.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    pub change: Code,
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A step that failed.
#[derive(Debug, Serialize)]
pub struct Refused {
    pub path: String,
    pub error: String,
}

/// The two trees.
pub struct Apply<'a> {
    pub context: &'a Context<'a>,
    pub config: &'a Mirror,
    pub from: &'a str,
    pub to: &'a str,
    /// Whether files are given to their owners, and get their extended attributes.
    pub owners: bool,
    pub attributes: bool,
    pub copies: &'a [String],
    pub total: u64,
    pub tally: &'a mut Tally,
    /// Files that could not be copied, and those that could not be moved away.
    pub failed: HashSet<Vec<u8>>,
    /// The backup directory is there.
    backup: bool,
    batch: Vec<Change>,
    batch_bytes: u64,
    beside: Option<usize>,
}

type Outcome = std::result::Result<(), Failure>;

impl<'a> Apply<'a> {
    #[allow(clippy::too_many_arguments)] // They are the two trees, and how.
    pub fn new(
        context: &'a Context<'a>,
        config: &'a Mirror,
        (from, to): (&'a str, &'a str),
        (owners, attributes): (bool, bool),
        copies: &'a [String],
        total: u64,
        tally: &'a mut Tally,
    ) -> Self {
        Self {
            context,
            config,
            from,
            to,
            owners,
            attributes,
            copies,
            total,
            tally,
            failed: HashSet::new(),
            backup: false,
            batch: Vec::new(),
            batch_bytes: 0,
            beside: None,
        }
    }

    /// All of it; ends early only where going on makes no sense.
    pub fn all(&mut self, plan: Plan) -> Outcome {
        let renames = plan
            .make
            .iter()
            .any(|change| matches!(change.what, What::Rename { .. }));
        // What is renamed must not lose its folder before.
        let when = match renames {
            true => DeleteWhen::After,
            false => self.config.delete_when,
        };
        let may_delete = plan.unread.is_empty();
        let mut delete = plan.delete;
        if !may_delete {
            self.tally.not_deleted += delete.len() as u64;
            delete.clear();
        }
        self.changes(plan.open)?;
        self.changes(plan.clear.into_iter().rev())?;
        match when {
            DeleteWhen::Before => {
                self.changes(delete.into_iter().rev().map(removal))?;
                self.changes(plan.make)?;
            }
            DeleteWhen::During => self.changes(interleaved(plan.make, delete))?,
            DeleteWhen::After => {
                self.changes(plan.make)?;
                // A failed copy may have been a rename of what would be removed now.
                match self.tally.errors.is_empty() {
                    true => self.changes(delete.into_iter().rev().map(removal))?,
                    false => self.tally.not_deleted += delete.len() as u64,
                }
            }
        }
        self.partials(plan.partials)?;
        self.changes(plan.finish)
    }

    fn changes(&mut self, changes: impl IntoIterator<Item = Change>) -> Outcome {
        for change in changes {
            self.add(change)?;
        }
        self.flush()
    }

    fn add(&mut self, change: Change) -> Outcome {
        let beside = match change.what {
            What::LinkBeside { copy, .. } => Some(copy),
            _ => None,
        };
        let waits = matches!(change.what, What::HardLink { .. }) && self.batch_bytes > 0;
        if beside != self.beside || waits {
            self.flush()?;
        }
        self.beside = beside;
        if let What::HardLink { leader, .. } = &change.what
            && self.failed.contains(leader)
        {
            let text = format!("its first name `{}` could not be made", shown(leader));
            return self.note(&change, Err(Error::Failed(text)));
        }
        if let What::Copy { size, .. } = change.what {
            self.batch_bytes += size.max(1);
        }
        self.batch.push(change);
        match self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Hands the batch to the host.
    fn flush(&mut self) -> Outcome {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.context.check_cancelled()?;
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        let batch = self.keep(batch)?;
        let mut steps = Vec::with_capacity(batch.len());
        let counts: Vec<usize> = batch
            .iter()
            .map(|change| self.steps(change, &mut steps))
            .collect();
        let beside = self.beside.map(|copy| self.copies[copy].as_str());
        let mut answers = self
            .context
            .trees()
            .apply(Some(self.from), self.to, beside, &steps)?
            .into_iter();
        for (change, count) in batch.iter().zip(counts) {
            let mut outcome = Ok(Done {
                bytes: 0,
                written: 0,
                changed_meanwhile: false,
            });
            for answer in answers.by_ref().take(count) {
                outcome = outcome.and_then(|done| answer.map(|more| sum(done, more)));
            }
            self.note(change, outcome)?;
        }
        self.context
            .report_progress("copying", self.tally.bytes, Some(self.total), Unit::Bytes);
        Ok(())
    }

    /// Puts what will be replaced or removed into the backup directory; what cannot be
    /// kept stays.
    fn keep(&mut self, batch: Vec<Change>) -> std::result::Result<Vec<Change>, Failure> {
        let Some(folder) = &self.config.backup_dir else {
            return Ok(batch);
        };
        let (kept, rest): (Vec<_>, Vec<_>) = batch.into_iter().partition(replaces);
        if kept.is_empty() {
            return Ok(rest);
        }
        if !self.backup {
            ends::make_directory(self.context, folder)?;
            self.backup = true;
        }
        // A dry run has none to ask, if it was not there before.
        if self.context.dry_run() && self.context.files().stat_optional(folder)?.is_none() {
            return Ok(in_order(kept, rest));
        }
        let steps: Vec<Step> = kept
            .iter()
            .map(|change| {
                Step::Keep(PairStep {
                    existing: change.path.clone(),
                    path: change.path.clone(),
                })
            })
            .collect();
        let answers = self
            .context
            .trees()
            .apply(None, self.to, Some(folder), &steps)?;
        let mut all = Vec::new();
        for (change, answer) in kept.into_iter().zip(answers) {
            match answer {
                Ok(_) | Err(Error::DryRun(_)) => all.push(change),
                Err(error) => self.note(&change, Err(error))?,
            }
        }
        Ok(in_order(all, rest))
    }

    /// The steps of a change; returns how many.
    fn steps(&self, change: &Change, steps: &mut Vec<Step>) -> usize {
        let before = steps.len();
        let path = || change.path.clone();
        let pair = |existing: &[u8]| PairStep {
            existing: existing.to_vec(),
            path: path(),
        };
        match &change.what {
            What::Directory => steps.push(Step::CreateDirectory(path())),
            What::Copy { .. } => steps.push(Step::Copy(CopyStep {
                source: path(),
                path: path(),
                how: self.copying(),
            })),
            What::Link { text, changes, .. } => steps.push(Step::SymbolicLink(LinkStep {
                path: path(),
                text: text.clone(),
                changes: **changes,
            })),
            What::HardLink { leader, .. } => steps.push(Step::HardLink(pair(leader))),
            What::LinkBeside { .. } => steps.push(Step::LinkBeside(pair(&change.path))),
            What::Node { .. } => steps.push(Step::Node(pair(&change.path))),
            What::Rename { from, changes } => {
                steps.push(Step::Rename(pair(from)));
                if let Some(changes) = changes {
                    steps.push(Step::Metadata(MetadataStep {
                        path: path(),
                        changes: **changes,
                        attributes_of: self.attributes.then(path),
                    }));
                }
            }
            What::Metadata {
                changes,
                attributes,
            } => steps.push(Step::Metadata(MetadataStep {
                path: path(),
                changes: **changes,
                attributes_of: attributes.then(path),
            })),
            What::Delete => steps.push(Step::Remove(path())),
            What::DeleteDirectory => steps.push(Step::RemoveDirectory(path())),
        }
        self.corrections(change, steps);
        steps.len() - before
    }

    /// A copy brings mode and times along; where they are not wanted, they are set
    /// as for a new file.
    fn corrections(&self, change: &Change, steps: &mut Vec<Step>) {
        let What::Copy { mode, .. } = change.what else {
            return;
        };
        if self.config.permissions && self.config.times {
            return;
        }
        let now = mhost_sdk::files::Moment::from_millis(self.context.now());
        steps.push(Step::Metadata(MetadataStep {
            path: change.path.clone(),
            changes: mhost_sdk::files::Changes {
                mode: mode.map(u32::from),
                uid: None,
                gid: None,
                modified: (!self.config.times).then_some(now),
                accessed: None,
            },
            attributes_of: None,
        }));
    }

    fn copying(&self) -> Copying {
        Copying {
            make_holes: self.config.sparse,
            attributes: self.attributes,
            owners: self.owners,
            resume: self.config.resume,
            basis: match self.config.delta {
                Delta::Off => Basis::Nothing,
                Delta::Clone => Basis::Clone,
                Delta::InPlace => Basis::InPlace,
            },
            rate: self.config.bandwidth,
        }
    }

    /// Remembers an outcome; passes on an error that every further step would meet again.
    fn note(&mut self, change: &Change, outcome: Result<Done>) -> Outcome {
        let done = match outcome {
            Ok(done) => done,
            Err(Error::DryRun(_)) => Done {
                bytes: match change.what {
                    What::Copy { size, .. } => size,
                    _ => 0,
                },
                written: 0,
                changed_meanwhile: false,
            },
            Err(Error::NotFound(_)) if matches!(change.what, What::Copy { .. }) => {
                self.tally.vanished += 1;
                self.failed.insert(change.path.clone());
                self.context
                    .warn(format!("{}: it vanished meanwhile", shown(&change.path)));
                return Ok(());
            }
            Err(Error::NotFound(_)) if is_removal(&change.what) => return Ok(()),
            Err(error) => return self.refused(change, error),
        };
        self.count(change, &done);
        if !change.code.says_something() {
            return Ok(());
        }
        self.tally.steps.push(Shown {
            change: change.code,
            path: shown(&change.path),
            from: match &change.what {
                What::Rename { from, .. } => Some(shown(from)),
                _ => None,
            },
        });
        Ok(())
    }

    fn refused(&mut self, change: &Change, error: Error) -> Outcome {
        let path = shown(&change.path);
        self.context.error(format!("{path}: {error}"));
        let text = error.to_string();
        self.tally.errors.push(Refused { path, error: text });
        self.tally.cause.get_or_insert_with(|| error.clone());
        match &change.what {
            What::Copy { .. } => {
                self.failed.insert(change.path.clone());
            }
            What::Rename { from, .. } => {
                self.failed.insert(from.clone());
            }
            _ => {}
        }
        match ends_all(&error) {
            true => Err(error.into()),
            false => Ok(()),
        }
    }

    fn count(&mut self, change: &Change, done: &Done) {
        let tally = &mut *self.tally;
        match &change.what {
            What::Directory => tally.created += 1,
            What::Copy { .. } => {
                tally.copied += 1;
                tally.bytes += done.bytes;
                tally.written += done.written;
                if done.changed_meanwhile {
                    tally.restless.push(change.path.clone());
                }
                if self.config.verify != Verify::Off {
                    tally.to_verify.push(change.path.clone());
                }
            }
            What::Link { .. } | What::Node { .. } => tally.linked += 1,
            What::HardLink { .. } | What::LinkBeside { .. } => tally.hard_linked += 1,
            What::Rename { .. } => tally.renamed += 1,
            What::Metadata { .. } if change.code.0[1] != b'd' => tally.metadata += 1,
            What::Metadata { .. } => {}
            What::Delete | What::DeleteDirectory => tally.deleted += 1,
        }
    }

    /// Those that were not taken up by a copy are nobody's.
    fn partials(&mut self, partials: Vec<Vec<u8>>) -> Outcome {
        let steps: Vec<Step> = partials.into_iter().map(Step::RemovePartial).collect();
        for steps in steps.chunks(BATCH) {
            let answers = self.context.trees().apply(None, self.to, None, steps)?;
            for answer in answers {
                match answer {
                    Ok(_) | Err(Error::NotFound(_) | Error::DryRun(_)) => {}
                    Err(error) => self.context.warn(format!("cannot clean up: {error}")),
                }
            }
        }
        Ok(())
    }
}

/// What two steps of one change did.
fn sum(one: Done, other: Done) -> Done {
    Done {
        bytes: one.bytes + other.bytes,
        written: one.written + other.written,
        changed_meanwhile: one.changed_meanwhile || other.changed_meanwhile,
    }
}

/// The change that removes something.
pub fn removal(extra: Extra) -> Change {
    let what = match extra.directory {
        true => What::DeleteDirectory,
        false => What::Delete,
    };
    Change {
        path: extra.path,
        what,
        code: Code::DELETING,
    }
}

/// Directories go after what was in them, and come before.
fn in_order(mut all: Vec<Change>, mut rest: Vec<Change>) -> Vec<Change> {
    all.append(&mut rest);
    all.sort_by(|a, b| order(&a.path, &b.path));
    let (removals, mut others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|change| is_removal(&change.what));
    let mut ordered: Vec<_> = removals.into_iter().rev().collect();
    ordered.append(&mut others);
    ordered
}

fn is_removal(what: &What) -> bool {
    matches!(what, What::Delete | What::DeleteDirectory)
}

/// Whether something is lost that a backup can keep.
fn replaces(change: &Change) -> bool {
    match &change.what {
        What::Copy { replaces, .. }
        | What::Link { replaces, .. }
        | What::HardLink { replaces, .. }
        | What::LinkBeside { replaces, .. }
        | What::Node { replaces } => *replaces,
        What::Delete => true,
        _ => false,
    }
}

/// What goes, directory by directory among what is made: each tree that goes as a whole
/// comes before what follows it in the order of the walk.
fn interleaved(make: Vec<Change>, delete: Vec<Extra>) -> Vec<Change> {
    let mut all = Vec::with_capacity(make.len() + delete.len());
    let mut delete = delete.into_iter().peekable();
    for change in make {
        while delete
            .peek()
            .is_some_and(|extra| order(&extra.path, &change.path).is_lt())
        {
            tree(&mut delete, &mut all);
        }
        all.push(change);
    }
    while delete.peek().is_some() {
        tree(&mut delete, &mut all);
    }
    all
}

/// The next thing that goes, after all that is below it.
fn tree(delete: &mut std::iter::Peekable<std::vec::IntoIter<Extra>>, all: &mut Vec<Change>) {
    let Some(top) = delete.next() else {
        return;
    };
    let mut members = Vec::new();
    while let Some(extra) = delete.next_if(|extra| below(&extra.path, &top.path)) {
        members.push(removal(extra));
    }
    all.extend(members.into_iter().rev());
    all.push(removal(top));
}
