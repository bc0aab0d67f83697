//! What a restore does to what is there already.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use common::{Bench, noon};
use mhost_model::ports::repository::{RestoreOptions, RestoreSummary};
use mhost_model::{Fault, FaultResult};
use mhost_test_support::{assert_same_tree, noise, tree_differences};

const PLAIN: fn() -> RestoreOptions = RestoreOptions::default;

fn overwrite() -> RestoreOptions {
    RestoreOptions {
        overwrite: true,
        ..PLAIN()
    }
}

fn mirror() -> RestoreOptions {
    RestoreOptions {
        overwrite: true,
        delete: true,
        ..PLAIN()
    }
}

/// A snapshot of a small tree; `live` holds the same.
fn bench() -> Bench {
    let bench = Bench::with_repository();
    bench.write("a", "content of a");
    bench.write("sub/b", noise(3 << 20, 7));
    symlink("a", bench.source().join("link")).unwrap();
    bench.backup();
    restore(&bench, "live", &PLAIN()).unwrap();
    bench
}

fn restore(bench: &Bench, target: &str, options: &RestoreOptions) -> FaultResult<RestoreSummary> {
    bench
        .open()
        .restore(&bench.latest_source(), &bench.path(target), options)
}

#[test]
fn what_is_right_is_left_alone() {
    let bench = bench();
    let inode = |file: &str| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(bench.path("live").join(file)).unwrap().ino()
    };
    let before = inode("sub/b");
    // Also where only the time differs: that is set right.
    common::set_time(&bench.path("live/sub/b"), 1, 1);
    let summary = restore(&bench, "live", &PLAIN()).unwrap();
    assert_eq!(
        summary,
        RestoreSummary {
            files: 0,
            bytes: 0,
            unchanged: 3,
            kept: 0,
        }
    );
    assert_eq!(inode("sub/b"), before);
    assert_same_tree(&bench.source(), &bench.path("live"));
}

/// The change keeps length and time: only reading finds it.
#[test]
fn contents_count_and_not_times() {
    let bench = bench();
    fs::write(bench.path("live/a"), "CONTENT OF A").unwrap();
    let time = fs::metadata(bench.source().join("a"))
        .unwrap()
        .modified()
        .unwrap();
    let file = fs::File::options()
        .append(true)
        .open(bench.path("live/a"))
        .unwrap();
    file.set_modified(time).unwrap();
    let summary = restore(&bench, "live", &overwrite()).unwrap();
    assert_eq!(
        (summary.files, summary.bytes, summary.unchanged),
        (1, 12, 2)
    );
    assert_same_tree(&bench.source(), &bench.path("live"));
}

/// Each change makes the restore refuse, and then nothing at all has changed.
#[test]
fn without_leave_nothing_is_replaced() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("/a exists", |live| {
            fs::write(live.join("a"), "other").unwrap()
        }),
        ("/link exists", |live| {
            fs::remove_file(live.join("link")).unwrap();
            symlink("elsewhere", live.join("link")).unwrap();
        }),
        ("/sub exists", |live| {
            fs::remove_dir_all(live.join("sub")).unwrap();
            fs::write(live.join("sub"), "a file").unwrap();
        }),
        ("/a exists", |live| {
            fs::remove_file(live.join("a")).unwrap();
            fs::create_dir(live.join("a")).unwrap();
        }),
    ];
    for (word, change) in changes {
        let bench = bench();
        let live = bench.path("live");
        change(&live);
        // Missing files would be the first to come back.
        fs::remove_file(live.join("sub/b")).ok();
        let copy = std::process::Command::new("cp")
            .args([
                "-a",
                live.to_str().unwrap(),
                bench.path("before").to_str().unwrap(),
            ])
            .status();
        assert!(copy.unwrap().success());
        let Err(Fault::Exists(text)) = restore(&bench, "live", &PLAIN()) else {
            panic!("{word}: not refused")
        };
        assert!(text.contains(word), "{word}: {text}");
        assert_same_tree(&bench.path("before"), &live);
    }
}

#[test]
fn with_leave_everything_is_replaced() {
    let bench = bench();
    let live = bench.path("live");
    fs::write(live.join("extra"), "kept").unwrap();
    fs::remove_dir_all(live.join("sub")).unwrap();
    fs::write(live.join("sub"), "a file").unwrap();
    restore(&bench, "live", &overwrite()).unwrap();
    assert_eq!(
        tree_differences(&bench.source(), &live),
        ["extra: only on the right"]
    );
    // A folder in a file's place goes only where deleting is allowed.
    fs::remove_file(live.join("a")).unwrap();
    fs::create_dir_all(live.join("a/full")).unwrap();
    let refused = restore(&bench, "live", &overwrite());
    assert!(matches!(refused, Err(Fault::Exists(_))), "{refused:?}");
    restore(&bench, "live", &mirror()).unwrap();
    assert_same_tree(&bench.source(), &live);
}

/// Nothing is written where a symbolic link in the target leads.
#[test]
fn links_in_the_target_are_not_followed() {
    let bench = bench();
    let (live, outside) = (bench.path("live"), bench.path("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("b"), "not yours").unwrap();
    fs::write(outside.join("victim"), "not yours").unwrap();
    fs::remove_dir_all(live.join("sub")).unwrap();
    symlink(&outside, live.join("sub")).unwrap();
    fs::remove_file(live.join("a")).unwrap();
    symlink(outside.join("victim"), live.join("a")).unwrap();
    restore(&bench, "live", &mirror()).unwrap();
    assert_same_tree(&bench.source(), &live);
    for file in ["b", "victim"] {
        assert_eq!(fs::read(outside.join(file)).unwrap(), b"not yours");
    }
}

#[test]
fn only_some_paths() {
    let bench = bench();
    let root = bench.source().display().to_string();
    let some = |paths: &[&str]| RestoreOptions {
        paths: paths.iter().map(|path| format!("{root}{path}")).collect(),
        ..mirror()
    };
    let live = bench.path("live");
    fs::write(live.join("a"), "mine").unwrap();
    fs::write(live.join("extra"), "mine").unwrap();
    fs::write(live.join("sub/b"), "broken").unwrap();
    fs::write(live.join("sub/extra"), "to go").unwrap();
    restore(&bench, "live", &some(&["/sub"])).unwrap();
    assert_eq!(fs::read(live.join("a")).unwrap(), b"mine");
    assert!(live.join("extra").exists() && !live.join("sub/extra").exists());
    assert_eq!(fs::read(live.join("sub/b")).unwrap(), noise(3 << 20, 7));
    // Into nothing, with the folders on the way.
    restore(&bench, "new/place", &some(&["/sub/b"])).unwrap();
    assert!(bench.path("new/place/sub/b").exists() && !bench.path("new/place/a").exists());
    let missing = restore(&bench, "live", &some(&["/none"]));
    assert!(matches!(missing, Err(Fault::NotFound(_))), "{missing:?}");
    let elsewhere = RestoreOptions {
        paths: vec!["/".to_owned()],
        ..PLAIN()
    };
    assert!(matches!(
        restore(&bench, "live", &elsewhere),
        Err(Fault::Invalid(_))
    ));
}

#[test]
fn whole_paths_come_below_the_target() {
    let bench = bench();
    bench
        .open()
        .restore("latest", &bench.path("out"), &PLAIN())
        .unwrap();
    let below = bench
        .path("out")
        .join(bench.source().strip_prefix("/").unwrap());
    assert_same_tree(&bench.source(), &below);
}

#[test]
fn the_system_is_not_mirrored_away() {
    let bench = bench();
    let result = bench.open().restore("latest", Path::new("/"), &mirror());
    assert!(matches!(result, Err(Fault::Invalid(_))), "{result:?}");
}

/// Damage is found out before the file takes its place.
#[test]
fn a_damaged_pack_leaves_what_is_there() {
    let bench = bench();
    let live = bench.path("live");
    fs::write(live.join("sub/b"), "still good enough").unwrap();
    let pack = bench
        .packs()
        .into_iter()
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    let result = restore(&bench, "live", &overwrite());
    assert!(matches!(result, Err(Fault::Damaged(_))), "{result:?}");
    assert_eq!(fs::read(live.join("sub/b")).unwrap(), b"still good enough");
    // Nothing half-made is left.
    let mut names: Vec<_> = fs::read_dir(live.join("sub"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["b"]);
    // A pack that is not there is found before anything is done.
    fs::remove_file(&pack).unwrap();
    let result = restore(&bench, "empty", &PLAIN());
    assert!(matches!(result, Err(Fault::Damaged(_))), "{result:?}");
}

#[test]
fn hard_links_are_mended() {
    let bench = bench();
    fs::hard_link(bench.source().join("a"), bench.source().join("sub/again")).unwrap();
    bench.backup_at(noon(1)).unwrap();
    let live = bench.path("live");
    fs::write(live.join("sub/again"), "content of a").unwrap();
    restore(&bench, "live", &overwrite()).unwrap();
    assert_same_tree(&bench.source(), &live);
    restore(&bench, "live", &overwrite()).unwrap();
    assert_same_tree(&bench.source(), &live);
}
