//! Steps on real files, by a root's handle: what leads out is refused, what is left over
//! is told from what is being written.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mhost_model::{Fault, FaultResult};
use tempfile::TempDir;

use crate::partial::name_beside;
use crate::{
    Apply, Basis, Changes, Copying, Done, Holes, Listing, Root, Step, Unwatched, WalkOptions, same,
};

struct Bench {
    room: TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            room: tempfile::tempdir().unwrap(),
        };
        for folder in ["a", "b", "secret"] {
            fs::create_dir(bench.path(folder)).unwrap();
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn root(&self, name: &str) -> Root {
        let handle = fs::File::open(self.path(name)).unwrap();
        Root::new(handle.into(), &format!("/{name}"))
    }

    fn step(&self, step: &Step) -> FaultResult<Done> {
        let (source, target) = (self.root("a"), self.root("b"));
        Apply::new(&Unwatched::default(), Some(&source), &target, Some(&target)).step(step)
    }

    fn copy(&self, from: &str, to: &str, how: Copying) -> FaultResult<Done> {
        self.step(&Step::Copy {
            source: from.as_bytes().to_vec(),
            path: to.as_bytes().to_vec(),
            how,
        })
    }
}

fn partial_of(name: &str) -> String {
    let name = std::ffi::CString::new(name).unwrap();
    name_beside(&name).into_string().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn nothing_leads_out() {
    let bench = Bench::new();
    bench.write("a/x", "content");
    bench.write("secret/s", "secret");
    symlink("../secret", bench.path("b/out")).unwrap();
    symlink("../secret", bench.path("a/out")).unwrap();
    fs::create_dir(bench.path("b/inside")).unwrap();
    symlink("inside", bench.path("b/within")).unwrap();
    for path in [
        "out/x",
        "within/x",
        "../secret/x",
        "/x",
        "inside/../x",
        "./x",
        "inside//x",
        "x/",
    ] {
        assert!(bench.copy("x", path, Copying::default()).is_err(), "{path}");
    }
    for path in ["out/s", "../secret/s"] {
        assert!(bench.copy(path, "y", Copying::default()).is_err(), "{path}");
        let path = path.as_bytes().to_vec();
        let removed = bench.step(&Step::Remove { path: path.clone() });
        assert!(removed.is_err());
        let linked = bench.step(&Step::HardLink {
            existing: path,
            path: b"y".to_vec(),
        });
        assert!(linked.is_err());
    }
    assert_eq!(names(&bench.path("secret")), ["s"]);
    assert!(names(&bench.path("b/inside")).is_empty());
}

/// Metadata of a link is the link's own, and a copy over a link replaces the link.
#[test]
fn the_last_name_is_never_followed() {
    let bench = Bench::new();
    bench.write("a/x", "new");
    bench.write("secret/s", "secret");
    symlink("../secret/s", bench.path("b/x")).unwrap();
    let changes = Changes {
        modified: Some((1000, 5)),
        ..Changes::default()
    };
    let step = Step::Metadata {
        path: b"x".to_vec(),
        changes,
        attributes_of: None,
    };
    bench.step(&step).unwrap();
    let link = fs::symlink_metadata(bench.path("b/x")).unwrap();
    assert_eq!((link.mtime(), link.mtime_nsec()), (1000, 5));
    assert_ne!(fs::metadata(bench.path("secret/s")).unwrap().mtime(), 1000);
    bench.copy("x", "x", Copying::default()).unwrap();
    assert_eq!(fs::read(bench.path("secret/s")).unwrap(), b"secret");
    assert_eq!(fs::read(bench.path("b/x")).unwrap(), b"new");
    symlink("x", bench.path("a/link")).unwrap();
    assert!(matches!(
        bench.copy("link", "y", Copying::default()),
        Err(Fault::Invalid(_))
    ));
}

#[test]
fn what_somebody_planted_gives_way() {
    let bench = Bench::new();
    bench.write("a/x", "new");
    bench.write("b/victim", "victim");
    let beside = bench.path("b").join(partial_of("x"));
    fs::hard_link(bench.path("b/victim"), &beside).unwrap();
    bench.copy("x", "x", Copying::default()).unwrap();
    symlink("victim", &beside).unwrap();
    bench.copy("x", "x", Copying::default()).unwrap();
    assert_eq!(fs::read(bench.path("b/victim")).unwrap(), b"victim");
    assert_eq!(names(&bench.path("b")), ["victim", "x"]);
}

#[test]
fn what_is_being_written_is_left_alone() {
    let bench = Bench::new();
    bench.write("a/x", "new");
    let name = partial_of("x");
    bench.write(&format!("b/{name}"), "half");
    let writer = fs::File::open(bench.path("b").join(&name)).unwrap();
    writer.lock().unwrap();
    let busy = bench.copy("x", "x", Copying::default());
    assert!(matches!(busy, Err(Fault::Busy(_))), "{busy:?}");
    let path = name.as_bytes().to_vec();
    let busy = bench.step(&Step::RemovePartial { path: path.clone() });
    assert!(matches!(busy, Err(Fault::Busy(_))), "{busy:?}");
    drop(writer);
    bench.step(&Step::RemovePartial { path }).unwrap();
    assert!(names(&bench.path("b")).is_empty());
}

#[test]
fn a_failed_copy_leaves_nothing() {
    let bench = Bench::new();
    bench.write("a/x", "new");
    fs::create_dir_all(bench.path("b/x/full")).unwrap();
    assert!(bench.copy("x", "x", Copying::default()).is_err());
    assert_eq!(names(&bench.path("b")), ["x"]);
    let gone = bench.copy("none", "y", Copying::default());
    assert!(matches!(gone, Err(Fault::NotFound(_))), "{gone:?}");
    let nowhere = bench.copy("x", "none/y", Copying::default());
    assert!(!matches!(nowhere, Err(Fault::NotFound(_))), "{nowhere:?}");
}

#[test]
fn holes_stay_or_are_made() {
    let bench = Bench::new();
    let sparse = fs::File::create(bench.path("a/sparse")).unwrap();
    sparse.set_len(8 << 20).unwrap();
    bench.write("a/zeroes", vec![0; 1 << 20]);
    let blocks = |name: &str| fs::metadata(bench.path(name)).unwrap().blocks();
    if blocks("a/sparse") >= blocks("a/zeroes") {
        // This file system knows no holes.
        return;
    }
    bench.copy("sparse", "sparse", Copying::default()).unwrap();
    assert_eq!(fs::metadata(bench.path("b/sparse")).unwrap().len(), 8 << 20);
    assert!(blocks("b/sparse") < 64);
    let how = Copying {
        holes: Holes::Make,
        ..Copying::default()
    };
    bench.copy("zeroes", "zeroes", how).unwrap();
    assert!(blocks("b/zeroes") < 64 && blocks("a/zeroes") > 1000);
    assert_eq!(fs::read(bench.path("b/zeroes")).unwrap(), vec![0; 1 << 20]);
}

#[test]
fn in_place_spares_a_file_with_other_names() {
    let bench = Bench::new();
    bench.write("a/x", "new");
    bench.write("b/x", "old");
    fs::hard_link(bench.path("b/x"), bench.path("b/y")).unwrap();
    let how = Copying {
        basis: Basis::InPlace,
        ..Copying::default()
    };
    bench.copy("x", "x", how).unwrap();
    assert_eq!(fs::read(bench.path("b/y")).unwrap(), b"old");
    assert_eq!(fs::read(bench.path("b/x")).unwrap(), b"new");
}

#[test]
fn a_new_name_takes_the_place_of_an_old_one() {
    let bench = Bench::new();
    bench.write("b/one", "one");
    bench.write("b/two", "two");
    let link = Step::HardLink {
        existing: b"one".to_vec(),
        path: b"two".to_vec(),
    };
    for _ in 0..2 {
        bench.step(&link).unwrap();
        assert_eq!(fs::read(bench.path("b/two")).unwrap(), b"one");
        assert_eq!(names(&bench.path("b")), ["one", "two"]);
    }
    let keep = Step::Keep {
        path: b"one".to_vec(),
        kept: b"old/deep/one".to_vec(),
    };
    bench.step(&keep).unwrap();
    assert_eq!(fs::read(bench.path("b/old/deep/one")).unwrap(), b"one");
}

#[test]
fn contents_are_compared() {
    let bench = Bench::new();
    bench.write("a/x", vec![1; 600_000]);
    bench.write("b/x", vec![1; 600_000]);
    let mut other = vec![1; 600_000];
    other[599_999] = 2;
    bench.write("b/y", other);
    let pair = |a: &str, b: &str| (a.as_bytes().to_vec(), b.as_bytes().to_vec());
    let pairs = [
        pair("x", "x"),
        pair("x", "y"),
        pair("x", "none"),
        pair("", "x"),
    ];
    let answers = same(
        &Unwatched::default(),
        (&bench.root("a"), &bench.root("b")),
        &pairs,
    );
    assert_eq!(answers[..2], [Ok(true), Ok(false)]);
    assert!(matches!(answers[2], Err(Fault::NotFound(_))));
    assert!(matches!(answers[3], Err(Fault::Invalid(_))));
}

/// What a listing says of a path: its kind and its text.
fn listed(bench: &Bench, name: &str) -> Vec<(String, u8, String)> {
    let handle = fs::File::open(bench.path(name)).unwrap();
    let options = WalkOptions {
        attributes: true,
        ..WalkOptions::default()
    };
    let mut listing =
        Listing::start(handle.into(), "/a", options, Arc::<Unwatched>::default()).unwrap();
    let mut found = Vec::new();
    loop {
        let page = listing.next_page().unwrap();
        if page.is_empty() {
            return found;
        }
        let mut rest = page.as_slice();
        while !rest.is_empty() {
            let number =
                |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
            let (length, path, text) = (number(0), number(104), number(108));
            let string =
                |from: usize, to: usize| String::from_utf8_lossy(&rest[from..to]).into_owned();
            found.push((
                string(112, 112 + path),
                rest[4],
                string(112 + path, 112 + path + text),
            ));
            assert_eq!(length, 112 + path + text);
            rest = &rest[length..];
        }
    }
}

#[test]
fn a_listing_has_everything_in_order() {
    let bench = Bench::new();
    for n in 0..5000 {
        bench.write(&format!("a/{n:05}"), "");
    }
    fs::create_dir(bench.path("a/d")).unwrap();
    bench.write("a/d/x", "");
    symlink("d/x", bench.path("a/l")).unwrap();
    let found = listed(&bench, "a");
    assert_eq!(found.len(), 5004);
    assert_eq!(found[0], (String::new(), 1, String::new()));
    assert_eq!(found[1].0, "00000");
    assert_eq!(found[5002], ("d/x".to_owned(), 0, String::new()));
    assert_eq!(found[5003], ("l".to_owned(), 2, "d/x".to_owned()));
}

#[test]
fn what_cannot_be_listed_is_an_entry() {
    let bench = Bench::new();
    if rustix::process::geteuid().is_root() {
        // Nothing is closed to root; a walk that ends early is tried elsewhere.
        return;
    }
    fs::create_dir(bench.path("a/closed")).unwrap();
    fs::set_permissions(bench.path("a/closed"), fs::Permissions::from_mode(0o0)).unwrap();
    bench.write("a/x", "");
    let kinds: Vec<_> = listed(&bench, "a")
        .into_iter()
        .map(|entry| entry.1)
        .collect();
    assert_eq!(kinds, [1, 1, 255, 0]);
}
