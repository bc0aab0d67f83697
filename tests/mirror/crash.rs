//! Runs that are killed: no file is ever half there, and the next run makes the trees equal.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use mhost_test_support::{assert_same_tree, scratch};

use super::grove::{Grove, T};

fn source(root: &Path) {
    let grove = Grove::new(root);
    for n in 0..400i64 {
        grove.file(format!("{}/{n}", n % 20), vec![n as u8; 20_000], T + n);
    }
    grove.file("large", vec![9; 24 << 20], T);
    grove.settle();
}

/// Kills the run as soon as so many entries are in the target.
fn kill_at(home: &Path, source: &Path, target: &Path, entries: usize) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command
        .env("MHOST_HOME", home)
        .args(["exec", "sync", "mirror", "--dir"])
        .arg(format!("a={}:ro", source.display()))
        .arg("--dir")
        .arg(format!("b={}:rw", target.display()))
        .args(["--set", "from=/a", "--set", "to=/b", "--set", "delete=true"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut run = command.spawn().unwrap();
    while run.try_wait().unwrap().is_none() {
        if count(target) >= entries {
            let _ = run.kill();
        }
        std::thread::yield_now();
    }
}

fn count(root: &Path) -> usize {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => 1 + count(&entry.path()),
            _ => 1,
        })
        .sum()
}

/// Every file of the target that has its own name is whole.
fn whole(source: &Path, target: &Path) {
    for entry in fs::read_dir(target).unwrap() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with(".mhost-") {
            continue;
        }
        if path.is_dir() {
            whole(&source.join(&name), &path);
        } else {
            let (wanted, found) = (
                fs::read(source.join(&name)).unwrap(),
                fs::read(&path).unwrap(),
            );
            assert!(wanted == found, "{} is half a file", path.display());
        }
    }
}

pub fn killed() {
    let room = scratch("mirror-killed");
    let place = |name: &str| room.path().join(name);
    let (from, to, home) = (place("source"), place("target"), place("home"));
    source(&from);
    fs::create_dir(&to).unwrap();
    for entries in [1, 5, 60, 200, 380, 418, 421] {
        kill_at(&home, &from, &to, entries);
        whole(&from, &to);
    }
    let done = super::run::mirror(&from, &to, &["delete=true"], false);
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_same_tree(&from, &to);
}
