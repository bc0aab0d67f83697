//! Locks among themselves; what restic makes of them stands in `tests/restic.rs`.

use super::*;
use crate::crypto::Sealer;
use crate::place::Place;
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
        let lock = acquire(folder, ours);
        assert_eq!(lock.is_ok(), granted, "{theirs} {ours:?}");
        assert_eq!(files(dir.path()), if granted { 2 } else { 1 });
    }
}

#[test]
fn a_refusal_says_who_and_what_to_do() {
    let dir = scratch("lock");
    let folder = folder(dir.path(), &MasterKey::new());
    foreign(&folder, true, 1);
    let Err(Fault::Busy(text)) = acquire(folder, Need::Shared) else {
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
    let lock = acquire(folder, Need::Exclusive).unwrap();
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
    assert!(acquire(mine.clone(), Need::Exclusive).is_ok());
    foreign(&folder(dir.path(), &MasterKey::new()), false, 0);
    let Err(Fault::Busy(text)) = acquire(mine, Need::Shared) else {
        panic!("somebody's lock was passed over")
    };
    assert!(text.contains("--remove-all"), "{text}");
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
    let error = std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem);
    assert!(folder.unwritten(&error).1);
    let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert!(!folder.unwritten(&error).1);
}
