//! What must not be reached: above the grant, beyond it through links, another
//! grant by name, and what is no regular file.

use mhost_model::Fault;

use super::super::{content, copy, metadata, names, walk};
use super::bench::{Bench, READERS, WRITERS, kind};

/// A grant with ways out of it.
fn hostile() -> Bench {
    let bench = Bench::new();
    bench.write("logs/file", "content of the grant");
    bench.write("secret/file", "granted to nobody");
    bench.link("../secret", "logs/out");
    bench.link("../secret/file", "logs/out-file");
    bench.link(bench.host("secret/file").to_str().unwrap(), "logs/absolute");
    bench.link("/proc/self/root/etc/passwd", "logs/magic");
    std::fs::create_dir(bench.host("logs/sub")).unwrap();
    bench.link("../../secret/file", "logs/sub/deep");
    bench
}

/// Paths that lead out whatever is done with them.
const OUT: [&str; 8] = [
    "/logs/../secret/file",
    "/logs/sub/../../secret/file",
    "/logs/../other/../secret/file",
    "/logs/out/file",
    "/logs/out/",
    "/logs/out/.",
    "/logs/sub/../out/file",
    "/logs/../logs/file",
];

#[test]
fn no_verb_leaves_the_grant() {
    for path in OUT {
        for (verb, run) in READERS.iter().chain(&WRITERS) {
            let bench = hostile();
            let answer = run(&bench, path);
            assert!(
                matches!(answer, Err(Fault::Denied(_) | Fault::Invalid(_))),
                "{verb} {path}: {answer:?}"
            );
            assert_eq!(bench.names("secret"), ["file"], "{verb} {path}");
            assert_eq!(
                bench.read("secret/file"),
                b"granted to nobody",
                "{verb} {path}"
            );
        }
    }
}

#[test]
fn content_is_not_reached_through_a_link_that_leads_out() {
    for path in [
        "/logs/out-file",
        "/logs/absolute",
        "/logs/magic",
        "/logs/sub/deep",
    ] {
        for (verb, run) in &READERS {
            let bench = hostile();
            let answer = run(&bench, path);
            assert_eq!(kind(&answer), "denied", "{verb} {path}");
        }
    }
}

#[test]
fn a_link_as_the_last_name_is_itself_what_changes() {
    for (verb, run) in &WRITERS {
        let bench = hostile();
        let answer = run(&bench, "/logs/out-file");
        let expected = match *verb {
            "truncate" | "copy-range to" => "denied",
            "set-metadata" | "copy to" | "replace" | "rename from" => "ok",
            _ => "exists",
        };
        assert_eq!(kind(&answer), expected, "{verb}: {answer:?}");
        assert_eq!(bench.read("secret/file"), b"granted to nobody", "{verb}");
        let outside = std::fs::metadata(bench.host("secret/file")).unwrap();
        assert_ne!(std::os::unix::fs::MetadataExt::mtime(&outside), 1, "{verb}");
    }
}

#[test]
fn links_that_stay_inside_are_followed_for_content() {
    let bench = hostile();
    bench.link("file", "logs/alias");
    bench.link("sub/../alias", "logs/alias2");
    for (verb, run) in &READERS[..1] {
        assert_eq!(kind(&run(&bench, "/logs/alias2")), "ok", "{verb}");
    }
    bench.link("round", "logs/round");
    assert_eq!(kind(&READERS[0].1(&bench, "/logs/round")), "invalid");
}

#[test]
fn looking_does_not_lead_out_either() {
    let bench = hostile();
    let options = walk::WalkOptions::default();
    for path in OUT {
        let place = bench.to_read(path).unwrap();
        assert_eq!(kind(&content::free_space(&place)), "denied", "{path}");
        assert_eq!(
            kind(&walk::Walker::open(&place, options)),
            "denied",
            "{path}"
        );
        assert_eq!(
            kind(&content::sync(bench.work(), &place)),
            "denied",
            "{path}"
        );
        assert_eq!(kind(&place.pinned("test")), "denied", "{path}");
        assert!(place.pinned_by_name("test").is_err(), "{path}");
        let stat = metadata::stat(&place);
        assert!(stat.is_err(), "{path}: {stat:?}");
    }
    for path in ["/logs/out-file", "/logs/file"] {
        let new = bench.to_write(path).unwrap().pinned_new("test");
        assert_eq!(kind(&new), "exists", "{path}");
    }
    for (path, expected) in [
        ("/logs/file", "ok"),
        ("/logs/out-file", "invalid"),
        ("/logs/sub", "invalid"),
    ] {
        let named = bench.to_read(path).unwrap().pinned_by_name("test");
        assert_eq!(kind(&named), expected, "{path}");
    }
}

/// RUSTSEC-2026-0269: a slash behind a link must not make it be followed out.
#[test]
fn a_trailing_slash_neither_follows_nor_pretends() {
    let bench = hostile();
    for (path, expected) in [
        ("/logs/out/", "invalid"),
        ("/logs/out-file/", "invalid"),
        ("/logs/file/", "invalid"),
        ("/logs/file/.", "invalid"),
        ("/logs/sub/", "ok"),
        ("/logs/", "ok"),
        ("/logs", "ok"),
    ] {
        let stat = metadata::stat(&bench.to_read(path).unwrap());
        assert_eq!(kind(&stat), expected, "stat {path}");
    }
    for (verb, run) in READERS.iter().chain(&WRITERS) {
        let answer = run(&bench, "/logs/file/");
        assert_eq!(kind(&answer), "invalid", "{verb}: {answer:?}");
    }
}

/// GHSA-4ch3: names do not wander between grants, on one file system or not.
#[test]
fn names_stay_in_their_grant() {
    let bench = hostile();
    let (from, to) = (
        bench.to_write("/logs/file").unwrap(),
        bench.to_write("/other/file").unwrap(),
    );
    assert_eq!(kind(&names::rename(bench.work(), &from, &to)), "invalid");
    assert_eq!(kind(&names::replace(bench.work(), &from, &to)), "invalid");
    assert_eq!(kind(&names::hard_link(bench.work(), &from, &to)), "invalid");
    assert_eq!(bench.names("other"), [""; 0]);
    assert!(bench.host("logs/file").exists());
    copy::copy(bench.work(), &from, &to, copy::CopyOptions::default()).unwrap();
    assert_eq!(bench.read("other/file"), b"content of the grant");
}

/// GHSA-2r75: nothing is written or cut through a read-only grant.
#[test]
fn a_read_only_grant_lets_no_write_through() {
    for (verb, run) in &WRITERS {
        let bench = hostile();
        bench.write("public/file", "to be read");
        let answer = run(&bench, "/public/file");
        assert_eq!(kind(&answer), "denied", "{verb}");
        assert_eq!(bench.read("public/file"), b"to be read", "{verb}");
        let denied = bench.receipt().denied;
        let remedy = &denied.first().unwrap().remedy;
        assert!(remedy.contains("dirs.public = { path = "), "{remedy}");
        assert!(remedy.contains("access = \"read-write\""), "{remedy}");
    }
    let bench = hostile();
    bench.write("public/file", "to be read");
    assert_eq!(kind(&READERS[0].1(&bench, "/public/file")), "ok");
}

#[test]
fn an_ungranted_directory_is_denied_with_the_grant_to_add() {
    let bench = hostile();
    for (verb, run) in READERS.iter().chain(&WRITERS) {
        assert_eq!(kind(&run(&bench, "/secret/file")), "denied", "{verb}");
    }
    let remedy = bench.receipt().denied.first().unwrap().remedy.clone();
    assert!(remedy.contains("dirs.secret = {"), "{remedy}");
}

#[test]
fn what_is_no_regular_file_is_refused_without_blocking() {
    let bench = hostile();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        bench.host("logs/fifo"),
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.host("logs/socket")).unwrap();
    bench.link("fifo", "logs/to-fifo");
    for path in [
        "/logs/fifo",
        "/logs/to-fifo",
        "/logs/socket",
        "/logs/sub",
        "/dev/null",
        "/dev/zero",
    ] {
        for (verb, run) in &READERS {
            assert_eq!(kind(&run(&bench, path)), "invalid", "{verb} {path}");
        }
        for (verb, run) in &WRITERS[..4] {
            if matches!(*verb, "truncate" | "copy-range to") {
                assert_eq!(kind(&run(&bench, path)), "invalid", "{verb} {path}");
            }
        }
    }
    let stat = metadata::stat(&bench.to_read("/logs/fifo").unwrap()).unwrap();
    assert_eq!(
        rustix::fs::FileType::from_raw_mode(stat.st_mode),
        rustix::fs::FileType::Fifo
    );
}

#[test]
fn the_granted_directory_itself_is_no_entry() {
    let bench = hostile();
    for (verb, run) in &WRITERS {
        let answer = run(&bench, "/other");
        let expected = if *verb == "set-metadata" {
            "ok"
        } else {
            "invalid"
        };
        assert_eq!(kind(&answer), expected, "{verb}: {answer:?}");
    }
}
