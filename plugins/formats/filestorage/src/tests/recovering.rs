//! What is got out of a damaged file, and what is said of the rest.

use super::*;
use crate::layout::Oid;
use crate::testing::{Body, Make, patched, refers, site, tid};

#[test]
fn a_sound_file_comes_back_as_it_was() {
    let file = site();
    let (good, recovered) = recovered(&file.file, false);
    assert_eq!(good, file.file);
    assert!(recovered.report.sound());
    assert_eq!(recovered.file.index, verified(&good).index);
}

#[test]
fn a_hole_loses_what_lies_in_it_and_names_it() {
    let file = site();
    let (from, to) = (file.starts[&20] + 30, file.starts[&23] - 5);
    let damaged = patched(&file.file, from, &vec![0; (to - from) as usize]);
    let (good, recovered) = recovered(&damaged, false);
    let report = recovered.report;
    assert_eq!(report.transactions, 62 - 3);
    assert_eq!((report.stretches, report.losses.len()), (1, 1));
    let lost = &report.losses[0];
    assert_eq!(lost.from, file.starts[&20]);
    assert_eq!(lost.bytes, file.starts[&23] - file.starts[&20]);
    assert!(lost.tids.contains(&tid(20)));
    let verdict = verified(&good);
    assert_eq!(verdict.counts[..3], [0; 3]);
}

#[test]
fn objects_of_a_lost_transaction_are_named() {
    let file = Make::new()
        .set(1, 0, &[1, 2])
        .txn(
            2,
            vec![(1, Body::Data(refers(&[2]))), (2, Body::Data(refers(&[])))],
        )
        .set(3, 0, &[1]);
    // The head is gone; its records still tell.
    let damaged = patched(&file.file, file.starts[&2], &[0; 23]);
    let report = recovered(&damaged, false).1.report;
    assert_eq!(report.losses[0].tids, [tid(2)]);
    assert_eq!(report.losses[0].oids, [Oid(1), Oid(2)]);
    assert_eq!(report.bytes_lost, file.starts[&3] - file.starts[&2]);
}

#[test]
fn partial_keeps_the_good_records() {
    let make = |middle: Vec<u8>| {
        Make::new().set(1, 0, &[1, 2, 3]).txn(
            2,
            vec![
                (1, Body::Data(refers(&[2]))),
                (2, Body::Data(middle)),
                (3, Body::Data(refers(&[]))),
            ],
        )
    };
    let file = make(refers(&[]));
    let at = file.places[&(2, 2)] + 42;
    let damaged = patched(&file.file, at, &[0xff; 20]);
    let whole = recovered(&damaged, false).1;
    assert_eq!((whole.report.transactions, whole.report.records), (1, 1));
    let (good, partly) = recovered(&damaged, true);
    assert_eq!((partly.report.transactions, partly.report.records), (2, 3));
    assert_eq!(partly.report.partials[0].records_lost, 1);
    assert_eq!(partly.report.losses[0].damage.oid, Some(Oid(2)));
    assert!(!partly.file.index.contains_key(&2));
    assert_eq!(verified(&good).counts[0], 0);
}

#[test]
fn a_back_pointer_into_a_hole_brings_its_data_along() {
    let file = Make::new()
        .set(1, 0, &[5])
        .txn(
            2,
            vec![(5, Body::Data(refers(&[0]))), (6, Body::Data(refers(&[])))],
        )
        .set(3, 5, &[])
        .txn(4, vec![(5, Body::As(2))]);
    // The second record of transaction 2 is lost, and with it the transaction.
    let damaged = patched(&file.file, file.places[&(2, 6)] + 42, &[0xff; 9]);
    let (good, recovered) = recovered(&damaged, false);
    assert_eq!(recovered.report.transactions, 3);
    let record = crate::scan::seen(&mut window(&good), recovered.file.index[&5]).unwrap();
    assert_eq!(record.length, refers(&[0]).len() as u64);
}

#[test]
fn ids_out_of_order_are_moved_and_told() {
    let file = Make::new()
        .set(1, 0, &[1])
        .set(9, 1, &[])
        .set(5, 1, &[])
        .set(10, 0, &[1]);
    let (good, recovered) = recovered(&file.file, false);
    assert_eq!(recovered.report.transactions, 4);
    assert_eq!(recovered.report.moves.len(), 1);
    assert_eq!(recovered.report.moves[0].from, tid(5));
    assert!(verified(&good).sound());
}

#[test]
fn the_beginning_may_be_gone() {
    let file = site();
    for magic in [b"XX30", b"FS21"] {
        let (good, recovered) = recovered(&patched(&file.file, 0, magic), false);
        assert_eq!(good, file.file);
        assert_eq!(recovered.report.transactions, 62);
    }
    assert_eq!(recovered(b"", false).0, b"FS30");
    assert_eq!(recovered(b"FS", false).0, b"FS30");
}

#[test]
fn what_was_never_finished_is_no_loss() {
    let file = site();
    let last = file.starts[&62];
    for tail in [
        patched(&file.file, last + 16, b"c"),
        patched(&file.file, last + 16, b"c")[..file.file.len() - 5].to_vec(),
    ] {
        let report = recovered(&tail, false).1.report;
        assert_eq!(report.bytes_unfinished, tail.len() as u64 - last);
        assert_eq!((report.bytes_lost, report.transactions), (0, 61));
    }
}

#[test]
fn references_to_nothing_are_suspected() {
    let suspects = |file: &Make| recovered(&file.file, false).1.suspects;
    let file = Make::new().set(1, 0, &[1]).set(2, 1, &[0, 2]);
    assert!(suspects(&file));
    // It comes later.
    assert!(!suspects(&file.set(3, 2, &[])));
    // To what was deleted before.
    let file = Make::new()
        .txn(
            1,
            vec![(0, Body::Data(refers(&[1]))), (1, Body::Data(refers(&[])))],
        )
        .txn(2, vec![(1, Body::Gone)]);
    assert!(!suspects(&file));
    assert!(suspects(&file.set(3, 0, &[1])));
}

#[test]
fn what_refers_to_a_deleted_object_is_found_without_reading_all_again() {
    let file = Make::new()
        .txn(
            1,
            vec![(0, Body::Data(refers(&[1]))), (1, Body::Data(refers(&[])))],
        )
        .txn(2, vec![(1, Body::Gone)]);
    let verdict = verify::written(&mut window(&file.file), &mut Quiet).unwrap();
    assert_eq!(verdict.counts, [0, 0, 0, 1]);
    let file = file.set(3, 0, &[]);
    let verdict = verify::written(&mut window(&file.file), &mut Quiet).unwrap();
    assert!(verdict.sound(), "{:?}", verdict.findings);
}

#[test]
fn a_transaction_that_does_not_fit_into_memory_comes_back_as_it_was() {
    let large = |length: usize| {
        let mut data = b"\x80\x03cmodule\nName\nq\x00.\x80\x03B".to_vec();
        data.extend((length as u32).to_le_bytes());
        data.extend((0..length).map(|n| (n % 251) as u8));
        data.push(b'.');
        Body::Data(data)
    };
    for length in [200_000, 262_000, 400_000, 3_000_000] {
        let file = Make::new()
            .set(1, 0, &[1, 2, 3])
            .txn(
                2,
                vec![(1, large(length)), (2, large(1000)), (3, large(length / 2))],
            )
            .set(3, 0, &[1, 2])
            .txn(4, vec![(3, Body::As(2)), (1, large(length))])
            .set(5, 0, &[3]);
        let (good, recovered) = recovered(&file.file, false);
        assert!(good == file.file, "{length}");
        assert!(recovered.report.sound());
    }
}
