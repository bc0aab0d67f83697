//! The mirror beside rsync in one run: 512 MiB in files of many sizes, and 200,000 small files;
//! first copies, unchanged, and 1 % changed. Prints a table of processor time (user and system,
//! children included) and ratios; `docs/benchmarks.md` has figures. Run it with
//! `cargo bench -p mhost --bench mirror`; `MHOST_BENCH_SHARE=10` makes a tenth of it.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::path::Path;
use std::process::Command;

use mhost_test_support::{measure, scratch, tools};

/// Unchanged trees are looked at so often, and the median counts.
const ROUNDS: usize = 3;

fn main() {
    let Ok(rsync) = tools::rsync() else {
        println!("rsync cannot be had here");
        return;
    };
    let share = std::env::var("MHOST_BENCH_SHARE");
    let share: usize = share.ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("| | mhost | rsync -a | ratio |");
    println!("| --- | --- | --- | --- |");
    let home = scratch("bench-home");
    // 8,192 files of 64 KiB on average, from 1 byte to 128 KiB.
    let mixed = |n: usize| n * 7919 % (128 << 10) + 1;
    Trees::new(8192 / share, mixed).compare("512 MiB", &rsync, home.path(), true);
    Trees::new(200_000 / share, |_| 100).compare("200,000 files", &rsync, home.path(), false);
}

struct Trees {
    room: tempfile::TempDir,
    files: usize,
}

impl Trees {
    fn new(files: usize, size: impl Fn(usize) -> usize) -> Self {
        let room = scratch("bench-mirror");
        let content: Vec<u8> = (0..=128usize << 10).map(|n| ((n * n) >> 7) as u8).collect();
        for n in 0..files {
            let path = Self::at(room.path(), n);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &content[..size(n)]).unwrap();
        }
        Self { room, files }
    }

    fn at(room: &Path, n: usize) -> std::path::PathBuf {
        room.join(format!("source/{}/{}/{n}", n % 100, n / 100 % 20))
    }

    fn compare(&self, name: &str, rsync: &Path, home: &Path, change: bool) {
        let run = |label: &str, rounds: usize| {
            let mut ours: Vec<f64> = (0..rounds).map(|_| self.mhost(home)).collect();
            let mut theirs: Vec<f64> = (0..rounds).map(|_| self.rsync(rsync)).collect();
            ours.sort_by(f64::total_cmp);
            theirs.sort_by(f64::total_cmp);
            let (we, they) = (ours[rounds / 2], theirs[rounds / 2]);
            let ratio = we / they.max(0.01);
            println!("| {name}, {label} | {we:.2} | {they:.2} | {ratio:.2} |");
        };
        // The component is compiled once, which is no part of a copy.
        let small = Self::new(1, |_| 1);
        small.mhost(home);
        run("first copy", 1);
        run("unchanged", ROUNDS);
        if change {
            for n in (0..self.files).step_by(100) {
                fs::write(Self::at(self.room.path(), n), b"changed").unwrap();
            }
            run("1 % changed", 1);
        }
    }

    /// Processor seconds.
    fn mhost(&self, home: &Path) -> f64 {
        let place = |name: &str| self.room.path().join(name).display().to_string();
        fs::create_dir_all(place("ours")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .env("MHOST_HOME", home)
            .args(["exec", "sync", "mirror"])
            .args(["--dir", &format!("a={}:ro", place("source"))])
            .args(["--dir", &format!("b={}:rw", place("ours"))])
            .args(["--set", "from=/a", "--set", "to=/b"]);
        measure::run(&mut command).cpu.as_secs_f64()
    }

    fn rsync(&self, rsync: &Path) -> f64 {
        let place = |name: &str| self.room.path().join(name).display().to_string();
        let mut command = Command::new(rsync);
        command
            .arg("-a")
            .arg(place("source/"))
            .arg(place("theirs/"));
        measure::run(&mut command).cpu.as_secs_f64()
    }
}
