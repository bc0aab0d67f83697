//! Files through the language's own library: nothing beyond the grant.

use std::fs;
use std::path::Path;

use mhost_engine::check_grants;
use mhost_model::grant::{Access, DirGrant, Grants};
use mhost_model::run::ErrorKind;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Attack, Went, block_on, component, sandbox};

/// `in` is granted, `out` beside it is not; both hold a file.
fn folders() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in ["in", "other", "out"] {
        fs::create_dir(root.path().join(name)).unwrap();
        fs::write(root.path().join(name).join("file"), format!("of {name}")).unwrap();
    }
    let link = |to: &Path, at: &str| std::os::unix::fs::symlink(to, root.path().join(at)).unwrap();
    link(Path::new("../out"), "in/folder");
    link(Path::new("../out/file"), "in/link");
    link(&root.path().join("out"), "in/absolute");
    link(Path::new("/etc"), "in/etc");
    fs::create_dir(root.path().join("in/sub")).unwrap();
    fs::write(root.path().join("in/sub/file"), "of in").unwrap();
    link(Path::new("sub"), "in/nested");
    root
}

fn attack(root: &TempDir, action: &'static str, config: Value, access: Access) -> Went {
    Attack::new(action, config)
        .dir("in", &root.path().join("in"), access)
        .dir("other", &root.path().join("other"), access)
        .go()
}

#[test]
fn nothing_outside_is_read() {
    let root = folders();
    let read = |path: &str| attack(&root, "read-file", json!({"path": path}), Access::ReadWrite);
    assert_eq!(read("/in/file").report().summary, "of in");
    assert_eq!(read("/in/nested/file").report().summary, "of in");
    for path in [
        "/in/../out/file",
        "/in/folder/file",
        "/in/folder/../file",
        "/in/link",
        "/in/absolute/file",
        "/in/etc/hostname",
        "/in/../../../../../../etc/hostname",
    ] {
        refused_by_the_host(&read(path), path);
    }
    // There is no such directory in the guest, so that its library need not ask the host.
    for path in ["/etc/hostname", "/out/file", "/proc/self/environ"] {
        assert_eq!(read(path).error().kind, ErrorKind::Failure, "{path}");
    }
}

/// The host was asked, and said no: it is not that nothing is there.
fn refused_by_the_host(went: &Went, path: &str) {
    let error = went.error();
    assert_eq!(error.kind, ErrorKind::Failure, "{path}");
    let told = &error.message;
    assert!(told.contains("PermissionDenied"), "{path}: {told}");
}

#[test]
fn nothing_outside_is_listed_or_opened_behind_a_slash() {
    let root = folders();
    let go = |action, path: &str| attack(&root, action, json!({"path": path}), Access::ReadOnly);
    for path in ["/in/nested", "/in/nested/", "/in/sub/"] {
        assert_eq!(go("list", path).report().summary, "file");
        assert_eq!(go("open-directory", path).report().summary, "a directory");
    }
    for path in [
        "/in/folder",
        "/in/folder/",
        "/in/folder//",
        "/in/folder/.",
        "/in/absolute/",
        "/in/etc/",
        "/in/../out/",
        "/in/nested/../../out/",
        "/in/..",
    ] {
        refused_by_the_host(&go("list", path), path);
        refused_by_the_host(&go("open-directory", path), path);
    }
}

#[test]
fn the_hosts_own_process_is_never_granted() {
    for path in [
        "/proc",
        "/proc/self",
        "/proc/thread-self",
        "/proc/self/task",
    ] {
        let went = Attack::new("read-file", json!({"path": "/p/self/environ"}))
            .dir("p", Path::new(path), Access::ReadOnly)
            .go();
        let told = &went.error().message;
        assert_eq!(went.error().kind, ErrorKind::Setup, "{told}");
        assert!(told.contains("mhost's own process"), "{told}");
    }
    // What is of the machine, and of other processes, may be granted.
    let went = Attack::new("read-file", json!({"path": "/p/kernel/ostype"}))
        .dir("p", Path::new("/proc/sys"), Access::ReadOnly)
        .go();
    assert_eq!(went.report().summary, "Linux\n");
}

#[test]
fn nothing_outside_is_changed() {
    let root = folders();
    let absolute = root.path().join("out/new").display().to_string();
    for (action, config) in [
        ("write-file", json!({"path": "/in/../out/new", "bytes": 1})),
        ("write-file", json!({"path": "/in/folder/new", "bytes": 1})),
        ("write-file", json!({"path": "/in/link", "bytes": 1})),
        ("write-file", json!({"path": absolute, "bytes": 1})),
        ("append-file", json!({"path": "/in/link", "bytes": 1})),
        ("truncate", json!({"path": "/in/link"})),
        ("truncate", json!({"path": "/in/folder/file"})),
        ("remove", json!({"path": "/in/folder/file"})),
        ("make-directory", json!({"path": "/in/folder/new"})),
        ("make-directory", json!({"path": "/in/folder/new/"})),
        (
            "rename",
            json!({"path": "/in/file", "to": "/in/folder/new"}),
        ),
        (
            "rename",
            json!({"path": "/in/folder/file", "to": "/in/new"}),
        ),
        ("link", json!({"path": "/in/folder/file", "to": "/in/new"})),
        ("link", json!({"path": "/in/file", "to": "/in/folder/new"})),
    ] {
        attack(&root, action, config.clone(), Access::ReadWrite).error();
        let out: Vec<_> = fs::read_dir(root.path().join("out")).unwrap().collect();
        assert_eq!(out.len(), 1, "{action} {config}");
        let content = fs::read_to_string(root.path().join("out/file")).unwrap();
        assert_eq!(content, "of out", "{action} {config}");
        assert!(!root.path().join("in/new").exists(), "{action} {config}");
    }
}

#[test]
fn nothing_is_changed_through_a_read_only_grant() {
    for (action, config) in [
        ("write-file", json!({"path": "/in/new", "bytes": 1})),
        ("write-file", json!({"path": "/in/file", "bytes": 1})),
        ("append-file", json!({"path": "/in/file", "bytes": 1})),
        ("truncate", json!({"path": "/in/file"})),
        ("touch", json!({"path": "/in/file"})),
        ("remove", json!({"path": "/in/file"})),
        ("make-directory", json!({"path": "/in/new"})),
        ("rename", json!({"path": "/in/file", "to": "/in/new"})),
        ("link", json!({"path": "/in/file", "to": "/in/new"})),
    ] {
        let root = folders();
        let before = fs::metadata(root.path().join("in/file"))
            .unwrap()
            .modified()
            .unwrap();
        let went = attack(&root, action, config, Access::ReadOnly);
        went.error();
        let file = root.path().join("in/file");
        assert_eq!(fs::read_to_string(&file).unwrap(), "of in", "{action}");
        assert_eq!(
            fs::metadata(&file).unwrap().modified().unwrap(),
            before,
            "{action}"
        );
        assert!(!root.path().join("in/new").exists(), "{action}");
        let denied = went.finished.receipt.denied.first().unwrap().clone();
        assert_eq!(denied.target, "in", "{action}");
        assert!(
            denied.remedy.contains("[tasks.attack.grants] dirs.in = "),
            "{}",
            denied.remedy
        );
        assert!(denied.remedy.contains("read-write"), "{}", denied.remedy);
    }
}

#[test]
fn names_stay_in_their_grant() {
    let root = folders();
    for action in ["link", "rename"] {
        let config = json!({"path": "/in/file", "to": "/other/new"});
        let went = attack(&root, action, config, Access::ReadWrite);
        assert!(
            went.error().message.contains("CrossesDevices"),
            "{}",
            went.error().message
        );
        assert!(!root.path().join("other/new").exists(), "{action}");
        assert!(root.path().join("in/file").exists(), "{action}");
    }
    // Within one grant both are fine.
    attack(
        &root,
        "link",
        json!({"path": "/in/file", "to": "/in/b"}),
        Access::ReadWrite,
    )
    .report();
    attack(
        &root,
        "rename",
        json!({"path": "/in/b", "to": "/in/c"}),
        Access::ReadWrite,
    )
    .report();
    assert!(root.path().join("in/c").exists());
}

#[test]
fn a_stale_run_changes_nothing() {
    let root = folders();
    let run = Attack::new("write-file", json!({"path": "/in/new", "bytes": 1})).dir(
        "in",
        &root.path().join("in"),
        Access::ReadWrite,
    );
    run.fake
        .stale
        .store(true, std::sync::atomic::Ordering::SeqCst);
    run.go().error();
    assert!(!root.path().join("in/new").exists());
}

#[test]
fn uses_stand_on_the_receipt() {
    let root = folders();
    let went = attack(
        &root,
        "write-file",
        json!({"path": "/in/new", "bytes": 5}),
        Access::ReadWrite,
    );
    let receipt = &went.finished.receipt;
    assert_eq!(receipt.used["dirs.in"].verbs, ["write".to_owned()].into());
    assert_eq!(receipt.unused, ["dirs.other".to_owned()].into());
    assert_eq!((receipt.bytes_written, receipt.files_changed), (5, 1));
    let went = attack(
        &root,
        "read-file",
        json!({"path": "/in/file"}),
        Access::ReadWrite,
    );
    let receipt = &went.finished.receipt;
    assert_eq!(receipt.used["dirs.in"].verbs, ["read".to_owned()].into());
    assert_eq!((receipt.bytes_read, receipt.files_opened), (5, 1));
    assert!(receipt.host_calls > 3 && receipt.guest_time_us + receipt.host_time_us > 0);
}

#[test]
fn a_directory_that_cannot_be_granted_is_named() {
    let root = folders();
    let file = root.path().join("in/file");
    for (path, words) in [
        (Path::new("/no/such/folder"), "there is no directory"),
        (file.as_path(), "not a directory"),
        (Path::new("relative"), "not absolute"),
    ] {
        let went = Attack::new("nothing", json!({}))
            .dir("in", path, Access::ReadOnly)
            .go();
        assert_eq!(went.error().kind, ErrorKind::Setup);
        assert!(
            went.error().message.contains(words),
            "{}",
            went.error().message
        );
        assert!(
            went.error().message.contains("dirs.in"),
            "{}",
            went.error().message
        );
    }
}

#[test]
fn the_hosts_own_folders_are_never_granted() {
    let root = folders();
    let own = root.path().join("own");
    fs::create_dir_all(own.join("store")).unwrap();
    std::os::unix::fs::symlink(&own, root.path().join("alias")).unwrap();
    std::os::unix::fs::symlink(own.join("store"), root.path().join("in/inner")).unwrap();
    let protected = [own.clone()];
    let plugin = block_on(sandbox(&[&own]).load(component())).unwrap();
    let check = |path: &Path, good: bool| {
        let mut grants = Grants::default();
        let grant = DirGrant {
            path: path.to_owned(),
            access: Access::ReadOnly,
        };
        grants.dirs.insert("in".parse().unwrap(), grant);
        assert_eq!(
            check_grants(&grants, &protected).is_ok(),
            good,
            "{}",
            path.display()
        );
        if !path.exists() {
            return;
        }
        let mut attack = Attack::new("nothing", json!({})).dir("in", path, Access::ReadOnly);
        attack.plugin = plugin.clone();
        let went = attack.go();
        if good {
            went.report();
        } else {
            assert!(
                went.error().message.contains("mhost's own"),
                "{}",
                went.error().message
            );
        }
    };
    check(&own, false);
    check(&own.join("store"), false);
    check(&own.join("not-yet"), false);
    check(root.path(), false);
    check(Path::new("/"), false);
    check(&root.path().join("alias"), false);
    check(&root.path().join("alias/store"), false);
    check(&root.path().join("in/inner"), false);
    check(&root.path().join("in/../own"), false);
    check(&root.path().join("in"), true);
    check(&root.path().join("own-not"), true);
}
