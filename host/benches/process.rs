//! Whole processes: what a timer pays that calls `mhost tick` each minute, beside what
//! it pays for a shell that does nothing.

#![allow(clippy::unwrap_used)] // A bench that cannot go on has failed.

use std::fs;
use std::process::{Command, Stdio};

use divan::Bencher;
use tempfile::TempDir;

fn main() {
    divan::main();
}

const CONFIG: &str = r#"
[tasks.copy]
plugin = "sync"
action = "mirror"
schedule = { cron = "0 3 1 1 *" }
config = { from = "/a", to = "/b" }
grants.dirs.a = { path = "a" }
grants.dirs.b = { path = "b", access = "read-write" }
"#;

/// A state with one task that is not due, and its component compiled.
fn home() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["a", "b"] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    fs::write(folder.path().join("mhost.toml"), CONFIG).expect("the configuration");
    assert!(
        mhost(&folder, &["apply", "mhost.toml"])
            .status()
            .expect("mhost")
            .success()
    );
    assert!(
        mhost(&folder, &["run", "copy"])
            .status()
            .expect("mhost")
            .success()
    );
    folder
}

fn mhost(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command
        .args(args)
        .current_dir(folder.path())
        .env("MHOST_HOME", folder.path().join("state"))
        .stdout(Stdio::null());
    command
}

fn run(mut command: Command) {
    assert!(command.status().expect("a process").success());
}

#[divan::bench]
fn sh_that_does_nothing() {
    let mut command = Command::new("sh");
    command.args(["-c", "true"]);
    run(command);
}

#[divan::bench]
fn tick_with_nothing_due(bencher: Bencher) {
    let home = home();
    bencher.bench(|| run(mhost(&home, &["tick"])));
}

/// A run of a cached plugin, as a whole process.
#[divan::bench]
fn run_of_a_task(bencher: Bencher) {
    let home = home();
    bencher.bench(|| run(mhost(&home, &["run", "copy"])));
}
