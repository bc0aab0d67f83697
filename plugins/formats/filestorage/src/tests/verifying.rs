//! What a check finds, at which level, and where.

use super::*;
use crate::error::Flaw;
use crate::layout::Oid;
use crate::testing::{Body, Make, patched, refers, site};

#[test]
fn a_sound_file_has_no_findings() {
    let file = site();
    let verdict = verified(&file.file);
    assert!(verdict.sound(), "{:?}", verdict.findings);
    assert_eq!(verdict.failing(), None);
    let index = file.index.into_iter().collect::<Vec<_>>();
    assert!(index.iter().all(|(oid, at)| verdict.index[oid] == *at));
}

#[test]
fn each_level_finds_its_own() {
    let file = site();
    let record = file.places[&(40, 1)];
    let twelve = file.places[&(61, 3)];
    for (level, at, damaged) in [
        (
            Level::Structure,
            file.starts[&30],
            patched(&file.file, file.starts[&30] + 16, b"X"),
        ),
        (
            Level::Structure,
            file.starts[&62],
            patched(&file.file, file.starts[&62] + 16, b"c"),
        ),
        (
            Level::Structure,
            record,
            patched(&file.file, record + 24, &[1]),
        ),
        (
            Level::Pointers,
            file.places[&(45, 6)],
            patched(&file.file, file.places[&(45, 6)] + 16, &7_u64.to_be_bytes()),
        ),
        (
            Level::Pointers,
            twelve,
            patched(&file.file, twelve + 42, &999_u64.to_be_bytes()),
        ),
        (
            Level::Records,
            record,
            patched(&file.file, record + 44, &[0xff; 4]),
        ),
    ] {
        let verdict = verified(&damaged);
        assert_eq!(verdict.failing(), Some(level), "{:?}", verdict.findings);
        assert_eq!(verdict.findings[0].damage.position, at, "{level:?}");
    }
}

#[test]
fn references_to_nothing_are_found_where_they_count() {
    let file = Make::new().set(1, 0, &[1, 9]).set(2, 1, &[]);
    let verdict = verified(&file.file);
    assert_eq!(verdict.failing(), Some(Level::References));
    assert_eq!(verdict.findings[0].damage.flaw, Flaw::Dangling(Oid(9)));
    assert_eq!(verdict.findings[0].damage.position, file.places[&(1, 0)]);
    // Deleted under a reference.
    let file = Make::new()
        .set(1, 0, &[1])
        .set(2, 1, &[])
        .txn(3, vec![(1, Body::Gone)]);
    assert_eq!(verified(&file.file).failing(), Some(Level::References));
    // Of garbage, and of an older revision.
    let file = Make::new().set(1, 0, &[9]).set(2, 0, &[]).set(3, 7, &[9]);
    assert!(verified(&file.file).sound());
    // To what is made later in the same transaction.
    let file = Make::new().txn(
        1,
        vec![(0, Body::Data(refers(&[1]))), (1, Body::Data(refers(&[])))],
    );
    assert!(verified(&file.file).sound());
}

#[test]
fn an_older_revision_that_cannot_be_read_is_told_but_no_damage() {
    let file = Make::new().set(1, 0, &[]).set(2, 0, &[]);
    let at = file.places[&(1, 0)];
    let verdict = verified(&patched(&file.file, at + 44, &[0xff; 4]));
    assert!(verdict.sound());
    assert_eq!(verdict.stale_count, 1);
    assert_eq!(verdict.stale[0].damage.position, at);
    // Unless an undo has made it the current one again.
    let file = file.txn(3, vec![(0, Body::As(1))]);
    let verdict = verified(&patched(&file.file, at + 44, &[0xff; 4]));
    assert_eq!(verdict.failing(), Some(Level::Records));
}

#[test]
fn the_check_goes_on_behind_a_damaged_place() {
    let file = site();
    let damaged = patched(&file.file, file.starts[&20] + 16, b"X");
    let damaged = patched(&damaged, file.starts[&40] + 8, &[0; 8]);
    let verdict = verified(&damaged);
    assert_eq!(verdict.counts[0], 2);
    assert_eq!(verdict.transactions, 60);
}

#[test]
fn no_file_at_all() {
    for (file, flaw) in [
        (&b""[..], Flaw::Empty),
        (b"FS", Flaw::Magic),
        (b"GIF89a and so on", Flaw::Magic),
    ] {
        let verdict = verified(file);
        assert_eq!(verdict.findings[0].damage.flaw, flaw);
    }
    assert!(verified(b"FS30").sound());
}

#[test]
fn a_history_that_leads_into_a_damaged_record_is_followed_no_further() {
    let file = Make::new()
        .set(1, 0, &[])
        .set(2, 7, &[])
        .txn(3, vec![(7, Body::Gone)]);
    // The record says that its transaction begins far behind the end of the file.
    let at = file.places[&(2, 7)] + 24;
    let verdict = verified(&patched(&file.file, at, &[0x7f]));
    assert_eq!(verdict.failing(), Some(Level::Structure));
}

#[test]
fn a_reference_to_what_was_deleted_before_leads_to_nothing() {
    let file = Make::new()
        .txn(
            1,
            vec![(0, Body::Data(refers(&[]))), (1, Body::Data(refers(&[])))],
        )
        .txn(2, vec![(1, Body::Gone)])
        .set(3, 0, &[1]);
    assert_eq!(verified(&file.file).counts, [0, 0, 0, 1]);
}
