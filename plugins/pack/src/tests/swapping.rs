//! What a swap must not lose: of what is there, of what somebody else writes, and of who may open it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use mhost_filestorage::testing::{self as make, Make};
use mhost_sdk::testing::NativeHost;
use serde_json::{Value, json};

use super::chown_if_root;
use super::filestorage::{LATER, elsewhere, host, in_place, names, packed, read, site};
use crate::plugin;

const DAY: u64 = 86_400_000;

fn keeping(keep: Value) -> Value {
    json!({ "target": { "filestorage": "/data/a.fs" }, "keep_old": keep })
}

fn recover() -> Value {
    json!({ "source": "/data/a.fs", "output": "/data/b.fs" })
}

#[test]
fn a_lock_that_is_made_belongs_to_the_server() {
    let host = host(&site().file);
    let file = host.path("/data/a.fs");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o660)).unwrap();
    chown_if_root(&file);
    host.run(&plugin(), "pack", in_place()).unwrap();
    let about = |name: &str| {
        let found = fs::metadata(host.path(name)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o777)
    };
    assert_eq!(about("/data/a.fs").2, 0o660);
    for made in ["/data/a.fs.lock", "/data/a.fs.index", "/data/a.fs.old"] {
        assert_eq!(about(made), about("/data/a.fs"), "{made}");
    }
}

#[test]
fn a_file_that_is_none_gets_no_lock() {
    let host = host(b"somebody's letter");
    let failure = host.run(&plugin(), "pack", in_place()).unwrap_err();
    assert!(failure.message.contains("no magic"), "{}", failure.message);
    assert_eq!(names(&host, "/data"), ["a.fs"]);
}

#[test]
fn recovering_replaces_nothing() {
    for source in [b"".as_slice(), b"FS30", &site().file] {
        let host = host(source);
        let earlier = packed(&site().file);
        fs::write(host.path("/data/b.fs"), &earlier).unwrap();
        for outcome in [
            host.run(&plugin(), "recover", recover()),
            host.dry_run(&plugin(), "recover", recover()),
        ] {
            let failure = outcome.unwrap_err();
            assert!(
                failure.message.contains("/data/b.fs exists"),
                "{}",
                failure.message
            );
        }
        assert_eq!(read(&host, "/data/b.fs"), earlier);
        assert_eq!(names(&host, "/data"), ["a.fs", "b.fs"]);
    }
}

/// A crash at any change leaves no output or a whole one.
#[test]
fn a_recovered_file_appears_whole() {
    let file = site().file;
    for n in 0..200 {
        let host = host(&file);
        host.lose_cache();
        host.crash().at(n, true);
        let through = host.run(&plugin(), "recover", recover()).is_ok();
        if let Ok(there) = fs::read(host.path("/data/b.fs")) {
            assert_eq!(there, file, "change {n}");
        }
        assert_eq!(read(&host, "/data/a.fs"), file);
        if through {
            return;
        }
    }
    panic!("recovering did not end");
}

#[test]
fn old_files_go_while_there_is_nothing_to_pack() {
    let host = host(&site().file);
    let first = host
        .run(&plugin(), "pack", keeping(json!("7 days")))
        .unwrap();
    let old = "a.fs.old-20250101T000000Z".to_owned();
    assert!(first.summary.contains(&old), "{}", first.summary);
    for (days, stays) in [(6, true), (8, false)] {
        host.set_now(LATER + days * DAY);
        let report = host
            .run(&plugin(), "pack", keeping(json!("7 days")))
            .unwrap();
        assert!(report.summary.contains("already"), "{}", report.summary);
        assert_eq!(names(&host, "/data").contains(&old), stays, "{days}");
        let given = if stays { 0 } else { site().file.len() };
        assert_eq!(report.figure("bytes_reclaimed"), Some(given as f64));
    }
}

#[test]
fn a_writer_that_takes_no_lock_is_noticed() {
    let with = |written: &'static [u8]| {
        host(&site().file).with_observer(move |host, what| {
            if what == "sync `/data/a.fs.index.mhost-new`" {
                let file = host.path("/data/a.fs");
                let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
                file.write_all(written).unwrap();
            }
        })
    };
    let host = with(b"a transaction");
    let failure = host.run(&plugin(), "pack", in_place()).unwrap_err();
    assert!(
        failure.message.contains("was changed while it was packed"),
        "{}",
        failure.message
    );
    let written = [site().file.as_slice(), b"a transaction"].concat();
    assert_eq!(read(&host, "/data/a.fs"), written);
    assert_eq!(names(&host, "/data"), ["a.fs", "a.fs.lock"]);
    // With an output it may go on writing.
    let beside = host;
    beside.run(&plugin(), "pack", elsewhere()).unwrap();
    assert_eq!(read(&beside, "/data/b.fs"), packed(&site().file));
}

#[test]
fn a_name_that_is_taken_by_something_else_ends_the_pack_before_anything_changes() {
    for taken in [
        "a.fs.old",
        "a.fs.index",
        "a.fs.mhost-new",
        "a.fs.old.mhost-new",
    ] {
        let host = host(&site().file);
        fs::create_dir(host.path("/data").join(taken)).unwrap();
        let failure = host.run(&plugin(), "pack", in_place()).unwrap_err();
        assert!(
            failure
                .message
                .contains(&format!("/data/{taken} is no regular file")),
            "{}",
            failure.message
        );
        assert_eq!(read(&host, "/data/a.fs"), site().file);
        assert_eq!(names(&host, "/data"), ["a.fs", taken]);
    }
}

#[test]
fn an_output_that_is_something_else_stays() {
    let host = host(&site().file);
    fs::create_dir(host.path("/data/folder")).unwrap();
    std::os::unix::fs::symlink("a.fs", host.path("/data/link")).unwrap();
    fs::write(host.path("/data/empty"), "").unwrap();
    for (output, named) in [
        ("/data/folder", "is a folder"),
        ("/data/link", "is a symbolic link"),
        ("/data/empty", "is no FileStorage"),
    ] {
        let mut config = elsewhere();
        config["output"] = json!(output);
        let failure = host.run(&plugin(), "pack", config).unwrap_err();
        assert!(failure.message.contains(named), "{}", failure.message);
        assert!(failure.message.contains("`output`"), "{}", failure.message);
    }
    assert_eq!(names(&host, "/data"), ["a.fs", "empty", "folder", "link"]);
    assert_eq!(read(&host, "/data/empty"), b"");
}

#[test]
fn two_packs_within_a_second_keep_two_old_files() {
    let host = host(&site().file);
    let second = site().set(200, 1, &[2]).file;
    host.run(&plugin(), "pack", keeping(json!("7 days")))
        .unwrap();
    fs::write(host.path("/data/a.fs"), &second).unwrap();
    host.run(&plugin(), "pack", keeping(json!("7 days")))
        .unwrap();
    assert_eq!(read(&host, "/data/a.fs.old-20250101T000000Z"), site().file);
    assert_eq!(read(&host, "/data/a.fs.old-20250101T000001Z"), second);
}

#[test]
fn room_is_asked_for_and_what_must_stay_free_is_none() {
    let plenty = 1 << 30;
    for (available, kept, enough) in [
        (plenty, 0, true),
        (plenty, plenty - 100, false),
        (100, 0, false),
        (2 * plenty, plenty, true),
    ] {
        let host = host(&site().file);
        host.set_room(available, kept);
        for (action, config) in [
            ("pack", in_place()),
            ("pack", elsewhere()),
            ("recover", recover()),
        ] {
            let dry = host.dry_run(&plugin(), action, config.clone());
            assert_eq!(dry.is_ok(), enough, "{available} {kept} {config}");
            let outcome = host.run(&plugin(), action, config.clone());
            assert_eq!(outcome.is_ok(), enough, "{available} {kept} {config}");
            if let Err(failure) = outcome {
                assert!(failure.message.contains("not enough room"), "{failure:?}");
                assert_eq!(failure.message.contains("limits.free_space"), kept > 0);
            }
            let _ = fs::remove_file(host.path("/data/b.fs"));
            fs::write(host.path("/data/a.fs"), site().file).unwrap();
        }
    }
}

#[test]
fn a_dry_run_says_what_the_run_does() {
    let host = host(&site().file);
    let report = host.dry_run(&plugin(), "pack", elsewhere()).unwrap();
    assert!(
        report.summary.contains("into /data/b.fs"),
        "{}",
        report.summary
    );
    // Of a file in which there is nothing to pack, in its place and elsewhere.
    let idle = packed(&site().file);
    fs::write(host.path("/data/a.fs"), &idle).unwrap();
    let here = host.dry_run(&plugin(), "pack", in_place()).unwrap();
    assert!(
        here.summary.contains("would stay as it is"),
        "{}",
        here.summary
    );
    let there = host.dry_run(&plugin(), "pack", elsewhere()).unwrap();
    assert!(
        there.summary.contains("would copy it to /data/b.fs"),
        "{}",
        there.summary
    );
    assert_eq!(names(&host, "/data"), ["a.fs"]);
    let done = host.run(&plugin(), "pack", elsewhere()).unwrap();
    assert!(
        done.summary.contains("copied it to /data/b.fs"),
        "{}",
        done.summary
    );
    assert_eq!(read(&host, "/data/b.fs"), idle);
    assert_eq!(done.figure("bytes_after"), there.figure("bytes_after"));
}

/// A disk or a memory that changes a byte of an object's data, where no length and no position is affected.
fn failing_disk(file: &[u8]) -> NativeHost {
    host(file).with_observer(|host, what| {
        let Some(new) = what
            .strip_prefix("sync `")
            .map(|new| new.trim_end_matches('`'))
        else {
            return;
        };
        if !new.ends_with(".fs.mhost-new") {
            return;
        }
        let path = host.path(new);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(5).position(|text| text == b"title").unwrap();
        bytes[at] = b'T';
        fs::write(path, bytes).unwrap();
    })
}

#[test]
fn a_disk_that_changes_a_byte_is_noticed() {
    let file = site().file;
    for (file, action, config) in [
        (file.clone(), "pack", in_place()),
        (file.clone(), "pack", elsewhere()),
        (packed(&file), "pack", elsewhere()),
        (file, "recover", recover()),
    ] {
        let host = failing_disk(&file);
        let failure = host.run(&plugin(), action, config).unwrap_err();
        assert!(
            failure.message.contains("does not read as it was written"),
            "{}",
            failure.message
        );
        assert_eq!(read(&host, "/data/a.fs"), file);
        let left = names(&host, "/data");
        assert!(
            left.iter().all(|name| !name.contains(".fs.old")),
            "{left:?}"
        );
        assert!(!left.contains(&"b.fs".to_owned()), "{left:?}");
    }
}

/// References to nothing that the original has are no mistake of the pack's, wherever they stand.
#[test]
fn what_was_dangling_stays_so() {
    let file = Make::new()
        .set(1, 0, &[1, 77])
        .set(2, 1, &[])
        .set(3, 1, &[])
        .set(60, 1, &[78, 79]);
    for (before, gc) in [
        ("2024-01-01T00:00:30Z", true),
        ("now", true),
        ("now", false),
    ] {
        let host = host(&file.file);
        let mut config = in_place();
        config["before"] = json!(before);
        config["gc"] = json!(gc);
        let report = host.run(&plugin(), "pack", config).unwrap();
        assert!(report.summary.starts_with("packed"), "{}", report.summary);
        let verify = host.run(&plugin(), "verify", in_place()).unwrap_err();
        let findings = verify.partial.unwrap().figure("findings");
        assert_eq!(findings, Some(3.0), "{before} {gc}");
    }
}

#[test]
fn a_held_output_is_no_matter_of_packing_through_a_server() {
    let host = host(&site().file);
    let lock = fs::File::create(host.path("/data/b.fs.lock")).unwrap();
    lock.lock().unwrap();
    for (action, config) in [("pack", elsewhere()), ("recover", recover())] {
        let failure = host.run(&plugin(), action, config).unwrap_err();
        assert!(
            failure.message.contains("name another `output`"),
            "{}",
            failure.message
        );
        assert!(!failure.message.contains("zeopack"), "{}", failure.message);
    }
}

#[test]
fn a_length_that_is_wrong_in_the_middle_leads_to_recover() {
    let file = site();
    let at = file.starts[&10];
    let host = host(&make::patched(&file.file, at + 8, &[0x7f]));
    for action in ["pack", "verify", "inspect"] {
        let failure = host.run(&plugin(), action, in_place()).unwrap_err();
        assert!(failure.message.contains("`recover`"), "{}", failure.message);
        // What only looks need not say so.
        let said = failure.message.contains("nothing was changed");
        assert_eq!(said, action == "pack", "{}", failure.message);
    }
}
