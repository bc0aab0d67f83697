//! redb beside a program in another process that writes.

use std::path::Path;

use mhost_model::Fault;
use mhost_model::ports::database::{Database as _, KeepOld, Value};
use redb::{Database, ReadableTable as _, TableDefinition};

use crate::redb::{RedbDatabase, whole};
use crate::testing::{Other, all, names, role, say_ready};

const ACCOUNTS: TableDefinition<u64, i64> = TableDefinition::new("accounts");

/// In the other process: opens the file, moves an amount between two accounts, closes it, again and again,
/// as a program that runs every moment does; until it is killed.
fn transfer(path: &Path) {
    say_ready();
    for amount in 0_i64.. {
        // Whoever packs it holds it alone.
        let Ok(db) = Database::open(path) else {
            continue;
        };
        let write = db.begin_write().unwrap();
        let mut table = write.open_table(ACCOUNTS).unwrap();
        for (account, change) in [(1, -(amount % 100)), (2, amount % 100)] {
            let had = table.get(account).unwrap().unwrap().value();
            table.insert(account, had + change).unwrap();
        }
        drop(table);
        write.commit().unwrap();
    }
}

#[test]
fn a_busy_writer_in_another_process() {
    if let Some((_, path)) = role() {
        return transfer(&path);
    }
    let me = "redb::tests::processes::a_busy_writer_in_another_process";
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let db = Database::create(&path).unwrap();
    let write = db.begin_write().unwrap();
    let mut table = write.open_table(ACCOUNTS).unwrap();
    table.insert(1, 500).unwrap();
    table.insert(2, 500).unwrap();
    drop(table);
    write.commit().unwrap();
    drop(db);
    let other = Other::ready(me, "transfer", &path);
    let held = |fault: Fault| assert!(matches!(fault, Fault::Busy(_)), "{fault}");
    let (mut copies, mut packs, mut tries) = (0, 0, 0);
    while copies < 3 || packs < 3 {
        tries += 1;
        assert!(tries < 100_000, "{copies} copies, {packs} packs");
        let copy = dir.path().join(format!("copy{copies}"));
        match whole::snapshot(&path, &copy, &mut |_| {}) {
            Ok(_) => copies += 1,
            Err(fault) => held(fault),
        }
        let keep = KeepOld::UntilNext;
        match whole::pack(
            &path,
            keep,
            &crate::unattended(),
            &crate::space::free,
            &mut |_| {},
        ) {
            Ok(_) => packs += 1,
            Err(fault) => held(fault),
        }
    }
    other.kill();
    for name in names(dir.path())
        .iter()
        .filter(|name| !name.starts_with('.'))
    {
        let mut db = RedbDatabase::open(&dir.path().join(name)).unwrap();
        assert!(db.verify().unwrap().sound, "{name}");
        let rows = all(&mut *db.begin_read().unwrap(), "accounts", 9);
        let amounts = rows.iter().map(|row| match row.columns[0] {
            Value::Integer(amount) => amount,
            _ => panic!("an amount"),
        });
        assert_eq!(
            amounts.sum::<i64>(),
            1_000,
            "{name}: one state of the database"
        );
    }
}
