//! A state folder of a test, and the command on it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// A folder with a state in it.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A command at a time, which answers in JSON.
    pub fn command(&self, now: Option<&str>, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args(args)
            .args(["--format", "json"])
            .current_dir(self.folder.path())
            .env("MHOST_HOME", self.path("state"))
            .env_remove("MHOST_NOW")
            .stdin(Stdio::null());
        if let Some(now) = now {
            command.env("MHOST_NOW", now);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command at a time; its exit code and JSON.
    pub fn json(&self, now: Option<&str>, args: &[&str]) -> (i32, Value) {
        let output = self.command(now, args).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {told}"));
        (output.status.code().unwrap(), json)
    }

    /// Checks targets, granted these origins.
    pub fn check(&self, net: &[String], config: &Value, more: &[&str]) -> (i32, Value) {
        let file = self.write("config.json", &config.to_string());
        let mut args = vec!["exec", "ping", "check", "--config", file.to_str().unwrap()];
        for origin in net {
            args.extend(["--net", origin]);
        }
        args.extend(more);
        self.json(None, &args)
    }
}

/// The findings of a run, by name.
pub fn findings(run: &Value) -> std::collections::BTreeMap<String, Value> {
    let targets = run["report"]["details"]["targets"].as_array().unwrap();
    let named = targets
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one.clone()));
    named.collect()
}
