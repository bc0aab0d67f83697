//! Both kinds of remote, and what a directory must not let through.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use mhost_model::grant::SecretSource;
use mhost_model::ports::remote::{Remote, Remotes};
use mhost_model::ports::run::Secrets;
use mhost_model::resource::Endpoint;
use mhost_model::{Fault, FaultResult, Name};
use proptest::prelude::*;

use crate::{CHUNK, NamedRemotes, check, check_repository};

struct NoSecrets;

impl Secrets for NoSecrets {
    fn read(&self, _source: &SecretSource) -> FaultResult<String> {
        Err(Fault::NotFound("there are no secrets".to_owned()))
    }
}

fn open(url: &str) -> FaultResult<Box<dyn Remote>> {
    let name: Name = "it".parse().unwrap();
    let def = Endpoint::at(url).into();
    NamedRemotes::new(BTreeMap::from([(name.clone(), def)]), Arc::new(NoSecrets)).open(&name)
}

fn folder(path: &Path) -> Box<dyn Remote> {
    open(path.to_str().unwrap()).unwrap()
}

/// Runs a check on a new remote of each kind.
fn on_both(name: &str, check: impl Fn(&dyn Remote)) {
    let dir = tempfile::tempdir().unwrap();
    check(&*folder(dir.path()));
    check(&*open(&format!("memory:{name}")).unwrap());
}

fn put(remote: &dyn Remote, path: &str, data: &[u8]) {
    let mut writer = remote.write(path).unwrap();
    for part in data.chunks(1000) {
        writer.write(part).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), data.len() as u64, "{path}");
}

fn get(remote: &dyn Remote, path: &str) -> Vec<u8> {
    let mut data = Vec::new();
    loop {
        let next = remote.read(path, data.len() as u64, CHUNK).unwrap();
        if next.is_empty() {
            return data;
        }
        data.extend(next);
    }
}

/// All paths below a folder, in pages of `limit`.
fn paths(remote: &dyn Remote, path: &str, recursive: bool, limit: u32) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    loop {
        let after = paths.last().map(String::as_str);
        let page = remote.list(path, recursive, after, limit).unwrap();
        assert!(page.len() <= limit as usize);
        if page.is_empty() {
            return paths;
        }
        paths.extend(page.into_iter().map(|entry| entry.path));
    }
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::NotFound(_) => "not found",
        Fault::Busy(_) => "busy",
        Fault::Invalid(_) => "invalid",
        Fault::Unsupported(_) => "unsupported",
        _ => "other",
    }
}

#[test]
fn mistakes_in_the_configuration() {
    let none = NamedRemotes::new(BTreeMap::new(), Arc::new(NoSecrets));
    let fault = none.open(&"offsite".parse().unwrap()).err().unwrap();
    assert!(fault.to_string().contains("[remotes.offsite]"), "{fault}");
    for (url, expected, word) in [
        ("ftp://host/a", "unsupported", "memory:NAME"),
        ("rest:https://host/a", "unsupported", "[repositories]"),
        ("relative", "invalid", "file:///path"),
        ("/nowhere/to/be/found", "not found", "create it"),
    ] {
        let fault = open(url).err().unwrap();
        assert_eq!(kind(&fault), expected);
        assert!(fault.to_string().contains(word), "{fault}");
    }
    assert!(
        check(&Endpoint::at("/nowhere/to/be/found")).is_ok(),
        "not reached for"
    );
    assert!(check(&Endpoint::at("ftp://host")).is_err());
}

#[test]
fn keys_go_with_their_urls() {
    let user = || Some("me".to_owned());
    let secret = || Some(SecretSource::Env("X".into()));
    let wrong = |url: &str, change: fn(&mut Endpoint), word: &str| {
        let mut endpoint = Endpoint {
            user: user(),
            secret: secret(),
            ..Endpoint::at(url)
        };
        change(&mut endpoint);
        let fault = check_repository(&endpoint).unwrap_err();
        assert!(fault.to_string().contains(word), "{url}: {fault}");
    };
    wrong("sftp:h:/a", |_| {}, "`user` and `secret` belong");
    wrong("rest:http://you@h/", |_| {}, "leave one out");
    wrong(
        "s3:https://h/b",
        |one| one.secret = None,
        "without `secret`",
    );
    wrong("webdav:http://h/", |one| one.user = None, "without `user`");
    wrong(
        "webdav:http://h/",
        |one| one.region = Some("x".into()),
        "`region` belongs",
    );
    wrong(
        "rest:http://h/",
        |one| one.ssh = Some(vec![]),
        "`ssh` belongs",
    );
    let fault = check_repository(&Endpoint {
        ca: Some("/ca.pem".into()),
        ..Endpoint::at("sftp:h:/a")
    });
    assert!(fault.unwrap_err().to_string().contains("`ca` belongs"));
    let good = Endpoint {
        user: user(),
        secret: secret(),
        ..Endpoint::at("rest:http://h/")
    };
    assert!(check_repository(&good).is_ok());
}

#[test]
fn a_file_comes_back_as_it_was_written() {
    on_both("back", |remote| {
        let data: Vec<u8> = (0..600_000_u32).map(|n| n.wrapping_mul(n) as u8).collect();
        put(remote, "deep/er/file", &data);
        assert!(get(remote, "deep/er/file") == data);
        let found = remote.stat("deep/er/file").unwrap();
        assert_eq!((found.directory, found.size), (false, 600_000));
        assert!(remote.stat("deep/er").unwrap().directory);
        assert!(remote.stat("deep/").unwrap().directory);
        assert!(remote.stat("").unwrap().directory);
        let read = |offset, length| remote.read("deep/er/file", offset, length).unwrap();
        assert_eq!(read(0, u32::MAX).len(), 256 << 10, "a read has a limit");
        assert_eq!(read(599_990, 100), data[599_990..]);
        assert_eq!(read(600_000, 100), b"");
        assert_eq!(read(u64::MAX, 100), b"");
        assert_eq!(read(i64::MAX as u64, 100), b"");
        assert_eq!(read(5, 0), b"");
        put(remote, "empty", b"");
        assert_eq!(get(remote, "empty"), b"");
        assert_eq!(remote.stat("empty").unwrap().size, 0);
    });
}

#[test]
fn a_write_takes_its_place_whole_or_not_at_all() {
    on_both("whole", |remote| {
        put(remote, "f", b"old");
        let mut writer = remote.write("f").unwrap();
        writer.write(b"new and longer").unwrap();
        assert_eq!(get(remote, "f"), b"old");
        assert_eq!(
            paths(remote, "", true, 9),
            ["f"],
            "not listed while it is made"
        );
        drop(writer);
        assert_eq!(get(remote, "f"), b"old");
        let mut writer = remote.write("g").unwrap();
        writer.write(b"x").unwrap();
        drop(writer);
        assert_eq!(paths(remote, "", true, 9), ["f"]);
        put(remote, "f", b"new");
        assert_eq!(get(remote, "f"), b"new");
    });
}

#[test]
fn what_is_not_there() {
    on_both("none", |remote| {
        for fault in [
            remote.stat("none").unwrap_err(),
            remote.read("none", 0, 10).unwrap_err(),
            remote.read("none", 0, 0).unwrap_err(),
            remote.rename("none", "other/place").unwrap_err(),
            remote.rename("none", "none").unwrap_err(),
        ] {
            assert_eq!(kind(&fault), "not found", "{fault}");
        }
        remote.delete("none").unwrap();
        remote.delete("none/below").unwrap();
        assert_eq!(paths(remote, "", true, 9), [""; 0], "no folder was made");
    });
}

#[test]
fn renaming_and_deleting() {
    on_both("rename", |remote| {
        put(remote, "a", b"1");
        put(remote, "b", b"2");
        remote.rename("a", "b").unwrap();
        assert_eq!(get(remote, "b"), b"1");
        remote.rename("b", "to/c").unwrap();
        remote.rename("to/c", "to/c").unwrap();
        assert_eq!(get(remote, "to/c"), b"1");
        let fault = remote.delete("to").unwrap_err();
        assert_eq!(kind(&fault), "invalid", "{fault}");
        remote.delete("to/c").unwrap();
        remote.create_directory("made/by/hand").unwrap();
        remote.create_directory("made/by/hand").unwrap();
        for folder in ["made/by/hand", "made/by", "made", "to"] {
            remote.delete(folder).unwrap();
        }
        assert_eq!(paths(remote, "", true, 9), [""; 0]);
    });
}

#[test]
fn bad_paths_reach_nothing() {
    on_both("bad", |remote| {
        put(remote, "f", b"1");
        for bad in ["../f", "/f", "a/../f", "./f", "a//f", "f\0", "..", "."] {
            let faults = [
                remote.list(bad, true, None, 9).unwrap_err(),
                remote.stat(bad).unwrap_err(),
                remote.read(bad, 0, 9).unwrap_err(),
                remote.write(bad).err().unwrap(),
                remote.rename(bad, "g").unwrap_err(),
                remote.rename("f", bad).unwrap_err(),
                remote.delete(bad).unwrap_err(),
                remote.create_directory(bad).unwrap_err(),
            ];
            for fault in faults {
                assert_eq!(kind(&fault), "invalid", "{bad:?}: {fault}");
            }
        }
        for bad in ["", "f/"] {
            assert_eq!(kind(&remote.write(bad).err().unwrap()), "invalid");
            assert_eq!(kind(&remote.delete(bad).unwrap_err()), "invalid");
        }
        assert_eq!(kind(&remote.create_directory("").unwrap_err()), "invalid");
        for limit in [0, 1001] {
            let fault = remote.list("", true, None, limit).unwrap_err();
            assert_eq!(kind(&fault), "invalid", "{limit}");
        }
        assert_eq!(paths(remote, "", true, 1000), ["f"]);
    });
}

#[test]
fn a_listing_is_in_byte_order() {
    let files = [
        "a/b", "a-b", "a/b-c/d", "a.txt", "z", "a/b c", "ä/1", "A", "b/c/d/e",
    ];
    let folders = ["a", "a/b-c", "ä", "b", "b/c", "b/c/d"];
    let dir = tempfile::tempdir().unwrap();
    let remote = folder(dir.path());
    let memory = open("memory:order").unwrap();
    for file in files {
        // `a/b` is a file, and a folder's name begins like it.
        put(&*remote, file, b"1");
        put(&*memory, file, b"22");
    }
    let mut all: Vec<&str> = files.iter().chain(&folders).copied().collect();
    all.sort_unstable();
    let mut only_files = files.to_vec();
    only_files.sort_unstable();
    for limit in [1, 2, 3, 1000] {
        assert_eq!(paths(&*remote, "", true, limit), all, "{limit}");
        assert_eq!(paths(&*memory, "", true, limit), only_files, "{limit}");
    }
    for remote in [&*remote, &*memory] {
        let flat = paths(remote, "", false, 2);
        assert_eq!(flat, ["A", "a", "a-b", "a.txt", "b", "z", "ä"]);
        assert_eq!(paths(remote, "a/", false, 2), ["a/b", "a/b c", "a/b-c"]);
        assert_eq!(paths(remote, "b/c", false, 2), ["b/c/d"]);
        let entries = remote.list("a", false, Some("a/b c"), 9).unwrap();
        assert!(entries[0].metadata.directory);
        let entries = remote.list("", false, Some("a"), 1).unwrap();
        assert!(entries[0].metadata.size > 0, "a file's size is known");
    }
    let fault = remote.list("nowhere", true, None, 9).unwrap_err();
    assert_eq!(kind(&fault), "not found");
}

#[test]
fn a_memory_is_shared_by_name() {
    put(&*open("memory:shared").unwrap(), "f", b"1");
    assert_eq!(get(&*open("memory:shared").unwrap(), "f"), b"1");
    assert!(open("memory:another").unwrap().stat("f").is_err());
}

#[test]
fn links_that_lead_out_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    let root = dir.path().join("root");
    for folder in [&outside, &root] {
        std::fs::create_dir(folder).unwrap();
    }
    std::fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, root.join("out")).unwrap();
    symlink("../outside", root.join("up")).unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    symlink("out", root.join("twice")).unwrap();
    let remote = folder(&root);
    for path in ["out/secret", "up/secret", "twice/secret", "file"] {
        for fault in [
            remote.read(path, 0, 100).unwrap_err(),
            remote.stat(path).unwrap_err(),
        ] {
            assert_eq!(kind(&fault), "invalid", "{path}: {fault}");
            assert!(fault.to_string().contains("leads out"), "{fault}");
        }
    }
    for path in ["out/secret", "up/secret", "twice/new/deep"] {
        for fault in [
            remote.write(path).err().unwrap(),
            remote.delete(path).err().unwrap(),
            remote.rename(path, "stolen").unwrap_err(),
            remote.create_directory(path).unwrap_err(),
            remote.list(path, true, None, 9).unwrap_err(),
        ] {
            assert_eq!(kind(&fault), "invalid", "{path}: {fault}");
        }
    }
    put(&*remote, "mine", b"1");
    assert!(remote.rename("mine", "out/mine").is_err());
    // Written and deleted is the link itself.
    put(&*remote, "file", b"replaced");
    assert_eq!(std::fs::read(outside.join("secret")).unwrap(), b"secret");
    remote.delete("out").unwrap();
    let names: Vec<_> = std::fs::read_dir(&outside).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing was made or deleted outside");
    assert_eq!(
        paths(&*remote, "", true, 2),
        ["file", "mine", "twice", "up"]
    );
}

#[test]
fn links_that_stay_inside_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let remote = folder(dir.path());
    put(&*remote, "v2/data", b"12345");
    symlink("v2", dir.path().join("current")).unwrap();
    symlink("v2/data", dir.path().join("latest")).unwrap();
    symlink(".", dir.path().join("v2/loop")).unwrap();
    assert_eq!(get(&*remote, "current/data"), b"12345");
    let listed = paths(&*remote, "", true, 2);
    assert_eq!(listed, ["current", "latest", "v2", "v2/data", "v2/loop"]);
    let entries = remote.list("", false, None, 9).unwrap();
    assert!(entries[0].metadata.directory);
    assert_eq!(entries[1].metadata.size, 5);
}

#[test]
fn a_fifo_is_neither_waited_for_nor_read() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let kind_of_node = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind_of_node, 0o600.into(), 0).unwrap();
    let remote = folder(dir.path());
    assert_eq!(kind(&remote.read("fifo", 0, 9).unwrap_err()), "invalid");
    put(&*remote, "fifo", b"now a file");
    assert_eq!(get(&*remote, "fifo"), b"now a file");
}

#[test]
fn what_a_crash_left_is_replaced_but_not_what_is_being_written() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("f"), "outside").unwrap();
    std::fs::write(dir.path().join(".a.mhost-tmp"), "half").unwrap();
    symlink(outside.path().join("f"), dir.path().join(".b.mhost-tmp")).unwrap();
    let remote = folder(dir.path());
    assert_eq!(paths(&*remote, "", true, 9), [""; 0]);
    for name in ["a", "b"] {
        put(&*remote, name, b"whole");
        assert_eq!(get(&*remote, name), b"whole");
    }
    assert_eq!(std::fs::read(outside.path().join("f")).unwrap(), b"outside");
    let first = remote.write("a").unwrap();
    assert_eq!(kind(&remote.write("a").err().unwrap()), "busy");
    drop(first);
    put(&*remote, "a", b"again");
    let fault = remote.write(".x.mhost-tmp").err().unwrap();
    assert_eq!(kind(&fault), "invalid");
    let long = "n".repeat(255);
    put(&*remote, &long, b"a long name");
    assert_eq!(get(&*remote, &long), b"a long name");
}

#[test]
fn a_replaced_file_keeps_its_mode() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("f");
    std::fs::write(&file, "old").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let remote = folder(dir.path());
    put(&*remote, "f", b"new");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(remote.stat("f").unwrap().modified.is_some());
}

#[test]
fn a_name_that_is_not_utf_8_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let name = std::os::unix::ffi::OsStrExt::from_bytes(b"a\xff");
    std::fs::write(dir.path().join::<&std::ffi::OsStr>(name), "").unwrap();
    let fault = folder(dir.path()).list("", false, None, 9).unwrap_err();
    assert_eq!(kind(&fault), "unsupported");
}

#[test]
fn a_remote_may_be_dropped_on_an_async_thread() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let used = tokio::task::spawn_blocking(|| {
            let remote = open("memory:dropped").unwrap();
            put(&*remote, "f", b"1");
            let writer = remote.write("g").unwrap();
            (remote, writer)
        });
        drop(used.await.unwrap());
    });
    let remote = open("memory:dropped").unwrap();
    assert_eq!(paths(&*remote, "", true, 9), ["f"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// A directory and a store in memory list the same files, in any pages.
    #[test]
    fn both_kinds_list_alike(
        files in prop::collection::btree_set("[ab.-]{1,3}x(/[ab-]{1,2}x){0,2}", 1..12),
        limit in 1_u32..6,
        seed in any::<u64>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        let memory = open(&format!("memory:p{seed}")).unwrap();
        // A path that is a folder of another's cannot be a file.
        let mut kept: BTreeSet<&String> = files.iter().collect();
        kept.retain(|path| !files.iter().any(|other| other.starts_with(&format!("{path}/"))));
        for path in &kept {
            put(&*folder, path, path.as_bytes());
            put(&*memory, path, path.as_bytes());
        }
        let seen: Vec<String> = paths(&*folder, "", true, limit);
        let mut sorted = seen.clone();
        sorted.sort();
        sorted.dedup();
        prop_assert_eq!(&seen, &sorted);
        let is_file = |path: &String| !folder.stat(path).unwrap().directory;
        let seen: Vec<String> = seen.into_iter().filter(is_file).collect();
        prop_assert_eq!(&seen, &paths(&*memory, "", true, limit));
        prop_assert_eq!(seen.iter().collect::<BTreeSet<_>>(), kept);
    }
}
