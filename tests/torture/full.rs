//! Commands on a state whose disk is full: what only reads must go on, for that is when
//! somebody wants to know what happened.

use std::fs;
use std::process::{Command, Output, Stdio};

use mhost_test_support::Mount;

const TASK: &str = r#"
[tasks.mirror]
plugin = "sync"
action = "mirror"
schedule = "manual"
config = { from = "/a", to = "/b" }
[tasks.mirror.grants.dirs]
a = { path = "a", access = "read-only" }
b = { path = "b", access = "read-write" }
"#;

pub fn check(disk: &Mount) {
    for folder in ["a", "b"] {
        fs::create_dir(disk.path().join(folder)).unwrap();
    }
    fs::write(disk.path().join("mhost.toml"), TASK).unwrap();
    succeeds(disk, &["apply", "mhost.toml"]);
    succeeds(disk, &["run", "mirror"]);
    disk.fill();
    for args in [
        &["task", "list"][..],
        &["task", "show", "mirror"],
        &["task", "next", "mirror"],
        &["runs", "list"],
        &["runs", "show", "1"],
        &["runs", "gaps", "mirror"],
        &["export"],
        &["tick"],
    ] {
        succeeds(disk, args);
    }
    let refused = run(disk, &["task", "disable", "mirror"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains("No space left on device"), "{told}");
    // Full is not damaged.
    let doctor = run(disk, &["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout);
    assert!(!told.contains("damaged"), "{told}");
    disk.empty();
    succeeds(disk, &["task", "disable", "mirror"]);
    succeeds(disk, &["doctor"]);
}

fn succeeds(disk: &Mount, args: &[&str]) {
    let output = run(disk, args);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {told}");
}

fn run(disk: &Mount, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command
        .args(args)
        .current_dir(disk.path())
        .env("MHOST_HOME", disk.path().join("state"))
        .env_remove("MHOST_NOW")
        .stdin(Stdio::null());
    command.output().unwrap()
}
