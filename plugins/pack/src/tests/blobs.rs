//! The blobs of a FileStorage: what goes, where it is kept, and what a crash leaves.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use mhost_filestorage::Oid;
use mhost_filestorage::blobs::Layout;
use mhost_filestorage::pack::Revision;
use mhost_filestorage::testing::{self as make, Body, Make};
use mhost_sdk::testing::NativeHost;
use serde_json::{Value, json};

use super::chown_if_root;
use super::filestorage::{LATER, host, names, read};
use crate::plugin;

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
    assert_eq!(report.figure("blob_bytes_reclaimed"), Some(0.0));
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
    let logged = host.logged();
    assert!(
        logged.iter().all(|(_, text)| !text.contains("  ")),
        "{logged:?}"
    );
}

#[test]
fn a_crash_between_swap_and_blobs_is_made_up_for() {
    for (keep, happens) in [
        (json!(true), true),
        (json!(true), false),
        (json!("7 days"), true),
        (json!("7 days"), false),
    ] {
        let mut config = blobs_in_place();
        config["keep_old"] = keep;
        crashed_at_each_change(&config, happens);
    }
}

fn crashed_at_each_change(config: &Value, happens: bool) {
    let about = |n| format!("change {n}, {happens}, {config}");
    for n in 0..200 {
        let host = with_blobs();
        let original = read(&host, "/data/a.fs");
        host.lose_cache();
        host.crash().at(n, happens);
        let outcome = host.run(&plugin(), "pack", config.clone());
        assert!(host.path(&blob(3, 5)).exists(), "{}", about(n));
        if let (Err(failure), false) = (&outcome, happens) {
            let swapped = read(&host, "/data/a.fs") != original;
            assert_eq!(
                failure.message.contains("packed /data/a.fs from"),
                swapped,
                "{}: {}",
                about(n),
                failure.message
            );
        }
        host.crash().never();
        host.run(&plugin(), "pack", config.clone()).unwrap();
        for (n, oid, there) in [(2, 5, false), (2, 6, false), (3, 5, true), (9, 99, true)] {
            assert_eq!(host.path(&blob(n, oid)).exists(), there, "{n} {oid}");
        }
        for (txn, oid) in [(2, 5), (2, 6)] {
            let kept = kept(&host, txn, oid);
            assert_eq!(kept, format!("{txn} {oid}"), "{}", about(n));
        }
        assert!(!host.path("/data/blobs/.mhost-removed").exists());
        if outcome.is_ok() {
            return;
        }
    }
    panic!("the pack did not end");
}

/// What is kept of a blob with an old file.
fn kept(host: &NativeHost, txn: u64, oid: u64) -> String {
    let attics = names(host, "/data");
    let attics = attics.iter().filter(|name| name.starts_with("blobs.old"));
    let mut files = attics.filter_map(|attic| {
        let path = blob(txn, oid).replace("/blobs/", &format!("/{attic}/"));
        fs::read_to_string(host.path(&path)).ok()
    });
    files.next().unwrap_or_default()
}

#[test]
fn what_stands_where_blobs_are_kept_ends_the_pack_before_the_swap() {
    let host = with_blobs();
    let original = read(&host, "/data/a.fs");
    fs::write(host.path("/data/blobs.old"), "mine").unwrap();
    let failure = host.run(&plugin(), "pack", blobs_in_place()).unwrap_err();
    assert!(
        failure.message.contains("/data/blobs.old is no folder"),
        "{}",
        failure.message
    );
    assert_eq!(read(&host, "/data/a.fs"), original);
    assert!(!names(&host, "/data").contains(&"a.fs.old".to_owned()));
    for (n, oid) in [(2, 5), (2, 6), (3, 5), (9, 99)] {
        assert!(host.path(&blob(n, oid)).exists(), "{n} {oid}");
    }
    fs::remove_file(host.path("/data/blobs.old")).unwrap();
    host.run(&plugin(), "pack", blobs_in_place()).unwrap();
    for (txn, oid) in [(2, 5), (2, 6)] {
        assert_eq!(kept(&host, txn, oid), format!("{txn} {oid}"));
    }
}

#[test]
fn the_folder_of_kept_blobs_belongs_to_the_server() {
    let host = with_blobs();
    let folder = host.path("/data/blobs");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
    chown_if_root(&folder);
    host.run(&plugin(), "pack", blobs_in_place()).unwrap();
    let like = |path: &str| {
        let found = fs::metadata(host.path(path)).unwrap();
        (found.uid(), found.gid(), found.mode() & 0o777)
    };
    assert_eq!(like("/data/blobs").2, 0o750);
    for made in ["/data/blobs.old", "/data/blobs.old/0x00/0x00"] {
        assert_eq!(like(made), like("/data/blobs"), "{made}");
    }
}

#[test]
fn what_is_missing_is_told() {
    let host = with_blobs();
    fs::remove_file(host.path(&blob(3, 5))).unwrap();
    let report = host.run(&plugin(), "pack", blobs_in_place()).unwrap();
    assert_eq!(report.figure("blobs_missing"), Some(1.0));
    let logged = host.logged();
    assert!(
        logged.iter().any(|(_, text)| text.contains(&blob(3, 5))),
        "{logged:?}"
    );
    let mut config = blobs_in_place();
    config["blobs"] = json!("/data/nowhere");
    let failure = host.run(&plugin(), "pack", config).unwrap_err();
    assert!(
        failure.message.contains("there is no folder /data/nowhere"),
        "{}",
        failure.message
    );
}
