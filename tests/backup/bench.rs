//! A folder with sources, and the command that backs them up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mhost_test_support::scratch;

pub const PASSWORD: &str = "correct horse";

/// See the module.
pub struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let dir = scratch("backup");
        for folder in ["src", "out", "scratch", "home"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir }
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// `mhost exec backup ACTION …`
    pub fn exec(&self, action: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command.args(["exec", "backup", action]).args(arguments);
        command.args(["--secret", "repo=env:PW", "--format", "json"]);
        command
            .env("PW", PASSWORD)
            .env("MHOST_HOME", self.path("home"));
        command.output().unwrap()
    }

    /// As [`exec`](Self::exec), which must succeed; its report.
    #[track_caller]
    pub fn fine(&self, action: &str, arguments: &[&str]) -> serde_json::Value {
        let output = self.exec(action, arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "{action} {arguments:?}: {said}{complained}"
        );
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// `NAME=PATH:WHAT`, with the path below the bench.
    pub fn grant(&self, name: &str, below: &str, what: &str) -> String {
        format!("{name}={}:{what}", self.path(below).display())
    }

    #[track_caller]
    pub fn backup(&self, more: &[&str]) -> serde_json::Value {
        let (src, repo) = (
            self.grant("src", "src", "ro"),
            self.grant("main", "repo", "append,read"),
        );
        let given = [
            "--dir",
            &src,
            "--repo",
            &repo,
            "--set",
            r#"sources=["/src"]"#,
        ];
        self.fine("backup", &[&given[..], more].concat())
    }

    /// Into `out`, which is emptied first: the source's folder comes to lie there.
    #[track_caller]
    pub fn restore(&self, more: &[&str]) -> PathBuf {
        let out = self.path("out");
        fs::remove_dir_all(&out).unwrap();
        fs::create_dir(&out).unwrap();
        let (dir, repo) = (
            self.grant("out", "out", "rw"),
            self.grant("main", "repo", "read"),
        );
        let given = ["--dir", &dir, "--repo", &repo, "--set", "to=/out"];
        self.fine("restore", &[&given[..], more].concat());
        out.join(self.path("src").strip_prefix("/").unwrap())
    }
}

/// All files below, with their contents.
pub fn contents(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let below = path.strip_prefix(root).unwrap().to_path_buf();
                found.push((below, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
