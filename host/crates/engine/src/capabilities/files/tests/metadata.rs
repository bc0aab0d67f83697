//! Metadata of files, directories and links.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::metadata::{Changes, set, stat};
use super::bench::{Bench, kind};

#[test]
fn what_is_set_is_found_again() {
    let bench = Bench::new();
    bench.write("logs/a", "12345");
    std::fs::create_dir(bench.host("logs/dir")).unwrap();
    std::fs::set_permissions(bench.host("logs/a"), PermissionsExt::from_mode(0o0)).unwrap();
    for path in ["/logs/a", "/logs/dir", "/logs/dir/"] {
        let place = bench.to_write(path).unwrap();
        let before = stat(&place).unwrap();
        let changes = Changes {
            mode: Some(0o1750),
            uid: Some(before.st_uid),
            gid: Some(before.st_gid),
            modified: Some((-5, 999_999_999)),
            accessed: None,
        };
        set(bench.work(), &place, changes).unwrap();
        let after = stat(&place).unwrap();
        assert_eq!(after.st_mode & 0o7777, 0o1750, "{path}");
        assert_eq!(
            (after.st_mtime, after.st_mtime_nsec),
            (-5, 999_999_999),
            "{path}"
        );
        assert_eq!(after.st_atime, before.st_atime, "{path}");
    }
    assert_eq!(stat(&bench.to_read("/logs/a").unwrap()).unwrap().st_size, 5);
}

#[test]
fn a_link_is_not_followed() {
    let bench = Bench::new();
    bench.write("secret/file", "");
    bench.link("../secret/file", "logs/link");
    let place = bench.to_write("/logs/link").unwrap();
    let times = Changes {
        modified: Some((77, 0)),
        accessed: Some((78, 0)),
        ..Changes::default()
    };
    set(bench.work(), &place, times).unwrap();
    let link = stat(&place).unwrap();
    assert_eq!((link.st_mtime, link.st_atime), (77, 78));
    assert_ne!(
        std::fs::metadata(bench.host("secret/file"))
            .unwrap()
            .mtime(),
        77
    );
    let mode = Changes {
        mode: Some(0o777),
        ..Changes::default()
    };
    assert_eq!(kind(&set(bench.work(), &place, mode)), "unsupported");
}

#[test]
fn nonsense_is_refused_before_anything_changes() {
    let bench = Bench::new();
    bench.write("logs/a", "");
    let place = bench.to_write("/logs/a").unwrap();
    let before = stat(&place).unwrap();
    for changes in [
        Changes {
            mode: Some(0o10000),
            ..Changes::default()
        },
        Changes {
            mode: Some(0o700),
            modified: Some((0, 1_000_000_000)),
            ..Changes::default()
        },
        Changes {
            mode: Some(0o700),
            uid: Some(u32::MAX),
            ..Changes::default()
        },
    ] {
        assert_eq!(
            kind(&set(bench.work(), &place, changes)),
            "invalid",
            "{changes:?}"
        );
    }
    assert_eq!(stat(&place).unwrap().st_mode, before.st_mode);
}
