//! Counts what a run uses, while it runs; [`Meter::receipt`] is the sum. Shared
//! with threads that may outlive the run, so a stuck call costs no receipt.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

use mhost_model::Denial;
use mhost_model::grant::Grants;
use mhost_model::receipt::{Receipt, Use};

/// The most entries that a list of a receipt keeps.
const KEPT: usize = 1000;

/// A moment before all calls, so that one fits into an atomic number.
static EPOCH: LazyLock<Moment> = LazyLock::new(Moment::now);

fn since_epoch() -> u64 {
    u64::try_from(EPOCH.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The counters of one run.
#[derive(Debug, Default)]
pub struct Meter {
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    files_opened: AtomicU64,
    files_changed: AtomicU64,
    host_calls: AtomicU64,
    host_nanos: AtomicU64,
    /// When the call that is on began, nanoseconds after [`EPOCH`]; 0 while none is. A
    /// guest makes one at a time.
    call_began: AtomicU64,
    peak_memory: AtomicU64,
    log_bytes: AtomicU64,
    log_bytes_cut: AtomicU64,
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    used: BTreeMap<String, Use>,
    denied: std::collections::BTreeSet<Denial>,
    withheld: Vec<String>,
    hosts: std::collections::BTreeSet<String>,
}

impl Meter {
    /// Bytes that the guest got from files, databases, repositories, remotes or peers.
    pub fn read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Relaxed);
    }

    /// Bytes that the guest put there.
    pub fn wrote(&self, bytes: u64) {
        self.bytes_written.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn unwrote(&self, bytes: u64) {
        self.bytes_written.fetch_sub(bytes, Relaxed);
    }

    /// One more file was opened.
    pub fn opened(&self) {
        self.files_opened.fetch_add(1, Relaxed);
    }

    /// `files` were created, written, renamed, removed or had their metadata set.
    pub fn changed(&self, files: u64) {
        self.files_changed.fetch_add(files, Relaxed);
    }

    /// A peer was reached: an origin.
    pub fn reached(&self, origin: String) {
        let mut lists = self.lists();
        if lists.hosts.len() < KEPT {
            lists.hosts.insert(origin);
        }
    }

    /// A call came from the guest; the count with it.
    pub(crate) fn call(&self) -> u64 {
        self.host_calls.fetch_add(1, Relaxed) + 1
    }

    /// A call that is timed began.
    pub(crate) fn call_begins(&self) {
        self.call_began.store(since_epoch().max(1), Relaxed);
    }

    /// It ended.
    pub(crate) fn call_ends(&self) {
        let took = self.call_so_far();
        self.call_began.store(0, Relaxed);
        self.host_nanos.fetch_add(took, Relaxed);
    }

    /// Nanoseconds that the call that is on has taken.
    fn call_so_far(&self) -> u64 {
        match self.call_began.load(Relaxed) {
            0 => 0,
            began => since_epoch().saturating_sub(began),
        }
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.host_calls.load(Relaxed)
    }

    /// The sum of memories and tables is now `bytes`.
    pub(crate) fn memory(&self, bytes: u64) {
        self.peak_memory.fetch_max(bytes, Relaxed);
    }

    /// The most memory so far, bytes.
    #[cfg(test)]
    pub(crate) fn peak(&self) -> u64 {
        self.peak_memory.load(Relaxed)
    }

    pub(crate) fn logged(&self, kept: u64, cut: u64) {
        self.log_bytes.fetch_add(kept, Relaxed);
        self.log_bytes_cut.fetch_add(cut, Relaxed);
    }

    pub(crate) fn denied(&self, denial: Denial) {
        let mut lists = self.lists();
        if lists.denied.len() < KEPT {
            lists.denied.insert(denial);
        }
    }

    pub(crate) fn withheld(&self, what: &str) {
        let mut lists = self.lists();
        if lists.withheld.len() < KEPT && !lists.withheld.iter().any(|held| held == what) {
            lists.withheld.push(what.to_owned());
        }
    }

    pub(crate) fn used(&self, place: &str, verb: &str, part: Option<&str>) {
        let mut lists = self.lists();
        if !lists.used.contains_key(place) {
            lists.used.insert(place.to_owned(), Use::default());
        }
        let Some(entry) = lists.used.get_mut(place) else {
            return;
        };
        if !entry.verbs.contains(verb) {
            entry.verbs.insert(verb.to_owned());
        }
        if let Some(part) = part
            && entry.parts.len() < KEPT
            && !entry.parts.contains(part)
        {
            entry.parts.insert(part.to_owned());
        }
    }

    /// Everything so far. `wall` is the run's time; what the host did not take of
    /// it is the guest's. A call that never came back (the run was cut off in it) counts, too.
    pub(crate) fn receipt(&self, grants: &Grants, wall: Duration) -> Receipt {
        let lists = self.lists();
        let wall_us = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
        let host_nanos = self.host_nanos.load(Relaxed) + self.call_so_far();
        let host_time_us = (host_nanos / 1000).min(wall_us);
        let mut unused: std::collections::BTreeSet<String> = places(grants).collect();
        unused.retain(|place| !lists.used.contains_key(place));
        Receipt {
            used: lists.used.clone(),
            unused,
            denied: lists.denied.clone(),
            withheld: lists.withheld.clone(),
            bytes_read: self.bytes_read.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
            files_opened: self.files_opened.load(Relaxed),
            files_changed: self.files_changed.load(Relaxed),
            hosts: lists.hosts.clone(),
            peak_memory: self.peak_memory.load(Relaxed),
            host_calls: self.host_calls.load(Relaxed),
            guest_time_us: wall_us - host_time_us,
            host_time_us,
            log_bytes: self.log_bytes.load(Relaxed),
            log_bytes_cut: self.log_bytes_cut.load(Relaxed),
        }
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every grant by its place in the configuration.
fn places(grants: &Grants) -> impl Iterator<Item = String> {
    let Grants {
        dirs,
        databases,
        repositories,
        remotes,
        net,
        secrets,
        processes,
        tasks,
        channels,
    } = grants;
    let named = |kind: &'static str, names: Vec<&mhost_model::Name>| {
        names
            .into_iter()
            .map(move |name| format!("{kind}.{name}"))
            .collect::<Vec<_>>()
    };
    [
        named("dirs", dirs.keys().collect()),
        named("databases", databases.keys().collect()),
        named("repositories", repositories.keys().collect()),
        named("remotes", remotes.keys().collect()),
        net.iter().map(|_| "net".to_owned()).take(1).collect(),
        named("secrets", secrets.keys().collect()),
        named("processes", processes.keys().collect()),
        named("tasks", tasks.iter().collect()),
        named("channels", channels.iter().collect()),
    ]
    .into_iter()
    .flatten()
}
