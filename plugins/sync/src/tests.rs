//! The mirror on real trees, through the native host.

mod brake;
mod crash;
mod random;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use mhost_sdk::testing::NativeHost;
use mhost_sdk::{Error, Failure, Report};
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
    mirror(&host, json!({})).unwrap();
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
fn fifos_are_left_out_and_listed() {
    let host = host();
    host.write_file("/a/x", "one", T);
    let made = std::process::Command::new("mkfifo")
        .arg(host.path("/a/pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    let report = mirror(&host, json!({})).unwrap();
    assert_eq!(
        report.details.unwrap()["left_out"]["items"],
        json!(["pipe"])
    );
    assert!(!host.path("/b/pipe").exists());
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
fn one_bad_entry_does_not_keep_the_others() {
    use std::os::unix::ffi::OsStringExt as _;
    let host = host();
    host.write_file("/a/x", "one", T);
    let odd = std::ffi::OsString::from_vec(b"odd\xff".to_vec());
    fs::write(host.path("/a").join(odd), "").unwrap();
    let failure = mirror(&host, json!({})).unwrap_err();
    assert!(
        matches!(failure.cause.as_deref(), Some(Error::Unsupported(_))),
        "{failure:?}"
    );
    assert_eq!(figure(failure.partial.as_ref().unwrap(), "files_copied"), 1);
    assert_eq!(fs::read(host.path("/b/x")).unwrap(), b"one");
}
