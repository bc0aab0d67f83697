//! The five things that ZODB's own tools get wrong.

use super::*;
use crate::testing::{Body, Make, patched, refers, tid};

fn has(file: &[u8], oid: u64) -> bool {
    verified(file).index.contains_key(&oid)
}

/// An object that is unlinked at the pack time and linked again later without being written anew.
#[test]
fn what_is_linked_again_later_stays() {
    let file = Make::new()
        .set(1, 0, &[5])
        .set(2, 5, &[6])
        .set(3, 6, &[])
        .set(4, 0, &[])
        .set(5, 0, &[5]);
    let packed = packed(&file.file, &options(4, true)).unwrap();
    assert!(has(&packed, 5) && has(&packed, 6));
    assert!(verified(&packed).sound());
}

/// The same through an undo: a later back pointer leads to a revision that is unreachable at the
/// pack time, and what that refers to is needed too.
#[test]
fn what_a_kept_older_revision_refers_to_stays() {
    let file = Make::new()
        .set(1, 0, &[5])
        .set(2, 5, &[6])
        .set(3, 6, &[7])
        .set(4, 7, &[])
        .set(5, 0, &[])
        .set(6, 0, &[5])
        .set(7, 5, &[])
        .txn(8, vec![(5, Body::As(2))]);
    let packed = packed(&file.file, &options(5, true)).unwrap();
    assert!(has(&packed, 6) && has(&packed, 7));
    assert!(verified(&packed).sound());
}

/// Undo and resurrection past the pack time, without collection.
#[test]
fn undo_past_the_pack_time_without_collection() {
    let file = Make::new()
        .set(1, 0, &[5])
        .set(2, 5, &[6])
        .set(3, 5, &[])
        .set(4, 0, &[5])
        .txn(5, vec![(5, Body::As(2))]);
    let packed = packed(&file.file, &options(4, false)).unwrap();
    let verdict = verified(&packed);
    assert_eq!(verdict.counts[..3], [0; 3]);
    let mut window = window(&packed);
    let record = crate::scan::seen(&mut window, verdict.index[&5]).unwrap();
    let data = crate::scan::resolve(&mut window, record).unwrap().unwrap();
    assert_eq!(
        packed[data.data() as usize..data.end() as usize],
        refers(&[6])
    );
}

/// Texts of Python 2 with bytes of 0x80 and above, also as ids.
#[test]
fn texts_of_python_2_are_raw_bytes() {
    let mut state = b"\x80\x01cm\nN\nq\x00.\x80\x01}q\x01(U\x04caf\xe9U\x08".to_vec();
    state.extend(0x181_u64.to_be_bytes());
    state.extend(b"h\x00\x86Qu.");
    let file = Make::new()
        .txn(1, vec![(0, Body::Data(state))])
        .set(2, 0x181, &[])
        .set(3, 0x400, &[]);
    let packed = packed(&file.file, &options(9, true)).unwrap();
    assert!(has(&packed, 0x181) && !has(&packed, 0x400));
}

/// fsrecover drops a record with a wrong start of its transaction without a word, loses two transactions for
/// one wrong length, and all that follows a status `c` in the middle.
#[test]
fn one_wrong_field_loses_nothing() {
    let file = crate::testing::site();
    let txn = file.starts[&30];
    let record = file.places[&(30, 31)];
    let last = verified(&file.file).transactions;
    for (what, damaged) in [
        (
            "a record's start of the transaction",
            patched(&file.file, record + 24, &9_u64.to_be_bytes()),
        ),
        (
            "a record's length",
            patched(
                &file.file,
                record + 34,
                &(refers(&[1, 2, 3]).len() as u64 + 7).to_be_bytes(),
            ),
        ),
        (
            "a record's version",
            patched(&file.file, record + 32, &[0, 1]),
        ),
        ("a status of `c`", patched(&file.file, txn + 16, b"c")),
        ("an unknown status", patched(&file.file, txn + 16, b"X")),
        ("an id", patched(&file.file, txn, &tid(3).0.to_be_bytes())),
        (
            "the first length",
            patched(&file.file, txn + 8, &(1_u64 << 40).to_be_bytes()),
        ),
        (
            "the first length",
            patched(&file.file, txn + 8, &5_u64.to_be_bytes()),
        ),
        (
            "the second length",
            patched(&file.file, file.starts[&31] - 8, &5_u64.to_be_bytes()),
        ),
    ] {
        let (good, recovered) = recovered(&damaged, false);
        assert_eq!(recovered.report.transactions, last, "{what}");
        assert_eq!(recovered.report.repaired, 1, "{what}");
        assert_eq!(recovered.report.stretches, 0, "{what}");
        assert_eq!(good, file.file, "{what}");
    }
}
