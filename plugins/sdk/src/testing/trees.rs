//! Trees in the temporary folder, by the code that the host itself uses; each step is a
//! change that a test can let the run crash at.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mhost_model::{Fault, FaultResult};
use mhost_trees::{Apply, Root, Watch};

use super::NativeHost;
use crate::files::{Changes, Lock, Moment};
use crate::trees::{Basis, Done, Facts, ListOptions, Listing, Step, Trees};
use crate::{Denial, Error, Result};

/// Lets everything through, and adds up what the run would wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Waited(Arc<Mutex<Duration>>);

impl Watch for Waited {
    fn go_on(&self) -> FaultResult<()> {
        Ok(())
    }

    fn write(&self, _: u64, _: BorrowedFd<'_>) -> FaultResult<()> {
        Ok(())
    }

    fn share(&self, _: u64) -> FaultResult<()> {
        Ok(())
    }

    fn room(&self, _: u64, _: BorrowedFd<'_>) -> FaultResult<()> {
        Ok(())
    }

    fn change(&self) -> FaultResult<()> {
        Ok(())
    }

    fn opened(&self) {}

    fn read(&self, _: u64) {}

    fn changed(&self) {}

    fn wait(&self, time: Duration) -> FaultResult<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
        Ok(())
    }
}

struct Held(File);

impl Lock for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        // Closing is not enough: a process that another test is about to start has the
        // handle, too, until it is another program.
        let _ = self.0.unlock();
    }
}

struct Listed(RefCell<mhost_trees::Listing>);

impl Listing for Listed {
    fn next(&self) -> Result<Vec<u8>> {
        self.0.borrow_mut().next_page().map_err(error)
    }
}

impl NativeHost {
    /// What the run would have waited to keep to a rate.
    pub fn waited(&self) -> Duration {
        *self.waited.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_root(&self, root: &str) -> Result<File> {
        let path = self.path(root);
        let opened = File::open(&path).and_then(|file| match file.metadata()?.is_dir() {
            true => Ok(file),
            false => Err(std::io::ErrorKind::NotADirectory.into()),
        });
        opened.map_err(|error| Error::from_io(&format!("open `{root}`"), &error))
    }

    fn root(&self, root: &str) -> Result<Root> {
        Ok(Root::new(OwnedFd::from(self.open_root(root)?), root))
    }
}

impl Trees for NativeHost {
    fn list(&self, root: &str, options: ListOptions) -> Result<Box<dyn Listing + '_>> {
        let options = mhost_trees::WalkOptions {
            max_depth: None,
            one_file_system: options.one_file_system,
            attributes: options.attributes,
        };
        let handle = OwnedFd::from(self.open_root(root)?);
        let watch = Arc::new(self.waited.clone());
        let listing = mhost_trees::Listing::start(handle, root, options, watch).map_err(error)?;
        Ok(Box::new(Listed(RefCell::new(listing))))
    }

    fn look(&self, root: &str) -> Result<Facts> {
        let facts = self.root(root)?.facts();
        Ok(Facts {
            owners: facts.owners,
            attributes: facts.attributes,
        })
    }

    fn apply(
        &self,
        source: Option<&str>,
        target: &str,
        beside: Option<&str>,
        steps: &[Step],
    ) -> Result<Vec<Result<Done>>> {
        let source = source.map(|path| self.root(path)).transpose()?;
        let beside = beside.map(|path| self.root(path)).transpose()?;
        let target = self.root(target)?;
        let mut work = Apply::new(&self.waited, source.as_ref(), &target, beside.as_ref());
        let answers = steps.iter().map(|asked| {
            let step = step(asked);
            let (verb, path) = step.about();
            self.change(
                || format!("{verb} `{}`", target.shown(path)),
                || work.step(&step).map(done).map_err(error),
            )
        });
        Ok(answers.collect())
    }

    fn same(
        &self,
        left: &str,
        right: &str,
        pairs: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<Vec<Result<bool>>> {
        let (left, right) = (self.root(left)?, self.root(right)?);
        let answers = mhost_trees::same(&self.waited, (&left, &right), pairs);
        Ok(answers
            .into_iter()
            .map(|answer| answer.map_err(error))
            .collect())
    }

    fn lock(&self, root: &str) -> Result<Box<dyn Lock + '_>> {
        let handle = self.open_root(root)?;
        match handle.try_lock() {
            Ok(()) => Ok(Box::new(Held(handle))),
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::Busy(format!(
                "`{root}` is locked by another process; try again later"
            ))),
            Err(std::fs::TryLockError::Error(error)) => {
                Err(Error::from_io(&format!("lock `{root}`"), &error))
            }
        }
    }

    fn flush(&self, root: &str) -> Result<()> {
        self.open_root(root).map(|_| ())
    }
}

fn done(done: mhost_trees::Done) -> Done {
    Done {
        bytes: done.bytes,
        written: done.written,
        changed_meanwhile: done.changed_meanwhile,
    }
}

fn error(fault: Fault) -> Error {
    match fault {
        Fault::Denied(denial) => Error::Denied(Denial {
            capability: denial.capability,
            target: denial.target,
            verb: denial.verb,
            remedy: denial.remedy,
        }),
        Fault::DryRun(text) => Error::DryRun(text),
        Fault::NotFound(text) => Error::NotFound(text),
        Fault::Exists(text) => Error::Exists(text),
        Fault::Busy(text) => Error::Busy(text),
        Fault::Invalid(text) => Error::Invalid(text),
        Fault::Unsupported(text) => Error::Unsupported(text),
        Fault::Limit(text) => Error::Limit(text),
        Fault::TimedOut(text) => Error::TimedOut(text),
        Fault::Damaged(text) => Error::Damaged(text),
        Fault::Failed(text) => Error::Failed(text),
    }
}

fn changes(changes: &Changes) -> mhost_trees::Changes {
    let moment = |moment: Moment| (moment.seconds, moment.nanoseconds);
    mhost_trees::Changes {
        mode: changes.mode,
        uid: changes.uid,
        gid: changes.gid,
        modified: changes.modified.map(moment),
        accessed: changes.accessed.map(moment),
    }
}

fn step(step: &Step) -> mhost_trees::Step {
    use mhost_trees::Step as S;
    match step.clone() {
        Step::CreateDirectory(path) => S::CreateDirectory { path },
        Step::Copy(copy) => S::Copy {
            source: copy.source,
            path: copy.path,
            how: copying(copy.how),
        },
        Step::SymbolicLink(link) => S::SymbolicLink {
            path: link.path,
            text: link.text,
            changes: changes(&link.changes),
        },
        Step::HardLink(pair) => S::HardLink {
            existing: pair.existing,
            path: pair.path,
        },
        Step::LinkBeside(pair) => S::LinkBeside {
            existing: pair.existing,
            path: pair.path,
        },
        Step::Keep(pair) => S::Keep {
            path: pair.existing,
            kept: pair.path,
        },
        Step::Node(pair) => S::Node {
            source: pair.existing,
            path: pair.path,
        },
        Step::Metadata(metadata) => S::Metadata {
            path: metadata.path,
            changes: changes(&metadata.changes),
            attributes_of: metadata.attributes_of,
        },
        Step::Rename(pair) => S::Rename {
            from: pair.existing,
            path: pair.path,
        },
        Step::Remove(path) => S::Remove { path },
        Step::RemovePartial(path) => S::RemovePartial { path },
        Step::RemoveDirectory(path) => S::RemoveDirectory { path },
    }
}

fn copying(how: crate::trees::Copying) -> mhost_trees::Copying {
    mhost_trees::Copying {
        holes: match how.make_holes {
            true => mhost_trees::Holes::Make,
            false => mhost_trees::Holes::Keep,
        },
        attributes: how.attributes,
        owners: how.owners,
        resume: how.resume,
        basis: match how.basis {
            Basis::Nothing => mhost_trees::Basis::Nothing,
            Basis::Clone => mhost_trees::Basis::Clone,
            Basis::InPlace => mhost_trees::Basis::InPlace,
        },
        rate: how.rate,
    }
}
