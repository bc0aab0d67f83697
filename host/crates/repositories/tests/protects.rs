//! What a restore must leave alone: what `exclude` protects, what was never backed up,
//! the repository itself, and what lies elsewhere.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use common::{Bench, control, same};
use mhost_model::ports::repository::{BackupOptions, RestoreOptions, RestoreSummary};
use mhost_model::{Fault, FaultResult};
use mhost_test_support::{assert_same_tree, noise, tree_differences};

fn mirror(exclude: &[&str]) -> RestoreOptions {
    RestoreOptions {
        overwrite: true,
        delete: true,
        exclude: exclude.iter().map(ToString::to_string).collect(),
        ..RestoreOptions::default()
    }
}

/// A snapshot of a small tree; `live` holds the same.
fn bench() -> Bench {
    let bench = Bench::with_repository();
    bench.write("a", "content of a");
    bench.write("old.log", "as it was");
    bench.write("sub/b", noise(3 << 20, 7));
    bench.backup();
    restore(&bench, "live", &RestoreOptions::default()).unwrap();
    bench
}

fn restore(bench: &Bench, target: &str, options: &RestoreOptions) -> FaultResult<RestoreSummary> {
    bench
        .open()
        .restore(&bench.latest_source(), &bench.path(target), options)
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// At the top, in a folder of the snapshot, in one that it does not hold, and what it
/// holds itself.
#[test]
fn delete_leaves_what_exclude_protects() {
    let bench = bench();
    let live = bench.path("live");
    let kept = ["new.log", "sub/new.log", "more/deep/new.log", "old.log"];
    let gone = ["new", "sub/new", "more/new", "more/deep/new", "empty/new"];
    for file in kept.iter().chain(&gone) {
        write(&live.join(file), "mine");
    }
    let plan = bench
        .open()
        .plan_restore(&bench.latest_source(), Some(&live), &mirror(&["*.log"]))
        .unwrap();
    assert_eq!(plan.removed, 4, "{plan:?}");
    restore(&bench, "live", &mirror(&["*.log"])).unwrap();
    for file in kept {
        assert_eq!(read(&live.join(file)), "mine", "{file}");
    }
    for file in gone {
        assert!(!live.join(file).exists(), "{file}");
    }
    assert!(!live.join("empty").exists());
    // A drill, too, leaves it out.
    let options = mirror(&["*.log", "/**/more"]);
    let compared = bench.open().compare(
        &bench.latest_source(),
        &live,
        &options,
        &mhost_model::ports::repository::Unwatched,
    );
    assert_eq!(compared.unwrap().differences, [""; 0]);
}

#[test]
fn a_folder_with_something_protected_does_not_give_way() {
    let bench = bench();
    let live = bench.path("live");
    fs::remove_file(live.join("a")).unwrap();
    write(&live.join("a/deep/new.log"), "mine");
    fs::write(live.join("sub/b"), "other").unwrap();
    let Err(Fault::Exists(text)) = restore(&bench, "live", &mirror(&["*.log"])) else {
        panic!("it gave way")
    };
    assert!(
        text.contains("/a is a folder") && text.contains("exclude"),
        "{text}"
    );
    assert_eq!(read(&live.join("a/deep/new.log")), "mine");
    assert_eq!(read(&live.join("sub/b")), "other", "nothing was restored");
    restore(&bench, "live", &mirror(&[])).unwrap();
    assert_same_tree(&bench.source(), &live);
}

/// The folders that lead to the source were never backed up: what lies in them is not
/// missing in the snapshot.
#[test]
fn delete_stays_in_what_was_backed_up() {
    let bench = bench();
    let out = bench.path("out");
    let source = bench.source();
    let source = out.join(source.strip_prefix("/").unwrap());
    write(&out.join("beside"), "mine");
    write(&source.parent().unwrap().join("beside"), "mine");
    write(&source.join("extra"), "to go");
    bench.open().restore("latest", &out, &mirror(&[])).unwrap();
    assert_eq!(read(&out.join("beside")), "mine");
    assert_eq!(read(&source.parent().unwrap().join("beside")), "mine");
    assert_same_tree(&bench.source(), &source);
    // Nor where such a folder is the one that was asked for.
    let above = bench.dir.path().parent().unwrap();
    write(&bench.path("else/beside"), "mine");
    let named = format!("latest:{}", above.display());
    bench
        .open()
        .restore(&named, &bench.path("else"), &mirror(&[]))
        .unwrap();
    assert_eq!(read(&bench.path("else/beside")), "mine");
}

#[test]
fn the_repository_is_not_restored_over() {
    let bench = bench();
    let config = fs::read(bench.repo_path().join("config")).unwrap();
    for (target, options, word) in [
        ("", mirror(&[]), "`delete`"),
        ("repo", RestoreOptions::default(), "in the repository"),
        ("repo/data", RestoreOptions::default(), "in the repository"),
        ("repo/new", mirror(&[]), "in the repository"),
    ] {
        let Err(Fault::Invalid(text)) = restore(&bench, target, &options) else {
            panic!("{target}: restored")
        };
        assert!(text.contains(word), "{target}: {text}");
    }
    // Beside it is fine, as long as nothing comes to lie in it.
    restore(&bench, "", &RestoreOptions::default()).unwrap();
    bench.write("repo/config", "another one");
    bench
        .open()
        .backup(
            &[same(&bench.source())],
            &BackupOptions::default(),
            common::noon(1),
        )
        .unwrap();
    let overwrite = RestoreOptions {
        overwrite: true,
        ..RestoreOptions::default()
    };
    let Err(Fault::Invalid(text)) = restore(&bench, "", &overwrite) else {
        panic!("restored over the repository")
    };
    assert!(text.contains("repo/config"), "{text}");
    assert_eq!(fs::read(bench.repo_path().join("config")).unwrap(), config);
    assert!(bench.open().check(100).unwrap().sound);
}

/// A file of the target may have a name elsewhere: that is not what was asked for.
#[test]
fn what_is_right_already_does_not_change_files_elsewhere() {
    let bench = bench();
    let (live, outside) = (bench.path("live"), bench.path("outside"));
    fs::hard_link(live.join("a"), &outside).unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o400)).unwrap();
    let summary = restore(&bench, "live", &RestoreOptions::default()).unwrap();
    assert_eq!((summary.files, summary.unchanged), (1, 2));
    let stat = fs::metadata(&outside).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.nlink()), (0o400, 1));
    assert_same_tree(&bench.source(), &live);
}

/// Two files of the snapshot that became one on the disk are two again; and names that
/// belong together stay.
#[test]
fn hard_links_are_told_apart() {
    let bench = Bench::with_repository();
    bench.write("a", "the same");
    bench.write("b", "the same");
    bench.write("one", "linked");
    fs::hard_link(bench.source().join("one"), bench.source().join("two")).unwrap();
    fs::set_permissions(bench.source().join("b"), fs::Permissions::from_mode(0o600)).unwrap();
    bench.backup();
    restore(&bench, "live", &RestoreOptions::default()).unwrap();
    let live = bench.path("live");
    let before = fs::metadata(live.join("one")).unwrap().ino();
    fs::remove_file(live.join("b")).unwrap();
    fs::hard_link(live.join("a"), live.join("b")).unwrap();
    restore(&bench, "live", &RestoreOptions::default()).unwrap();
    assert_same_tree(&bench.source(), &live);
    let after = fs::metadata(live.join("one")).unwrap();
    assert_eq!((after.ino(), after.nlink()), (before, 2));
    assert_eq!(fs::metadata(live.join("a")).unwrap().nlink(), 1);
}

/// What others had on a file, or a folder hands down to what is made in it.
#[test]
fn foreign_attributes_go() {
    use rustix::fs::{XattrFlags, setxattr};
    let bench = bench();
    let live = bench.path("live");
    if setxattr(live.join("a"), "user.foreign", b"x", XattrFlags::empty()).is_err() {
        return;
    }
    fs::write(live.join("old.log"), "differs").unwrap();
    control(&live.join("a"), "system.posix_acl_access");
    control(&live, "system.posix_acl_default");
    control(&live.join("sub"), "system.posix_acl_default");
    restore(&bench, "live", &mirror(&[])).unwrap();
    assert_same_tree(&bench.source(), &live);
    // Into a folder that hands its list down, as a drill's scratch may.
    fs::create_dir(bench.path("scratch")).unwrap();
    control(&bench.path("scratch"), "system.posix_acl_default");
    restore(&bench, "scratch/drill", &RestoreOptions::default()).unwrap();
    assert_same_tree(&bench.source(), &bench.path("scratch/drill"));
    let compared = bench.open().compare(
        &bench.latest_source(),
        &bench.path("scratch/drill"),
        &RestoreOptions::default(),
        &mhost_model::ports::repository::Unwatched,
    );
    assert_eq!(compared.unwrap().differences, [""; 0]);
}

/// The rest comes back whole, with its folders' modes; and nothing is removed.
#[test]
fn one_damaged_file_does_not_keep_the_others() {
    let bench = bench();
    let pack = bench.packs().into_iter().max_by_key(|pack| {
        let stat = fs::metadata(pack).unwrap();
        stat.len()
    });
    let pack = pack.unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&pack, bytes).unwrap();
    write(&bench.path("new/extra"), "mine");
    let Err(Fault::Damaged(text)) = restore(&bench, "new", &mirror(&[])) else {
        panic!("it went well")
    };
    assert!(
        text.contains("1 of 3 files") && text.contains("/sub/b"),
        "{text}"
    );
    assert_eq!(
        tree_differences(&bench.source(), &bench.path("new")),
        ["sub/b: only on the left", "extra: only on the right"]
    );
}

/// Before anything is written, with the files that need it.
#[test]
fn a_missing_pack_is_found_at_once() {
    let bench = bench();
    let pack = bench
        .packs()
        .into_iter()
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    let good = fs::read(&pack).unwrap();
    for short in [None, Some(good.len() / 2)] {
        match short {
            None => fs::remove_file(&pack).unwrap(),
            Some(length) => fs::write(&pack, &good[..length]).unwrap(),
        }
        let Err(Fault::Damaged(text)) = restore(&bench, "new", &RestoreOptions::default()) else {
            panic!("it went well")
        };
        assert!(text.contains("/sub/b"), "{text}");
        assert!(!bench.path("new").exists(), "something was written");
        // Nothing of it is needed where everything is there.
        restore(&bench, "live", &RestoreOptions::default()).unwrap();
    }
}

#[test]
fn what_a_restore_left_is_cleared_away() {
    let bench = bench();
    let live = bench.path("live");
    let (dead, living) = (".mhost-restore-2147483646-0", ".mhost-restore-1-0");
    for name in [dead, living, ".mhost-restore-x-0"] {
        fs::write(live.join(name), "half").unwrap();
    }
    restore(&bench, "live", &RestoreOptions::default()).unwrap();
    assert!(!live.join(dead).exists());
    assert!(live.join(living).exists() && live.join(".mhost-restore-x-0").exists());
}

#[test]
fn a_plan_changes_nothing_and_says_everything() {
    let bench = bench();
    let live = bench.path("live");
    fs::write(live.join("a"), "other").unwrap();
    fs::remove_file(live.join("old.log")).unwrap();
    fs::write(live.join("extra"), "mine").unwrap();
    let plan = |options: &RestoreOptions| {
        let plan = bench
            .open()
            .plan_restore(&bench.latest_source(), Some(&live), options);
        plan.unwrap()
    };
    let refused = plan(&RestoreOptions::default());
    assert_eq!((refused.conflicting, refused.removed), (1, 0));
    assert!(refused.conflicts[0].contains("/a exists"), "{refused:?}");
    let fine = plan(&mirror(&[]));
    assert_eq!((fine.conflicting, fine.removed), (0, 1));
    assert!(fine.removals[0].ends_with("/extra"), "{fine:?}");
    let done = restore(&bench, "live", &mirror(&[])).unwrap();
    assert_eq!(fine.summary, done);
    assert_eq!((done.files, done.unchanged), (2, 1));
    let fresh = bench
        .open()
        .plan_restore(&bench.latest_source(), None, &RestoreOptions::default())
        .unwrap();
    assert_eq!((fresh.summary.files, fresh.summary.unchanged), (3, 0));
}
