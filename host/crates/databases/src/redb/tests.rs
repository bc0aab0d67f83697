//! What is redb's own: types, locks, repairs, and crashes of whole-file work.

mod processes;
mod recovering;

use std::collections::BTreeMap;
use std::path::Path;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, KeepOld, RecoverOptions, Value};
use proptest::prelude::*;
use redb::{
    Database, MultimapTableDefinition, ReadOnlyDatabase, ReadableDatabase, TableDefinition,
};

use super::{RedbDatabase, recover, whole};
use crate::place::Step;
use crate::testing::{Other, all, blob, count, crash, int, names, ready_and_wait, role, text};

const ROWS: i64 = 3_000;

/// 3,000 rows, of which 2,900 are deleted again.
fn holey(path: &Path) {
    let table = TableDefinition::<&str, &[u8]>::new("t");
    let db = Database::create(path).unwrap();
    let write = db.begin_write().unwrap();
    {
        let mut rows = write.open_table(table).unwrap();
        for n in 0..ROWS {
            rows.insert(format!("{n:06}").as_str(), &[n as u8; 500][..])
                .unwrap();
        }
    }
    write.commit().unwrap();
    let write = db.begin_write().unwrap();
    write
        .open_table(table)
        .unwrap()
        .retain(|key, _| key >= "002900")
        .unwrap();
    write.commit().unwrap();
}

fn check_rows(path: &Path) {
    let mut db = RedbDatabase::open(path).unwrap();
    assert!(db.verify().unwrap().sound);
    let rows = all(&mut *db.begin_read().unwrap(), "t", 9);
    assert_eq!(rows.len(), 100);
    assert_eq!(rows[0].key, text("002900"));
}

#[test]
fn tables_of_many_types() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::create(&path).unwrap();
    let write = db.begin_write().unwrap();
    macro_rules! row {
        ($name:literal, $key:ty, $value:ty, $k:expr, $v:expr) => {
            write
                .open_table(TableDefinition::<$key, $value>::new($name))
                .unwrap()
                .insert($k, $v)
                .unwrap();
        };
    }
    row!("a", &str, u64, "x", u64::MAX);
    row!("b", String, i32, "y".to_owned(), i32::MIN);
    row!("c", &[u8], &str, &[0, 255][..], "z");
    row!("d", u128, (), 7, ());
    row!("e", i8, u8, -1, 255);
    row!("odd", u64, f64, 1, 1.0);
    row!("pair", (u32, u32), u64, (1, 2), 1);
    write
        .open_multimap_table(MultimapTableDefinition::<&str, u64>::new("many"))
        .unwrap()
        .insert("k", 1)
        .unwrap();
    write.commit().unwrap();
    drop(db);

    let mut db = RedbDatabase::open(&path).unwrap();
    let tables = db.tables().unwrap();
    let shapes: Vec<_> = tables
        .iter()
        .map(|t| (&*t.name, &*t.shape, t.rows))
        .collect();
    assert_eq!(
        shapes,
        [
            ("a", "&str -> u64", 1),
            ("b", "String -> i32", 1),
            ("c", "&[u8] -> &str", 1),
            ("d", "u128 -> ()", 1),
            ("e", "i8 -> u8", 1),
            ("odd", "u64 -> f64", 1),
            ("pair", "(u32,u32) -> u64", 1),
            ("many", "multimap &str -> u64", 1),
        ]
    );
    let mut write = db.begin_write().unwrap();
    for (table, key, value) in [
        ("a", text("x"), text("18446744073709551615")),
        ("b", text("y"), int(i64::from(i32::MIN))),
        ("c", blob(&[0, 255]), text("z")),
        ("d", int(7), vec![Value::Null]),
        ("e", int(-1), int(255)),
    ] {
        let row = write.get(table, &key).unwrap().unwrap();
        assert_eq!((&row.key, &row.columns), (&key, &value));
        write.put(table, &key, &value).unwrap();
        assert_eq!(write.scan(table, None, 5).unwrap().rows, [row]);
        assert!(write.delete(table, &key).unwrap());
        assert!(!write.delete(table, &key).unwrap());
    }
    for (table, words) in [("odd", "f64"), ("pair", "(u32,u32)"), ("many", "multimap")] {
        let Err(Fault::Unsupported(why)) = write.get(table, &int(1)) else {
            panic!("{table} was read");
        };
        assert!(why.contains(words) && why.contains(table), "{why}");
    }
    drop(write);
    let verdict = db.verify().unwrap();
    assert!(verdict.sound);
    assert!(verdict.findings.iter().any(|f| f.contains("`pair`")));
    // What cannot be read row by row survives a pack all the same.
    db.pack().unwrap();
    assert_eq!(db.tables().unwrap(), tables);
}

#[test]
fn rows_of_a_wrong_type_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    holey(&path);
    let mut db = RedbDatabase::open(&path).unwrap();
    let mut write = db.begin_write().unwrap();
    for (table, key, value) in [
        ("t", int(1), blob(b"")),
        ("t", text("k"), text("v")),
        ("t", text("k"), vec![]),
        ("t", vec![], blob(b"")),
        ("new", vec![Value::Null], blob(b"")),
        ("new", vec![Value::Real(1.5)], blob(b"")),
        ("", text("k"), blob(b"")),
    ] {
        let fault = write.put(table, &key, &value).unwrap_err();
        assert!(matches!(fault, Fault::Invalid(_)), "{table}: {fault}");
    }
    write.commit().unwrap();
    assert_eq!(count(&mut db, "new"), None);
}

#[test]
fn a_new_table_takes_the_rows_types() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    holey(&path);
    let mut db = RedbDatabase::open(&path).unwrap();
    let mut write = db.begin_write().unwrap();
    for (table, key, value) in [
        ("n1", int(1), text("v")),
        ("n2", text("k"), vec![Value::Null]),
        ("n3", blob(b"k"), int(-1)),
    ] {
        write.put(table, &key, &value).unwrap();
    }
    write.commit().unwrap();
    let shape = |name| {
        db.tables()
            .unwrap()
            .into_iter()
            .find(|t| t.name == name)
            .unwrap()
            .shape
    };
    let shapes = ["n1", "n2", "n3"].map(shape);
    assert_eq!(shapes, ["i64 -> &str", "&str -> ()", "&[u8] -> i64"]);
}

#[test]
fn one_writer_or_many_readers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    holey(&path);
    let busy =
        |opened: mhost_model::FaultResult<RedbDatabase>| matches!(opened, Err(Fault::Busy(_)));
    let mut one = RedbDatabase::open(&path).unwrap();
    let mut two = RedbDatabase::open(&path).unwrap();
    let reader = ReadOnlyDatabase::open(&path).unwrap();
    assert!(reader.begin_read().is_ok());
    assert!(matches!(one.begin_write(), Err(Fault::Busy(_))));
    assert!(matches!(one.pack(), Err(Fault::Busy(_))));
    assert!(two.snapshot(&dir.path().join("copy")).is_ok());
    drop((reader, two));
    // A read transaction of the same connection is in the writer's way too …
    let read = one.begin_read().unwrap();
    assert!(matches!(one.begin_write(), Err(Fault::Busy(_))));
    drop(read);
    let write = one.begin_write().unwrap();
    // … but not one that began after it.
    let read = one.begin_read().unwrap();
    assert!(busy(RedbDatabase::open(&path)), "in this process");
    drop((read, write));
    assert!(
        busy(RedbDatabase::open(&path)),
        "until the connection is closed"
    );
    drop(one);
    let application = Database::open(&path).unwrap();
    assert!(busy(RedbDatabase::open(&path)));
    drop(application);
    check_rows(&path);
}

#[test]
fn another_process_that_holds_the_file_makes_it_busy() {
    if let Some((_, path)) = role() {
        let _held = Database::open(path).unwrap();
        return ready_and_wait();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let target = dir.path().join("copy");
    holey(&path);
    let me = "redb::tests::another_process_that_holds_the_file_makes_it_busy";
    let mut db = RedbDatabase::open(&path).unwrap();
    db.close("let go").unwrap();
    let other = Other::ready(me, "hold", &path);
    for fault in [
        RedbDatabase::open(&path).err().unwrap(),
        db.tables().unwrap_err(),
        db.snapshot(&target).unwrap_err(),
        db.pack().unwrap_err(),
        db.verify().unwrap_err(),
        db.restore(&path).unwrap_err(),
    ] {
        assert!(matches!(fault, Fault::Busy(_)), "{fault}");
    }
    other.kill();
    check_rows(&path);
}

/// The bytes of a file that its application has not closed.
fn unclosed(path: &Path) {
    holey(path);
    let db = super::open::open_writable(path).unwrap();
    let write = db.begin_write().unwrap();
    write
        .open_table(TableDefinition::<&str, &[u8]>::new("t"))
        .unwrap()
        .remove("002900")
        .unwrap();
    write.commit().unwrap();
    let bytes = std::fs::read(path).unwrap();
    drop(db);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_crashed_applications_file_is_read_without_a_repair() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let copy = dir.path().join("copy");
    unclosed(&path);
    let before = std::fs::read(&path).unwrap();
    assert!(
        ReadOnlyDatabase::open(&path).is_err(),
        "redb wants a repair"
    );
    let mut db = RedbDatabase::open(&path).unwrap();
    assert_eq!(count(&mut db, "t"), Some(99));
    assert_eq!(all(&mut *db.begin_read().unwrap(), "t", 50).len(), 99);
    assert!(db.info().unwrap().reclaimable.unwrap() > 1 << 20);
    let verdict = db.verify().unwrap();
    assert!(verdict.sound);
    assert!(
        verdict.findings[0].contains("not closed properly"),
        "{verdict:?}"
    );
    db.snapshot(&copy).unwrap();
    drop(db);
    assert!(before == std::fs::read(&path).unwrap());
    // The snapshot needs no repair, and the file can be packed.
    assert!(ReadOnlyDatabase::open(&copy).is_ok());
    let mut db = RedbDatabase::open(&path).unwrap();
    assert!(db.pack().unwrap().after < before.len() as u64 / 2);
    assert_eq!(count(&mut db, "t"), Some(99));
}

#[test]
fn savepoints_are_left_to_the_application() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    holey(&path);
    let db = super::open::open_writable(&path).unwrap();
    let write = db.begin_write().unwrap();
    write.persistent_savepoint().unwrap();
    write.commit().unwrap();
    drop(db);
    let before = std::fs::read(&path).unwrap();
    let fault = RedbDatabase::open(&path).unwrap().pack().unwrap_err();
    assert!(matches!(fault, Fault::Unsupported(_)), "{fault}");
    assert!(before == std::fs::read(&path).unwrap());
}

#[test]
fn a_full_disk_stops_a_pack_before_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    holey(&path);
    let size = path.metadata().unwrap().len();
    let mut steps = Vec::new();
    let packed = whole::pack(
        &path,
        KeepOld::No,
        &crate::unattended(),
        &|_| Ok(size),
        &mut |step| steps.push(step),
    );
    let fault = packed.unwrap_err();
    assert!(fault.to_string().contains("free"), "{fault}");
    assert_eq!(steps, []);
    assert_eq!(names(dir.path()), ["db"]);
    let enough = size + size / 8;
    whole::pack(
        &path,
        KeepOld::No,
        &crate::unattended(),
        &|_| Ok(enough),
        &mut |_| {},
    )
    .unwrap();
    check_rows(&path);
}

const STEPS: [Step; 7] = [
    Step::Begun,
    Step::Copied,
    Step::Packed,
    Step::Verified,
    Step::Synced,
    Step::Kept,
    Step::Placed,
];

/// In the other process: does what the role says, and crashes after one step.
fn crash_in(role: &str, path: &Path) {
    let (verb, step) = role.split_once(' ').unwrap();
    let at = STEPS[step.parse::<usize>().unwrap()];
    let hook = &mut |step| {
        if step == at {
            crash();
        }
    };
    let other = path.with_file_name("other");
    match verb {
        "pack" => drop(
            whole::pack(
                path,
                KeepOld::UntilNext,
                &crate::unattended(),
                &crate::space::free,
                hook,
            )
            .unwrap(),
        ),
        "snapshot" => drop(whole::snapshot(path, &other, hook).unwrap()),
        "recover" => drop(
            recover::recover(
                path,
                &other,
                &crate::unattended(),
                &crate::space::free,
                hook,
            )
            .unwrap(),
        ),
        _ => drop(whole::restore(path, &other, hook).unwrap()),
    }
}

#[test]
fn a_crash_at_any_step_leaves_a_whole_file() {
    if let Some((role, path)) = role() {
        return crash_in(&role, &path);
    }
    let me = "redb::tests::a_crash_at_any_step_leaves_a_whole_file";
    let mut crashes = BTreeMap::new();
    for verb in ["pack", "snapshot", "restore", "recover"] {
        for step in 0..STEPS.len() {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            holey(&at("db"));
            if verb == "restore" {
                holey(&at("other"));
            }
            let role = format!("{verb} {step}");
            let crashed = Other::start(me, &role, &at("db")).finish();
            *crashes.entry(verb).or_insert(0) += u32::from(crashed);
            check_rows(&at("db"));
            for copy in ["other", "db.old"].map(at).iter().filter(|p| p.exists()) {
                check_rows(copy);
            }
            // The next attempt finds nothing in its way.
            let mut db = RedbDatabase::open(&at("db")).unwrap();
            match verb {
                "pack" => assert!(db.pack().unwrap().after < 1 << 20),
                "restore" => drop(db.restore(&at("other")).unwrap()),
                _ if at("other").exists() => {}
                "recover" => {
                    let options = RecoverOptions::default();
                    db.recover(&at("other"), options, &crate::unattended())
                        .unwrap();
                }
                _ => drop(db.snapshot(&at("other")).unwrap()),
            }
            drop(db);
            check_rows(&at("db"));
            let left = names(dir.path());
            let leftover = left.iter().any(|name| name.contains("mhost-tmp"));
            assert!(!leftover, "{role}: {left:?}");
        }
    }
    let expected = BTreeMap::from([("pack", 7), ("recover", 5), ("restore", 6), ("snapshot", 5)]);
    assert_eq!(crashes, expected);
}

/// Keys or values of one type that a new table can have.
fn values(kind: u8) -> BoxedStrategy<Value> {
    match kind {
        0 => any::<i64>().prop_map(Value::Integer).boxed(),
        1 => "(\\PC|\0){0,12}".prop_map(Value::Text).boxed(),
        2 => prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(Value::Blob)
            .boxed(),
        _ => Just(Value::Null).boxed(),
    }
}

fn rows() -> impl Strategy<Value = Vec<(Value, Value)>> {
    (0..3_u8, 0..4_u8)
        .prop_flat_map(|(key, value)| prop::collection::vec((values(key), values(value)), 1..40))
}

/// The order of a table's keys, which are of one type.
fn order(key: &Value) -> (i64, &[u8]) {
    match key {
        Value::Integer(number) => (*number, &[]),
        Value::Text(text) => (0, text.as_bytes()),
        Value::Blob(bytes) => (0, bytes),
        _ => (0, &[]),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn rows_round_trip(rows in rows(), limit in 1_u32..20, gone in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        drop(Database::create(&path).unwrap());
        let mut db = RedbDatabase::open(&path).unwrap();
        let mut write = db.begin_write().unwrap();
        let mut model: Vec<(Value, Value)> = Vec::new();
        for (key, value) in rows {
            write.put("t", std::slice::from_ref(&key), std::slice::from_ref(&value)).unwrap();
            model.retain(|(other, _)| *other != key);
            model.push((key, value));
        }
        let (key, _) = model.swap_remove(gone.index(model.len()));
        prop_assert!(write.delete("t", std::slice::from_ref(&key)).unwrap());
        prop_assert_eq!(write.get("t", &[key]).unwrap(), None);
        write.commit().unwrap();
        model.sort_by(|a, b| order(&a.0).cmp(&order(&b.0)));
        let mut read = db.begin_read().unwrap();
        let seen: Vec<_> = all(&mut *read, "t", limit)
            .into_iter()
            .map(|mut row| (row.key.remove(0), row.columns.remove(0)))
            .collect();
        prop_assert_eq!(&seen, &model);
        for (key, value) in model {
            let row = read.get("t", &[key]).unwrap().unwrap();
            prop_assert_eq!(row.columns, vec![value]);
        }
    }
}

#[test]
fn a_newer_file_format_asks_for_a_newer_mhost() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    holey(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    for slot in [64, 64 + 128] {
        bytes[slot] = 9;
    }
    std::fs::write(&path, &bytes).unwrap();
    let fault = RedbDatabase::open(&path).unwrap().tables().unwrap_err();
    let said = fault.to_string();
    assert!(matches!(fault, Fault::Unsupported(_)), "{said}");
    assert!(said.contains("use a newer mhost"), "{said}");
}
