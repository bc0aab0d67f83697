//! Backups beside restic and borg in one run, on mixed files: into a fresh repository, unchanged,
//! and with one file in a hundred changed. Prints a table of wall time, processor time (user and
//! system, children included) and peak memory; `docs/benchmarks.md` has figures. Run it with
//! `cargo bench -p mhost --bench backup`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::cell::Cell;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use mhost_test_support::measure::{Cost, run};
use mhost_test_support::{Tool, scratch, tools};

/// All files together; `MHOST_BENCH_MIB` changes it.
const MIB: usize = 512;
const ROUNDS: usize = 5;
const PASSWORD: &str = "correct horse";

fn main() {
    let (Ok(restic), Ok(borg)) = (tools::restic(), Tool::Borg.path()) else {
        println!("restic or borg cannot be had here");
        return;
    };
    let bench = Bench {
        dir: scratch("bench-backup"),
        restic,
        borg,
        archives: Cell::new(0),
    };
    let files = bench.furnish();
    println!("{} files, the least of {ROUNDS} rounds", files.len());
    println!("| case | program | wall s | CPU s | peak MiB | CPU beside restic |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut rounds: Vec<Vec<Vec<Cost>>> = Vec::new();
    for round in 0..ROUNDS {
        let mut cases = vec![bench.all(&[Bench::clear])];
        cases.push(bench.all(&[]));
        bench.change(&files, round);
        cases.push(bench.all(&[]));
        rounds.push(cases);
    }
    for (case, name) in ["fresh", "unchanged", "1 % changed"].iter().enumerate() {
        let least = |program: usize| {
            let runs = rounds.iter().map(|cases| &cases[case][program]);
            runs.min_by_key(|run| run.cpu).unwrap()
        };
        let theirs = least(1).cpu.as_secs_f64();
        for (program, label) in PROGRAMS.iter().enumerate() {
            let (run, walls) = (least(program), rounds.iter());
            let wall = walls.map(|cases| cases[case][program].wall).min();
            let cpu = run.cpu.as_secs_f64();
            println!(
                "| {name} | {label} | {:.2} | {:.2} | {} | {:.2} |",
                wall.unwrap().as_secs_f64(),
                cpu,
                run.peak >> 10,
                cpu / theirs
            );
        }
    }
}

const PROGRAMS: [&str; 3] = ["mhost", "restic", "borg"];

struct Bench {
    dir: tempfile::TempDir,
    restic: PathBuf,
    borg: PathBuf,
    /// Each has a name.
    archives: Cell<u32>,
}

impl Bench {
    fn at(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Small texts, logs, sources and some large files of which a part is noise.
    fn furnish(&self) -> Vec<PathBuf> {
        let mib = std::env::var("MHOST_BENCH_MIB");
        let bytes = mib.ok().and_then(|mib| mib.parse().ok()).unwrap_or(MIB) << 20;
        let (mut made, mut files, mut random) = (0, Vec::new(), Random(7));
        while made < bytes {
            let size = match random.next() % 1000 {
                0..=1 => 8 << 20,
                2..=20 => (random.next() % (1 << 20)) as usize,
                _ => (random.next() % (48 << 10)) as usize,
            };
            let number = files.len();
            let path = self.at(&format!("src/{:03}/{number}", number / 100));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, random.content(size, number % 3 == 0)).unwrap();
            files.push(path);
            made += size;
        }
        files
    }

    /// One file in a hundred; of a large one a few bytes in the middle.
    fn change(&self, files: &[PathBuf], round: usize) {
        use std::os::unix::fs::FileExt;
        for (number, path) in files.iter().enumerate().skip(round).step_by(100) {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            let middle = file.metadata().unwrap().len() / 2;
            let text = format!("changed in round {round}, number {number}");
            file.write_all_at(text.as_bytes(), middle).unwrap();
        }
    }

    fn clear(&self) {
        for program in PROGRAMS {
            let folder = self.at(program);
            if folder.exists() {
                fs::remove_dir_all(&folder).unwrap();
            }
        }
        for mut command in [self.restic(&["init"]), self.borg(&["init", "-e", "none"])] {
            assert!(command.stdout(Stdio::null()).status().unwrap().success());
        }
    }

    fn all(&self, before: &[fn(&Self)]) -> Vec<Cost> {
        before.iter().for_each(|step| step(self));
        let src = self.at("src");
        self.archives.set(self.archives.get() + 1);
        let archive = format!("::{}", self.archives.get());
        let quiet = |mut command: Command| run(command.stderr(Stdio::null()));
        vec![
            quiet(self.mhost()),
            quiet(self.restic(&["backup", src.to_str().unwrap()])),
            quiet(self.borg(&["create", &archive, src.to_str().unwrap()])),
        ]
    }

    fn mhost(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        let dir = format!("src={}:ro", self.at("src").display());
        let repo = format!("main={}:append,read", self.at("mhost").display());
        command.args(["exec", "backup", "backup", "--dir", &dir, "--repo", &repo]);
        command.args(["--secret", "repo=env:PW", "--set", r#"sources=["/src"]"#]);
        command
            .env("PW", PASSWORD)
            .env("MHOST_HOME", self.at("home"));
        command
    }

    fn restic(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.restic);
        command.arg("-r").arg(self.at("restic")).args(arguments);
        command.env("RESTIC_PASSWORD", PASSWORD);
        command.env("RESTIC_CACHE_DIR", self.at("restic-cache"));
        command
    }

    fn borg(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.borg);
        command.args(arguments);
        command
            .env("BORG_REPO", self.at("borg"))
            .env("BORG_BASE_DIR", self.at("borg-base"))
            .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
            .env("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes");
        command
    }
}

/// The same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Noise, or lines that compress as logs do.
    fn content(&mut self, size: usize, noise: bool) -> Vec<u8> {
        let mut content = Vec::with_capacity(size + 128);
        while content.len() < size {
            let next = self.next();
            match noise {
                true => content.extend((next as u32).to_le_bytes()),
                false => writeln!(
                    content,
                    "10.0.{}.{} \"GET /item/{} HTTP/1.1\" {}",
                    next % 256,
                    (next >> 8) % 256,
                    next % 99_991,
                    next % 65_521
                )
                .unwrap(),
            }
        }
        content.truncate(size);
        content
    }
}
