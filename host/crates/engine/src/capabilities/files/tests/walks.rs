//! Walks: order, depth, odd names, trees that change.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::Ordering::SeqCst;

use super::super::walk::{WalkOptions, Walker};
use super::bench::{Bench, kind};

fn walk(bench: &Bench, root: &str, options: WalkOptions, batch: usize) -> Vec<String> {
    let mut walker = Walker::open(&bench.to_read(root).unwrap(), options).unwrap();
    let mut paths = Vec::new();
    loop {
        let entries = walker.next(bench.work(), batch).unwrap();
        assert!(entries.len() <= batch);
        if entries.is_empty() {
            return paths;
        }
        paths.extend(
            entries
                .into_iter()
                .map(|entry| String::from_utf8(entry.path).unwrap()),
        );
    }
}

fn tree() -> Bench {
    let bench = Bench::new();
    for folder in ["a", "a/b", "a.d", "Z"] {
        std::fs::create_dir(bench.host("logs").join(folder)).unwrap();
    }
    for file in ["a/b/one", "a/two", "a.d/three", "0", "é"] {
        bench.write(&format!("logs/{file}"), file);
    }
    bench.link("a", "logs/link");
    bench.link("../secret", "logs/out");
    bench.write("secret/hidden", "");
    bench
}

const WHOLE: [&str; 11] = [
    "0",
    "Z",
    "a",
    "a/b",
    "a/b/one",
    "a/two",
    "a.d",
    "a.d/three",
    "link",
    "out",
    "é",
];

#[test]
fn parents_first_in_byte_order_whatever_the_batch() {
    let bench = tree();
    for batch in [1, 2, 3, 5, 4096] {
        assert_eq!(walk(&bench, "/logs", WalkOptions::default(), batch), WHOLE);
        assert_eq!(
            walk(&bench, "/logs/a/", WalkOptions::default(), batch),
            ["b", "b/one", "two"]
        );
    }
}

#[test]
fn depth_is_limited() {
    let bench = tree();
    for (max_depth, expected) in [
        (0, vec!["0", "Z", "a", "a.d", "link", "out", "é"]),
        (
            1,
            vec![
                "0",
                "Z",
                "a",
                "a/b",
                "a/two",
                "a.d",
                "a.d/three",
                "link",
                "out",
                "é",
            ],
        ),
        (2, WHOLE.to_vec()),
        (u32::MAX, WHOLE.to_vec()),
    ] {
        let options = WalkOptions {
            max_depth: Some(max_depth),
            one_file_system: true,
            attributes: false,
        };
        assert_eq!(walk(&bench, "/logs", options, 100), expected, "{max_depth}");
    }
}

#[test]
fn metadata_and_link_targets_come_along() {
    let bench = tree();
    let mut walker =
        Walker::open(&bench.to_read("/logs").unwrap(), WalkOptions::default()).unwrap();
    let entries = walker.next(bench.work(), 100).unwrap();
    let of = |path: &[u8]| entries.iter().find(|entry| entry.path == path).unwrap();
    assert_eq!(of(b"a/b/one").stat.st_size, 7);
    assert_eq!(
        of(b"out").link_target.as_deref(),
        Some(b"../secret".as_slice())
    );
    assert_eq!(of(b"0").link_target, None);
}

#[test]
fn names_that_are_not_utf8_keep_their_bytes() {
    let bench = Bench::new();
    let odd = OsStr::from_bytes(b"odd\xff");
    std::fs::create_dir(bench.host("logs").join(odd)).unwrap();
    std::fs::write(bench.host("logs").join(odd).join("in"), "").unwrap();
    let mut walker =
        Walker::open(&bench.to_read("/logs").unwrap(), WalkOptions::default()).unwrap();
    let entries = walker.next(bench.work(), 10).unwrap();
    let translated: Vec<_> = entries
        .into_iter()
        .map(super::super::translate::entry)
        .collect();
    assert_eq!(translated[0].raw.as_deref(), Some(b"odd\xff".as_slice()));
    assert_eq!(translated[1].path, "odd\u{fffd}/in");
    assert_eq!(translated[1].raw.as_deref(), Some(b"odd\xff/in".as_slice()));
}

/// Deeper than directories stay open, so that those above are opened again.
#[test]
fn deep_trees() {
    let bench = Bench::new();
    let mut folder = bench.host("logs");
    for _ in 0..100 {
        std::fs::write(folder.join("z"), "").unwrap();
        folder = folder.join("d");
        std::fs::create_dir(&folder).unwrap();
    }
    let paths = walk(&bench, "/logs", WalkOptions::default(), 7);
    let deeper = (1..=100).map(|depth| vec!["d"; depth].join("/"));
    let back = (0..100)
        .rev()
        .map(|depth| [vec!["d"; depth], vec!["z"]].concat().join("/"));
    assert_eq!(paths, deeper.chain(back).collect::<Vec<_>>());
}

#[test]
fn a_folder_exchanged_meanwhile_is_left_with_an_error() {
    let bench = Bench::new();
    let mut folder = bench.host("logs");
    for _ in 0..100 {
        std::fs::write(folder.join("z"), "").unwrap();
        folder = folder.join("d");
        std::fs::create_dir(&folder).unwrap();
    }
    let mut walker =
        Walker::open(&bench.to_read("/logs").unwrap(), WalkOptions::default()).unwrap();
    assert_eq!(walker.next(bench.work(), 100).unwrap().len(), 100);
    std::fs::rename(bench.host("logs/d/d/d"), bench.host("logs/was")).unwrap();
    std::os::unix::fs::symlink(bench.host("secret"), bench.host("logs/d/d/d")).unwrap();
    bench.write("secret/z", "");
    let mut rest = Vec::new();
    let mut errors = 0;
    loop {
        match walker.next(bench.work(), 100) {
            Ok(entries) if entries.is_empty() => break,
            Ok(entries) => rest.extend(entries.into_iter().map(|entry| entry.path.len())),
            Err(_) => errors += 1,
        }
    }
    assert_eq!(errors, 1);
    // Those whose handles were still open, then the three above the exchange.
    assert!(rest.ends_with(&[5, 3, 1]), "{rest:?}");
}

#[test]
fn what_vanishes_is_left_out() {
    let bench = tree();
    let mut walker =
        Walker::open(&bench.to_read("/logs").unwrap(), WalkOptions::default()).unwrap();
    assert_eq!(walker.next(bench.work(), 1).unwrap().len(), 1);
    std::fs::remove_dir_all(bench.host("logs/a")).unwrap();
    let rest = walker.next(bench.work(), 100).unwrap();
    let rest: Vec<_> = rest.iter().map(|entry| entry.path.as_slice()).collect();
    assert_eq!(
        rest,
        [
            b"Z".as_slice(),
            b"a.d",
            b"a.d/three",
            b"link",
            b"out",
            "é".as_bytes()
        ]
    );
}

#[test]
fn roots_that_cannot_be_walked() {
    let bench = tree();
    for (root, expected) in [
        ("/logs/0", "invalid"),
        ("/logs/none", "not-found"),
        ("/logs/out", "denied"),
        ("/logs/link", "ok"),
    ] {
        let walker = Walker::open(&bench.to_read(root).unwrap(), WalkOptions::default());
        assert_eq!(kind(&walker), expected, "{root}");
    }
    let mut walker =
        Walker::open(&bench.to_read("/logs").unwrap(), WalkOptions::default()).unwrap();
    bench.over.store(true, SeqCst);
    assert_eq!(kind(&walker.next(bench.work(), 10)), "timed-out");
}
