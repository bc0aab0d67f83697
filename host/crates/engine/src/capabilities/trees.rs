//! `mhost:plugin/trees`: whole trees beneath the granted directories, many entries or
//! steps a call.
//!
//! Here stands the contract's side: permits for the roots, and types translated. The
//! work is `mhost-trees`', which asks the run what it may through [`Run`].

mod run;
mod translate;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use mhost_model::grant::Access::{self, ReadOnly, ReadWrite};
use mhost_model::{Fault, FaultResult};
use mhost_trees::{Apply, Root};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use wasmtime::component::{Linker, Resource};

use super::files::FileLock;
use crate::beneath::{GuestPath, locate};
use crate::bindings::mhost::plugin::trees::{self as contract, Host, HostListing};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, Shared, enter};
use run::Run;

/// The most steps or pairs of one call.
const MOST: usize = 4096;

/// A listing in progress.
pub struct Listing(mhost_trees::Listing);

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

/// A root that may be used so; its use stands on the receipt.
fn root(shared: &Shared, path: &str, access: Access, verb: &str) -> FaultResult<Root> {
    Ok(Root::new(directory(shared, path, access, verb)?, path))
}

fn directory(shared: &Shared, path: &str, access: Access, verb: &str) -> FaultResult<OwnedFd> {
    let place = locate(shared, path, access, verb)?;
    let opened = place.directory(verb);
    if let Err(Fault::Denied(denial)) = &opened {
        shared.meter.denied(denial.clone());
    }
    let opened = opened?;
    place.used();
    Ok(opened)
}

fn check_count(count: usize) -> FaultResult<()> {
    if count > MOST {
        return Err(Fault::Limit(format!(
            "one call takes at most {MOST} steps or pairs, not {count}; pass them in pieces"
        )));
    }
    Ok(())
}

/// Names must not wander between grants, even on one file system.
fn same_grant(target: &str, beside: &str) -> FaultResult<()> {
    if GuestPath::parse(target)?.grant == GuestPath::parse(beside)?.grant {
        return Ok(());
    }
    Err(Fault::Invalid(format!(
        "`{target}` and `{beside}` must lie below the same grant to share files"
    )))
}

/// What a dry run, or a run that may not change the target, is told of each step.
fn withheld(shared: &Shared, target: &str, steps: &[mhost_trees::Step]) -> FaultResult<Vec<Fault>> {
    let grant = GuestPath::parse(target)?.grant;
    let mut faults = Vec::with_capacity(steps.len());
    for step in steps {
        let (verb, path) = step.about();
        let about = format!(
            "{}/{}",
            target.trim_end_matches('/'),
            String::from_utf8_lossy(path)
        );
        let about = about.trim_end_matches('/');
        match shared.granter.directory(&grant, ReadWrite, verb, about) {
            Err(fault @ Fault::DryRun(_)) => faults.push(fault),
            Err(fault) => return Err(fault),
            Ok(_) => return Ok(Vec::new()),
        }
    }
    Ok(faults)
}

fn apply(
    shared: &Arc<Shared>,
    source: Option<&str>,
    target: &str,
    beside: Option<&str>,
    steps: &[mhost_trees::Step],
) -> FaultResult<Vec<FaultResult<mhost_trees::Done>>> {
    let held = withheld(shared, target, steps)?;
    if !held.is_empty() {
        return Ok(held.into_iter().map(Err).collect());
    }
    let run = Run::of(shared);
    let source = source
        .map(|path| root(shared, path, ReadOnly, "copy"))
        .transpose()?;
    if let Some(beside) = beside {
        same_grant(target, beside)?;
    }
    let beside = beside
        .map(|path| root(shared, path, ReadWrite, "link"))
        .transpose()?;
    let target = root(shared, target, ReadWrite, "change")?;
    let mut work = Apply::new(&run, source.as_ref(), &target, beside.as_ref());
    let mut answers = Vec::with_capacity(steps.len());
    for step in steps {
        let answer = work.step(step);
        if let Err(fault @ Fault::TimedOut(_)) = answer {
            return Err(fault);
        }
        answers.push(answer);
    }
    Ok(answers)
}

impl Host for Call<'_> {
    async fn open_listing(
        &mut self,
        root: String,
        options: contract::ListOptions,
    ) -> Answer<Resource<Listing>> {
        let handle = directory(&self.shared, &root, ReadOnly, "list")?;
        let run: Arc<dyn mhost_trees::Watch> = Arc::new(Run::of(&self.shared));
        let listing = mhost_trees::Listing::start(handle, &root, options.into(), run)?;
        Ok(self.table.push(Listing(listing))?)
    }

    async fn look(&mut self, path: String) -> Answer<contract::Facts> {
        Ok(root(&self.shared, &path, ReadOnly, "look at")?
            .facts()
            .into())
    }

    async fn apply(
        &mut self,
        source: Option<String>,
        target: String,
        beside: Option<String>,
        steps: Vec<contract::Step>,
    ) -> Answer<Vec<Result<contract::Done, crate::bindings::mhost::plugin::faults::Error>>> {
        check_count(steps.len())?;
        let shared = Arc::clone(&self.shared);
        let steps = translate::steps(steps)?;
        let answers = apply(
            &shared,
            source.as_deref(),
            &target,
            beside.as_deref(),
            &steps,
        )?;
        let told = |answer: FaultResult<mhost_trees::Done>| match answer {
            Ok(done) => Ok(done.into()),
            Err(fault) => Err(shared.masked(fault).into()),
        };
        Ok(answers.into_iter().map(told).collect())
    }

    async fn same(
        &mut self,
        left: String,
        right: String,
        pairs: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Answer<Vec<Result<bool, crate::bindings::mhost::plugin::faults::Error>>> {
        check_count(pairs.len())?;
        let shared = Arc::clone(&self.shared);
        let left = root(&shared, &left, ReadOnly, "compare")?;
        let right = root(&shared, &right, ReadOnly, "compare")?;
        let answers = mhost_trees::same(&Run::of(&shared), (&left, &right), &pairs);
        let told = |answer: FaultResult<bool>| answer.map_err(|fault| shared.masked(fault).into());
        Ok(answers.into_iter().map(told).collect())
    }

    async fn lock(&mut self, root: String) -> Answer<Resource<FileLock>> {
        let handle = directory(&self.shared, &root, ReadWrite, "lock")?;
        match rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(self.table.push(FileLock::new(handle))?),
            Err(Errno::WOULDBLOCK) => Err(Fault::Busy(format!(
                "`{root}` is locked by another process; try again later"
            ))
            .into()),
            Err(error) => Err(mhost_trees::file_fault("lock", &root, error).into()),
        }
    }

    async fn flush(&mut self, root: String) -> Answer<()> {
        let handle = directory(&self.shared, &root, ReadWrite, "flush")?;
        let flushed = rustix::fs::syncfs(&handle);
        Ok(flushed.map_err(|error| mhost_trees::file_fault("flush", &root, error))?)
    }
}

impl HostListing for Call<'_> {
    async fn next(&mut self, listing: Resource<Listing>) -> Answer<Vec<u8>> {
        let listing = self.table.get_mut(&listing)?;
        Ok(listing.0.next_page()?)
    }

    async fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.table.delete(listing)?;
        Ok(())
    }
}
