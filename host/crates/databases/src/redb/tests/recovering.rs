//! Recovering redb files on a copy.

use std::path::Path;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, RecoverOptions};
use redb::{Database, TableDefinition};

use super::{check_rows, holey};
use crate::redb::RedbDatabase;
use crate::testing::names;

/// A file whose application was killed after its second commit, and the places of that commit's pages.
fn killed_after_two_commits(path: &Path) -> (Vec<u8>, Vec<usize>) {
    const TABLE: TableDefinition<u64, &[u8]> = TableDefinition::new("t");
    let db = Database::create(path).unwrap();
    let commit = |keys: std::ops::Range<u64>| {
        let write = db.begin_write().unwrap();
        let mut table = write.open_table(TABLE).unwrap();
        for key in keys {
            table.insert(key, &[7_u8; 500][..]).unwrap();
        }
        drop(table);
        write.commit().unwrap();
        std::fs::read(path).unwrap()
    };
    let before = commit(0..100);
    let bytes = commit(100..110);
    let pages = bytes.chunks(4096).zip(before.chunks(4096)).enumerate();
    let of_the_last = pages.skip(1).filter(|(_, (now, then))| now != then);
    let places = of_the_last.map(|(n, _)| n * 4096).collect();
    drop(db);
    std::fs::write(path, &bytes).unwrap();
    (bytes, places)
}

#[test]
fn a_file_whose_newest_commit_is_damaged_goes_back_to_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (sound, places) = killed_after_two_commits(&at("db"));
    let recover = |bytes: &[u8]| {
        std::fs::write(at("db"), bytes).unwrap();
        let mut db = RedbDatabase::open(&at("db")).unwrap();
        let options = RecoverOptions::default();
        let recovered = db.recover(&at("new"), options, &crate::unattended());
        drop(db);
        assert!(bytes == std::fs::read(at("db")).unwrap());
        recovered
    };
    let whole = recover(&sound).unwrap();
    assert_eq!(whole.rows, 110);
    assert!(whole.findings[0].contains("no row is lost"), "{whole:?}");
    std::fs::remove_file(at("new")).unwrap();
    let (mut back, mut beyond) = (0, 0);
    let older = sound.len() / 2 / 4096 * 4096;
    for place in places.iter().copied().chain([4096, older]) {
        let mut bytes = sound.clone();
        bytes[place..place + 4096].fill(0xa5);
        match recover(&bytes) {
            Ok(recovered) if recovered.rows == 110 => {}
            Ok(recovered) => {
                assert_eq!(recovered.rows, 100, "{place}");
                assert!(recovered.findings[0].contains("is lost"), "{recovered:?}");
                back += 1;
            }
            Err(fault) => {
                assert!(matches!(fault, Fault::Damaged(_)), "{place}: {fault}");
                assert!(fault.to_string().contains("restore it"), "{fault}");
                beyond += 1;
                assert_eq!(names(dir.path()), ["db"], "{place}");
                continue;
            }
        }
        assert!(
            RedbDatabase::open(&at("new"))
                .unwrap()
                .verify()
                .unwrap()
                .sound
        );
        std::fs::remove_file(at("new")).unwrap();
    }
    assert!(
        back > 0,
        "{back} back, {beyond} beyond repair of {}",
        places.len()
    );
}

#[test]
fn a_sound_file_is_recovered_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    holey(&at("db"));
    let mut db = RedbDatabase::open(&at("db")).unwrap();
    let recovered = db
        .recover(&at("new"), RecoverOptions::default(), &crate::unattended())
        .unwrap();
    assert_eq!(recovered.findings, [""; 0]);
    assert_eq!(recovered.rows_lost, 0);
    check_rows(&at("new"));
    let again = db.recover(&at("new"), RecoverOptions::default(), &crate::unattended());
    assert!(matches!(again, Err(Fault::Exists(_))));
}
