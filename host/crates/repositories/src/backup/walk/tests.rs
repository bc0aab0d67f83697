//! Which entries the walk hands out, and in which order.

use super::*;
use mhost_model::ports::repository::{BackupOptions, Source};
use mhost_test_support::scratch;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn make(root: &Path, files: &[&str]) {
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
}

struct Case<'a> {
    sources: Vec<(&'a Path, &'a str)>,
    exclude: &'a [&'a str],
    one_file_system: bool,
}

impl Case<'_> {
    fn walk(&self) -> (Vec<String>, Vec<String>) {
        let source = |(read, stand): &(&Path, &str)| Source {
            read: read.to_path_buf(),
            stand: PathBuf::from(stand),
        };
        let sources: Vec<_> = self.sources.iter().map(source).collect();
        let patterns: Vec<_> = self.exclude.iter().map(ToString::to_string).collect();
        let plan = Plan {
            mounts: Arc::new(Mount::open(&sources).unwrap()),
            rules: Rules::new(&BackupOptions {
                exclude: patterns,
                ..BackupOptions::default()
            })
            .unwrap(),
            one_file_system: self.one_file_system,
        };
        let journal = Arc::new(Journal::default());
        let walk = Walk::new(Arc::new(plan), Arc::clone(&journal), Arc::default());
        let paths = walk.map(|entry| entry.path.display().to_string());
        (paths.collect(), journal.unread())
    }
}

fn check(sources: &[(&Path, &str)], exclude: &[&str], expected: &[&str]) {
    let case = Case {
        sources: sources.to_vec(),
        exclude,
        one_file_system: false,
    };
    let (paths, unread) = case.walk();
    assert_eq!(paths, expected);
    assert!(unread.is_empty(), "{unread:?}");
}

#[test]
fn folders_come_before_their_entries_in_byte_order() {
    let dir = scratch("walk");
    make(dir.path(), &["b/x", "b.txt", "a/y/z", "B"]);
    let expected = [
        "/s", "/s/B", "/s/a", "/s/a/y", "/s/a/y/z", "/s/b", "/s/b/x", "/s/b.txt",
    ];
    check(&[(dir.path(), "/s")], &[], &expected);
    check(
        &[(dir.path(), "/")],
        &["/a"],
        &["/B", "/b", "/b/x", "/b.txt"],
    );
}

/// A copy of a database stands where its file lies; the file itself is not read.
#[test]
fn a_source_within_another_takes_its_place() {
    let (dir, copies) = (scratch("walk"), scratch("walk"));
    make(
        dir.path(),
        &["data/site.db", "data/site.db-wal", "index.html"],
    );
    make(copies.path(), &["copy"]);
    let copy = copies.path().join("copy");
    let sources = [(dir.path(), "/srv"), (copy.as_path(), "/srv/data/site.db")];
    let all = [
        "/srv",
        "/srv/data",
        "/srv/data/site.db",
        "/srv/data/site.db-wal",
        "/srv/index.html",
    ];
    check(&sources, &[], &all);
    // What was asked for by name stays, even where its folder is excluded.
    check(
        &sources,
        &["*.db*"],
        &["/srv", "/srv/data", "/srv/data/site.db", "/srv/index.html"],
    );
    check(
        &sources,
        &["data"],
        &["/srv", "/srv/data", "/srv/data/site.db", "/srv/index.html"],
    );
}

#[test]
fn a_source_may_stand_where_the_machine_has_nothing() {
    let dir = scratch("walk");
    make(dir.path(), &["f"]);
    let file = dir.path().join("f");
    let sources = [
        (file.as_path(), "/no/such/place/f"),
        (dir.path(), "/no/such/tree"),
    ];
    let expected = [
        "/no",
        "/no/such",
        "/no/such/place",
        "/no/such/place/f",
        "/no/such/tree",
        "/no/such/tree/f",
    ];
    check(&sources, &[], &expected);
}

#[test]
fn links_are_entries_and_not_ways() {
    let dir = scratch("walk");
    make(dir.path(), &["real/f"]);
    symlink("real", dir.path().join("link")).unwrap();
    symlink(dir.path(), dir.path().join("loop")).unwrap();
    check(
        &[(dir.path(), "/s")],
        &[],
        &["/s", "/s/link", "/s/loop", "/s/real", "/s/real/f"],
    );
}

#[test]
fn what_cannot_be_listed_is_told() {
    let dir = scratch("walk");
    make(dir.path(), &["open/f", "shut/f"]);
    fs::set_permissions(dir.path().join("shut"), fs::Permissions::from_mode(0o000)).unwrap();
    let readable = fs::read_dir(dir.path().join("shut")).is_ok();
    let case = Case {
        sources: vec![(dir.path(), "/s")],
        exclude: &[],
        one_file_system: false,
    };
    let (paths, unread) = case.walk();
    fs::set_permissions(dir.path().join("shut"), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(paths.contains(&"/s/shut".to_owned()));
    // Root may list everything.
    if !readable {
        assert_eq!(unread.len(), 1);
        assert!(unread[0].starts_with("/s/shut: "), "{unread:?}");
    }
}

#[test]
fn other_file_systems_are_left_out_on_request() {
    let roots = |one_file_system| {
        let case = Case {
            sources: vec![(Path::new("/"), "/")],
            exclude: &["/[^p]*", "/proc/[^s]*", "/proc/s[^w]*"],
            one_file_system,
        };
        case.walk().0
    };
    assert!(roots(false).contains(&"/proc/swaps".to_owned()));
    let one = roots(true);
    assert!(one.contains(&"/proc".to_owned()), "{one:?}");
    assert!(!one.contains(&"/proc/swaps".to_owned()));
}
