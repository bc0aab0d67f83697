//! From one format of the file to the next. A step changes tables; a change inside one
//! kind of record is that record's own version, and needs no step.
//!
//! Every format that was released stays readable: `tests/fixtures` holds a file of each.

use redb::{ReadableTable, WriteTransaction};

use super::dependents::watches;
use super::record::{WatchRec, decode, encode};
use super::tables::{ARREARS, ERAS, LOOKS, MARKS, META, TASKS, WATCHED, WATCHERS, ZONES};
use super::trouble::Res;

/// One step: from the format at its place in [`STEPS`], counted from 1, to the next.
type Step = fn(&WriteTransaction) -> Res<()>;

const STEPS: &[Step] = &[chain_of_fires, notices];

/// What the proof of the chain of fires stands on, and the marks of watched directories.
fn chain_of_fires(txn: &WriteTransaction) -> Res<()> {
    txn.open_table(ERAS)?;
    txn.open_table(ARREARS)?;
    txn.open_table(ZONES)?;
    txn.open_table(MARKS)?;
    let mut watchers = txn.open_table(WATCHERS)?;
    for row in txn.open_table(TASKS)?.iter()? {
        let (id, task) = row?;
        if watches(&decode(task.value())?) {
            watchers.insert(id.value(), ())?;
        }
    }
    Ok(())
}

/// From 2 to 3: what people are told. Every task is looked at once, soon.
fn notices(txn: &WriteTransaction) -> Res<()> {
    let mut looks = txn.open_table(LOOKS)?;
    let mut watched = txn.open_table(WATCHED)?;
    for row in txn.open_table(TASKS)?.iter()? {
        let task = row?.0.value();
        let rec = WatchRec {
            look_at: Some(0),
            since: 0,
        };
        looks.insert((0, task), ())?;
        watched.insert(task, encode(&rec)?.as_slice())?;
    }
    Ok(())
}

/// The format that this mhost writes.
pub const FORMAT: u32 = 1 + STEPS.len() as u32;

/// Brings a file of format `found` up to the present one, in the caller's transaction.
pub fn upgrade(txn: &WriteTransaction, found: u32) -> Res<()> {
    upgrade_by(txn, found, STEPS)
}

fn upgrade_by(txn: &WriteTransaction, found: u32, steps: &[Step]) -> Res<()> {
    for step in steps.iter().skip(found.saturating_sub(1) as usize) {
        step(txn)?;
    }
    write_format(txn, 1 + steps.len() as u32)
}

/// Says which format the file has.
pub fn write_format(txn: &WriteTransaction, format: u32) -> Res<()> {
    let bytes = format.to_le_bytes();
    txn.open_table(META)?.insert("format", bytes.as_slice())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::{Database, ReadableDatabase, TableDefinition};

    use super::*;

    const TRACE: TableDefinition<u64, ()> = TableDefinition::new("trace");

    fn mark(txn: &WriteTransaction, step: u64) -> Res<()> {
        txn.open_table(TRACE)?.insert(step, ())?;
        Ok(())
    }

    #[test]
    fn only_the_missing_steps_are_taken() {
        let steps: &[Step] = &[|txn| mark(txn, 1), |txn| mark(txn, 2), |txn| mark(txn, 3)];
        for (found, expected) in [(1, vec![1, 2, 3]), (3, vec![3]), (4, vec![])] {
            let backend = redb::backends::InMemoryBackend::new();
            let database = Database::builder().create_with_backend(backend).unwrap();
            let txn = database.begin_write().unwrap();
            txn.open_table(TRACE).unwrap();
            upgrade_by(&txn, found, steps).unwrap();
            txn.commit().unwrap();
            let txn = database.begin_read().unwrap();
            let trace = txn.open_table(TRACE).unwrap();
            let taken: Vec<u64> = trace
                .iter()
                .unwrap()
                .map(|row| row.unwrap().0.value())
                .collect();
            assert_eq!(taken, expected, "from {found}");
            let meta = txn.open_table(META).unwrap();
            assert_eq!(
                meta.get("format").unwrap().unwrap().value(),
                4u32.to_le_bytes()
            );
        }
    }
}
