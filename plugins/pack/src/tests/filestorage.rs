//! FileStorages in a directory of the native host: what lies there after each action, and after a
//! crash at any change.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use mhost_filestorage::testing::{self as make, Make};
use mhost_sdk::Error;
use mhost_sdk::testing::NativeHost;
use serde_json::{Value, json};

use crate::plugin;

/// A year after the transactions of the made files, which stand at 2024-01-01.
pub(super) const LATER: u64 = 1_735_689_600_000;

pub(super) fn host(file: &[u8]) -> NativeHost {
    let host = NativeHost::new().with_directory("data");
    host.set_now(LATER);
    fs::write(host.path("/data/a.fs"), file).unwrap();
    host
}

/// Objects 0, 1, 2 stay; 7 and older revisions go.
pub(super) fn site() -> Make {
    let mut file = Make::new()
        .set(1, 0, &[1])
        .set(2, 1, &[2])
        .set(3, 2, &[])
        .set(4, 7, &[2]);
    for n in 5..30 {
        file = file.set(n, n % 2 + 1, &[2]);
    }
    file
}

pub(super) fn in_place() -> Value {
    json!({ "target": { "filestorage": "/data/a.fs" } })
}

pub(super) fn elsewhere() -> Value {
    json!({ "target": { "filestorage": "/data/a.fs" }, "output": "/data/b.fs" })
}

pub(super) fn read(host: &NativeHost, path: &str) -> Vec<u8> {
    fs::read(host.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(super) fn names(host: &NativeHost, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(host.path(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The packed file of the library, which the format's own tests hold to what it must be.
pub(super) fn packed(file: &[u8]) -> Vec<u8> {
    make::packed(file)
}

#[test]
fn a_pack_in_place_keeps_the_old_file_and_writes_the_index() {
    let file = site().file;
    let host = host(&file);
    fs::set_permissions(host.path("/data/a.fs"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(host.path("/data/a.fs.index"), "stale").unwrap();
    let report = host.run(&plugin(), "pack", in_place()).unwrap();
    assert_eq!(read(&host, "/data/a.fs"), packed(&file));
    assert_eq!(read(&host, "/data/a.fs.old"), file);
    assert!(read(&host, "/data/a.fs.index").starts_with(b"\x80\x03"));
    assert_eq!(
        names(&host, "/data"),
        ["a.fs", "a.fs.index", "a.fs.lock", "a.fs.old"]
    );
    let mode = fs::metadata(host.path("/data/a.fs"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(report.figure("bytes_before"), Some(file.len() as f64));
    assert_eq!(report.figure("objects_removed"), Some(1.0));
    // The old file still takes its room.
    assert_eq!(report.figure("bytes_reclaimed"), Some(0.0));
    assert_eq!(report.figure("bytes_held"), Some(file.len() as f64));
    // Once more: there is nothing to do, and nothing is done.
    let report = host.run(&plugin(), "pack", in_place()).unwrap();
    assert_eq!(report.figure("bytes_reclaimed"), Some(0.0));
    assert!(report.summary.contains("already"), "{}", report.summary);
    assert_eq!(read(&host, "/data/a.fs.old"), file);
}

#[test]
fn an_output_leaves_the_original_alone() {
    let file = site().file;
    let host = host(&file);
    host.run(&plugin(), "pack", elsewhere()).unwrap();
    assert_eq!(read(&host, "/data/a.fs"), file);
    assert_eq!(read(&host, "/data/b.fs"), packed(&file));
    assert_eq!(names(&host, "/data"), ["a.fs", "b.fs", "b.fs.index"]);
    // The same again replaces it; a task would do so each night.
    host.run(&plugin(), "pack", elsewhere()).unwrap();
    // A file that is packed already is copied.
    fs::write(host.path("/data/a.fs"), packed(&file)).unwrap();
    host.run(&plugin(), "pack", elsewhere()).unwrap();
    assert_eq!(read(&host, "/data/b.fs"), packed(&file));
}

#[test]
fn what_is_no_filestorage_is_not_replaced() {
    let host = host(&site().file);
    fs::write(host.path("/data/b.fs"), "somebody's letter").unwrap();
    let failure = host.run(&plugin(), "pack", elsewhere()).unwrap_err();
    assert!(
        failure.message.contains("is no FileStorage"),
        "{}",
        failure.message
    );
    assert_eq!(read(&host, "/data/b.fs"), b"somebody's letter");
    fs::remove_file(host.path("/data/b.fs")).unwrap();
    fs::hard_link(host.path("/data/a.fs"), host.path("/data/b.fs")).unwrap();
    let failure = host.run(&plugin(), "pack", elsewhere()).unwrap_err();
    assert!(failure.message.contains("itself"), "{}", failure.message);
}

#[test]
fn a_held_lock_is_busy_except_with_an_output() {
    let file = site().file;
    let host = host(&file);
    let lock = File::create(host.path("/data/a.fs.lock")).unwrap();
    lock.lock().unwrap();
    let failure = host.run(&plugin(), "pack", in_place()).unwrap_err();
    assert!(matches!(failure.cause.as_deref(), Some(Error::Busy(_))));
    for advice in ["zeopack", "HTTP", "output"] {
        assert!(failure.message.contains(advice), "{}", failure.message);
    }
    assert_eq!(read(&host, "/data/a.fs"), file);
    host.run(&plugin(), "pack", elsewhere()).unwrap();
    assert_eq!(read(&host, "/data/b.fs"), packed(&file));
}

#[test]
fn a_server_that_is_writing_does_not_disturb_an_output() {
    let file = site();
    let last = file.starts[&29] as usize;
    for cut in [last + 5, last + 40, file.file.len() - 1] {
        let host = host(&file.file[..cut]);
        let report = host.run(&plugin(), "pack", elsewhere()).unwrap();
        let tail = (cut - last) as f64;
        assert_eq!(report.figure("bytes_unfinished"), Some(tail));
        assert!(
            report.summary.contains("an unfinished transaction of"),
            "{}",
            report.summary
        );
        let report = host.run(&plugin(), "inspect", in_place()).unwrap();
        assert_eq!(report.figure("bytes_unfinished"), Some(tail));
        assert!(
            report.summary.contains("an unfinished transaction of"),
            "{}",
            report.summary
        );
        assert_eq!(
            read(&host, "/data/b.fs"),
            packed(&file.file[..last]),
            "{cut}"
        );
    }
}

#[test]
fn old_files_are_kept_so_long_as_asked() {
    let host = host(&site().file);
    let keep = |keep: Value| json!({ "target": { "filestorage": "/data/a.fs" }, "keep_old": keep });
    let again = |n: u64| {
        let mut file = site();
        for more in 0..=n {
            file = file.set(100 + more, 1, &[2]);
        }
        fs::write(host.path("/data/a.fs"), file.file).unwrap();
    };
    host.run(&plugin(), "pack", keep(json!("7 days"))).unwrap();
    let first = "a.fs.old-20250101T000000Z".to_owned();
    assert!(names(&host, "/data").contains(&first));
    host.set_now(LATER + 6 * 86_400_000);
    again(1);
    host.run(&plugin(), "pack", keep(json!("7 days"))).unwrap();
    assert!(names(&host, "/data").contains(&first));
    host.set_now(LATER + 8 * 86_400_000);
    again(2);
    host.run(&plugin(), "pack", keep(json!("7 days"))).unwrap();
    let left = names(&host, "/data");
    assert!(!left.contains(&first), "{left:?}");
    assert_eq!(left.iter().filter(|name| name.contains(".old-")).count(), 2);
    again(3);
    host.run(&plugin(), "pack", keep(json!(false))).unwrap();
    assert!(!names(&host, "/data").contains(&"a.fs.old".to_owned()));
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_a_pack_would_free() {
    let file = site().file;
    let host = host(&file);
    let report = host.dry_run(&plugin(), "pack", in_place()).unwrap();
    assert!(
        report.summary.starts_with("would pack"),
        "{}",
        report.summary
    );
    assert_eq!(names(&host, "/data"), ["a.fs"]);
    let after = report.figure("bytes_after").unwrap();
    assert!((packed(&file).len() as f64..file.len() as f64).contains(&after));
    let config = json!({ "source": "/data/a.fs", "output": "/data/b.fs" });
    let report = host.dry_run(&plugin(), "recover", config).unwrap();
    assert_eq!(report.figure("transactions_recovered"), Some(29.0));
    assert_eq!(names(&host, "/data"), ["a.fs"]);
}

/// At every moment the file is the old one or the new one, whole, and what lies beside it as
/// its index is right or missing.
#[test]
fn a_crash_at_any_change_leaves_one_of_both_whole() {
    let file = site().file;
    let (old, new) = (file.clone(), packed(&file));
    let clean = host(&file);
    clean.run(&plugin(), "pack", in_place()).unwrap();
    let index = read(&clean, "/data/a.fs.index");
    clean.crash().never();
    for n in 0..200 {
        let mut through = true;
        for happens in [true, false] {
            let host = host(&file);
            fs::write(host.path("/data/a.fs.index"), "of the old file").unwrap();
            host.lose_cache();
            host.crash().at(n, happens);
            let crashed = host.run(&plugin(), "pack", in_place()).is_err();
            through &= !crashed;
            let now = read(&host, "/data/a.fs");
            assert!(now == old || now == new, "change {n}, {happens}");
            let saved = fs::read(host.path("/data/a.fs.index")).ok();
            let right = match now == old {
                true => saved.is_none_or(|saved| saved == b"of the old file"),
                false => saved.is_none_or(|saved| saved == index),
            };
            assert!(right, "change {n}, {happens}: a stale index");
            if now == new {
                assert_eq!(read(&host, "/data/a.fs.old"), old, "change {n}, {happens}");
            }
            // The next run goes on from there.
            host.crash().never();
            host.run(&plugin(), "pack", in_place()).unwrap();
            assert_eq!(read(&host, "/data/a.fs"), new);
            assert_eq!(read(&host, "/data/a.fs.index"), index, "{n}, {happens}");
            let left = names(&host, "/data");
            assert!(
                !left.iter().any(|name| name.contains("mhost-new")),
                "{n}: {left:?}"
            );
        }
        if through {
            assert!(n > 8, "the crash was never met");
            return;
        }
    }
    panic!("the pack did not end");
}

#[test]
fn a_crash_while_an_output_is_made_leaves_the_earlier_one() {
    let file = site().file;
    for n in 0..200 {
        let host = host(&file);
        fs::write(host.path("/data/b.fs"), b"FS30").unwrap();
        host.lose_cache();
        host.crash().at(n, false);
        let through = host.run(&plugin(), "pack", elsewhere()).is_ok();
        let now = read(&host, "/data/b.fs");
        assert!(now == b"FS30" || now == packed(&file), "change {n}");
        assert_eq!(read(&host, "/data/a.fs"), file);
        if through {
            return;
        }
    }
    panic!("the pack did not end");
}

#[test]
fn a_pack_that_is_ended_leaves_everything() {
    let before = host(&site().file);
    before.set_cancelled(true);
    let failure = before.run(&plugin(), "pack", in_place()).unwrap_err();
    assert!(failure.retryable);
    // Also one that is ended when the new file and its index are there.
    let late = host(&site().file).with_observer(|host, what| {
        if what == "sync `/data/a.fs.index.mhost-new`" {
            host.set_cancelled(true);
        }
    });
    let failure = late.run(&plugin(), "pack", in_place()).unwrap_err();
    assert!(failure.message.contains("asked to end"), "{failure:?}");
    for host in [before, late] {
        assert_eq!(read(&host, "/data/a.fs"), site().file);
        assert_eq!(names(&host, "/data"), ["a.fs", "a.fs.lock"]);
    }
}

#[test]
fn damage_is_named_and_nothing_is_changed() {
    let file = site();
    let at = file.places[&(29, 2)];
    let damaged = make::patched(&file.file, at + 44, &[0xff; 4]);
    let host = host(&damaged);
    let failure = host.run(&plugin(), "pack", in_place()).unwrap_err();
    assert!(
        failure.message.contains("object 0x0000000000000002"),
        "{}",
        failure.message
    );
    assert!(
        failure.message.contains(&format!("at {at}")),
        "{}",
        failure.message
    );
    assert!(!failure.retryable);
    assert_eq!(read(&host, "/data/a.fs"), damaged);
    let failure = host.run(&plugin(), "verify", in_place()).unwrap_err();
    for words in ["its records fail:", "(1 finding in the report)"] {
        assert!(failure.message.contains(words), "{}", failure.message);
    }
    assert_eq!(failure.partial.unwrap().figure("findings"), Some(1.0));
    let recover = json!({ "source": "/data/a.fs", "output": "/data/b.fs" });
    let report = host.run(&plugin(), "recover", recover).unwrap();
    assert_eq!(report.figure("transactions_recovered"), Some(28.0));
    let verify = json!({ "target": { "filestorage": "/data/b.fs" } });
    let report = host.run(&plugin(), "verify", verify).unwrap();
    assert_eq!(report.figure("transactions"), Some(28.0));
}

#[test]
fn inspection_says_what_is_there_and_what_would_go() {
    let host = host(&site().file);
    let report = host.run(&plugin(), "inspect", in_place()).unwrap();
    assert_eq!(report.figure("transactions"), Some(29.0));
    assert_eq!(report.figure("objects"), Some(4.0));
    assert_eq!(report.figure("objects_removable"), Some(1.0));
    let held = &report.details.unwrap()["held"];
    assert_eq!(held["classes"][0]["class"], "module.Name");
    assert_eq!(held["months"][0]["month"], "2024-01");
    assert_eq!(names(&host, "/data"), ["a.fs"]);
}

#[test]
fn mistakes_are_named() {
    let host = host(&site().file);
    host.write_file("/data/folder/x", "", 0);
    for (config, named) in [
        (json!({ "target": {} }), "`target` must name one thing"),
        (
            json!({ "target": { "filestorage": "/data/a.fs", "database": "site" } }),
            "`target` must name one thing",
        ),
        (
            json!({ "target": { "filestorage": "/data/none.fs" } }),
            "/data/none.fs",
        ),
        (
            json!({ "target": { "filestorage": "/data/folder" } }),
            "no regular file",
        ),
        (
            json!({ "target": { "filestorage": "/data/a.fs" }, "before": "soon" }),
            "`soon` is no pack time",
        ),
        (
            json!({ "target": { "filestorage": "/data/a.fs" }, "blobs": "/data/folder" }),
            "no blob folder",
        ),
    ] {
        let failure = host.run(&plugin(), "pack", config).unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
        assert!(!failure.retryable);
    }
    fs::write(host.path("/data/a.fs"), vec![b'x'; 5000]).unwrap();
    let recover = json!({ "source": "/data/a.fs", "output": "/data/b.fs" });
    let failure = host.run(&plugin(), "recover", recover).unwrap_err();
    assert!(
        failure.message.contains("no whole transaction"),
        "{}",
        failure.message
    );
    let partial = failure.partial.unwrap().summary;
    assert_eq!(partial, "recovered nothing of /data/a.fs");
    assert_eq!(names(&host, "/data"), ["a.fs", "folder"]);
}
