//! Ends that lie in one another by grants that name them apart.

use std::fs;

use mhost_test_support::scratch;

use super::run::mirror;

pub fn refused() {
    let room = scratch("nested");
    let outer = room.path().join("outer");
    fs::create_dir_all(outer.join("inner/deep")).unwrap();
    fs::write(outer.join("inner/deep/x"), "x").unwrap();
    for n in 0..5 {
        fs::write(outer.join(format!("{n}")), "y").unwrap();
    }
    let inner = outer.join("inner");
    let there = || (outer.join("0").exists(), inner.join("deep/x").exists());
    // The source in the target, and the other way round, and a target that is not there yet.
    for (from, to, setting) in [
        (&inner, &outer, "delete=true"),
        (&outer, &inner, "delete=true"),
        (&outer, &inner, "to=/b/new"),
        (&outer, &outer, "to=/b/new"),
        (&outer, &inner, "both_ways=true"),
        (&inner, &outer, "both_ways=true"),
    ] {
        let done = mirror(from, to, &[setting, "max_delete_percent=100"], false);
        assert!(!done.status.success(), "{from:?} {to:?} {setting}");
        let said = String::from_utf8_lossy(&done.stdout).into_owned()
            + &String::from_utf8_lossy(&done.stderr);
        assert!(
            said.contains("lies in "),
            "{from:?} {to:?} {setting}: {said}"
        );
        assert_eq!(there(), (true, true));
        assert!(!inner.join("new").exists() && !outer.join("new").exists());
        assert!(!inner.join("inner").exists() && !inner.join("0").exists());
    }
    // A filter that leaves it out makes it sensible.
    let done = mirror(&outer, &inner, &["exclude=[\"/inner\"]"], false);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(inner.join("0").exists() && !inner.join("inner").exists());
    // What is kept aside would be lost again.
    let settings = ["backup_dir=/b", "delete=true"];
    let target = room.path().join("b");
    fs::create_dir(&target).unwrap();
    let done = mirror(&outer, &target, &settings, false);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        !done.status.success() && said.contains("`backup_dir`"),
        "{said}"
    );
}

/// A dry run of what makes directories says so, and makes none.
pub fn dry() {
    let room = scratch("nested-dry");
    fs::create_dir_all(room.path().join("a/d")).unwrap();
    fs::create_dir_all(room.path().join("b")).unwrap();
    fs::write(room.path().join("a/d/x"), "x").unwrap();
    let ends = (room.path().join("a"), room.path().join("b"));
    let done = mirror(&ends.0, &ends.1, &["to=/b/new/deep"], true);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(super::run::metric(&done, "files_copied"), 1.0);
    assert_eq!(fs::read_dir(&ends.1).unwrap().count(), 0);
}

/// Where modes or owners are not kept, nobody gets more rights than before.
pub fn rights() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let room = scratch("rights");
    let (a, b) = (room.path().join("a"), room.path().join("b"));
    fs::create_dir_all(a.join("dir")).unwrap();
    fs::create_dir_all(&b).unwrap();
    let set = |path: &std::path::Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |name: &str| fs::metadata(b.join(name)).unwrap().mode() & 0o7777;
    for (name, bits) in [
        ("tool", 0o4755),
        ("script", 0o755),
        ("secret", 0o600),
        ("own", 0o666),
    ] {
        fs::write(a.join(name), name).unwrap();
        set(&a.join(name), bits);
    }
    set(&a.join("dir"), 0o2777);
    fs::write(b.join("own"), "older").unwrap();
    set(&b.join("own"), 0o600);
    let settings = ["permissions=false"];
    let done = mirror(&a, &b, &settings, false);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(super::run::metric(&done, "bytes_copied") > 0.0);
    let modes = ["tool", "script", "secret", "own", "dir"].map(mode);
    assert_eq!(modes, [0o755, 0o755, 0o600, 0o600, 0o755], "{modes:?}");
    // Without owners no run makes a file of another that runs with its rights.
    for _ in 0..2 {
        let done = mirror(&a, &b, &["owners=false"], false);
        assert!(done.status.success());
        let modes = ["tool", "dir"].map(mode);
        assert_eq!(modes, [0o755, 0o777], "{modes:?}");
    }
}

/// What a filter of sizes or names already there leaves alone is not removed either.
pub fn left_alone() {
    for setting in [
        "ignore_existing=true",
        "max_size=1",
        "min_size=100",
        "links=skip",
    ] {
        let room = scratch("left-alone");
        let (a, b) = (room.path().join("a"), room.path().join("b"));
        fs::create_dir_all(&a).unwrap();
        fs::create_dir_all(b.join("name/with")).unwrap();
        fs::write(b.join("name/with/content"), "kept").unwrap();
        fs::write(a.join("other"), "x").unwrap();
        match setting {
            "links=skip" => std::os::unix::fs::symlink("x", a.join("name")).unwrap(),
            _ => fs::write(a.join("name"), "a file").unwrap(),
        }
        let done = mirror(&a, &b, &[setting, "delete=true"], false);
        assert!(done.status.success(), "{setting}");
        assert!(b.join("name/with/content").exists(), "{setting}");
    }
}
