//! Restores and prunes that are killed on the way: nothing is lost, and the same command
//! goes on from what is there.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use mhost_test_support::{assert_same_tree, noise};

use crate::bench::{Bench, PASSWORD};

const FILES: usize = 48;

fn bench() -> Bench {
    let bench = Bench::new();
    for file in 0..FILES {
        let folder = file % 4;
        bench.write(&format!("src/{folder}/{file}"), noise(1 << 20, file as u64));
    }
    bench.backup(&[]);
    bench
}

/// Starts a command and kills it once something is seen; whether it was still there.
fn killed(bench: &Bench, action: &str, arguments: &[&str], seen: impl Fn() -> bool) -> bool {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command.args(["exec", "backup", action]).args(arguments);
    command.args(["--secret", "repo=env:PW", "--format", "json"]);
    command.env("PW", PASSWORD);
    command.env("MHOST_HOME", bench.path("home"));
    let spawned = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child: Child = spawned.unwrap();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if seen() {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        thread::yield_now();
    }
}

/// Bytes of packs. What never got its name stays for a day, as it may be somebody's.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let each = entries.map(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => size(&entry.path()),
        _ if entry.file_name().to_string_lossy().contains("-tmp-") => 0,
        _ => entry.metadata().unwrap().len(),
    });
    each.sum()
}

fn count(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => count(&entry.path()),
        _ => 1,
    });
    below.sum()
}

pub fn a_killed_restore_goes_on() {
    let bench = bench();
    let (out, repo) = (
        bench.grant("out", "out", "rw"),
        bench.grant("main", "repo", "read"),
    );
    let given = [
        "--dir",
        &out,
        "--repo",
        &repo,
        "--set",
        "to=/out/new",
        "--set",
    ];
    let folder = format!("folder={}", bench.path("src").display());
    let given = [&given[..], &[folder.as_str()]].concat();
    let place = bench.path("out/new");
    let mut kills = 0;
    for files in [1, 12, 24, 36] {
        let seen = || count(&place) >= files;
        kills += usize::from(killed(&bench, "restore", &given, seen));
        // What has its name is whole.
        for file in 0..FILES {
            let path = place.join(format!("{}/{file}", file % 4));
            if let Ok(found) = fs::read(path) {
                assert!(found == noise(1 << 20, file as u64), "{file}");
            }
        }
    }
    assert!(kills > 0, "it was never caught on the way");
    let before = count(&place);
    let report = bench.fine("restore", &given);
    let unchanged = report["report"]["metrics"]["files_unchanged"].as_f64();
    assert!(
        unchanged.is_some_and(|files| files > 0.0),
        "{before}: {report}"
    );
    assert_same_tree(&bench.path("src"), &place);
}

pub fn a_killed_prune_loses_nothing() {
    let bench = bench();
    for file in 0..FILES / 2 {
        fs::remove_file(bench.path(&format!("src/{}/{file}", file % 4))).unwrap();
    }
    bench.backup(&[]);
    let repo = bench.grant("main", "repo", "read,forget,prune,check");
    let keep = ["--repo", &repo, "--set", "keep_last=1"];
    bench.fine("forget", &keep);
    let packs = bench.path("repo/data");
    let before = count(&packs);
    let mut kills = 0;
    // As soon as it holds the lock, as soon as it has written, as soon as it removes.
    let moments: [&dyn Fn() -> bool; 3] = [
        &|| count(&bench.path("repo/locks")) > 0,
        &|| count(&packs) > before,
        &|| count(&packs) < before,
    ];
    for seen in moments {
        kills += usize::from(killed(&bench, "prune", &["--repo", &repo], seen));
        let check = ["--repo", &repo, "--set", "data_percent=100"];
        bench.fine("check", &check);
        let back = bench.restore(&[]);
        assert_same_tree(&bench.path("src"), &back);
    }
    assert!(kills > 0, "it was never caught on the way");
    bench.fine("prune", &["--repo", &repo]);
    let most = (FILES as u64 / 2 + 4) << 20;
    assert!(size(&packs) < most, "{}", size(&packs));
    bench.fine("check", &["--repo", &repo, "--set", "data_percent=100"]);
    assert_same_tree(&bench.path("src"), &bench.restore(&[]));
}
