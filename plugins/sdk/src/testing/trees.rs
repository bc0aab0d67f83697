//! Trees in the temporary folder, by the code that the host itself uses; each step is a
//! change that a test can let the run crash at.

use std::cell::RefCell;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use mhost_trees::{Apply, Root};

use super::NativeHost;
use crate::files::{Changes, Lock, Moment};
use crate::trees::{Basis, Done, Facts, ListOptions, Listing, Step, Trees};
use crate::{Error, Result};

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
        self.0.borrow_mut().next_page()
    }
}

impl NativeHost {
    /// What the run would have waited to keep to a rate.
    pub fn waited(&self) -> Duration {
        self.unwatched.waited()
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
        let watch = Arc::clone(&self.unwatched);
        let listing = mhost_trees::Listing::start(handle, root, options, watch)?;
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
        let mut work = Apply::new(&*self.unwatched, source.as_ref(), &target, beside.as_ref());
        let answers = steps.iter().map(|asked| {
            let step = step(asked);
            let (verb, path) = step.about();
            self.change(
                || format!("{verb} `{}`", target.shown(path)),
                || work.step(&step).map(done),
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
        Ok(mhost_trees::same(&*self.unwatched, (&left, &right), pairs))
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
