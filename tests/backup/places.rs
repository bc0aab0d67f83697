//! Repositories on servers: the same trials on each, beside restic.

use std::ffi::OsString;
use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use mhost_test_support::servers::{self, Relay, SECRET, Server, Ssh, Then, USER};
use mhost_test_support::{assert_same_tree, noise, tools};

use crate::bench::{Bench, PASSWORD};

/// The least that makes a pack full, and the largest piece that it may still take.
const LARGEST_PACK: usize = (16 + 8) << 20;

/// A repository on a server.
struct Vault {
    bench: Bench,
    /// As mhost is told, and through which port.
    url: Box<dyn Fn(u16) -> String>,
    port: u16,
    login: bool,
    /// As restic is told.
    theirs: String,
    path: OsString,
    _server: Served,
}

/// What must live as long as the trial.
enum Served {
    One { _server: Server },
    Ssh { _server: Ssh },
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("src/a", noise(3 << 20, 1));
    bench.write("src/deep/b", "b");
    bench.write("src/empty", "");
    bench
}

fn here() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

fn sftp() -> Vault {
    let bench = bench();
    let scratch = bench.path("ssh");
    fs::create_dir(&scratch).unwrap();
    let ssh = Ssh::start(&scratch).unwrap();
    let repo = ssh.files().join("repo");
    let theirs = format!("sftp:vault:{}", repo.display());
    Vault {
        bench,
        url: Box::new(move |port| format!("sftp://vault:{port}/{}", repo.display())),
        port: ssh.port,
        login: false,
        theirs,
        path: ssh.path(),
        _server: Served::Ssh { _server: ssh },
    }
}

fn s3() -> Vault {
    let port = servers::free_port();
    let server = servers::s3(port).unwrap();
    servers::make_bucket(port, "vault");
    Vault {
        bench: bench(),
        url: Box::new(|port| format!("s3:http://127.0.0.1:{port}/vault/site")),
        port,
        login: true,
        theirs: format!("s3:http://127.0.0.1:{port}/vault/site"),
        path: here(),
        _server: Served::One { _server: server },
    }
}

fn rest() -> Vault {
    let (bench, port) = (bench(), servers::free_port());
    let files = bench.path("served");
    fs::create_dir(&files).unwrap();
    let server = servers::rest(port, &files, &[]).unwrap();
    Vault {
        bench,
        url: Box::new(|port| format!("rest:http://127.0.0.1:{port}/site")),
        port,
        login: true,
        theirs: format!("rest:http://{USER}:{SECRET}@127.0.0.1:{port}/site/"),
        path: here(),
        _server: Served::One { _server: server },
    }
}

/// restic does not speak it, and reads the served folder.
fn webdav() -> Vault {
    let (bench, port) = (bench(), servers::free_port());
    let files = bench.path("served");
    fs::create_dir_all(files.join("site")).unwrap();
    let server = servers::webdav(port, &files, &bench.path("")).unwrap();
    let theirs = files.join("site").display().to_string();
    Vault {
        bench,
        url: Box::new(|port| format!("webdav:http://127.0.0.1:{port}/dav/site")),
        port,
        login: true,
        theirs,
        path: here(),
        _server: Served::One { _server: server },
    }
}

impl Vault {
    fn command(&self, port: u16, action: &str, verbs: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        let repo = format!("main={}:{verbs}", (self.url)(port));
        command.args(["exec", "backup", action, "--repo", &repo]);
        if self.login {
            command.args(["--login", &format!("main={USER}:env:VAULT")]);
        }
        command.args(["--secret", "repo=env:PW", "--format", "json"]);
        command.args(more);
        command
            .env("PW", PASSWORD)
            .env("VAULT", SECRET)
            .env("PATH", &self.path)
            .env("MHOST_HOME", self.bench.path("home"));
        command
    }

    fn mhost(&self, action: &str, verbs: &str, more: &[&str]) -> Output {
        let mut command = self.command(self.port, action, verbs, more);
        command.output().unwrap()
    }

    #[track_caller]
    fn fine(&self, action: &str, verbs: &str, more: &[&str]) -> serde_json::Value {
        let output = self.mhost(action, verbs, more);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{action}: {said}{complained}");
        assert!(!said.contains(SECRET) && !complained.contains(SECRET));
        serde_json::from_str(&said).unwrap()
    }

    fn source(&self) -> String {
        self.bench.grant("src", "src", "ro")
    }

    fn backup(&self) -> serde_json::Value {
        let sources = r#"sources=["/src"]"#;
        let given = ["--dir", &self.source(), "--set", sources];
        self.fine("backup", "append,read", &given)
    }

    fn restore(&self) -> PathBuf {
        let out = self.bench.path("out");
        fs::remove_dir_all(&out).unwrap();
        fs::create_dir(&out).unwrap();
        let dir = self.bench.grant("out", "out", "rw");
        self.fine("restore", "read", &["--dir", &dir, "--set", "to=/out"]);
        out.join(self.bench.path("src").strip_prefix("/").unwrap())
    }

    #[track_caller]
    fn restic(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tools::restic().unwrap());
        command.args(["--no-cache", "-r", &self.theirs]);
        command
            .env("RESTIC_PASSWORD", PASSWORD)
            .env("AWS_ACCESS_KEY_ID", USER)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("PATH", &self.path);
        let output = command.args(arguments).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(output.status.success(), "restic {arguments:?}: {said}");
        said
    }

    /// There, back, and the reverse, with everything that looks after a repository.
    fn both_ways(&self) {
        self.backup();
        let said = self.restic(&["check", "--read-data"]);
        assert!(said.contains("no errors were found"), "{said}");
        let target = self.bench.path("theirs");
        self.restic(&["restore", "latest", "--target", target.to_str().unwrap()]);
        let below = self.bench.path("src");
        let below = below.strip_prefix("/").unwrap();
        assert_same_tree(&self.bench.path("src"), &target.join(below));
        self.bench.write("src/new", noise(1 << 20, 2));
        self.restic(&["backup", self.bench.path("src").to_str().unwrap()]);
        assert_same_tree(&self.bench.path("src"), &self.restore());
        let report = self.backup();
        let added = report["report"]["metrics"]["bytes_added"].as_f64();
        assert!(added.is_some_and(|bytes| bytes < 100_000.0), "{report}");
        let report = self.fine("snapshots", "read", &[]);
        let listed = &report["report"]["details"]["snapshots"]["items"];
        assert_eq!(listed.as_array().unwrap().len(), 3, "{report}");
        fs::remove_file(self.bench.path("src/a")).unwrap();
        self.backup();
        let keep = ["--set", "keep_last=1", "--set", "prune=true"];
        self.fine("forget", "read,forget,prune", &keep);
        self.fine("check", "check", &["--set", "data_percent=100"]);
        let said = self.restic(&["check", "--read-data"]);
        assert!(said.contains("no errors were found"), "{said}");
        assert_same_tree(&self.bench.path("src"), &self.restore());
        assert_eq!(
            self.restic(&["list", "locks"]).trim(),
            "",
            "no lock is left"
        );
        self.wrong_password();
    }

    fn wrong_password(&self) {
        let mut command = self.command(self.port, "snapshots", "read", &[]);
        let output = command.env("PW", "wrong").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("opens none of its keys"), "{said}");
        if self.login {
            let mut command = self.command(self.port, "snapshots", "read", &[]);
            let output = command.env("VAULT", "a-wrong-one").output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let anybody = self.theirs.starts_with("s3:");
            assert!(anybody || said.contains("`secret`"), "{said}");
            assert!(!said.contains("a-wrong-one"), "{said}");
        }
    }

    /// Killed in the middle: what is there is sound, and is gone on from.
    fn killed(&self) {
        self.backup();
        // Each thread of the archiver, one more than there are processors, sends a pack of
        // its own: once more than all of them hold has been sent, one is whole over there.
        let threads = thread::available_parallelism().map_or(1, NonZero::get) + 1;
        let held = threads * LARGEST_PACK + (1 << 20);
        self.bench.write("src/large", noise(held + (8 << 20), 3));
        let relay = Relay::new(self.port, held as u64, Then::Hold);
        let sources = r#"sources=["/src"]"#;
        let given = ["--dir", &self.source(), "--set", sources];
        let mut command = self.command(relay.port, "backup", "append,read", &given);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.as_mut().unwrap();
        relay.wait();
        child.kill().unwrap();
        child.wait().unwrap();
        self.restic(&["unlock"]);
        self.restic(&["check", "--read-data"]);
        let packs = self.restic(&["list", "packs"]);
        assert!(
            packs.lines().count() > 2,
            "nothing had been stored: {packs}"
        );
        self.backup();
        let said = self.restic(&["check", "--read-data"]);
        assert!(said.contains("no errors were found"), "{said}");
        assert_same_tree(&self.bench.path("src"), &self.restore());
    }

    /// A line that breaks again and again.
    fn cut(&self) {
        let relay = Relay::new(self.port, 5 << 20, Then::Cut(3));
        self.bench.write("src/large", noise(24 << 20, 4));
        let sources = r#"sources=["/src"]"#;
        let given = ["--dir", &self.source(), "--set", sources];
        let mut command = self.command(relay.port, "backup", "append,read", &given);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        assert_eq!(relay.cuts(), 3);
        let said = self.restic(&["check", "--read-data"]);
        assert!(said.contains("no errors were found"), "{said}");
        assert_same_tree(&self.bench.path("src"), &self.restore());
    }
}

pub fn sftp_both_ways() {
    sftp().both_ways();
}

pub fn sftp_killed() {
    sftp().killed();
}

pub fn sftp_cut() {
    sftp().cut();
}

pub fn s3_both_ways() {
    s3().both_ways();
}

pub fn s3_killed() {
    s3().killed();
}

pub fn s3_cut() {
    s3().cut();
}

pub fn rest_both_ways() {
    rest().both_ways();
}

pub fn rest_killed() {
    rest().killed();
}

pub fn rest_cut() {
    rest().cut();
}

pub fn webdav_both_ways() {
    webdav().both_ways();
}

pub fn webdav_killed() {
    webdav().killed();
}

pub fn webdav_cut() {
    webdav().cut();
}

/// Three copies on two kinds of storage, one of them elsewhere, from one reading.
pub fn three_two_one() {
    let vault = sftp();
    let (rest_port, s3_port) = (servers::free_port(), servers::free_port());
    let served = vault.bench.path("rest");
    fs::create_dir(&served).unwrap();
    let _rest = servers::rest(rest_port, &served, &["--append-only"]).unwrap();
    let _s3 = servers::s3(s3_port).unwrap();
    servers::make_bucket(s3_port, "vault");
    let (local, rest, s3) = (
        vault.bench.grant("local", "repo", "append,read"),
        format!("rest=rest:http://127.0.0.1:{rest_port}/x:append,read"),
        format!("s3=s3:http://127.0.0.1:{s3_port}/vault:append,read"),
    );
    let login = [
        format!("rest={USER}:env:VAULT"),
        format!("s3={USER}:env:VAULT"),
    ];
    let source = vault.source();
    let given = [
        "--dir",
        &source,
        "--repo",
        &local,
        "--repo",
        &rest,
        "--repo",
        &s3,
        "--login",
        &login[0],
        "--login",
        &login[1],
        "--set",
        r#"sources=["/src"]"#,
        "--set",
        r#"repositories=["main","local","rest","s3"]"#,
    ];
    let report = vault.fine("backup", "append,read", &given);
    let details = report["report"]["details"]["repositories"]
        .as_array()
        .unwrap();
    assert_eq!(details.len(), 4, "{report}");
    let read = report["report"]["metrics"]["bytes_processed"].as_f64();
    assert_eq!(read, Some(f64::from((3 << 20) + 1)), "{report}");
    for name in ["local", "rest", "s3"] {
        let out = vault.bench.path(&format!("out-{name}"));
        fs::create_dir(&out).unwrap();
        let dir = format!("out={}:rw", out.display());
        let set = format!("repository={name}");
        let more = [
            "--repo", &local, "--repo", &rest, "--repo", &s3, "--login", &login[0], "--login",
            &login[1], "--dir", &dir, "--set", "to=/out", "--set", &set,
        ];
        vault.fine("restore", "read", &more);
        let below = vault.bench.path("src");
        assert_same_tree(&below, &out.join(below.strip_prefix("/").unwrap()));
    }
}
