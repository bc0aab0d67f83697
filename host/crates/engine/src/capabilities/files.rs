//! `mhost:plugin/files`: bulk and exact file work beneath the granted directories.
//!
//! Here stands the contract's side: a permit for each path, and types translated.
//! The work is done by the modules below, which know the run only as
//! [`Work`](work::Work).

mod aside;
mod compress;
mod content;
mod copy;
mod drain;
mod expand;
mod hash;
mod metadata;
mod names;
mod new;
mod shred;
mod translate;
mod walk;
mod work;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use mhost_model::grant::Access::{ReadOnly, ReadWrite};
use mhost_model::{Fault, FaultResult};
use mhost_trees::accounts;
use wasmtime::component::{Linker, Resource};

use crate::beneath::{Place, locate};
use crate::bindings::mhost::plugin::files::{
    self as contract, Host, HostExpanding, HostFileLock, HostWalk,
};
use crate::refusal::Answer;
use crate::state::{Call, Calls, RunState, Shared, enter};
pub(super) use metadata::check as check_changes;
pub(super) use work::Work;

/// The most entries that one call hands out.
const MOST_ENTRIES: u32 = 4096;

/// A walk in progress.
pub struct Walk {
    walker: walk::Walker,
}

/// A compressed file that is being read.
pub struct Expanding {
    expander: expand::Expander,
}

/// A lock held; the file's handle is the lock.
pub struct FileLock {
    _file: std::fs::File,
}

impl FileLock {
    /// Holds what `flock` was asked of.
    pub(super) fn new(handle: impl Into<std::fs::File>) -> Self {
        Self {
            _file: handle.into(),
        }
    }
}

pub(crate) fn add_to_linker(linker: &mut Linker<RunState>) -> wasmtime::Result<()> {
    contract::add_to_linker::<_, Calls>(linker, enter)
}

/// Reads what a path leads to, and puts the use of the grant on the receipt.
fn look<T>(
    shared: &Shared,
    path: &str,
    verb: &str,
    work: impl FnOnce(Work<'_>, &Place) -> FaultResult<T>,
) -> Answer<T> {
    one(shared, path, ReadOnly, verb, work)
}

/// Changes what a path leads to.
fn change<T>(
    shared: &Shared,
    path: &str,
    verb: &str,
    work: impl FnOnce(Work<'_>, &Place) -> FaultResult<T>,
) -> Answer<T> {
    one(shared, path, ReadWrite, verb, work)
}

fn one<T>(
    shared: &Shared,
    path: &str,
    access: mhost_model::grant::Access,
    verb: &str,
    work: impl FnOnce(Work<'_>, &Place) -> FaultResult<T>,
) -> Answer<T> {
    let place = locate(shared, path, access, verb)?;
    let done = noted(shared, work(Work::of(shared), &place))?;
    place.used();
    Ok(done)
}

/// Changes the second path, from what the first leads to; `access` is the first's.
fn two<T>(
    shared: &Shared,
    (source, access): (&str, mhost_model::grant::Access),
    target: &str,
    verb: &str,
    work: impl FnOnce(Work<'_>, &Place, &Place) -> FaultResult<T>,
) -> Answer<T> {
    let source = locate(shared, source, access, verb)?;
    let target = locate(shared, target, ReadWrite, verb)?;
    let done = noted(shared, work(Work::of(shared), &source, &target))?;
    source.used();
    target.used();
    Ok(done)
}

/// A path that led out of its grant is found out on the way; it stands on the
/// receipt like any denial.
fn noted<T>(shared: &Shared, result: FaultResult<T>) -> FaultResult<T> {
    if let Err(Fault::Denied(denial)) = &result {
        shared.meter.denied(denial.clone());
    }
    result
}

impl Host for Call<'_> {
    async fn open_walk(
        &mut self,
        root: String,
        options: contract::WalkOptions,
    ) -> Answer<Resource<Walk>> {
        let walker = look(&self.shared, &root, "walk", |_, place| {
            walk::Walker::open(place, options.into())
        })?;
        Ok(self.table.push(Walk { walker })?)
    }

    async fn stat(&mut self, path: String) -> Answer<contract::Metadata> {
        let stat = look(&self.shared, &path, "stat", |_, place| {
            metadata::stat(place)
        })?;
        Ok(translate::metadata(&stat))
    }

    async fn set_metadata(&mut self, path: String, changes: contract::Changes) -> Answer<()> {
        change(&self.shared, &path, "set-metadata", |work, place| {
            metadata::set(work, place, changes.into())
        })
    }

    async fn copy(
        &mut self,
        source: String,
        target: String,
        options: contract::CopyOptions,
    ) -> Answer<u64> {
        let source = (source.as_str(), ReadOnly);
        two(&self.shared, source, &target, "copy", |work, from, to| {
            copy::copy(work, from, to, options.into())
        })
    }

    async fn copy_range(
        &mut self,
        source: String,
        offset: u64,
        length: Option<u64>,
        target: String,
        target_offset: u64,
    ) -> Answer<u64> {
        let source = (source.as_str(), ReadOnly);
        two(
            &self.shared,
            source,
            &target,
            "copy-range",
            |work, from, to| copy::copy_range(work, (from, offset), length, (to, target_offset)),
        )
    }

    async fn replace(&mut self, source: String, target: String) -> Answer<()> {
        let source = (source.as_str(), ReadWrite);
        two(&self.shared, source, &target, "replace", names::replace)
    }

    async fn rename(&mut self, source: String, target: String) -> Answer<()> {
        let source = (source.as_str(), ReadWrite);
        two(&self.shared, source, &target, "rename", names::rename)
    }

    async fn truncate(&mut self, path: String, size: u64) -> Answer<()> {
        change(&self.shared, &path, "truncate", |work, place| {
            content::truncate(work, place, size)
        })
    }

    async fn sync(&mut self, path: String) -> Answer<()> {
        look(&self.shared, &path, "sync", content::sync)
    }

    async fn hard_link(&mut self, source: String, target: String) -> Answer<()> {
        let source = (source.as_str(), ReadWrite);
        two(&self.shared, source, &target, "hard-link", names::hard_link)
    }

    async fn symbolic_link(&mut self, target_text: String, path: String) -> Answer<()> {
        change(&self.shared, &path, "symbolic-link", |work, place| {
            names::symbolic_link(work, &target_text, place)
        })
    }

    async fn free_space(&mut self, path: String) -> Answer<contract::Space> {
        let room = look(&self.shared, &path, "free-space", |_, place| {
            content::free_space(place)
        })?;
        Ok(translate::space(&room))
    }

    async fn kept_free(&mut self) -> wasmtime::Result<u64> {
        Ok(self.shared.budget.floor().0)
    }

    async fn lock(&mut self, path: String, exclusive: bool) -> Answer<Resource<FileLock>> {
        let file = look(&self.shared, &path, "lock", |work, place| {
            content::lock(work, place, exclusive)
        })?;
        Ok(self.table.push(FileLock::new(file))?)
    }

    async fn hash(
        &mut self,
        path: String,
        algorithm: contract::HashAlgorithm,
        offset: u64,
        length: Option<u64>,
    ) -> Answer<Vec<u8>> {
        look(&self.shared, &path, "hash", |work, place| {
            hash::hash(work, place, algorithm.into(), offset, length)
        })
    }

    async fn compress(
        &mut self,
        source: String,
        target: String,
        format: contract::Compression,
        level: Option<u32>,
    ) -> Answer<contract::Compressed> {
        let source = (source.as_str(), ReadOnly);
        let done = two(
            &self.shared,
            source,
            &target,
            "compress",
            |work, from, to| compress::compress(work, from, to, format.into(), level),
        )?;
        Ok(done.into())
    }

    async fn verify_compressed(
        &mut self,
        path: String,
        format: contract::Compression,
    ) -> Answer<u64> {
        look(&self.shared, &path, "verify-compressed", |work, place| {
            compress::verify(work, place, format.into())
        })
    }

    async fn compress_xz(
        &mut self,
        source: String,
        target: String,
        level: Option<u32>,
    ) -> Answer<contract::Compressed> {
        let source = (source.as_str(), ReadOnly);
        let done = two(
            &self.shared,
            source,
            &target,
            "compress",
            |work, from, to| compress::compress(work, from, to, compress::Format::Xz, level),
        )?;
        Ok(done.into())
    }

    async fn verify_xz(&mut self, path: String) -> Answer<u64> {
        look(&self.shared, &path, "verify-compressed", |work, place| {
            compress::verify(work, place, compress::Format::Xz)
        })
    }

    async fn make_file(
        &mut self,
        path: String,
        mode: u32,
        uid: Option<u32>,
        gid: Option<u32>,
    ) -> Answer<()> {
        change(&self.shared, &path, "make-file", |work, place| {
            new::file(work, place, mode, (uid, gid))
        })
    }

    async fn drain(
        &mut self,
        source: String,
        copied: u64,
        target: String,
    ) -> Answer<contract::Drained> {
        let source = (source.as_str(), ReadWrite);
        let done = two(&self.shared, source, &target, "drain", |work, from, to| {
            drain::drain(work, from, copied, to)
        })?;
        Ok(contract::Drained {
            bytes: done.bytes,
            window_ns: u64::try_from(done.window.as_nanos()).unwrap_or(u64::MAX),
        })
    }

    async fn shred(&mut self, path: String, passes: u32) -> Answer<()> {
        change(&self.shared, &path, "shred", |work, place| {
            shred::shred(work, place, passes)
        })
    }

    async fn user_id(&mut self, path: String, name: String) -> Answer<u32> {
        look(&self.shared, &path, "user-id", |_, _| accounts::user(&name))
    }

    async fn group_id(&mut self, path: String, name: String) -> Answer<u32> {
        look(&self.shared, &path, "group-id", |_, _| {
            accounts::group(&name)
        })
    }

    async fn open_compressed(&mut self, path: String, offset: u64) -> Answer<Resource<Expanding>> {
        let expander = look(&self.shared, &path, "open-compressed", |work, place| {
            expand::Expander::open(work, place, offset)
        })?;
        Ok(self.table.push(Expanding { expander })?)
    }
}

impl HostExpanding for Call<'_> {
    async fn read(&mut self, expanding: Resource<Expanding>, most: u32) -> Answer<Vec<u8>> {
        let shared = Arc::clone(&self.shared);
        let expanding = self.table.get_mut(&expanding)?;
        Ok(expanding.expander.read(Work::of(&shared), most)?)
    }

    async fn drop(&mut self, expanding: Resource<Expanding>) -> wasmtime::Result<()> {
        self.table.delete(expanding)?;
        Ok(())
    }
}

impl HostWalk for Call<'_> {
    async fn next(&mut self, walk: Resource<Walk>, max: u32) -> Answer<Vec<contract::Entry>> {
        if !(1..=MOST_ENTRIES).contains(&max) {
            return Err(
                Fault::Invalid(format!("a walk hands out 1 to {MOST_ENTRIES} entries")).into(),
            );
        }
        let shared = Arc::clone(&self.shared);
        let walk = self.table.get_mut(&walk)?;
        let entries = walk.walker.next(Work::of(&shared), max as usize)?;
        Ok(entries.into_iter().map(translate::entry).collect())
    }

    async fn drop(&mut self, walk: Resource<Walk>) -> wasmtime::Result<()> {
        self.table.delete(walk)?;
        Ok(())
    }
}

impl HostFileLock for Call<'_> {
    async fn drop(&mut self, lock: Resource<FileLock>) -> wasmtime::Result<()> {
        self.table.delete(lock)?;
        Ok(())
    }
}
