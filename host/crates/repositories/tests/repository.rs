//! Repositories as tasks use them, through the port.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod common;

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::{Bench, PASSWORD, at, furnish, furnish_oddly, name, noon, repositories, same};
use mhost_model::Fault;
use mhost_model::ports::repository::{BackupOptions, Repositories};
use mhost_test_support::{assert_same_tree, noise};

/// Each fault with the words that must stand in it.
#[track_caller]
fn refused<T>(result: Result<T, Fault>, kind: &str, words: &[&str]) {
    let Err(fault) = result else {
        panic!("expected {kind}")
    };
    let text = format!("{fault:?}");
    assert!(text.starts_with(kind), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` in {text}");
    }
}

#[test]
fn opening_what_cannot_be_opened() {
    let bench = Bench::with_repository();
    let all = bench.repositories();
    let wrong = all.open(&name(), "wrong").map(|_| ());
    refused(wrong, "Invalid", &["`site`", "password", "secret"]);
    let none = repositories(bench.path("none").to_str().unwrap());
    refused(
        none.open(&name(), PASSWORD).map(|_| ()),
        "NotFound",
        &["restic", "init"],
    );
    let other = "other".parse().unwrap();
    refused(
        all.open(&other, PASSWORD).map(|_| ()),
        "NotFound",
        &["[repositories.other]"],
    );
    let far = repositories("sftp:host:/repo");
    refused(
        far.open(&name(), PASSWORD).map(|_| ()),
        "Unsupported",
        &["repository `site`"],
    );
}

#[test]
fn creating_only_where_nothing_is() {
    let bench = Bench::with_repository();
    let all = bench.repositories();
    refused(
        all.create(&name(), PASSWORD).map(|_| ()),
        "Exists",
        &["`site`"],
    );
    // A repository that lost its `config` must not get a new key over its data.
    bench.write("a", "a");
    bench.backup();
    fs::remove_file(bench.repo_path().join("config")).unwrap();
    refused(
        all.create(&name(), PASSWORD).map(|_| ()),
        "Invalid",
        &["holds something"],
    );
    let full = repositories(bench.source().to_str().unwrap());
    refused(
        full.create(&name(), PASSWORD).map(|_| ()),
        "Invalid",
        &["holds something"],
    );
    let empty = repositories(bench.path("deep/new").to_str().unwrap());
    refused(
        empty.create(&name(), "").map(|_| ()),
        "Invalid",
        &["password"],
    );
    empty.create(&name(), PASSWORD).unwrap();
    assert_eq!(
        fs::metadata(bench.path("deep/new")).unwrap().mode() & 0o777,
        0o700
    );
}

#[test]
fn a_snapshot_says_what_it_holds() {
    let bench = Bench::with_repository();
    bench.write("a", "12345");
    bench.write("b/c", "678");
    let options = BackupOptions {
        tags: vec!["daily".to_owned(), "web".to_owned()],
        hostname: Some("elsewhere".to_owned()),
        ..BackupOptions::default()
    };
    let repo = bench.open();
    let summary = repo
        .backup(&[same(&bench.source())], &options, noon(3))
        .unwrap();
    assert_eq!((summary.files_new, summary.bytes_processed), (2, 8));
    assert!(summary.unread.is_empty() && summary.bytes_added > 0);
    let listed = repo.snapshots().unwrap();
    assert_eq!(listed, std::slice::from_ref(&summary.snapshot));
    let snapshot = &listed[0];
    assert_eq!(
        (snapshot.time, snapshot.files, snapshot.size),
        (noon(3), 2, 8)
    );
    assert_eq!(snapshot.hostname, "elsewhere");
    assert_eq!(snapshot.tags, ["daily", "web"]);
    assert_eq!(snapshot.paths, [bench.source().to_str().unwrap()]);
    assert_eq!(snapshot.id.len(), 64);
    assert_eq!(bench.locks(), 0);
}

#[test]
fn unchanged_files_are_not_read_again() {
    let bench = Bench::with_repository();
    bench.write("a", noise(1 << 20, 1));
    bench.write("b", "b");
    bench.backup();
    bench.write("b", "changed");
    bench.write("c", "new");
    let second = bench.backup_at(noon(1)).unwrap();
    let counts = (
        second.files_new,
        second.files_changed,
        second.files_unmodified,
    );
    assert_eq!(counts, (1, 1, 1));
    assert!(second.bytes_added < 100_000, "{second:?}");
    let parent = Some(second.snapshot.id[..8].to_owned());
    let options = BackupOptions {
        parent,
        ..BackupOptions::default()
    };
    let repo = bench.open();
    let third = repo
        .backup(&[same(&bench.source())], &options, noon(2))
        .unwrap();
    assert_eq!(third.files_unmodified, 3);
    let parent = Some("0123".to_owned());
    let options = BackupOptions {
        parent,
        ..BackupOptions::default()
    };
    refused(
        repo.backup(&[same(&bench.source())], &options, noon(2)),
        "NotFound",
        &["0123"],
    );
}

/// A folder through a descriptor, and a database's copy in the place of its file.
#[test]
fn sources_stand_elsewhere_than_they_are_read() {
    let bench = Bench::with_repository();
    bench.write("site.db", "being written");
    bench.write("index.html", "page");
    fs::write(bench.path("copy"), "consistent").unwrap();
    let folder = fs::File::open(bench.source()).unwrap();
    let pinned = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let sources = [
        at(&pinned, Path::new("/srv/site")),
        at(&bench.path("copy"), Path::new("/srv/site/site.db")),
    ];
    let repo = bench.open();
    let summary = repo
        .backup(&sources, &BackupOptions::default(), noon(0))
        .unwrap();
    assert_eq!(summary.snapshot.paths, ["/srv/site", "/srv/site/site.db"]);
    let listed: Vec<_> = repo.listing("latest", "/", 100).unwrap();
    let paths: Vec<_> = listed.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/srv",
            "/srv/site",
            "/srv/site/index.html",
            "/srv/site/site.db"
        ]
    );
    repo.restore("latest:/srv/site", &bench.path("out"), &Default::default())
        .unwrap();
    assert_eq!(fs::read(bench.path("out/site.db")).unwrap(), b"consistent");
    assert_eq!(fs::read(bench.path("out/index.html")).unwrap(), b"page");
}

#[test]
fn everything_that_a_tree_can_hold_comes_back() {
    let bench = Bench::with_repository();
    furnish(&bench.source());
    furnish_oddly(&bench.source());
    let summary = bench.backup();
    assert!(summary.unread.is_empty(), "{:?}", summary.unread);
    let out = bench.path("out");
    let repo = bench.open();
    repo.restore(&bench.latest_source(), &out, &Default::default())
        .unwrap();
    assert_same_tree(&bench.source(), &out);
    let hole = fs::metadata(out.join("sparse")).unwrap();
    assert!(
        hole.blocks() * 512 < hole.len() / 2,
        "{} blocks",
        hole.blocks()
    );
    assert!(repo.check(100).unwrap().sound);
}

#[test]
fn a_listing_is_cut_at_its_limit() {
    let bench = Bench::with_repository();
    bench.write("a/b/c", "1");
    bench.write("a/d", "22");
    bench.backup();
    let repo = bench.open();
    let root = bench.source().display().to_string();
    let all = repo.listing("latest", &root, 100).unwrap();
    let expected = [
        ("", "dir", 0),
        ("/a", "dir", 0),
        ("/a/b", "dir", 0),
        ("/a/b/c", "file", 1),
        ("/a/d", "file", 2),
    ];
    let expected = expected.map(|(path, kind, size)| (format!("{root}{path}"), kind, size));
    let got: Vec<_> = all
        .iter()
        .map(|node| (node.path.clone(), node.kind.as_str(), node.size))
        .collect();
    assert_eq!(got, expected);
    assert_eq!(repo.listing("latest", &root, 2).unwrap(), all[..2]);
    assert_eq!(repo.listing("latest", &root, 0).unwrap(), []);
    assert_eq!(
        repo.listing("latest", &format!("{root}/a/d"), 9).unwrap(),
        all[4..]
    );
    refused(
        repo.listing("latest", "/no/such", 9),
        "NotFound",
        &["/no/such"],
    );
    refused(
        repo.listing("latest", "relative", 9),
        "Invalid",
        &["relative"],
    );
    refused(repo.listing("0000", "/", 9), "NotFound", &["0000"]);
    refused(repo.listing("last", "/", 9), "Invalid", &["latest"]);
}

#[test]
fn bad_requests_are_refused_before_anything_is_written() {
    let bench = Bench::with_repository();
    bench.write("a", "a");
    let repo = bench.open();
    let source = [same(&bench.source())];
    let with = |change: fn(&mut BackupOptions)| {
        let mut options = BackupOptions::default();
        change(&mut options);
        repo.backup(&source, &options, noon(0))
    };
    refused(
        with(|options| options.exclude.push("a[".to_owned())),
        "Invalid",
        &["`a[`"],
    );
    refused(
        with(|options| options.tags.push("a,b".to_owned())),
        "Invalid",
        &["a,b", "comma"],
    );
    let gone = repo.backup(
        &[same(Path::new("/no/such"))],
        &BackupOptions::default(),
        noon(0),
    );
    refused(gone, "NotFound", &["/no/such"]);
    assert!(repo.snapshots().unwrap().is_empty());
    assert!(bench.packs().is_empty());
}

/// A repository that takes no more data must not get a snapshot without it.
#[test]
fn a_backup_that_cannot_be_stored_fails() {
    let bench = Bench::with_repository();
    bench.write("a", noise(1 << 20, 1));
    for entry in fs::read_dir(bench.repo_path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        fs::remove_dir(&path).unwrap();
        fs::write(&path, "in the way").unwrap();
    }
    assert!(bench.backup_at(noon(0)).is_err());
    assert!(bench.open().snapshots().unwrap().is_empty());
    assert_eq!(bench.locks(), 0);
}

/// By the rules of the backup itself.
#[test]
fn a_plan_of_a_backup() {
    let bench = Bench::new();
    for file in ["a", "b.log", "sub/c", "sub/d.log"] {
        bench.write(file, "12345");
    }
    let plan = |pattern: &str| {
        let options = BackupOptions {
            exclude: vec![pattern.to_owned()],
            ..BackupOptions::default()
        };
        let sources = [common::same(&bench.source())];
        bench.repositories().plan_backup(&sources, &options)
    };
    let found = plan("*.log").unwrap();
    assert_eq!((found.files, found.bytes), (2, 10));
    assert_eq!(plan("sub/**").unwrap().files, 2);
    assert!(matches!(plan("["), Err(Fault::Invalid(_))));
    assert!(!bench.repo_path().exists());
}
