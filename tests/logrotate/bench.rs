//! Rotation beside logrotate in one run: 1,000 small logs, and one large log compressed.
//! Prints a table of processor time (user and system, children included) and ratios;
//! `docs/benchmarks.md` has figures. Run it with `cargo bench -p mhost --bench logrotate`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use mhost_test_support::{measure, scratch, tools};

const LOGS: usize = 1000;
/// Bytes of the large log; `MHOST_BENCH_MIB` changes it.
const LARGE_MIB: usize = 512;
const ROUNDS: usize = 3;

struct Case {
    name: &'static str,
    directives: &'static str,
    logs: usize,
    force: bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "1,000 logs, nothing due",
        directives: "daily\nrotate 5",
        logs: LOGS,
        force: false,
    },
    Case {
        name: "1,000 logs, rotate and create",
        directives: "rotate 5\ncreate",
        logs: LOGS,
        force: true,
    },
    Case {
        name: "1,000 logs, copytruncate",
        directives: "rotate 5\ncopytruncate",
        logs: LOGS,
        force: true,
    },
    Case {
        name: "1,000 logs, gzip",
        directives: "rotate 5\ncompress",
        logs: LOGS,
        force: true,
    },
    Case {
        name: "one large log, gzip",
        directives: "rotate 5\ncompress",
        logs: 1,
        force: true,
    },
];

fn main() {
    let Ok(logrotate) = tools::logrotate() else {
        println!("logrotate cannot be had here");
        return;
    };
    let home = scratch("bench-home");
    println!("| case | logrotate s | mhost s | ratio | output bytes, ratio | peak MiB |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for case in &CASES {
        let mut theirs = Vec::new();
        let mut ours = Vec::new();
        for round in 0..=ROUNDS {
            let (they, we) = (
                Run::logrotate(case, &logrotate),
                Run::mhost(case, home.path()),
            );
            // The first round warms the caches.
            if round > 0 {
                theirs.push(they);
                ours.push(we);
            }
        }
        let (they, we) = (best(theirs), best(ours));
        println!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.3} | {} / {} |",
            case.name,
            they.seconds,
            we.seconds,
            we.seconds / they.seconds.max(0.01),
            we.bytes as f64 / they.bytes.max(1) as f64,
            they.peak >> 10,
            we.peak >> 10,
        );
    }
}

struct Run {
    seconds: f64,
    /// Of all files afterwards.
    bytes: u64,
    /// KiB.
    peak: u64,
}

fn best(runs: Vec<Run>) -> Run {
    runs.into_iter()
        .min_by(|a, b| a.seconds.total_cmp(&b.seconds))
        .unwrap()
}

impl Run {
    fn logrotate(case: &Case, program: &Path) -> Self {
        let (folder, conf) = lay(case);
        let mut command = Command::new(program);
        command
            .arg("-s")
            .arg(folder.path().join("state"))
            .args(case.force.then_some("-f"))
            .arg(&conf);
        measured(&mut command, &folder.path().join("logs"))
    }

    fn mhost(case: &Case, home: &Path) -> Self {
        let (folder, conf) = lay(case);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command.arg("--home").arg(home).args(["logrotate", "-s"]);
        command
            .arg(folder.path().join("state"))
            .args(case.force.then_some("-f"))
            .arg(&conf);
        measured(&mut command, &folder.path().join("logs"))
    }
}

fn lay(case: &Case) -> (tempfile::TempDir, PathBuf) {
    let folder = scratch("bench-logs");
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let large = std::env::var("MHOST_BENCH_MIB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(LARGE_MIB);
    let bytes = if case.logs == 1 { large << 20 } else { 4096 };
    for number in 0..case.logs {
        write(&logs.join(format!("app{number}.log")), bytes, number);
    }
    let conf = folder.path().join("conf");
    fs::write(
        &conf,
        format!("{}/*.log {{\n{}\n}}\n", logs.display(), case.directives),
    )
    .unwrap();
    (folder, conf)
}

/// Lines as a web server writes them, the same in every run.
fn write(path: &Path, bytes: usize, seed: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let mut random = seed as u64 * 7919 + 1;
    let mut written = 0;
    while written < bytes {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let (a, b) = (random >> 33, random >> 47);
        let line = format!(
            "10.0.{}.{} - - [01/Mar/2026:10:{:02}:{:02} +0000] \"GET /item/{}?page={} HTTP/1.1\" {} {} \"-\" \"Mozilla/5.0\"\n",
            a % 256,
            b % 256,
            a % 60,
            b % 60,
            a % 99_991,
            b % 17,
            if a % 40 == 0 { 503 } else { 200 },
            a % 65_521,
        );
        file.write_all(line.as_bytes()).unwrap();
        written += line.len();
    }
    file.flush().unwrap();
}

fn measured(command: &mut Command, logs: &Path) -> Run {
    let cost = measure::run(command);
    let entries = fs::read_dir(logs).unwrap();
    let sizes = entries.map(|entry| entry.unwrap().metadata().unwrap().len());
    Run {
        seconds: cost.cpu.as_secs_f64(),
        bytes: sizes.sum(),
        peak: cost.peak,
    }
}
