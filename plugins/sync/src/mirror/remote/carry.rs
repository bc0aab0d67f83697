//! Does what was decided, file by file: one that fails does not keep the others from being
//! done, but the run says so in the end.

use std::collections::BTreeMap;

use mhost_sdk::progress::Unit;
use mhost_sdk::trees::shown;
use mhost_sdk::{Context, Error, Failure, Result};

use super::compare::{Compared, Step, What};
use super::memory::mark;
use super::place::{Entry, Place, Tree, text};
use crate::mirror::apply::{Refused, Shown, Tally};
use crate::mirror::config::{DeleteWhen, Mirror, Verify};
use crate::mirror::plan::ends_all;
use crate::mirror::stream::Path;

/// See the module.
pub struct Carry<'a> {
    context: &'a Context<'a>,
    config: &'a Mirror,
    source: &'a dyn Place,
    here: &'a Tree,
    target: &'a dyn Place,
    there: &'a Tree,
    tally: &'a mut Tally,
    /// Files that were copied, with the marks of both ends.
    pub kept: BTreeMap<Path, u64>,
}

type Outcome = std::result::Result<(), Failure>;

impl<'a> Carry<'a> {
    pub fn new(
        context: &'a Context<'a>,
        config: &'a Mirror,
        (source, here): (&'a dyn Place, &'a Tree),
        (target, there): (&'a dyn Place, &'a Tree),
        tally: &'a mut Tally,
    ) -> Self {
        Self {
            context,
            config,
            source,
            here,
            target,
            there,
            tally,
            kept: BTreeMap::new(),
        }
    }

    /// All of it; ends early only where going on makes no sense.
    pub fn all(&mut self, compared: &Compared) -> Outcome {
        if !self.there.there {
            self.target.make()?;
        }
        let total = compared.counts.bytes;
        self.steps(&compared.clear, total)?;
        match self.config.delete_when {
            DeleteWhen::Before => {
                self.steps(&compared.delete, total)?;
                self.steps(&compared.make, total)?;
            }
            DeleteWhen::During | DeleteWhen::After => {
                self.steps(&compared.make, total)?;
                match self.tally.errors.is_empty() {
                    true => self.steps(&compared.delete, total)?,
                    false => self.tally.not_deleted += compared.delete.len() as u64,
                }
            }
        }
        if !self.here.unread.is_empty() && self.config.delete {
            self.context
                .warn("nothing was removed, as not all of the source could be looked at");
        }
        self.partials();
        Ok(())
    }

    fn steps(&mut self, steps: &[Step], total: u64) -> Outcome {
        for step in steps {
            self.context.check_cancelled()?;
            let outcome = match self.context.dry_run() {
                true => Ok(self.pretended(step)),
                false => self.step(step),
            };
            self.note(step, outcome)?;
            let done = self.tally.bytes;
            self.context
                .report_progress("copying", done, Some(total), Unit::Bytes);
        }
        Ok(())
    }

    fn pretended(&self, step: &Step) -> u64 {
        match step.what {
            What::Put => self
                .here
                .entries
                .get(&step.path)
                .map_or(0, |entry| entry.size),
            What::MakeDirectory | What::Remove { .. } => 0,
        }
    }

    /// Does a step; the bytes that it copied.
    fn step(&mut self, step: &Step) -> Result<u64> {
        let path = text(&step.path)?;
        match step.what {
            What::MakeDirectory => self.target.make_directory(path).map(|()| 0),
            What::Remove { directory } => self.target.remove(path, directory).map(|()| 0),
            What::Put => self.put(&step.path, path),
        }
    }

    fn put(&mut self, key: &Path, path: &str) -> Result<u64> {
        let fresh = Entry::default();
        let entry = self.here.entries.get(key).unwrap_or(&fresh);
        let there = self.there.entries.get(key).filter(|there| !there.directory);
        let restless = std::cell::Cell::new(false);
        let sure = |bytes: u64| {
            let now = self.source.stat(path)?;
            let same =
                (now.size, now.modified, &now.etag) == (entry.size, entry.modified, &entry.etag);
            restless.set(!same || bytes != entry.size);
            // Its pieces may be of two versions; what is there stays, and the next run
            // copies it.
            match restless.get() {
                false => Ok(()),
                true => Err(Error::Busy(format!("`{path}` changed while it was copied"))),
            }
        };
        let mut content = self.source.open(path)?;
        let put = self.target.put(path, &mut *content, entry, there, &sure);
        if restless.get() {
            self.tally.restless.push(key.0.clone());
        }
        let bytes = put?;
        // That something is not found is said of the source alone.
        let now = self.target.stat(path).map_err(|error| match error {
            Error::NotFound(why) => {
                Error::Failed(format!("`{path}` is not there after it was copied: {why}"))
            }
            error => error,
        })?;
        if now.size != bytes {
            return Err(Error::Failed(format!(
                "`{path}` arrived with {} bytes instead of {bytes}",
                now.size
            )));
        }
        self.kept.insert(key.clone(), mark(entry, &now));
        Ok(bytes)
    }

    fn note(&mut self, step: &Step, outcome: Result<u64>) -> Outcome {
        let path = shown(&step.path.0);
        let bytes = match outcome {
            Ok(bytes) => bytes,
            Err(Error::NotFound(_)) if step.what == What::Put => {
                self.tally.vanished += 1;
                self.context.warn(format!("{path}: it vanished meanwhile"));
                return Ok(());
            }
            // It is told of once the run ends.
            Err(Error::Busy(_)) if self.tally.restless.last() == Some(&step.path.0) => {
                return Ok(());
            }
            Err(error) => return self.refused(path, error),
        };
        match step.what {
            What::Put => {
                self.tally.copied += 1;
                self.tally.bytes += bytes;
                self.tally.written += bytes;
                if self.config.verify != Verify::Off {
                    self.tally.to_verify.push(step.path.0.clone());
                }
            }
            What::MakeDirectory => self.tally.created += 1,
            What::Remove { .. } => self.tally.deleted += 1,
        }
        self.tally.steps.push(Shown {
            change: step.code,
            path,
            from: None,
        });
        Ok(())
    }

    fn refused(&mut self, path: String, error: Error) -> Outcome {
        self.context.error(format!("{path}: {error}"));
        let text = error.to_string();
        self.tally.errors.push(Refused { path, error: text });
        self.tally.cause.get_or_insert_with(|| error.clone());
        match ends_all(&error) {
            true => Err(error.into()),
            false => Ok(()),
        }
    }

    /// What runs that were cut off left.
    fn partials(&self) {
        if self.context.dry_run() {
            return;
        }
        for partial in &self.there.partials {
            let removed = text(partial).and_then(|path| self.target.remove(path, false));
            if let Err(error) = removed {
                self.context.warn(format!("cannot clean up: {error}"));
            }
        }
    }
}
