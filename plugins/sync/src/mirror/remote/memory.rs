//! What both ends had when a file was the same on both, kept in the task's state. A remote
//! gives a copy the time at which it was made, so a later look at both ends alone cannot tell
//! for certain whether one of them changed since.

use std::collections::BTreeMap;

use mhost_sdk::{Context, Failure};
use sha2::{Digest as _, Sha256};

use super::place::Entry;
use crate::mirror::both::Base;
use crate::mirror::config::Mirror;
use crate::mirror::stream::Path;

/// See the module: a number for each path.
#[derive(Debug, Default)]
pub struct Memory(Base);

fn name(config: &Mirror) -> String {
    format!("remote {} {}", config.from, config.to)
}

/// A number that two different states of a file hardly share.
pub fn mark(here: &Entry, there: &Entry) -> u64 {
    let one = |entry: &Entry| {
        let modified = entry.modified.map(|at| (at.seconds, at.nanoseconds));
        format!("{} {modified:?} {:?}", entry.size, entry.etag)
    };
    let text = format!("{}\n{}", one(here), one(there));
    let digest = Sha256::digest(text.as_bytes());
    digest[..8]
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

impl Memory {
    pub fn read(context: &Context<'_>, config: &Mirror) -> Result<Self, Failure> {
        Ok(Self(Base::read(context, &name(config))?))
    }

    pub fn get(&self, path: &Path) -> Option<u64> {
        self.0.0.get(path).copied()
    }

    /// Keeps what is the same now, also where the run fails for something else.
    pub fn renew(
        &self,
        context: &Context<'_>,
        config: &Mirror,
        same: BTreeMap<Path, u64>,
    ) -> Result<(), Failure> {
        let new = Base(same);
        if new == self.0 {
            return Ok(());
        }
        new.write(context, &name(config))?;
        Ok(context.keep_state()?)
    }
}
