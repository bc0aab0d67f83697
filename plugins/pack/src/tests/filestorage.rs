//! FileStorages in a directory of the native host: what lies there after each action, and after a
//! crash at any change.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;

use mhost_filestorage::Oid;
use mhost_filestorage::blobs::Layout;
use mhost_filestorage::pack::Revision;
use mhost_filestorage::testing::{self as make, Body, Make};
use mhost_sdk::Error;
use mhost_sdk::testing::NativeHost;
use serde_json::{Value, json};

use crate::plugin;

/// A year after the transactions of the made files, which stand at 2024-01-01.
const LATER: u64 = 1_735_689_600_000;

fn host(file: &[u8]) -> NativeHost {
    let host = NativeHost::new().with_directory("data");
    host.set_now(LATER);
    fs::write(host.path("/data/a.fs"), file).unwrap();
    host
}

/// Objects 0, 1, 2 stay; 7 and older revisions go.
fn site() -> Make {
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

fn in_place() -> Value {
    json!({ "target": { "filestorage": "/data/a.fs" } })
}

fn elsewhere() -> Value {
    json!({ "target": { "filestorage": "/data/a.fs" }, "output": "/data/b.fs" })
}

fn read(host: &NativeHost, path: &str) -> Vec<u8> {
    fs::read(host.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn names(host: &NativeHost, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(host.path(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The packed file of the library, which the format's own tests hold to what it must be.
fn packed(file: &[u8]) -> Vec<u8> {
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
    for action in ["pack", "recover"] {
        let config = match action {
            "pack" => elsewhere(),
            _ => json!({ "source": "/data/a.fs", "output": "/data/b.fs" }),
        };
        let failure = host.run(&plugin(), action, config).unwrap_err();
        assert!(
            failure.message.contains("is no FileStorage"),
            "{}",
            failure.message
        );
    }
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
        host.run(&plugin(), "pack", elsewhere()).unwrap();
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
    let host = host(&site().file);
    host.set_cancelled(true);
    let failure = host.run(&plugin(), "pack", in_place()).unwrap_err();
    assert!(failure.retryable);
    assert_eq!(read(&host, "/data/a.fs"), site().file);
    assert_eq!(names(&host, "/data"), ["a.fs", "a.fs.lock"]);
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
    assert!(
        failure.message.contains("its records fail"),
        "{}",
        failure.message
    );
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

fn blob(n: u64, oid: u64) -> String {
    let revision = Revision {
        oid: Oid(oid),
        tid: make::tid(n),
    };
    format!("/data/blobs/{}", Layout::Bushy.file(revision))
}

/// Object 5 is a blob with two revisions, 6 one that nothing refers to.
fn with_blobs() -> NativeHost {
    let data = || Body::Data(b"\x80\x03cZODB.blob\nBlob\nq\x00.\x80\x03N.".to_vec());
    let file = Make::new()
        .set(1, 0, &[5])
        .txn(2, vec![(5, data()), (6, data())])
        .txn(3, vec![(5, data())]);
    let host = host(&file.file);
    host.write_file("/data/blobs/.layout", "bushy", 0);
    for (n, oid) in [(2, 5), (2, 6), (3, 5), (9, 99)] {
        host.write_file(&blob(n, oid), format!("{n} {oid}"), 0);
    }
    host
}

fn blobs_in_place() -> Value {
    json!({ "target": { "filestorage": "/data/a.fs" }, "blobs": "/data/blobs" })
}

#[test]
fn blobs_without_a_record_go_and_are_kept_with_the_old_file() {
    let host = with_blobs();
    let report = host.run(&plugin(), "pack", blobs_in_place()).unwrap();
    assert_eq!(report.figure("blobs_removed"), Some(2.0));
    assert_eq!(report.figure("blobs_kept"), Some(1.0));
    for (n, oid, there) in [(2, 5, false), (2, 6, false), (3, 5, true), (9, 99, true)] {
        let path = blob(n, oid);
        assert_eq!(host.path(&path).exists(), there, "{path}");
        let kept = path.replace("/blobs/", "/blobs.old/");
        assert_eq!(host.path(&kept).exists(), !there, "{kept}");
    }
    let folder = host.path(&blob(2, 6));
    assert!(
        !folder.parent().unwrap().exists(),
        "its folder is empty and gone"
    );
}

#[test]
fn blobs_are_kept_so_long_as_the_old_files() {
    let host = with_blobs();
    let mut config = blobs_in_place();
    config["keep_old"] = json!("7 days");
    host.run(&plugin(), "pack", config.clone()).unwrap();
    let old = "blobs.old-20250101T000000Z".to_owned();
    assert!(names(&host, "/data").contains(&old));
    let packed = read(&host, "/data/a.fs");
    for (days, stays) in [(6, true), (8, false)] {
        host.set_now(LATER + days * 86_400_000);
        let more = Make::new()
            .set(1, 0, &[5])
            .txn(
                2,
                vec![(
                    5,
                    Body::Data(b"\x80\x03cZODB.blob\nBlob\nq\x00.\x80\x03N.".to_vec()),
                )],
            )
            .set(50 + days, 0, &[5])
            .set(60 + days, 0, &[5]);
        fs::write(host.path("/data/a.fs"), more.file).unwrap();
        host.run(&plugin(), "pack", config.clone()).unwrap();
        assert_ne!(read(&host, "/data/a.fs"), packed);
        assert_eq!(names(&host, "/data").contains(&old), stays, "{days}");
    }
}

#[test]
fn blobs_stay_while_the_original_stays() {
    let host = with_blobs();
    let mut config = blobs_in_place();
    config["output"] = json!("/data/b.fs");
    let report = host.run(&plugin(), "pack", config).unwrap();
    assert_eq!(report.figure("blobs_unreferenced"), Some(2.0));
    assert_eq!(report.figure("blobs_removed"), Some(0.0));
    assert!(host.path(&blob(2, 6)).exists());
    let unreferenced = report.details.unwrap()["blobs_unreferenced"].to_string();
    for (n, oid, gone) in [(2, 5, true), (2, 6, true), (3, 5, false)] {
        assert_eq!(unreferenced.contains(&blob(n, oid)), gone, "{unreferenced}");
    }
}

#[test]
fn a_crash_between_swap_and_blobs_is_made_up_for() {
    for n in 0..200 {
        let host = with_blobs();
        host.crash().at(n, true);
        let through = host.run(&plugin(), "pack", blobs_in_place()).is_ok();
        assert!(host.path(&blob(3, 5)).exists(), "change {n}");
        host.crash().never();
        host.run(&plugin(), "pack", blobs_in_place()).unwrap();
        for (n, oid, there) in [(2, 5, false), (2, 6, false), (3, 5, true), (9, 99, true)] {
            assert_eq!(host.path(&blob(n, oid)).exists(), there, "{n} {oid}");
        }
        assert!(!host.path("/data/blobs/.mhost-removed").exists());
        if through {
            return;
        }
    }
    panic!("the pack did not end");
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
    assert_eq!(names(&host, "/data"), ["a.fs", "folder"]);
}
