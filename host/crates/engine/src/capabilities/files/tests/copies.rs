//! Copies, ranges, names, cuts and locks that are allowed.

use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

use super::super::copy::{CopyOptions, copy, copy_range};
use super::super::{content, names};
use super::bench::{Bench, kind};

#[test]
fn a_copy_is_whole_and_follows_its_options() {
    let bench = Bench::new();
    let bytes = vec![7; (3 << 20) + 5];
    bench.write("logs/a", &bytes);
    std::fs::set_permissions(bench.host("logs/a"), PermissionsExt::from_mode(0o640)).unwrap();
    let file = std::fs::File::options()
        .write(true)
        .open(bench.host("logs/a"))
        .unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_234_567_890_123))
        .unwrap();
    let (a, b) = (
        bench.to_read("/logs/a").unwrap(),
        bench.to_write("/other/b").unwrap(),
    );
    let options = CopyOptions {
        replace: false,
        preserve: true,
    };
    assert_eq!(copy(bench.work(), &a, &b, options), Ok(bytes.len() as u64));
    assert_eq!(bench.read("other/b"), bytes);
    let (from, to) = (
        file.metadata().unwrap(),
        std::fs::metadata(bench.host("other/b")).unwrap(),
    );
    assert_eq!(
        (from.mode(), from.uid(), from.gid()),
        (to.mode(), to.uid(), to.gid())
    );
    assert_eq!(
        (from.mtime(), from.mtime_nsec()),
        (to.mtime(), to.mtime_nsec())
    );

    assert_eq!(kind(&copy(bench.work(), &a, &b, options)), "exists");
    bench.write("logs/a", "new");
    let options = CopyOptions {
        replace: true,
        preserve: false,
    };
    assert_eq!(copy(bench.work(), &a, &b, options), Ok(3));
    assert_eq!(bench.read("other/b"), b"new");
    assert_eq!(bench.names("other"), ["b"]);
}

#[test]
fn holes_stay_holes() {
    let bench = Bench::new();
    let file = std::fs::File::create(bench.host("logs/sparse")).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    file.write_all_at(b"middle", 64 << 20).unwrap();
    file.set_len(256 << 20).unwrap();
    let (from, to) = (
        bench.to_read("/logs/sparse").unwrap(),
        bench.to_write("/logs/copy").unwrap(),
    );
    assert_eq!(
        copy(bench.work(), &from, &to, CopyOptions::default()),
        Ok(256 << 20)
    );
    let copied = std::fs::File::open(bench.host("logs/copy")).unwrap();
    let mut middle = [0; 6];
    copied.read_exact_at(&mut middle, 64 << 20).unwrap();
    assert_eq!(&middle, b"middle");
    let metadata = copied.metadata().unwrap();
    assert_eq!(metadata.len(), 256 << 20);
    assert!(
        metadata.blocks() * 512 < 1 << 20,
        "{} blocks",
        metadata.blocks()
    );
}

#[test]
fn ranges() {
    for (offset, length, at, expected, moved) in [
        (0, None, 0, "0123456789", 10),
        (2, Some(3), 1, "x234xxxxxx", 3),
        (8, Some(100), 9, "xxxxxxxxx89", 2),
        (50, None, 0, "xxxxxxxxxx", 0),
        (u64::MAX, Some(1), 0, "xxxxxxxxxx", 0),
    ] {
        let bench = Bench::new();
        bench.write("logs/from", "0123456789");
        bench.write("logs/to", "xxxxxxxxxx");
        let (from, to) = (
            bench.to_read("/logs/from").unwrap(),
            bench.to_write("/logs/to").unwrap(),
        );
        let answer = copy_range(bench.work(), (&from, offset), length, (&to, at));
        if offset == u64::MAX {
            assert_eq!(kind(&answer), "invalid");
        } else {
            assert_eq!(answer, Ok(moved));
        }
        assert_eq!(bench.read("logs/to"), expected.as_bytes());
    }
}

#[test]
fn ranges_that_make_no_sense() {
    let bench = Bench::new();
    bench.write("logs/from", "0123456789");
    let (from, to) = (
        bench.to_read("/logs/from").unwrap(),
        bench.to_write("/logs/from").unwrap(),
    );
    for (offset, length, at) in [(0, Some(4), 2), (2, Some(4), 0), (0, None, u64::MAX)] {
        let answer = copy_range(bench.work(), (&from, offset), length, (&to, at));
        assert_eq!(kind(&answer), "invalid", "{offset} {length:?} {at}");
    }
    assert_eq!(bench.read("logs/from"), b"0123456789");
    copy_range(bench.work(), (&from, 0), Some(5), (&to, 5)).unwrap();
    assert_eq!(bench.read("logs/from"), b"0123401234");
    let missing = bench.to_write("/logs/missing").unwrap();
    let answer = copy_range(bench.work(), (&from, 0), None, (&missing, 0));
    assert_eq!(kind(&answer), "not-found");
}

#[test]
fn names_move_within_a_grant() {
    let bench = Bench::new();
    bench.write("logs/a", "a");
    bench.write("logs/b", "b");
    std::fs::create_dir(bench.host("logs/sub")).unwrap();
    let at = |path: &str| bench.to_write(path).unwrap();
    let work = bench.work();
    assert_eq!(
        kind(&names::rename(work, &at("/logs/a"), &at("/logs/b"))),
        "exists"
    );
    assert_eq!(
        kind(&names::rename(work, &at("/logs/none"), &at("/logs/c"))),
        "not-found"
    );
    names::rename(work, &at("/logs/a"), &at("/logs/sub/a")).unwrap();
    names::replace(work, &at("/logs/sub/a"), &at("/logs/b")).unwrap();
    assert_eq!(bench.read("logs/b"), b"a");
    names::rename(work, &at("/logs/sub/"), &at("/logs/dir/")).unwrap();
    names::hard_link(work, &at("/logs/b"), &at("/logs/dir/c")).unwrap();
    assert_eq!(
        kind(&names::hard_link(work, &at("/logs/b"), &at("/logs/dir/c"))),
        "exists"
    );
    assert_eq!(
        kind(&names::hard_link(work, &at("/logs/dir"), &at("/logs/d"))),
        "invalid"
    );
    names::symbolic_link(work, "../../secret", &at("/logs/dir/link")).unwrap();
    assert_eq!(
        std::fs::read_link(bench.host("logs/dir/link"))
            .unwrap()
            .to_str(),
        Some("../../secret")
    );
    for text in ["", "a\0b", &"x".repeat(4096)] {
        assert_eq!(
            kind(&names::symbolic_link(work, text, &at("/logs/l"))),
            "invalid"
        );
    }
    assert_eq!(bench.names("logs/dir"), ["c", "link"]);
    assert_eq!(bench.receipt().files_changed, 5);
}

#[test]
fn cut_and_synced() {
    let bench = Bench::new();
    bench.write("logs/a", "0123456789");
    let a = bench.to_write("/logs/a").unwrap();
    content::truncate(bench.work(), &a, 4).unwrap();
    content::truncate(bench.work(), &a, 6).unwrap();
    assert_eq!(bench.read("logs/a"), b"0123\0\0");
    assert!(matches!(
        kind(&content::truncate(bench.work(), &a, u64::MAX)),
        "invalid" | "failed"
    ));
    content::sync(bench.work(), &a).unwrap();
    content::sync(bench.work(), &bench.to_read("/logs").unwrap()).unwrap();
    let room = content::free_space(&a).unwrap();
    assert!(room.f_blocks >= room.f_bfree && room.f_bfree >= room.f_bavail && room.f_blocks > 0);
}

#[test]
fn a_lock_holds_until_it_is_dropped() {
    let bench = Bench::new();
    bench.write("logs/a", "");
    let a = bench.to_read("/logs/a").unwrap();
    let shared = content::lock(bench.work(), &a, false).unwrap();
    let second = content::lock(bench.work(), &a, false).unwrap();
    assert_eq!(kind(&content::lock(bench.work(), &a, true)), "busy");
    drop((shared, second));
    let _held = content::lock(bench.work(), &a, true).unwrap();
    assert_eq!(kind(&content::lock(bench.work(), &a, false)), "busy");
    let missing = bench.to_read("/logs/missing").unwrap();
    assert_eq!(
        kind(&content::lock(bench.work(), &missing, true)),
        "not-found"
    );
}
