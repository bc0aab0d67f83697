//! What a pack keeps, removes and refuses.

use super::*;
use crate::error::{Error, Flaw};
use crate::layout::Oid;
use crate::pack::{Idle, Revision};
use crate::testing::{Body, Make, patched, refers, site};

fn oids(file: &[u8]) -> Vec<u64> {
    let mut oids: Vec<u64> = verified(file).index.into_keys().collect();
    oids.sort_unstable();
    oids
}

#[test]
fn only_current_reachable_records_stay() {
    let file = Make::new()
        .set(1, 0, &[1])
        .set(2, 1, &[])
        .set(3, 2, &[3])
        .set(4, 3, &[2])
        .set(5, 1, &[]);
    let (packed, copied) = copied(&file.file, &options(9, true)).unwrap();
    assert_eq!(oids(&packed), [0, 1]);
    let verdict = verified(&packed);
    assert_eq!((verdict.transactions, verdict.records), (2, 2));
    assert_eq!(verdict.index, copied.unwrap().index);
    assert!(verdict.sound());
}

#[test]
fn without_collection_only_old_revisions_go() {
    let file = Make::new().set(1, 0, &[]).set(2, 7, &[]).set(3, 7, &[]);
    let packed = packed(&file.file, &options(9, false)).unwrap();
    assert_eq!(oids(&packed), [0, 7]);
    assert_eq!(verified(&packed).records, 2);
}

#[test]
fn packing_again_changes_nothing() {
    let file = site();
    let once = packed(&file.file, &options(99, true)).unwrap();
    assert!(once.len() < file.file.len());
    assert_eq!(
        plan(&once, &options(99, true)).unwrap().idle,
        Some(Idle::Packed)
    );
    assert_eq!(packed(&once, &options(99, true)).unwrap(), once);
}

#[test]
fn every_pack_time_leaves_a_sound_file_with_the_same_current_state() {
    let file = site();
    let current = |file: &[u8]| -> Vec<(u64, Vec<u8>)> {
        let mut state = Vec::new();
        for (oid, at) in verified(file).index {
            let record = crate::scan::seen(&mut window(file), at).unwrap();
            let data = crate::scan::resolve(&mut window(file), record).unwrap();
            if let Some(data) = data {
                state.push((
                    oid,
                    file[data.data() as usize..data.end() as usize].to_vec(),
                ));
            }
        }
        state.sort();
        state
    };
    let whole = current(&file.file);
    for stop in 0..64 {
        for collect in [true, false] {
            let packed = packed(&file.file, &options(stop, collect)).unwrap();
            let verdict = verified(&packed);
            assert!(verdict.sound(), "{stop}: {:?}", verdict.findings);
            let state = current(&packed);
            let kept = |oid: u64| state.iter().find(|(other, _)| *other == oid);
            for (oid, data) in whole.iter().filter(|(oid, _)| *oid < 50) {
                assert_eq!(kept(*oid).map(|(_, data)| data), Some(data), "{stop} {oid}");
            }
        }
    }
}

#[test]
fn nothing_to_do_is_said() {
    let idle = |file: &[u8], stop| plan(file, &options(stop, true)).unwrap().idle;
    assert_eq!(idle(b"FS30", 9), Some(Idle::Empty));
    assert_eq!(idle(&Make::new().txn(1, vec![]).file, 9), Some(Idle::Empty));
    assert_eq!(idle(&site().file, 0), Some(Idle::Young));
    // Packed to 55, then to 20: what was reachable then cannot be known any more.
    let once = packed(&site().file, &options(55, true)).unwrap();
    assert_eq!(idle(&once, 20), Some(Idle::Packed));
    assert_eq!(idle(&once, 60), None);
}

#[test]
fn a_file_without_a_root_is_not_emptied() {
    let file = Make::new().set(1, 7, &[8]).set(2, 8, &[]);
    let error = plan(&file.file, &options(9, true)).unwrap_err();
    assert!(matches!(error, Error::NoRoot), "{error}");
    assert_eq!(
        oids(&packed(&file.file, &options(9, false)).unwrap()),
        [7, 8]
    );
}

#[test]
fn references_to_nothing_are_counted_and_end_no_pack() {
    let file = Make::new()
        .set(1, 0, &[1, 77])
        .set(2, 1, &[78])
        .set(3, 1, &[78]);
    let plan = plan(&file.file, &options(9, true)).unwrap();
    assert_eq!(plan.figures.dangling, 2);
    let mut dangling = plan.dangling;
    dangling.sort();
    assert_eq!(dangling, [(Oid(0), Oid(77)), (Oid(1), Oid(78))]);
    assert_eq!(
        oids(&packed(&file.file, &options(9, true)).unwrap()),
        [0, 1]
    );
}

#[test]
fn what_cannot_be_read_ends_the_pack_and_is_named() {
    let broken = b"\x80\x03cm\nN\n.\x80\x09}.".to_vec();
    let file = Make::new()
        .set(1, 0, &[5])
        .txn(2, vec![(5, Body::Data(broken.clone()))])
        .set(3, 0, &[5]);
    let Error::Damaged(damage) = packed(&file.file, &options(9, true)).unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(damage.oid, Some(Oid(5)));
    assert_eq!(damage.position, file.places[&(2, 5)]);
    assert!(matches!(damage.flaw, Flaw::Data(_)));
    // After the pack time its references would keep objects, so that it counts as much.
    let file = Make::new()
        .set(1, 0, &[])
        .set(2, 0, &[5])
        .txn(3, vec![(5, Body::Data(broken.clone()))]);
    assert!(packed(&file.file, &options(2, true)).is_err());
    // Unreachable, it does not count.
    let file = Make::new()
        .set(1, 0, &[])
        .txn(2, vec![(5, Body::Data(broken))])
        .set(3, 0, &[]);
    assert_eq!(oids(&packed(&file.file, &options(9, true)).unwrap()), [0]);
}

#[test]
fn an_unfinished_end_is_left_out() {
    let file = site();
    let last = *file.starts.values().max().unwrap();
    let whole = packed(&file.file[..last as usize], &options(99, true)).unwrap();
    for tail in [
        patched(&file.file, last + 16, b"c"),
        file.file[..file.file.len() - 3].to_vec(),
        file.file[..last as usize + 11].to_vec(),
    ] {
        let plan = plan(&tail, &options(99, true)).unwrap();
        assert_eq!(plan.figures.tail, tail.len() as u64 - last);
        assert_eq!(packed(&tail, &options(99, true)).unwrap(), whole);
    }
}

#[test]
fn the_same_in_the_middle_is_damage() {
    let file = site();
    let middle = file.starts[&30];
    for damaged in [
        patched(&file.file, middle + 16, b"c"),
        patched(&file.file, middle + 8, &(1_u64 << 40).to_be_bytes()),
    ] {
        let Error::Damaged(damage) = packed(&damaged, &options(99, true)).unwrap_err() else {
            panic!("another error");
        };
        assert_eq!(damage.position, middle);
    }
}

#[test]
fn blobs_without_a_record_are_named() {
    let blob = b"\x80\x03cZODB.blob\nBlob\nq\x00.\x80\x03N.".to_vec();
    let data = || Body::Data(blob.clone());
    let file = Make::new()
        .txn(
            1,
            vec![(0, Body::Data(refers(&[5]))), (5, data()), (6, data())],
        )
        .txn(2, vec![(5, data())])
        .set(3, 0, &[5]);
    let plan = plan(&file.file, &options(9, true)).unwrap();
    let revision = |oid, n| Revision {
        oid: Oid(oid),
        tid: crate::testing::tid(n),
    };
    assert_eq!(plan.blobs, [revision(5, 1), revision(6, 1)]);
    assert_eq!(plan.blobs_kept.len(), 1);
}

#[test]
fn large_records_are_copied_whole() {
    let mut large = refers(&[2]);
    let end = large.split_off(large.len() - 2);
    large.extend(b"X\x05\0\0\0largeB");
    large.extend((3_000_000_u32).to_le_bytes());
    large.extend(vec![b'Q'; 3_000_000]);
    large.extend(end);
    let file = Make::new()
        .set(1, 0, &[1])
        .txn(2, vec![(1, Body::Data(large.clone()))])
        .set(3, 2, &[])
        .set(4, 0, &[1]);
    let packed = packed(&file.file, &options(9, true)).unwrap();
    assert_eq!(oids(&packed), [0, 1, 2]);
    assert!(packed.windows(large.len()).any(|window| window == large));
}

#[test]
fn a_pack_can_be_ended() {
    struct Ended;
    impl crate::Watch for Ended {
        fn progress(&mut self, _: crate::Phase, _: u64, _: u64) {}
        fn cancelled(&mut self) -> bool {
            true
        }
    }
    let file = site();
    let error = pack::plan(&mut window(&file.file), &options(9, true), &mut Ended).unwrap_err();
    assert!(matches!(error, Error::Cancelled));
    assert_eq!(
        plan(
            &file.file,
            &Options {
                stop: NOW,
                ..options(0, true)
            }
        )
        .unwrap()
        .idle,
        None
    );
}

#[test]
fn a_byte_that_the_disk_has_changed_is_noticed() {
    let file = Make::new()
        .set(1, 0, &[1, 2])
        .set(2, 1, &[])
        .set(3, 2, &[])
        .set(4, 2, &[1])
        .set(5, 0, &[1])
        .txn(6, vec![(2, Body::Gone), (1, Body::As(2))]);
    let (packed, copied) = copied(&file.file, &options(4, true)).unwrap();
    let meant = copied.unwrap().checksum;
    let read = |file: &[u8]| {
        verify::with_checksum(&mut window(file), Level::References, &mut Quiet).unwrap()
    };
    assert_eq!(read(&packed).checksum, Some(meant));
    for at in 0..packed.len() {
        let changed = patched(&packed, at as u64, &[packed[at] ^ 0x10]);
        let verdict = read(&changed);
        assert!(
            verdict.checksum != Some(meant) || !verdict.sound(),
            "byte {at}"
        );
    }
}
