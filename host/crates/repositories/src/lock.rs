//! restic's locks: `rustic_core` writes none, and a `prune` by restic while this
//! program writes would remove what was just written.
//!
//! A lock is a sealed JSON file below `locks/`. Any number of shared locks stand
//! beside each other; an exclusive one stands alone. It is written anew every five
//! minutes; one that has not been for thirty is dead, and so is one of a process
//! of this machine that is gone. Dead locks are removed. See "Locks" in restic's
//! design document.

mod folder;
mod record;

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mhost_model::ports::repository::LockInfo;
use mhost_model::{Clock, Fault, FaultResult, Instant, SystemClock};

pub use self::folder::LockFolder;
pub use self::record::process_lives;
use self::record::{Owner, Record};

const REFRESH: Duration = Duration::from_secs(5 * 60);

/// How much of the repository an operation needs for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Others may read and add.
    Shared,
    /// As `Shared`, but where no lock can be written there is none: a medium that is
    /// read-only has nobody to fear, and from one that is full things must come back.
    Reading,
    /// Nobody else may do anything.
    Exclusive,
}

/// A lock held: refreshed in the background, removed when dropped.
#[derive(Debug)]
pub struct Lock {
    lease: Arc<Lease>,
    stop: Option<Sender<()>>,
    refresher: Option<JoinHandle<()>>,
}

/// What the writing side asks before each write: whether the lock still stands.
#[derive(Debug)]
pub struct Lease {
    folder: LockFolder,
    owner: Owner,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    id: String,
    refreshed: Instant,
    lost: bool,
}

/// Locks speak to programs outside: their time is the machine's, whatever clock
/// the runs have.
fn now() -> Instant {
    SystemClock.now()
}

/// Takes the lock or says who stands in the way. `Ok(None)` where none is needed; where
/// one is wanting, that is a remark.
pub fn acquire(
    folder: LockFolder,
    need: Need,
    remarks: &mut Vec<String>,
) -> FaultResult<Option<Lock>> {
    let lease = match (Lease::take(folder, need == Need::Exclusive, now()), need) {
        (Ok(lease), _) => Arc::new(lease),
        (Err(Refused::ReadOnly(_)), Need::Reading) => return Ok(None),
        (Err(Refused::Full(fault)), Need::Reading) => {
            remarks.push(format!(
                "{fault}: it is read without a lock; let nothing prune it meanwhile"
            ));
            return Ok(None);
        }
        (Err(refused), _) => return Err(refused.into_fault()),
    };
    let (stop, stopped) = mpsc::channel::<()>();
    let held = Arc::clone(&lease);
    let refresher = thread::Builder::new()
        .name("repository-lock".to_owned())
        .spawn(move || {
            while stopped.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
                held.refresh(now());
            }
        });
    // Without the thread, each write refreshes: see `Lease::check`.
    Ok(Some(Lock {
        lease,
        stop: Some(stop),
        refresher: refresher.ok(),
    }))
}

impl Lock {
    pub fn lease(&self) -> Arc<Lease> {
        Arc::clone(&self.lease)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(refresher) = self.refresher.take() {
            // It only panics where the clock does, and then the file is removed below.
            let _ = refresher.join();
        }
        self.lease.release();
    }
}

enum Refused {
    /// The folder cannot be written: a read-only medium, or no right to.
    ReadOnly(Fault),
    /// There is no room for a lock.
    Full(Fault),
    Other(Fault),
}

impl Refused {
    /// A lock could not be written.
    fn unwritten(folder: &LockFolder, error: &io::Error) -> Self {
        let fault = folder.unwritten(error);
        match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly(fault)
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(fault),
            _ => Self::Other(fault),
        }
    }

    fn into_fault(self) -> Fault {
        match self {
            Self::ReadOnly(fault) | Self::Full(fault) | Self::Other(fault) => fault,
        }
    }
}

impl Lease {
    /// Looks, writes the lock, and looks again: of two that do so at the same time,
    /// at least one sees the other.
    fn take(folder: LockFolder, exclusive: bool, now: Instant) -> Result<Self, Refused> {
        let owner = Owner::this_process(exclusive);
        stand_in_the_way(&folder, &owner, None, now)?;
        let id = folder
            .write(&owner.record(now))
            .map_err(|error| Refused::unwritten(&folder, &error))?;
        if let Err(refused) = stand_in_the_way(&folder, &owner, Some(&id), now) {
            folder.remove(&id);
            return Err(refused);
        }
        let state = State {
            id,
            refreshed: now,
            lost: false,
        };
        Ok(Self {
            folder,
            owner,
            state: Mutex::new(state),
        })
    }

    /// Whether writing may go on. A machine that slept wakes up with a lock that
    /// looks dead to others: then it is renewed first, if it is still there.
    pub fn check(&self) -> Result<(), String> {
        self.check_at(now())
    }

    fn check_at(&self, now: Instant) -> Result<(), String> {
        let age = now.signed_duration_since(self.state().refreshed);
        if age > record::stale_after() / 2 {
            self.refresh(now);
        }
        let mut state = self.state();
        state.lost |= !self.folder.holds(&state.id);
        let silent = now.signed_duration_since(state.refreshed) > record::stale_after();
        if state.lost || silent {
            return Err(format!(
                "the lock on {} was lost: another program removed it or it could not be renewed; nothing more is written",
                self.folder.label()
            ));
        }
        Ok(())
    }

    /// Writes a new lock file and removes the old one. Where the old one is gone,
    /// somebody has overruled us: the lock is lost for good.
    fn refresh(&self, now: Instant) {
        let mut state = self.state();
        if state.lost || !self.folder.holds(&state.id) {
            state.lost = true;
            return;
        }
        if let Ok(id) = self.folder.write(&self.owner.record(now)) {
            self.folder.remove(&state.id);
            state.id = id;
            state.refreshed = now;
        }
    }

    fn release(&self) {
        let state = self.state();
        self.folder.remove(&state.id);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes dead locks, and answers with the first living one that forbids ours.
fn stand_in_the_way(
    folder: &LockFolder,
    ours: &Owner,
    except: Option<&str>,
    now: Instant,
) -> Result<(), Refused> {
    for found in folder.read_all().map_err(Refused::Other)? {
        if except == Some(found.id.as_str()) {
            continue;
        }
        let record = found.record.map_err(Refused::Other)?;
        if record.is_dead(now, &ours.hostname, record::process_lives) {
            folder.remove(&found.id);
        } else if ours.exclusive || record.exclusive {
            return Err(Refused::Other(busy(folder, ours, &record)));
        }
    }
    Ok(())
}

/// All locks, with what is known of their holders.
pub fn all(folder: &LockFolder) -> FaultResult<Vec<LockInfo>> {
    let ours = Owner::this_process(false);
    let mut found = Vec::new();
    for lock in folder.read_all()? {
        found.push(match lock.record {
            Ok(record) => record.explained(lock.id, now(), &ours.hostname, record::process_lives),
            Err(_) => unreadable(lock.id),
        });
    }
    found.sort_by(|a, b| a.time.cmp(&b.time).then(a.id.cmp(&b.id)));
    Ok(found)
}

/// Removes the stale ones, or every one; what was removed.
pub fn remove(folder: &LockFolder, every: bool) -> FaultResult<Vec<LockInfo>> {
    let mut found = all(folder)?;
    found.retain(|lock| every || lock.stale);
    found.retain(|lock| {
        folder.remove(&lock.id);
        !folder.holds(&lock.id)
    });
    Ok(found)
}

fn unreadable(id: String) -> LockInfo {
    LockInfo {
        id,
        exclusive: false,
        hostname: String::new(),
        username: String::new(),
        pid: 0,
        time: Instant::default(),
        stale: false,
        explanation:
            "it cannot be read, so it counts: it is being written, or is not of this repository"
                .to_owned(),
    }
}

fn busy(folder: &LockFolder, ours: &Owner, record: &Record) -> Fault {
    let how = if record.exclusive {
        "exclusively"
    } else {
        "for reading or adding"
    };
    let why = if ours.exclusive {
        ", and this needs it for itself"
    } else {
        ""
    };
    Fault::Busy(format!(
        "{} is locked {how} by {record}{why}: try again later; if that process is gone, remove its \
         lock with `mhost exec backup unlock --repo {}:append`",
        folder.label(),
        folder.named()
    ))
}

#[cfg(test)]
mod tests;
