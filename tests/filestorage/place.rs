//! A folder with fixtures, a state of mhost's, and the two sides: the command and the oracles.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mhost_test_support::{place, scratch};
use serde_json::Value;

/// See the module.
pub struct Place {
    folder: tempfile::TempDir,
    python: PathBuf,
}

impl Place {
    pub fn new(label: &str) -> Self {
        let folder = scratch(label);
        std::fs::create_dir(folder.path().join("data")).unwrap();
        Self {
            folder,
            python: super::ZODB.path().unwrap(),
        }
    }

    /// With all fixtures of `gen_small.py`.
    pub fn with_fixtures(label: &str) -> Self {
        let place = Self::new(label);
        let made = place
            .script("gen_small.py")
            .arg(place.data(""))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", told(&made));
        place
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// What `gen_small.py` says of its fixtures.
    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.data("manifest.json")).unwrap()).unwrap()
    }

    /// A script of the oracles'.
    pub fn script(&self, name: &str) -> Command {
        let folder = place::workspace_root().join("tests/oracles/filestorage");
        let mut command = Command::new(&self.python);
        command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg(folder.join(name));
        command
    }

    /// `mhost exec pack ACTION` with the folder of the fixtures granted as `data`.
    pub fn mhost(&self, action: &str, access: &str, settings: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        let grant = format!("data={}:{access}", self.data("").display());
        command
            .args(["exec", "pack", action, "--dir", &grant])
            .env("MHOST_HOME", self.folder.path().join("state"))
            .env_remove("MHOST_NOW")
            .stdin(Stdio::null());
        for setting in settings {
            command.args(["--set", setting]);
        }
        command
    }

    /// Runs it; its exit code must be `code`. Answers what it said.
    #[track_caller]
    pub fn run(&self, code: i32, action: &str, access: &str, settings: &[&str]) -> String {
        let output = self.mhost(action, access, settings).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{action} {settings:?}: {}",
            told(&output)
        );
        told(&output)
    }

    /// Runs the oracles, all of which must agree.
    pub fn judge(&self, commands: &[Vec<String>]) {
        let mut child = self
            .script("each.py")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for command in commands {
            let line = serde_json::to_string(command).unwrap();
            writeln!(stdin, "{line}").unwrap();
        }
        drop(stdin);
        let judged = child.wait_with_output().unwrap();
        assert!(judged.status.success(), "{}", told(&judged));
        let text = String::from_utf8_lossy(&judged.stdout).into_owned();
        assert_eq!(text.lines().count(), commands.len(), "{text}");
    }
}

/// All that a command wrote.
pub fn told(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// A path as an argument.
pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
