//! Remotes at an end, on real servers: what goes there comes back the same.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mhost_test_support::scratch;
use mhost_test_support::servers::{self, SECRET, Server, Ssh, USER};

use super::run::{metric, report};

/// A name that has a meaning in URLs.
const ODD: &str = "ä b#%?";

/// A place that is reached as a remote.
struct Remote {
    room: tempfile::TempDir,
    url: String,
    login: bool,
    path: OsString,
    _server: Option<Server>,
    ssh: Option<Ssh>,
}

impl Remote {
    fn new(url: impl FnOnce(&Path) -> (String, Option<Server>), login: bool) -> Self {
        let room = scratch("mirror-remote");
        let (url, server) = url(room.path());
        Self {
            room,
            url,
            login,
            path: std::env::var_os("PATH").unwrap_or_default(),
            _server: server,
            ssh: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.room.path().join(name)
    }

    fn mirror(&self, from: &str, to: &str, settings: &[&str], dry: bool) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .env("MHOST_HOME", self.path("state"))
            .env("VAULT", SECRET)
            .env("PATH", &self.path)
            .args(["exec", "sync", "mirror", "--format", "json"])
            .args(["--remote", &format!("far={}:rw", self.url)]);
        for name in ["a", "b"] {
            command.args(["--dir", &format!("{name}={}:rw", self.path(name).display())]);
        }
        if self.login {
            command.args(["--login", &format!("far={USER}:env:VAULT")]);
        }
        for setting in [&format!("from={from}")[..], &format!("to={to}")]
            .iter()
            .chain(settings)
        {
            command.args(["--set", setting]);
        }
        if dry {
            command.arg("--dry-run");
        }
        command.output().unwrap()
    }
}

#[track_caller]
fn good(output: Output) -> Output {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Paths and contents of the files; there are no others.
fn files(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(root).unwrap().display().to_string();
                    found.push((name, fs::read(&path).unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

fn there_and_back(remote: &Remote, odd: &str) {
    let a = remote.path("a");
    fs::create_dir_all(a.join("deep/er")).unwrap();
    fs::create_dir_all(remote.path("b")).unwrap();
    fs::write(a.join("deep/er/large"), vec![7; 3 << 20]).unwrap();
    fs::write(a.join("empty"), "").unwrap();
    fs::write(a.join("deep").join(odd), "name").unwrap();
    for n in 0..20 {
        fs::write(a.join(format!("{n}")), format!("{n}")).unwrap();
    }
    let up = |settings: &[&str], dry: bool| remote.mirror("/a", "far:site", settings, dry);
    let down = |settings: &[&str]| remote.mirror("far:site", "/b", settings, false);
    let dry = good(up(&[], true));
    assert_eq!(metric(&dry, "files_copied"), 23.0);
    let first = good(up(&["verify=copied"], false));
    assert_eq!(metric(&first, "files_copied"), 23.0);
    let settings = ["delete=true", "verify=all"];
    let there = good(down(&settings));
    assert_eq!(metric(&there, "files_copied"), 23.0);
    assert!(
        files(&a) == files(&remote.path("b")),
        "not the same came back"
    );
    // The copies have the remote's times, so the next run finds nothing to do.
    let again = good(down(&settings));
    assert_eq!(metric(&again, "files_copied"), 0.0, "{}", report(&again));
    // Contents say the same of the other way, whatever the clocks are.
    let again = good(up(&["checksum=true", "delete=true"], false));
    assert_eq!(metric(&again, "files_copied"), 0.0, "{}", report(&again));
    fs::write(a.join("3"), "changed").unwrap();
    fs::remove_file(a.join("4")).unwrap();
    fs::remove_dir_all(a.join("deep/er")).unwrap();
    let changed = good(up(&["checksum=true", "delete=true"], false));
    assert_eq!(metric(&changed, "files_copied"), 1.0);
    good(down(&settings));
    assert!(files(&a) == files(&remote.path("b")));
    // An end that is empty empties nothing.
    let empty = remote.mirror("far:nowhere", "/b", &["delete=true"], false);
    assert!(!empty.status.success());
    assert!(files(&a) == files(&remote.path("b")));
}

pub fn folder() {
    let url = |room: &Path| {
        fs::create_dir(room.join("far")).unwrap();
        (format!("file:{}", room.join("far").display()), None)
    };
    there_and_back(&Remote::new(url, false), ODD);
}

pub fn sftp() {
    let mut remote = Remote::new(|_| (String::new(), None), false);
    let scratch = remote.path("ssh");
    fs::create_dir(&scratch).unwrap();
    let ssh = Ssh::start(&scratch).unwrap();
    remote.url = format!("sftp://vault:{}/{}", ssh.port, ssh.files().display());
    remote.path = ssh.path();
    remote.ssh = Some(ssh);
    there_and_back(&remote, ODD);
}

pub fn s3() {
    let url = |_: &Path| {
        let port = servers::free_port();
        let server = servers::s3(port).unwrap();
        servers::make_bucket(port, "vault");
        (format!("s3:http://127.0.0.1:{port}/vault"), Some(server))
    };
    there_and_back(&Remote::new(url, true), ODD);
}

pub fn webdav() {
    let url = |room: &Path| {
        let port = servers::free_port();
        fs::create_dir(room.join("served")).unwrap();
        let server = servers::webdav(port, &room.join("served"), room).unwrap();
        (format!("webdav:http://127.0.0.1:{port}/dav"), Some(server))
    };
    // This server takes what follows a question mark for a query.
    there_and_back(&Remote::new(url, true), "ä b#%");
}
