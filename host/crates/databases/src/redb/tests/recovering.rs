//! Recovering redb files on a copy.

use std::collections::BTreeMap;
use std::path::Path;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, RecoverOptions};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableHandle as _,
};

use super::{check_rows, holey};
use crate::redb::RedbDatabase;
use crate::redb::open::open_shared;
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
    let (mut back, mut saved, mut beyond) = (0, 0, 0);
    let older = sound.len() / 2 / 4096 * 4096;
    for place in places.iter().copied().chain([4096, older]) {
        let mut bytes = sound.clone();
        bytes[place..place + 4096].fill(0xa5);
        match recover(&bytes) {
            Ok(recovered) if recovered.rows == 110 => {}
            Ok(recovered) if recovered.rows_lost > 0 => {
                assert_eq!(recovered.rows + recovered.rows_lost, 110, "{recovered:?}");
                saved += 1;
            }
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
        "{back} back, {saved} in part, {beyond} beyond recovery of {}",
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

/// The rows of each table, as bytes.
type Tables = BTreeMap<String, Vec<(Vec<u8>, Vec<u8>)>>;

/// A closed file with tables of all four combinations of widths, and two that cannot be copied; and their rows.
fn of_many_kinds(path: &Path) -> Tables {
    let db = Database::create(path).unwrap();
    let write = db.begin_write().unwrap();
    let mut expected = BTreeMap::new();
    let name = |n: u64| format!("{n:05}");
    macro_rules! table {
        ($name:literal, $key:ty, $value:ty, $rows:expr, $of:expr) => {{
            let mut table = write
                .open_table(TableDefinition::<$key, $value>::new($name))
                .unwrap();
            let rows = expected.entry($name.to_owned()).or_insert_with(Vec::new);
            for n in 0..$rows {
                let (key, value): (Vec<u8>, Vec<u8>) = $of(&mut table, n);
                rows.push((key, value));
            }
        }};
    }
    table!(
        "text to bytes",
        &str,
        &[u8],
        800,
        |table: &mut redb::Table<&str, &[u8]>, n: u64| {
            let value = vec![n as u8; 20 + n as usize % 200];
            table.insert(name(n).as_str(), value.as_slice()).unwrap();
            (name(n).into_bytes(), value)
        }
    );
    table!(
        "number to number",
        u64,
        u32,
        3000,
        |table: &mut redb::Table<u64, u32>, n: u64| {
            table.insert(n, n as u32).unwrap();
            (n.to_le_bytes().to_vec(), (n as u32).to_le_bytes().to_vec())
        }
    );
    table!(
        "number to text",
        u64,
        &str,
        500,
        |table: &mut redb::Table<u64, &str>, n: u64| {
            let value = name(n).repeat(8);
            table.insert(n, value.as_str()).unwrap();
            (n.to_le_bytes().to_vec(), value.into_bytes())
        }
    );
    table!(
        "text to number",
        &str,
        i64,
        500,
        |table: &mut redb::Table<&str, i64>, n: u64| {
            table.insert(name(n).as_str(), n as i64).unwrap();
            (name(n).into_bytes(), n.to_le_bytes().to_vec())
        }
    );
    table!(
        "one large row",
        &str,
        &[u8],
        1,
        |table: &mut redb::Table<&str, &[u8]>, _: u64| {
            let value = vec![9; 70_000];
            table.insert("large", value.as_slice()).unwrap();
            (b"large".to_vec(), value)
        }
    );
    write
        .open_table(TableDefinition::<u64, u64>::new("no rows"))
        .unwrap();
    expected.insert("no rows".to_owned(), Vec::new());
    write
        .open_table(TableDefinition::<u64, f64>::new("own"))
        .unwrap()
        .insert(1, 1.5)
        .unwrap();
    let many = redb::MultimapTableDefinition::<u64, u64>::new("many");
    write
        .open_multimap_table(many)
        .unwrap()
        .insert(1, 2)
        .unwrap();
    write.commit().unwrap();
    expected
}

/// The rows of the tables whose types are known, as bytes.
fn rows_of(path: &Path) -> Tables {
    let db = open_shared(path, "read").unwrap();
    let read = db.begin_read().unwrap();
    let mut found = BTreeMap::new();
    let names: Vec<String> = read
        .list_tables()
        .unwrap()
        .map(|t| t.name().to_owned())
        .collect();
    macro_rules! read {
        ($name:expr, $key:ty, $value:ty, $of:expr) => {
            if let Ok(table) = read.open_table(TableDefinition::<$key, $value>::new(&$name)) {
                let rows = table.iter().unwrap().map(|row| {
                    let (key, value) = row.unwrap();
                    $of(key.value(), value.value())
                });
                found.insert($name.clone(), rows.collect());
            }
        };
    }
    for name in names {
        read!(name, &str, &[u8], |k: &str, v: &[u8]| (
            k.as_bytes().to_vec(),
            v.to_vec()
        ));
        read!(name, u64, u32, |k: u64, v: u32| (
            k.to_le_bytes().to_vec(),
            v.to_le_bytes().to_vec()
        ));
        read!(name, u64, u64, |k: u64, v: u64| (
            k.to_le_bytes().to_vec(),
            v.to_le_bytes().to_vec()
        ));
        read!(name, u64, &str, |k: u64, v: &str| (
            k.to_le_bytes().to_vec(),
            v.as_bytes().to_vec()
        ));
        read!(name, &str, i64, |k: &str, v: i64| (
            k.as_bytes().to_vec(),
            v.to_le_bytes().to_vec()
        ));
    }
    found
}

#[test]
fn whatever_page_is_damaged_the_rows_of_the_others_are_saved() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let expected = of_many_kinds(&at("db"));
    let total: u64 = expected.values().map(|rows| rows.len() as u64).sum::<u64>() + 2;
    let sound = std::fs::read(at("db")).unwrap();
    let (mut whole, mut in_part, mut nothing, mut worst) = (0, 0, 0, 0);
    for page in 1..sound.len() / 4096 {
        let mut bytes = sound.clone();
        // One bit within a number, a key or a value: nothing but the checksum tells.
        bytes[page * 4096 + 40] ^= 4;
        std::fs::write(at("db"), &bytes).unwrap();
        let _ = std::fs::remove_file(at("new"));
        let mut db = RedbDatabase::open(&at("db")).unwrap();
        let recovered = db.recover(&at("new"), RecoverOptions::default(), &crate::unattended());
        drop(db);
        let recovered = match recovered {
            Ok(recovered) => recovered,
            Err(fault) => {
                assert!(fault.to_string().contains("restore it"), "{page}: {fault}");
                assert_eq!(names(dir.path()), ["db"], "{page}");
                nothing += 1;
                continue;
            }
        };
        let found = rows_of(&at("new"));
        for (table, rows) in &found {
            let all = &expected[table];
            assert!(
                rows.iter().all(|row| all.contains(row)),
                "{page}: `{table}`"
            );
        }
        assert_eq!(
            recovered.rows + recovered.rows_lost,
            total,
            "{page}: {recovered:?}"
        );
        assert_eq!(found.len(), expected.len(), "{page}");
        if recovered.rows_lost == 0 {
            assert_eq!(found, expected, "{page}");
            whole += 1;
            continue;
        }
        // What redb could not repair, each table told of.
        let told = |part: &str| recovered.findings.iter().any(|found| found.contains(part));
        assert!(
            told("redb cannot repair") && told("`own`: all 1 rows"),
            "{recovered:?}"
        );
        assert!(
            told("`many`: all 1 rows") && recovered.pages_lost <= 1,
            "{recovered:?}"
        );
        worst = worst.max(recovered.rows_lost);
        in_part += 1;
    }
    assert!(whole > 0 && in_part > 40, "{whole} {in_part} {nothing}");
    // The list of tables is one page; every other one loses at most a table's branch.
    assert!(
        nothing <= 1 && worst <= 3002,
        "{whole} {in_part} {nothing} {worst}"
    );
}

#[test]
fn whatever_is_damaged_in_whatever_way_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    of_many_kinds(&at("sound"));
    let sound = std::fs::read(at("sound")).unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed % below as u64) as usize
    };
    let mut saved = 0;
    for round in 0..120 {
        let mut bytes = sound.clone();
        for _ in 0..=random(12) {
            // Pages, and the header as often as all of them.
            let within = if random(2) == 0 { 320 } else { bytes.len() };
            let place = random(within).max(9);
            let end = (place + 1 + random(40)).min(bytes.len());
            match random(3) {
                0 => bytes[place..end].fill(random(256) as u8),
                1 => bytes[place] ^= 1 << random(8),
                _ => {
                    let from = random(bytes.len() - (end - place));
                    bytes.copy_within(from..from + end - place, place);
                }
            }
        }
        if round % 5 == 0 {
            bytes.truncate(random(bytes.len()).max(400));
        }
        std::fs::write(at("db"), &bytes).unwrap();
        let mut db = RedbDatabase::open(&at("db")).unwrap();
        let recovered = db.recover(&at("new"), RecoverOptions::default(), &crate::unattended());
        drop(db);
        match recovered {
            Ok(recovered) => {
                saved += u32::from(recovered.rows_lost > 0);
                let verdict = RedbDatabase::open(&at("new")).unwrap().verify().unwrap();
                assert!(verdict.sound, "{round}: {verdict:?} {recovered:?}");
                std::fs::remove_file(at("new")).unwrap();
            }
            Err(Fault::Invalid(_) | Fault::Damaged(_) | Fault::Unsupported(_)) => {
                assert_eq!(names(dir.path()), ["db", "sound"], "{round}");
            }
            Err(other) => panic!("{round}: {other}"),
        }
    }
    assert!(saved > 10, "{saved}");
}
