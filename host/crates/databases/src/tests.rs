//! What holds for both engines alike.

mod packing;

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use mhost_model::ports::database::{Database, Databases, Value};
use mhost_model::resource::{DatabaseDef, Engine};
use mhost_model::{Fault, FaultResult};

use crate::ManagedDatabases;
use crate::testing::{all, blob, count, int, names, text};

const BOTH: [Engine; 2] = [Engine::Redb, Engine::Sqlite];

fn open(engine: Engine, path: &Path) -> FaultResult<Box<dyn Database>> {
    let name: mhost_model::Name = "it".parse().unwrap();
    let def = DatabaseDef {
        engine,
        path: path.to_path_buf(),
    };
    ManagedDatabases::new(BTreeMap::from([(name.clone(), def)]))
        .with_wait(Duration::from_millis(50))
        .open(&name)
}

/// A database with 2,000 rows in `t`, of which 1,900 are deleted again.
fn holey(engine: Engine, path: &Path) {
    match engine {
        Engine::Redb => {
            redb::Database::create(path).unwrap();
        }
        Engine::Sqlite => {
            let db = rusqlite::Connection::open(path).unwrap();
            db.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
                .unwrap();
        }
    }
    fill(engine, path);
}

fn fill(engine: Engine, path: &Path) {
    let mut db = open(engine, path).unwrap();
    let mut write = db.begin_write().unwrap();
    for n in 0..2_000 {
        write.put("t", &int(n), &columns(engine, n)).unwrap();
    }
    write.commit().unwrap();
    let mut write = db.begin_write().unwrap();
    for n in 0..1_900 {
        assert!(write.delete("t", &int(n)).unwrap());
    }
    write.commit().unwrap();
}

fn columns(engine: Engine, n: i64) -> Vec<Value> {
    let payload = blob(&[n as u8; 700]);
    match engine {
        Engine::Redb => payload,
        Engine::Sqlite => [int(n), payload].concat(),
    }
}

fn check_rows(engine: Engine, db: &mut dyn Database) {
    let rows = all(&mut *db.begin_read().unwrap(), "t", 7);
    assert_eq!(rows.len(), 100);
    for (row, n) in rows.iter().zip(1_900..) {
        assert_eq!((&row.key, &row.columns), (&int(n), &columns(engine, n)));
    }
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::NotFound(_) => "not found",
        Fault::Exists(_) => "exists",
        Fault::Busy(_) => "busy",
        Fault::Invalid(_) => "invalid",
        Fault::Unsupported(_) => "unsupported",
        Fault::Damaged(_) => "damaged",
        Fault::Limit(_) => "limit",
        _ => "other",
    }
}

#[test]
fn an_unknown_name_says_what_to_add() {
    let none = ManagedDatabases::new(BTreeMap::new());
    let Err(fault) = none.open(&"site".parse().unwrap()) else {
        panic!("opened");
    };
    assert!(fault.to_string().contains("[databases.site]"), "{fault}");
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::create_dir(at("folder")).unwrap();
    symlink(at("elsewhere"), at("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("fifo"),
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    for engine in BOTH {
        for (name, word) in [
            ("folder", "a directory"),
            ("link", "a symbolic link"),
            ("fifo", "a FIFO"),
        ] {
            let Err(fault) = open(engine, &at(name)) else {
                panic!("{name} was opened");
            };
            assert_eq!(kind(&fault), "invalid", "{engine:?} {name}");
            assert!(fault.to_string().contains(word), "{fault}");
        }
    }
}

#[test]
fn a_link_in_a_companions_place_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    holey(Engine::Sqlite, &path);
    symlink(dir.path().join("secret"), dir.path().join("db-wal")).unwrap();
    let fault = open(Engine::Sqlite, &path).unwrap().tables().unwrap_err();
    assert!(fault.to_string().contains("a symbolic link"), "{fault}");
}

#[test]
fn foreign_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("text"), "hello\n".repeat(100)).unwrap();
    std::fs::write(at("gzip"), b"\x1f\x8b\x08\0\0\0\0\0".repeat(100)).unwrap();
    std::fs::write(at("empty"), b"").unwrap();
    holey(Engine::Redb, &at("redb"));
    holey(Engine::Sqlite, &at("sqlite"));
    for (engine, name, expected, words) in [
        (Engine::Redb, "missing", "not found", "missing"),
        (Engine::Redb, "text", "invalid", "a text file"),
        (Engine::Redb, "gzip", "invalid", "gzip"),
        (Engine::Redb, "empty", "invalid", "an empty file"),
        (Engine::Redb, "sqlite", "invalid", "engine = \"sqlite\""),
        (Engine::Sqlite, "missing", "not found", "missing"),
        (Engine::Sqlite, "text", "invalid", "a text file"),
        (Engine::Sqlite, "gzip", "invalid", "gzip"),
        (Engine::Sqlite, "redb", "invalid", "engine = \"redb\""),
    ] {
        let mut db = open(engine, &at(name)).unwrap();
        for fault in [
            db.info().unwrap_err(),
            db.tables().unwrap_err(),
            db.verify().unwrap_err(),
            db.pack().unwrap_err(),
            db.snapshot(&at("new")).unwrap_err(),
        ] {
            assert_eq!(kind(&fault), expected, "{engine:?} {name}: {fault}");
            assert!(fault.to_string().contains(words), "{fault}");
        }
    }
    assert!(!at("new").exists());
}

#[test]
fn a_dropped_write_transaction_leaves_nothing() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        holey(engine, &path);
        let mut db = open(engine, &path).unwrap();
        let mut write = db.begin_write().unwrap();
        write.put("t", &int(1), &columns(engine, 1)).unwrap();
        assert!(write.get("t", &int(1)).unwrap().is_some());
        drop(write);
        check_rows(engine, &mut *db);
    }
}

#[test]
fn transactions_keep_to_their_kind() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        holey(engine, &path);
        let mut db = open(engine, &path).unwrap();
        let mut write = db.begin_write().unwrap();
        assert_eq!(kind(&db.begin_write().err().unwrap()), "busy", "{engine:?}");
        for verb in [db.pack().map(drop), db.restore(&path).map(drop)] {
            assert_eq!(kind(&verb.unwrap_err()), "busy", "{engine:?}");
        }
        write.put("t", &int(1), &columns(engine, 1)).unwrap();
        let mut read = db.begin_read().unwrap();
        assert_eq!(read.get("t", &int(1)).unwrap(), None, "{engine:?}");
        let put = read.put("t", &int(1), &columns(engine, 1)).unwrap_err();
        assert_eq!(kind(&put), "invalid");
        assert_eq!(kind(&read.delete("t", &int(1)).unwrap_err()), "invalid");
        for fault in [
            read.get("none", &int(1)).unwrap_err(),
            read.get("", &int(1)).unwrap_err(),
            write.delete("none", &int(1)).unwrap_err(),
        ] {
            assert_eq!(kind(&fault), "not found", "{engine:?}");
        }
        drop(read);
        write.commit().unwrap();
        assert_eq!(count(&mut *db, "t"), Some(101));
    }
}

#[test]
fn pages_end_at_their_limits() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        holey(engine, &path);
        let mut db = open(engine, &path).unwrap();
        let mut write = db.begin_write().unwrap();
        for n in 5_000..5_010 {
            let mut row = columns(engine, n);
            row.pop();
            row.extend(blob(&vec![1; 100 << 10]));
            write.put("t", &int(n), &row).unwrap();
        }
        for limit in [0, 10_001, u32::MAX] {
            let fault = write.scan("t", None, limit).unwrap_err();
            assert_eq!(kind(&fault), "invalid", "{limit}");
        }
        let page = write.scan("t", None, 10).unwrap();
        assert_eq!((page.rows.len(), page.more), (10, true));
        let page = write.scan("t", Some(&int(4_999)), 10_000).unwrap();
        assert_eq!((page.rows.len(), page.more), (2, true), "256 KiB");
        let page = write.scan("t", Some(&int(5_009)), 10_000).unwrap();
        assert_eq!((page.rows.len(), page.more), (0, false));
        assert_eq!(all(&mut *write, "t", 10_000).len(), 110);
    }
}

#[test]
fn a_snapshot_is_whole_and_opens() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        holey(engine, &at("db"));
        std::fs::set_permissions(at("db"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let mut db = open(engine, &at("db")).unwrap();
        let size = db.snapshot(&at("copy")).unwrap();
        let metadata = at("copy").metadata().unwrap();
        assert_eq!(metadata.len(), size);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
        let before = std::fs::read(at("copy")).unwrap();
        let fault = db.snapshot(&at("copy")).unwrap_err();
        assert_eq!(kind(&fault), "exists");
        assert_eq!(before, std::fs::read(at("copy")).unwrap());
        let mut copy = open(engine, &at("copy")).unwrap();
        assert!(copy.verify().unwrap().sound);
        check_rows(engine, &mut *copy);
        assert!(!names(dir.path()).iter().any(|n| n.contains("mhost-tmp")));
    }
}

#[test]
fn a_pack_gives_space_back_and_keeps_mode() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        holey(engine, &path);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
        let mut db = open(engine, &path).unwrap();
        let info = db.info().unwrap();
        let packed = db.pack().unwrap();
        assert_eq!(packed.before, info.size);
        assert!(packed.after < packed.before / 2, "{engine:?} {packed:?}");
        assert!(info.reclaimable.unwrap() > info.size / 2, "{engine:?}");
        assert_eq!(path.metadata().unwrap().len(), packed.after);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o604);
        check_rows(engine, &mut *db);
        assert!(db.verify().unwrap().sound);
        let again = db.pack().unwrap();
        assert!(again.after <= again.before);
        check_rows(engine, &mut *db);
        drop(db);
        assert_eq!(names(dir.path()), ["db"]);
    }
}

#[test]
fn a_leftover_of_a_crash_is_removed_but_not_one_in_use() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        holey(engine, &at("db"));
        std::fs::write(at(".copy.mhost-tmp"), "half a copy").unwrap();
        let mut db = open(engine, &at("db")).unwrap();
        let used = std::fs::File::open(at(".copy.mhost-tmp")).unwrap();
        used.lock().unwrap();
        assert_eq!(kind(&db.snapshot(&at("copy")).unwrap_err()), "busy");
        assert_eq!(
            std::fs::read(at(".copy.mhost-tmp")).unwrap(),
            b"half a copy"
        );
        drop(used);
        db.snapshot(&at("copy")).unwrap();
        assert!(open(engine, &at("copy")).unwrap().verify().unwrap().sound);
        assert!(!at(".copy.mhost-tmp").exists());
    }
}

#[test]
fn restore_swaps_and_keeps_the_old_file() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        holey(engine, &at("db"));
        std::fs::set_permissions(at("db"), std::fs::Permissions::from_mode(0o640)).unwrap();
        let mut db = open(engine, &at("db")).unwrap();
        db.snapshot(&at("copy")).unwrap();
        let mut write = db.begin_write().unwrap();
        write.put("t", &int(1), &columns(engine, 1)).unwrap();
        write.commit().unwrap();
        for number in [1, 2] {
            let old = db.restore(&at("copy")).unwrap();
            let kept = at(&format!("db.before-restore-{number}"));
            assert_eq!(Path::new(&old), kept);
            check_rows(engine, &mut *db);
            let rows = count(&mut *open(engine, &kept).unwrap(), "t");
            assert_eq!(rows, Some(if number == 1 { 101 } else { 100 }));
        }
        let mode = at("db").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}

#[test]
fn restore_cures_what_is_missing_or_damaged() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        holey(engine, &at("good"));
        let mut db = open(engine, &at("db")).unwrap();
        assert_eq!(db.restore(&at("good")).unwrap(), "");
        check_rows(engine, &mut *db);
        drop(db);
        std::fs::write(at("db"), "not a database any more").unwrap();
        std::fs::write(at("db-wal"), "its log").unwrap();
        let mut db = open(engine, &at("db")).unwrap();
        let old = db.restore(&at("good")).unwrap();
        assert_eq!(std::fs::read(old).unwrap(), b"not a database any more");
        check_rows(engine, &mut *db);
        if engine == Engine::Sqlite {
            let log = std::fs::read(at("db.before-restore-1-wal")).unwrap();
            assert_eq!(log, b"its log");
        }
    }
}

#[test]
fn restore_refuses_a_bad_source_and_changes_nothing() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        holey(engine, &at("db"));
        let mut bad = std::fs::read(at("db")).unwrap();
        let len = bad.len();
        bad[len / 3..].fill(0x5a);
        std::fs::write(at("bad"), bad).unwrap();
        symlink(at("db"), at("link")).unwrap();
        std::fs::write(at("text"), "hello").unwrap();
        let before = std::fs::read(at("db")).unwrap();
        let mut db = open(engine, &at("db")).unwrap();
        for (source, expected) in [
            ("bad", "damaged"),
            ("link", "invalid"),
            ("text", "invalid"),
            ("none", "not found"),
        ] {
            let fault = db.restore(&at(source)).unwrap_err();
            assert_eq!(kind(&fault), expected, "{engine:?} {source}: {fault}");
        }
        assert_eq!(before, std::fs::read(at("db")).unwrap());
        drop(db);
        assert_eq!(names(dir.path()), ["bad", "db", "link", "text"]);
    }
}

#[test]
fn verify_finds_damage_and_changes_nothing() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        holey(engine, &path);
        let sound = std::fs::read(&path).unwrap();
        let verdict = open(engine, &path).unwrap().verify().unwrap();
        assert!(verdict.sound, "{verdict:?}");
        assert!(verdict.findings.iter().any(|f| f.contains("100 rows")));
        assert_eq!(sound, std::fs::read(&path).unwrap(), "{engine:?}");
        // Whatever page is overwritten, verify neither panics nor writes.
        let mut found = 0;
        let pages = sound.len() / 4096;
        for page in (0..4).chain((4..pages).step_by(pages / 20)) {
            if cfg!(debug_assertions) && page == 1 {
                continue; // redb's own debug assertions then read gigabytes.
            }
            let mut damaged = sound.clone();
            damaged[page * 4096 + 100..][..600].fill(0xa5);
            std::fs::write(&path, &damaged).unwrap();
            let mut db = open(engine, &path).unwrap();
            match db.verify() {
                Ok(verdict) => found += u32::from(!verdict.sound),
                Err(fault) => assert_eq!(kind(&fault), "damaged", "{fault}"),
            }
            drop(db);
            assert!(
                damaged == std::fs::read(&path).unwrap(),
                "{engine:?} {page}"
            );
        }
        assert!(found >= 2, "{engine:?}: {found}");
    }
}

#[test]
fn a_damaged_database_is_neither_packed_nor_copied() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        holey(engine, &at("db"));
        let mut bytes = std::fs::read(at("db")).unwrap();
        let len = bytes.len();
        bytes[len / 3..].fill(0xa5);
        std::fs::write(at("db"), &bytes).unwrap();
        let mut db = open(engine, &at("db")).unwrap();
        assert_eq!(kind(&db.pack().unwrap_err()), "damaged");
        assert_eq!(kind(&db.snapshot(&at("copy")).unwrap_err()), "damaged");
        drop(db);
        assert_eq!(names(dir.path()), ["db"]);
        assert!(bytes == std::fs::read(at("db")).unwrap());
    }
}

#[test]
fn odd_names_of_files_and_tables() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a b?c#d%41 'e\"");
        let table = "sel\"ect 'x'; DROP TABLE t; --";
        holey(engine, &path);
        if engine == Engine::Sqlite {
            let db = rusqlite::Connection::open(&path).unwrap();
            let quoted = table.replace('"', "\"\"");
            db.execute_batch(&format!(
                "CREATE TABLE \"{quoted}\" (\"k\"\"1\" TEXT PRIMARY KEY)"
            ))
            .unwrap();
        }
        let mut db = open(engine, &path).unwrap();
        let mut write = db.begin_write().unwrap();
        write.put(table, &text("k"), &text("k")).unwrap();
        assert!(write.get(table, &text("k")).unwrap().is_some());
        write.commit().unwrap();
        assert_eq!(count(&mut *db, table), Some(1));
        assert_eq!(count(&mut *db, "t"), Some(100));
        db.snapshot(&dir.path().join("snap?immutable=0")).unwrap();
        assert!(db.verify().unwrap().sound);
    }
}

/// Damage that does not hinder opening or reading: a byte of a row that is not what
/// redb's checksum says, a count of free pages that SQLite does not have.
fn damage_subtly(engine: Engine, path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    match engine {
        Engine::Redb => {
            let row = [1_950_i64 as u8; 700];
            let end = bytes.len() - row.len();
            for at in 0..end {
                if bytes[at..].starts_with(&row) {
                    bytes[at + 350] ^= 1;
                }
            }
        }
        Engine::Sqlite => bytes[39] ^= 1,
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn subtle_damage_is_found_by_every_verb() {
    for engine in BOTH {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        holey(engine, &at("db"));
        holey(engine, &at("good"));
        damage_subtly(engine, &at("db"));
        let before = std::fs::read(at("db")).unwrap();
        let mut db = open(engine, &at("db")).unwrap();
        assert_eq!(count(&mut *db, "t"), Some(100), "{engine:?} can be read");
        assert!(!db.verify().unwrap().sound, "{engine:?}");
        for fault in [
            db.pack().unwrap_err(),
            db.snapshot(&at("copy")).unwrap_err(),
            open(engine, &at("good"))
                .unwrap()
                .restore(&at("db"))
                .unwrap_err(),
        ] {
            assert_eq!(kind(&fault), "damaged", "{engine:?}: {fault}");
        }
        assert!(before == std::fs::read(at("db")).unwrap());
        check_rows(engine, &mut *open(engine, &at("good")).unwrap());
        drop(db);
        assert_eq!(names(dir.path()), ["db", "good"]);
    }
}
