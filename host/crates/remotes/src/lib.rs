//! Named remotes behind the port [`mhost_model::ports::remote`]: a directory, or a
//! service of OpenDAL's.
//!
//! A directory is reached through cap-std, not through OpenDAL's own file service,
//! which follows a symbolic link wherever it leads: nothing below a remote's root
//! can lead out of it here, whoever plants it and when. Who may ask for what is the
//! engine's to decide.
//!
//! All methods block, and must be called off the async threads.

mod folder;
mod path;
mod service;
#[cfg(test)]
mod tests;
mod url;

use std::collections::BTreeMap;
use std::sync::Arc;

use mhost_model::ports::remote::{Remote, Remotes};
use mhost_model::resource::RemoteDef;
use mhost_model::{Fault, FaultResult, Name};

use crate::service::Worker;
use crate::url::Location;

/// The configured remotes.
#[derive(Debug)]
pub struct NamedRemotes {
    defs: BTreeMap<Name, RemoteDef>,
    /// Runs what services do; started by the first that is opened.
    worker: Arc<Worker>,
}

impl NamedRemotes {
    /// The remotes of the configuration, by name. Opens nothing, starts nothing.
    pub fn new(defs: BTreeMap<Name, RemoteDef>) -> Self {
        Self {
            defs,
            worker: Arc::default(),
        }
    }
}

/// Says what is wrong with a remote's URL, without reaching for it.
pub fn check(def: &RemoteDef) -> FaultResult<()> {
    Location::parse(&def.url).map(drop)
}

impl Remotes for NamedRemotes {
    fn open(&self, name: &Name) -> FaultResult<Box<dyn Remote>> {
        let def = self.defs.get(name).ok_or_else(|| {
            Fault::NotFound(format!(
                "no remote `{name}` is configured: add `[remotes.{name}]`"
            ))
        })?;
        self.open_url(&def.url)
    }

    fn open_url(&self, url: &str) -> FaultResult<Box<dyn Remote>> {
        Ok(match Location::parse(url)? {
            Location::Folder(path) => Box::new(folder::Folder::open(&path)?),
            Location::Memory(name) => {
                Box::new(service::Service::memory(&name, self.worker.clone())?)
            }
        })
    }
}

/// Entries of one page.
const PAGE: std::ops::RangeInclusive<u32> = 1..=1000;
/// Bytes of one read.
const CHUNK: u32 = 256 << 10;

fn check_limit(limit: u32) -> FaultResult<usize> {
    if !PAGE.contains(&limit) {
        return Err(Fault::Invalid(format!(
            "a page holds 1 to 1000 entries, not {limit}"
        )));
    }
    Ok(limit as usize)
}
