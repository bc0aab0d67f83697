//! Remotes on real servers: OpenSSH's, a WebDAV server and an S3 server on loopback. What holds
//! for a folder holds there.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails; clippy sees no test here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use mhost_model::grant::SecretSource;
use mhost_model::ports::remote::{Remote, Remotes};
use mhost_model::ports::run::Secrets;
use mhost_model::resource::Endpoint;
use mhost_model::{Fault, FaultResult};
use mhost_remotes::NamedRemotes;
use mhost_test_support::servers::{self, SECRET, Ssh, USER};
use mhost_test_support::{Tool, noise, scratch, trial};

/// The one secret, and a wrong one.
struct Vault;

impl Secrets for Vault {
    fn read(&self, source: &SecretSource) -> FaultResult<String> {
        match source {
            SecretSource::Env(name) if name == "RIGHT" => Ok(SECRET.to_owned()),
            _ => Ok("a wrong one".to_owned()),
        }
    }
}

fn open(endpoint: &Endpoint) -> FaultResult<Box<dyn Remote>> {
    NamedRemotes::new(BTreeMap::new(), Arc::new(Vault)).open_endpoint(endpoint)
}

fn login(endpoint: Endpoint, secret: &str) -> Endpoint {
    Endpoint {
        user: Some(USER.to_owned()),
        secret: Some(SecretSource::Env(secret.to_owned())),
        ..endpoint
    }
}

fn put(remote: &dyn Remote, path: &str, data: &[u8]) {
    let mut writer = remote.write(path).unwrap();
    for part in data.chunks(100_000) {
        writer.write(part).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), data.len() as u64, "{path}");
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

fn is_missing<T>(result: FaultResult<T>) -> bool {
    matches!(result, Err(Fault::NotFound(_)))
}

/// What every remote does. `folders`: it has some of their own, without files.
fn behaves(remote: &dyn Remote, folders: bool) {
    comes_back(remote);
    takes_its_place_whole(remote);
    moves_and_goes(remote, folders);
    lists_in_order(remote, folders);
    for fault in [
        remote.stat("none").err(),
        remote.read("none", 0, 10).err(),
        remote.rename("none", "other/place").err(),
        remote
            .write("../f")
            .err()
            .map(|_| Fault::NotFound(String::new())),
    ] {
        assert!(matches!(fault, Some(Fault::NotFound(_))), "{fault:?}");
    }
    remote.delete("none/below").unwrap();
}

fn comes_back(remote: &dyn Remote) {
    // More than one part of an object store's.
    let data = noise(20_000_000, 1);
    put(remote, "deep/er/file", &data);
    assert!(remote.read_all("deep/er/file").unwrap() == data);
    let found = remote.stat("deep/er/file").unwrap();
    assert_eq!((found.directory, found.size), (false, 20_000_000));
    assert!(found.modified.is_some());
    assert!(remote.stat("deep/er").unwrap().directory);
    assert!(remote.stat("").unwrap().directory);
    let read = |offset, length| remote.read_range("deep/er/file", offset, length).unwrap();
    assert_eq!(read(1_234_567, 3_000_000), data[1_234_567..4_234_567]);
    assert_eq!(read(19_999_990, 100), data[19_999_990..]);
    assert_eq!(read(20_000_000, 100), b"");
    assert_eq!(remote.read("deep/er/file", 5, 0).unwrap(), b"");
    let small = remote.read("deep/er/file", 7, 1000).unwrap();
    assert_eq!(small, data[7..1007]);
    let whole = [
        Bytes::from(data[..9_000_000].to_vec()),
        Bytes::from_static(b"end"),
    ];
    remote.write_all("other/place/f", &whole).unwrap();
    assert_eq!(remote.read_all("other/place/f").unwrap(), whole.concat());
    remote.write_all("empty", &[]).unwrap();
    put(remote, "empty too", b"");
    for empty in ["empty", "empty too"] {
        assert_eq!(remote.stat(empty).unwrap().size, 0);
        assert_eq!(remote.read_all(empty).unwrap(), b"");
    }
    for file in ["deep/er/file", "other/place/f", "empty", "empty too"] {
        remote.delete(file).unwrap();
    }
    for folder in ["deep/er", "deep", "other/place", "other"] {
        remote.delete(folder).unwrap();
    }
}

fn takes_its_place_whole(remote: &dyn Remote) {
    put(remote, "f", b"old");
    let mut writer = remote.write("f").unwrap();
    writer.write(b"new and longer").unwrap();
    assert_eq!(remote.read_all("f").unwrap(), b"old");
    assert_eq!(paths(remote, "", true, 9), ["f"]);
    drop(writer);
    assert_eq!(remote.read_all("f").unwrap(), b"old");
    put(remote, "f", b"new");
    assert_eq!(remote.read_all("f").unwrap(), b"new");
    remote.delete("f").unwrap();
}

fn moves_and_goes(remote: &dyn Remote, folders: bool) {
    put(remote, "a", b"1");
    put(remote, "b", b"2");
    remote.rename("a", "b").unwrap();
    assert_eq!(remote.read_all("b").unwrap(), b"1");
    remote.rename("b", "to/c").unwrap();
    assert!(is_missing(remote.stat("b")));
    assert_eq!(remote.read_all("to/c").unwrap(), b"1");
    let fault = remote.delete("to").unwrap_err();
    assert!(matches!(fault, Fault::Invalid(_)), "{fault}");
    remote.delete("to/c").unwrap();
    remote.create_directory("made/by/hand").unwrap();
    remote.create_directory("made/by/hand").unwrap();
    assert!(remote.stat("made/by/hand").unwrap().directory);
    if folders {
        assert_eq!(
            paths(remote, "", true, 9),
            ["made", "made/by", "made/by/hand", "to"]
        );
    }
    for folder in ["made/by/hand", "made/by", "made", "to"] {
        remote.delete(folder).unwrap();
    }
    assert_eq!(paths(remote, "", true, 9), [""; 0]);
}

fn lists_in_order(remote: &dyn Remote, folders: bool) {
    let files = [
        "a/b", "a-b", "a/b-c/d", "a.txt", "z", "a/b c", "ä/1", "A", "b/c/d/e",
    ];
    for file in files {
        put(remote, file, file.as_bytes());
    }
    let mut all = files.to_vec();
    if folders {
        all.extend(["a", "a/b-c", "ä", "b", "b/c", "b/c/d"]);
    }
    all.sort_unstable();
    for limit in [1, 3, 1000] {
        assert_eq!(paths(remote, "", true, limit), all, "{limit}");
    }
    let flat = paths(remote, "", false, 2);
    assert_eq!(flat, ["A", "a", "a-b", "a.txt", "b", "z", "ä"]);
    assert_eq!(paths(remote, "a/", false, 2), ["a/b", "a/b c", "a/b-c"]);
    let entries = remote.list_all("a").unwrap();
    let sizes = entries.iter().filter(|entry| !entry.metadata.directory);
    let sizes: Vec<u64> = sizes.map(|entry| entry.metadata.size).collect();
    assert_eq!(sizes, [3, 5, 7], "of `a/b`, `a/b c` and `a/b-c/d`");
}

fn ssh_endpoint(ssh: &Ssh, path: &Path) -> Endpoint {
    Endpoint {
        ssh: Some(ssh.command()),
        ..Endpoint::at(format!("sftp:vault:{}", path.display()))
    }
}

fn sftp() {
    let dir = scratch("sftp");
    let mut ssh = Ssh::start(dir.path()).unwrap();
    let remote = open(&ssh_endpoint(&ssh, &ssh.files())).unwrap();
    behaves(&*remote, true);
    // The server goes and comes: the next call makes a connection of its own.
    ssh.stop();
    ssh.again();
    assert_eq!(remote.read_all("a/b").unwrap(), b"a/b");
    remote
        .write_all("after", &[Bytes::from_static(b"1")])
        .unwrap();
    let names = fs::read_dir(ssh.files()).unwrap();
    let asides = names.filter(|name| {
        let name = name.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".mhost-tmp")
    });
    assert_eq!(asides.count(), 0, "nothing is left of what was given up");
}

fn sftp_is_refused() {
    let dir = scratch("sftp");
    let ssh = Ssh::start(dir.path()).unwrap();
    let remote = open(&ssh_endpoint(&ssh, Path::new("/proc/1"))).unwrap();
    let fault = remote.write_all("x", &[]).unwrap_err().to_string();
    assert!(fault.contains("the server says"), "{fault}");
    // Another key than the one that the server knows.
    fs::write(dir.path().join("authorized_keys"), "").unwrap();
    let remote = open(&ssh_endpoint(&ssh, &ssh.files())).unwrap();
    let fault = remote.stat("x").unwrap_err().to_string();
    assert!(fault.contains("Permission denied (publickey"), "{fault}");
    let absent = Endpoint {
        ssh: Some(vec!["/no/such/ssh".to_owned()]),
        ..Endpoint::at("sftp:vault:/")
    };
    let fault = open(&absent).unwrap().stat("x").unwrap_err().to_string();
    assert!(fault.contains("install the OpenSSH client"), "{fault}");
}

fn webdav() {
    let (dir, port) = (scratch("webdav"), servers::free_port());
    let files = dir.path().join("files");
    fs::create_dir_all(files.join("inner")).unwrap();
    let _server = servers::webdav(port, &files, dir.path()).unwrap();
    let at = Endpoint::at(format!("webdav:http://127.0.0.1:{port}/dav/inner"));
    behaves(&*open(&login(at.clone(), "RIGHT")).unwrap(), true);
    assert_eq!(fs::read(files.join("inner/a/b-c/d")).unwrap(), b"a/b-c/d");
    let fault = open(&login(at, "WRONG")).unwrap().stat("z").unwrap_err();
    let text = fault.to_string();
    assert!(
        text.contains("`secret`") && !text.contains("a wrong one"),
        "{text}"
    );
}

fn s3() {
    let port = servers::free_port();
    let _server = servers::s3(port).unwrap();
    servers::make_bucket(port, "vault");
    let at = |place: &str| {
        login(
            Endpoint::at(format!("s3:http://127.0.0.1:{port}/{place}")),
            "RIGHT",
        )
    };
    behaves(&*open(&at("vault/some/folder")).unwrap(), false);
    let whole = open(&at("vault")).unwrap();
    assert_eq!(whole.read_all("some/folder/a/b").unwrap(), b"a/b");
    let fault = open(&at("nowhere"))
        .unwrap()
        .write_all("f", &[])
        .unwrap_err();
    assert!(fault.to_string().contains("NoSuchBucket"), "{fault}");
}

fn nobody_answers() {
    let port = servers::free_port();
    for url in [
        format!("s3:http://127.0.0.1:{port}/b"),
        format!("webdav:http://127.0.0.1:{port}/"),
        format!("rest:http://127.0.0.1:{port}/"),
    ] {
        let remote = open(&login(Endpoint::at(url.clone()), "RIGHT")).unwrap();
        let fault = remote.stat("config").unwrap_err().to_string();
        assert!(fault.contains("refused"), "{url}: {fault}");
        assert!(!fault.contains(SECRET), "{fault}");
    }
}

/// A name, what it needs, and what it does.
type Case = (&'static str, &'static [Tool], fn());

fn main() {
    let trials: [Case; 5] = [
        ("sftp", &[Tool::Sshd], sftp),
        ("sftp_is_refused", &[Tool::Sshd], sftp_is_refused),
        ("webdav", &[servers::WEBDAV], webdav),
        ("s3", &[servers::S3], s3),
        ("nobody_answers", &[], nobody_answers),
    ];
    let trials = trials.into_iter();
    let trials = trials.map(|(name, needs, body)| trial(name, needs, body));
    mhost_test_support::main(trials.collect())
}
