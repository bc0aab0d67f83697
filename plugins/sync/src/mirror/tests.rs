//! The mirror on real trees, through the native host.

mod both;
mod brake;
mod crash;
mod random;
mod remote;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Failure, Report};
use serde_json::{Value, json};

const T: u64 = 1_700_000_000_000;

fn host() -> NativeHost {
    NativeHost::new().with_directory("a").with_directory("b")
}

fn mirror(host: &NativeHost, more: Value) -> Result<Report, Failure> {
    let mut config = json!({ "from": "/a", "to": "/b" });
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    host.run(&crate::plugin(), "mirror", config)
}

/// Everything that a mirror must make equal, as text.
fn tree(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let mode = metadata.permissions().mode() & 0o7777;
            found.push(if metadata.is_dir() {
                folders.push(path);
                format!("{name}/ {mode:o}")
            } else if metadata.is_symlink() {
                format!("{name} -> {}", fs::read_link(&path).unwrap().display())
            } else {
                let modified = metadata
                    .modified()
                    .unwrap()
                    .duration_since(std::time::UNIX_EPOCH)
                    .unwrap();
                format!(
                    "{name} {mode:o} {} {:?}",
                    modified.as_millis(),
                    fs::read(&path).unwrap()
                )
            });
        }
    }
    found.sort();
    found
}

fn assert_equal(host: &NativeHost) {
    assert_eq!(tree(&host.path("/b")), tree(&host.path("/a")));
}

fn figure(report: &Report, name: &str) -> u64 {
    report.figure(name).unwrap() as u64
}

#[test]
fn a_tree_is_copied_then_left_alone_then_followed() {
    let host = host();
    host.write_file("/a/x", "one", T);
    host.write_file("/a/deep/er/y", "two", T);
    fs::create_dir(host.path("/a/empty")).unwrap();
    symlink("../elsewhere", host.path("/a/link")).unwrap();
    fs::set_permissions(host.path("/a/x"), fs::Permissions::from_mode(0o640)).unwrap();

    let first = mirror(&host, json!({})).unwrap();
    assert_eq!(
        (
            figure(&first, "files_copied"),
            figure(&first, "bytes_copied")
        ),
        (2, 6)
    );
    assert_equal(&host);

    let second = mirror(&host, json!({})).unwrap();
    assert_eq!(
        (
            figure(&second, "files_copied"),
            figure(&second, "files_unchanged")
        ),
        (0, 3)
    );

    host.write_file("/a/x", "three", T + 1000);
    fs::remove_file(host.path("/a/deep/er/y")).unwrap();
    fs::set_permissions(host.path("/a/x"), fs::Permissions::from_mode(0o600)).unwrap();
    let third = mirror(&host, json!({ "delete": true })).unwrap();
    assert_eq!(
        (
            figure(&third, "files_copied"),
            figure(&third, "files_deleted")
        ),
        (1, 1)
    );
    assert_equal(&host);
}

#[test]
fn without_delete_nothing_goes() {
    let host = host();
    host.write_file("/a/x", "one", T);
    host.write_file("/b/old", "kept", T);
    mirror(&host, json!({})).unwrap();
    assert_eq!(fs::read(host.path("/b/old")).unwrap(), b"kept");
}

#[test]
fn only_the_mode_is_set_where_only_the_mode_differs() {
    let host = host();
    host.write_file("/a/x", "one", T);
    mirror(&host, json!({})).unwrap();
    fs::set_permissions(host.path("/a/x"), fs::Permissions::from_mode(0o600)).unwrap();
    let report = mirror(&host, json!({})).unwrap();
    assert_eq!(
        (
            figure(&report, "files_copied"),
            figure(&report, "metadata_changed")
        ),
        (0, 1)
    );
    assert_equal(&host);
}

#[test]
fn a_checksum_sees_what_size_and_time_hide() {
    let host = host();
    host.write_file("/a/x", "one", T);
    host.write_file("/b/x", "two", T);
    assert_eq!(
        figure(&mirror(&host, json!({})).unwrap(), "files_copied"),
        0
    );
    let report = mirror(&host, json!({ "checksum": true })).unwrap();
    assert_eq!(figure(&report, "files_copied"), 1);
    assert_equal(&host);
}

#[test]
fn kinds_give_way_to_each_other() {
    let host = host();
    host.write_file("/a/now-a-file", "one", T);
    host.write_file("/a/now-a-folder/x", "two", T);
    symlink("x", host.path("/a/now-a-link")).unwrap();
    host.write_file("/b/now-a-file/deep/er", "old", T);
    host.write_file("/b/now-a-folder", "old", T);
    host.write_file("/b/now-a-link/z", "old", T);
    mirror(&host, json!({ "delete": true })).unwrap();
    assert_equal(&host);
}

#[test]
fn what_is_excluded_is_neither_copied_nor_removed() {
    let host = host();
    host.write_file("/a/x", "one", T);
    host.write_file("/a/x.tmp", "no", T);
    host.write_file("/a/cache/y", "no", T);
    host.write_file("/b/z.tmp", "stays", T);
    mirror(
        &host,
        json!({ "delete": true, "exclude": ["*.tmp", "cache/"] }),
    )
    .unwrap();
    let names: Vec<_> = tree(&host.path("/b"))
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["x", "z.tmp"]);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let host = host();
    host.write_file("/a/deep/x", "one", T);
    host.write_file("/b/old", "old", T);
    let before = tree(&host.path("/b"));
    let config = json!({ "from": "/a", "to": "/b", "delete": true });
    let report = host.dry_run(&crate::plugin(), "mirror", config).unwrap();
    assert_eq!(
        (
            figure(&report, "files_copied"),
            figure(&report, "files_deleted")
        ),
        (1, 1)
    );
    assert!(
        report.summary.starts_with("would copy 1 files"),
        "{}",
        report.summary
    );
    assert_eq!(tree(&host.path("/b")), before);
}

#[test]
fn ends_that_make_no_sense_are_refused() {
    let host = host();
    host.write_file("/a/x", "one", T);
    let check = |config: Value, words: &str| {
        let failure = host.run(&crate::plugin(), "mirror", config).unwrap_err();
        assert!(failure.message.contains(words), "{}", failure.message);
    };
    check(json!({ "from": "/a", "to": "/a" }), "same directory");
    check(json!({ "from": "/a/x", "to": "/b" }), "not a directory");
    check(
        json!({ "from": "/a/none", "to": "/b" }),
        "cannot look at the source",
    );
    check(
        json!({ "from": "/a", "to": "/b", "misspelt": 1 }),
        "misspelt",
    );
    host.write_file("/b/file", "", T);
    check(json!({ "from": "/a", "to": "/b/file" }), "not a directory");
}

#[test]
fn a_missing_target_is_made() {
    let host = host();
    host.write_file("/a/x", "one", T);
    host.run(
        &crate::plugin(),
        "mirror",
        json!({ "from": "/a", "to": "/b/new" }),
    )
    .unwrap();
    assert_eq!(tree(&host.path("/b/new")), tree(&host.path("/a")));
}

#[test]
fn fifos_are_made_or_left_out_and_listed() {
    let host = host();
    host.write_file("/a/x", "one", T);
    let made = std::process::Command::new("mkfifo")
        .arg(host.path("/a/pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    let report = mirror(&host, json!({ "specials": false })).unwrap();
    assert_eq!(
        report.details.unwrap()["left_out"]["items"],
        json!(["pipe"])
    );
    assert!(!host.path("/b/pipe").exists());
    mirror(&host, json!({})).unwrap();
    let made = fs::symlink_metadata(host.path("/b/pipe")).unwrap();
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&made.file_type()));
}

#[test]
fn a_run_that_is_asked_to_end_does() {
    let host = host();
    host.write_file("/a/x", "one", T);
    host.set_cancelled(true);
    let failure = mirror(&host, json!({})).unwrap_err();
    assert!(failure.retryable && failure.partial.is_some());
}

#[test]
fn names_are_bytes() {
    use std::os::unix::ffi::OsStringExt as _;
    let host = host();
    let odd = std::ffi::OsString::from_vec(b"odd\xff\n".to_vec());
    fs::write(host.path("/a").join(&odd), "content").unwrap();
    let report = mirror(&host, json!({})).unwrap();
    assert_eq!(
        report.details.unwrap()["steps"]["items"][0]["path"],
        "odd\\xff\\n"
    );
    assert_eq!(fs::read(host.path("/b").join(&odd)).unwrap(), b"content");
}

#[test]
fn one_bad_entry_does_not_keep_the_others() {
    let host = host();
    host.write_file("/a/x", "one", T);
    host.write_file("/a/y", "two", T);
    host.write_file("/b/x/full", "old", T);
    let failure = mirror(&host, json!({})).unwrap_err();
    assert!(failure.message.contains("stands in the way"), "{failure:?}");
    assert_eq!(figure(failure.partial.as_ref().unwrap(), "files_copied"), 1);
    assert_eq!(fs::read(host.path("/b/y")).unwrap(), b"two");
    assert_eq!(fs::read(host.path("/b/x/full")).unwrap(), b"old");
}

#[test]
fn folders_go_to_places_of_their_own() {
    let host = host();
    host.write_file("/a/our/a/x", "one", T);
    host.write_file("/a/our/b/y", "two", T);
    host.write_file("/a/other", "no", T);
    let map = json!([
        { "from": "/our/a", "to": "/their/x" },
        { "from": "our/b", "to": "b" },
    ]);
    mirror(&host, json!({ "map": map })).unwrap();
    assert_eq!(fs::read(host.path("/b/their/x/x")).unwrap(), b"one");
    assert_eq!(fs::read(host.path("/b/b/y")).unwrap(), b"two");
    assert!(!host.path("/b/other").exists());
    let map = json!([{ "from": "our/a", "to": "x" }, { "from": "our/b", "to": "x/y" }]);
    let failure = mirror(&host, json!({ "map": map })).unwrap_err();
    assert!(
        failure.message.contains("a place of its own"),
        "{failure:?}"
    );
}

#[test]
fn what_is_replaced_or_removed_is_kept_aside() {
    let host = host();
    host.write_file("/a/d/x", "new", T);
    host.write_file("/b/d/x", "old", T - 5000);
    host.write_file("/b/gone/deep/y", "gone", T);
    let config = json!({ "delete": true, "backup_dir": "/b/.old" });
    mirror(&host, config.clone()).unwrap();
    assert_eq!(fs::read(host.path("/b/d/x")).unwrap(), b"new");
    assert_eq!(fs::read(host.path("/b/.old/d/x")).unwrap(), b"old");
    assert_eq!(fs::read(host.path("/b/.old/gone/deep/y")).unwrap(), b"gone");
    assert!(!host.path("/b/gone").exists());
    let again = mirror(&host, config).unwrap();
    assert_eq!(figure(&again, "files_deleted"), 0);
}

#[test]
fn snapshots_share_what_did_not_change() {
    use std::os::unix::fs::MetadataExt as _;
    let host = host();
    host.write_file("/a/same", "same", T);
    host.write_file("/a/d/changes", "one", T);
    let to = |to: &str, from: &[&str]| json!({ "from": "/a", "to": to, "link_dest": from });
    let run = |config| host.run(&crate::plugin(), "mirror", config).unwrap();
    run(to("/b/1", &["/b/0"]));
    host.write_file("/a/d/changes", "two", T + 1000);
    let report = run(to("/b/2", &["/b/1"]));
    assert_eq!(figure(&report, "hard_links_made"), 1);
    assert_eq!(figure(&report, "files_copied"), 1);
    let inode = |path: &str| fs::metadata(host.path(path)).unwrap().ino();
    assert_eq!(inode("/b/1/same"), inode("/b/2/same"));
    assert_eq!(fs::read(host.path("/b/1/d/changes")).unwrap(), b"one");
    assert_eq!(tree(&host.path("/b/2")), tree(&host.path("/a")));
}

#[test]
fn a_rate_is_kept_to() {
    let host = host();
    host.write_file("/a/x", vec![1; 300_000], T);
    mirror(&host, json!({ "bandwidth": 100_000 })).unwrap();
    assert_eq!(host.waited(), std::time::Duration::from_secs(3));
}

#[test]
fn moved_files_are_renamed() {
    let host = host();
    host.write_file("/a/new/x", "content", T);
    host.write_file("/a/new/y", "another", T);
    host.write_file("/b/old/x", "content", T);
    host.write_file("/b/old/y", "ANOTHER", T);
    let report = mirror(&host, json!({ "delete": true, "renames": true })).unwrap();
    assert_eq!(
        (
            figure(&report, "files_renamed"),
            figure(&report, "files_copied")
        ),
        (1, 1)
    );
    assert_equal(&host);
}

#[test]
fn a_copy_that_was_cut_off_is_gone_on_with() {
    let host = host();
    let content: Vec<u8> = (0..6_000_000u32).map(|n| (n % 251) as u8).collect();
    host.write_file("/a/x", &content, T);
    let name = ".mhost-".to_owned() + &blake3_start("x") + ".partial";
    fs::write(host.path("/b").join(&name), &content[..4_000_000]).unwrap();
    let report = mirror(&host, json!({})).unwrap();
    assert!(figure(&report, "bytes_written") < 2_200_000, "{report:?}");
    assert_equal(&host);
    // One that nobody takes up goes.
    fs::write(host.path("/b/.mhost-0123456789abcdef.partial"), "left").unwrap();
    mirror(&host, json!({})).unwrap();
    assert_equal(&host);
}

/// The name of a partial file follows from its target's.
fn blake3_start(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex()[..16].to_owned()
}

#[test]
fn in_place_writes_only_what_differs() {
    let host = host();
    let mut content = vec![1; 1 << 20];
    host.write_file("/b/x", &content, T - 1000);
    content[500_000] = 2;
    host.write_file("/a/x", &content, T);
    let report = mirror(&host, json!({ "delta": "in-place" })).unwrap();
    assert_eq!(figure(&report, "bytes_written"), 128 << 10);
    assert_equal(&host);
}
