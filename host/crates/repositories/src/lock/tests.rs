//! Locks among themselves; what restic makes of them stands in `tests/restic.rs`.

use super::*;
use crate::crypto::Sealer;
use crate::medium::{Local, Medium};
use crate::place::Place;
use bytes::Bytes;
use chrono::TimeDelta;
use mhost_test_support::scratch;
use rustic_core::repofile::MasterKey;
use std::fs;
use std::path::Path;

fn folder(path: &Path, key: &MasterKey) -> LockFolder {
    let place = Place::at("site".parse().unwrap(), path.to_path_buf());
    LockFolder::new(place, Sealer::new(key))
}

fn files(path: &Path) -> usize {
    fs::read_dir(path.join("locks")).map_or(0, Iterator::count)
}

/// A lock of a process of another host, which nobody here can look at.
fn foreign(folder: &LockFolder, exclusive: bool, minutes_old: i64) -> String {
    let mut owner = Owner::this_process(exclusive);
    owner.hostname = "elsewhere".to_owned();
    owner.username = "ann".to_owned();
    let time = now() - TimeDelta::minutes(minutes_old);
    folder.write(&owner.record(time)).unwrap()
}

#[test]
fn who_may_stand_beside_whom() {
    let cases = [
        (false, Need::Shared, true),
        (false, Need::Reading, true),
        (false, Need::Exclusive, false),
        (true, Need::Shared, false),
        (true, Need::Reading, false),
        (true, Need::Exclusive, false),
    ];
    for (theirs, ours, granted) in cases {
        let dir = scratch("lock");
        let folder = folder(dir.path(), &MasterKey::new());
        foreign(&folder, theirs, 1);
        let lock = acquire(folder, ours, &mut Vec::new());
        assert_eq!(lock.is_ok(), granted, "{theirs} {ours:?}");
        assert_eq!(files(dir.path()), if granted { 2 } else { 1 });
    }
}

#[test]
fn a_refusal_says_who_and_what_to_do() {
    let dir = scratch("lock");
    let folder = folder(dir.path(), &MasterKey::new());
    foreign(&folder, true, 1);
    let Err(Fault::Busy(text)) = acquire(folder, Need::Shared, &mut Vec::new()) else {
        panic!("locked")
    };
    for word in ["`site`", "`ann`", "`elsewhere`", "exclusively", "unlock"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn dead_locks_are_cleared_away() {
    let dir = scratch("lock");
    let folder = folder(dir.path(), &MasterKey::new());
    foreign(&folder, true, 31);
    let mut gone = Owner::this_process(true).record(now());
    gone.pid = i32::MAX;
    folder.write(&gone).unwrap();
    let lock = acquire(folder, Need::Exclusive, &mut Vec::new()).unwrap();
    assert_eq!(files(dir.path()), 1);
    drop(lock);
    assert_eq!(files(dir.path()), 0);
}

#[test]
fn what_cannot_be_read_is_respected_and_what_is_empty_is_not() {
    let dir = scratch("lock");
    let mine = folder(dir.path(), &MasterKey::new());
    fs::create_dir(dir.path().join("locks")).unwrap();
    fs::write(dir.path().join("locks").join("0".repeat(64)), "").unwrap();
    fs::write(dir.path().join("locks/notes.txt"), "not a lock").unwrap();
    assert!(acquire(mine.clone(), Need::Exclusive, &mut Vec::new()).is_ok());
    foreign(&folder(dir.path(), &MasterKey::new()), false, 0);
    let Err(Fault::Busy(text)) = acquire(mine, Need::Shared, &mut Vec::new()) else {
        panic!("somebody's lock was passed over")
    };
    assert!(text.contains("all=true"), "{text}");
}

#[test]
fn a_refresh_replaces_the_file() {
    let dir = scratch("lock");
    let folder = folder(dir.path(), &MasterKey::new());
    let start = now();
    let Ok(lease) = Lease::take(folder.clone(), false, start) else {
        panic!("free")
    };
    let first = lease.state().id.clone();
    let later = start + TimeDelta::minutes(20);
    // A check renews a lock that grows old, as after a machine's sleep.
    lease.check_at(later).unwrap();
    assert_ne!(lease.state().id, first);
    assert_eq!(lease.state().refreshed, later);
    assert!(!folder.holds(&first));
    assert_eq!(files(dir.path()), 1);
}

#[test]
fn a_lock_that_was_taken_away_stops_the_writing() {
    let dir = scratch("lock");
    let folder = folder(dir.path(), &MasterKey::new());
    let start = now();
    let Ok(lease) = Lease::take(folder.clone(), false, start) else {
        panic!("free")
    };
    lease.check_at(start).unwrap();
    folder.remove(&lease.state().id.clone());
    let error = lease.check_at(start).unwrap_err();
    assert!(error.contains("was lost"), "{error}");
    lease.refresh(start + TimeDelta::minutes(5));
    assert_eq!(files(dir.path()), 0, "it must not come back");
    assert!(lease.check_at(start).is_err());
}

#[test]
fn where_nothing_can_be_written_a_reader_needs_no_lock() {
    let dir = scratch("lock");
    // A file in the folder's place: no lock can be written, whoever runs this.
    let folder = folder(&dir.path().join("repo"), &MasterKey::new());
    let kinds = [
        (io::ErrorKind::ReadOnlyFilesystem, "read-only"),
        (io::ErrorKind::PermissionDenied, "read-only"),
        (io::ErrorKind::StorageFull, "full"),
        (io::ErrorKind::QuotaExceeded, "full"),
        (io::ErrorKind::TimedOut, "other"),
    ];
    for (kind, expected) in kinds {
        let refused = match Refused::unwritten(&folder, &kind.into()) {
            Refused::ReadOnly(_) => "read-only",
            Refused::Full(_) => "full",
            Refused::Other(_) => "other",
        };
        assert_eq!(refused, expected, "{kind}");
    }
}

/// A disk without room, of which reading goes on.
#[derive(Debug)]
struct Full(Local);

impl Medium for Full {
    fn list(&self, folder: &str) -> io::Result<Vec<(String, u64)>> {
        self.0.list(folder)
    }

    fn read(&self, file: &str) -> io::Result<Bytes> {
        self.0.read(file)
    }

    fn read_range(&self, file: &str, offset: u64, length: u64) -> io::Result<Bytes> {
        self.0.read_range(file, offset, length)
    }

    fn write(&self, _file: &str, _content: &[Bytes]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn remove(&self, file: &str) -> io::Result<()> {
        self.0.remove(file)
    }

    fn exists(&self, file: &str) -> io::Result<bool> {
        self.0.exists(file)
    }

    fn prepare(&self) -> io::Result<Option<String>> {
        self.0.prepare()
    }
}

#[test]
fn from_a_full_disk_things_come_back() {
    let dir = scratch("lock");
    let key = MasterKey::new();
    let mut place = Place::at("site".parse().unwrap(), dir.path().to_path_buf());
    place.medium = Arc::new(Full(Local::new(dir.path().to_path_buf())));
    let full = LockFolder::new(place, Sealer::new(&key));
    let mut remarks = Vec::new();
    assert!(matches!(
        acquire(full.clone(), Need::Reading, &mut remarks),
        Ok(None)
    ));
    assert!(remarks[0].contains("without a lock"), "{remarks:?}");
    assert!(acquire(full.clone(), Need::Shared, &mut remarks).is_err());
    // Somebody else's lock counts all the same.
    foreign(&folder(dir.path(), &key), true, 1);
    let refused = acquire(full, Need::Reading, &mut remarks);
    assert!(matches!(refused, Err(Fault::Busy(_))));
}
