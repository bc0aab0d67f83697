//! Forgetting, pruning, checking.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod common;

use std::fs;

use common::{Bench, noon, same};
use mhost_model::Fault;
use mhost_model::ports::repository::{BackupOptions, Keep, Verdict};
use mhost_test_support::noise;

/// A snapshot a day, each with another large file.
fn days(count: u32) -> Bench {
    let bench = Bench::with_repository();
    for day in 0..count {
        bench.write("large", noise(300_000, u64::from(day) + 1));
        bench.write("steady", "the same");
        bench.backup_at(noon(i64::from(day))).unwrap();
    }
    bench
}

fn kept(bench: &Bench, policy: &Keep, apply: bool) -> Vec<(i64, Vec<String>)> {
    let judged = bench.open().forget(policy, apply, noon(1000)).unwrap();
    let kept = judged.into_iter().filter(|one| one.keep);
    kept.map(|one| ((one.snapshot.time - noon(0)).num_days(), one.reasons))
        .collect()
}

fn size(bench: &Bench) -> u64 {
    bench
        .packs()
        .iter()
        .map(|pack| fs::metadata(pack).unwrap().len())
        .sum()
}

#[test]
fn policies_and_their_reasons() {
    let bench = days(10);
    let check = |policy: Keep, expected: &[(i64, &[&str])]| {
        let got = kept(&bench, &policy, false);
        let got: Vec<_> = got
            .iter()
            .map(|(day, why)| (*day, why.iter().map(String::as_str).collect::<Vec<_>>()))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(day, why)| (*day, why.to_vec()))
            .collect();
        assert_eq!(got, expected, "{policy:?}");
    };
    check(
        Keep {
            last: 2,
            ..Keep::default()
        },
        &[(9, &["last"]), (8, &["last"])],
    );
    check(
        Keep {
            last: 1,
            daily: 2,
            ..Keep::default()
        },
        &[(9, &["last", "daily"]), (8, &["daily"])],
    );
    // The first of January 2024 was a Monday; day 9 is a Wednesday.
    check(
        Keep {
            weekly: 2,
            ..Keep::default()
        },
        &[(9, &["weekly"]), (6, &["weekly"])],
    );
    // Counted from the newest snapshot, however old that is.
    let within_seconds = 86_401;
    check(
        Keep {
            within_seconds,
            ..Keep::default()
        },
        &[(9, &["within"]), (8, &["within"])],
    );
    assert_eq!(bench.open().snapshots().unwrap().len(), 10, "only judged");
}

#[test]
fn a_policy_that_keeps_nothing_is_refused() {
    let bench = days(2);
    let tags = vec!["no-such-tag".to_owned()];
    for policy in [
        Keep::default(),
        Keep {
            tags,
            ..Keep::default()
        },
    ] {
        for apply in [false, true] {
            let result = bench.open().forget(&policy, apply, noon(9));
            assert!(matches!(result, Err(Fault::Invalid(_))), "{result:?}");
        }
    }
    assert_eq!(bench.open().snapshots().unwrap().len(), 2);
}

#[test]
fn tags_keep() {
    let bench = days(2);
    let tags = vec!["precious".to_owned()];
    let options = BackupOptions {
        tags: tags.clone(),
        ..BackupOptions::default()
    };
    bench
        .open()
        .backup(&[same(&bench.source())], &options, noon(5))
        .unwrap();
    let kept = kept(
        &bench,
        &Keep {
            tags,
            ..Keep::default()
        },
        true,
    );
    assert_eq!(kept, [(5, vec!["tags".to_owned()])]);
    assert_eq!(bench.open().snapshots().unwrap().len(), 1);
}

#[test]
fn forgotten_data_is_pruned_and_the_rest_stays() {
    let bench = days(6);
    let before = size(&bench);
    assert_eq!(
        bench.open().prune().unwrap().bytes_removed,
        0,
        "nothing is forgotten yet"
    );
    kept(
        &bench,
        &Keep {
            last: 1,
            ..Keep::default()
        },
        true,
    );
    let pruned = bench.open().prune().unwrap();
    let after = size(&bench);
    assert!(pruned.bytes_removed > 1_400_000, "{pruned:?}");
    assert!(
        before - after > 1_400_000 && after < 400_000,
        "{before} {after}"
    );
    let repo = bench.open();
    assert!(repo.check(100).unwrap().sound);
    repo.restore(
        &bench.latest_source(),
        &bench.path("out"),
        &Default::default(),
    )
    .unwrap();
    mhost_test_support::assert_same_tree(&bench.source(), &bench.path("out"));
    assert_eq!(bench.locks(), 0);
}

/// What cannot be read must not count as unused.
#[test]
fn pruning_stops_at_what_it_cannot_read() {
    for victim in ["snapshots", "index"] {
        let bench = days(3);
        let folder = bench.repo_path().join(victim);
        let file = fs::read_dir(&folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let before = size(&bench);
        let good = fs::read(&file).unwrap();
        fs::write(&file, &good[..good.len() - 1]).unwrap();
        assert!(bench.open().prune().is_err(), "{victim} damaged");
        fs::write(&file, good).unwrap();
        fs::rename(&folder, bench.path("away")).unwrap();
        assert!(bench.open().prune().is_err(), "{victim} gone");
        assert_eq!(size(&bench), before, "{victim}");
        fs::rename(bench.path("away"), &folder).unwrap();
        assert!(bench.open().check(100).unwrap().sound);
    }
}

/// One damaged file hides no other snapshot, and nothing is removed meanwhile.
#[test]
fn a_damaged_snapshot_does_not_hide_the_others() {
    let bench = days(3);
    let all = bench.open().snapshots().unwrap();
    let file = bench.repo_path().join("snapshots").join(&all[2].id);
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, bytes).unwrap();
    let repo = bench.open();
    let left = repo.snapshots().unwrap();
    assert_eq!(left[..], all[..2]);
    let remarks = repo.remarks();
    assert!(
        remarks.len() == 1 && remarks[0].contains(&all[2].id),
        "{remarks:?}"
    );
    assert!(repo.remarks().is_empty(), "told once");
    for (snapshot, fine) in [
        (&all[0].id, true),
        (&"latest".to_owned(), true),
        (&all[2].id, false),
    ] {
        let named = format!("{snapshot}:{}", bench.source().display());
        let done = repo.restore(&named, &bench.path(snapshot), &Default::default());
        assert_eq!(done.is_ok(), fine, "{snapshot}: {done:?}");
    }
    assert_eq!(repo.find(&["large".to_owned()], &[], 10).unwrap().len(), 2);
    assert!(!repo.remarks().is_empty());
    let keep = Keep {
        last: 1,
        ..Keep::default()
    };
    let before = size(&bench);
    for refused in [
        repo.forget(&keep, false, noon(9)).err(),
        repo.forget(&keep, true, noon(9)).err(),
        repo.prune().err(),
        repo.plan_prune().err(),
    ] {
        let Some(Fault::Damaged(text)) = refused else {
            panic!("{refused:?}")
        };
        assert!(
            text.contains(&all[2].id) && text.contains("nothing was changed"),
            "{text}"
        );
    }
    assert_eq!(size(&bench), before);
    // The newest that can be read is the parent.
    let done = bench.backup_at(noon(4)).unwrap();
    assert_eq!(done.parent, Some(all[1].id.clone()));
    assert!(
        done.remarks.iter().any(|one| one.contains(&all[2].id)),
        "{done:?}"
    );
}

#[test]
fn a_plan_of_pruning_is_what_pruning_does() {
    let bench = days(4);
    kept(
        &bench,
        &Keep {
            last: 1,
            ..Keep::default()
        },
        true,
    );
    let before = size(&bench);
    let plan = bench.open().plan_prune().unwrap();
    assert!(plan.bytes_removed > 800_000, "{plan:?}");
    assert_eq!(size(&bench), before);
    assert_eq!(bench.open().prune().unwrap(), plan);
}

/// An index that cannot be read is a finding, and the other packs are read.
#[test]
fn a_damaged_index_is_a_finding() {
    let bench = days(2);
    let index = bench.repo_path().join("index");
    let file = fs::read_dir(index).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&file).unwrap();
    let mut bad = good.clone();
    bad[30] ^= 1;
    for bytes in [&bad[..], &good[..good.len() / 2]] {
        fs::write(&file, bytes).unwrap();
        for percent in [0, 100] {
            let verdict = verdict(&bench, percent);
            assert!(
                !verdict.sound && !verdict.findings.is_empty(),
                "{verdict:?}"
            );
            let told = verdict.findings.join("; ");
            assert!(!told.contains("`check`"), "{told}");
        }
        assert!(
            verdict(&bench, 100).bytes_read > 0,
            "the other index's packs"
        );
    }
}

fn verdict(bench: &Bench, percent: u32) -> Verdict {
    bench.open().check(percent).unwrap()
}

#[test]
fn a_sound_repository() {
    let bench = days(3);
    let all = verdict(&bench, 100);
    assert!(all.sound && all.findings.is_empty(), "{all:?}");
    assert_eq!(all.bytes_read, size(&bench));
    let structure = verdict(&bench, 0);
    assert!(structure.sound);
    assert_eq!(structure.bytes_read, 0);
    let some = verdict(&bench, 1);
    assert!(
        some.sound && some.bytes_read > 0 && some.bytes_read < all.bytes_read,
        "{some:?}"
    );
    assert!(matches!(bench.open().check(101), Err(Fault::Invalid(_))));
}

/// One bit anywhere in any pack.
#[test]
fn every_flipped_bit_is_found() {
    let bench = days(2);
    for pack in bench.packs() {
        let good = fs::read(&pack).unwrap();
        for place in [0, 16, good.len() / 2, good.len() - 40, good.len() - 1] {
            let mut bad = good.clone();
            bad[place] ^= 0x10;
            fs::write(&pack, bad).unwrap();
            let verdict = verdict(&bench, 100);
            assert!(!verdict.sound, "byte {place} of {}", good.len());
            let id = pack.file_name().unwrap().to_str().unwrap();
            assert!(
                verdict.findings.iter().any(|line| line.contains(id)),
                "{:?}",
                verdict.findings
            );
        }
        fs::write(&pack, good).unwrap();
    }
    assert!(verdict(&bench, 100).sound);
}

#[test]
fn what_is_missing_is_found_without_reading_data() {
    let bench = days(2);
    let pack = bench.packs().remove(0);
    let good = fs::read(&pack).unwrap();
    fs::remove_file(&pack).unwrap();
    assert!(!verdict(&bench, 0).sound, "a pack is gone");
    fs::write(&pack, &good[1..]).unwrap();
    assert!(!verdict(&bench, 0).sound, "a pack is cut");
    fs::write(&pack, good).unwrap();
    let snapshots = bench.repo_path().join("snapshots");
    let file = fs::read_dir(snapshots)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(&file, "garbage").unwrap();
    assert!(!verdict(&bench, 0).sound, "a snapshot is garbage");
}
