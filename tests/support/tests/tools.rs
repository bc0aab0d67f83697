//! That the programs can really be had, and run.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails; clippy sees no test here.

use std::process::Command;

use mhost_test_support::{Tool, tools, trial};

fn says(program: &std::path::Path, argument: &str, word: &str) {
    let output = Command::new(program).arg(argument).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success() && said.contains(word), "{said}");
}

fn trials() -> Vec<libtest_mimic::Trial> {
    const PYTHON: &[&str] = &["ZODB"];
    vec![
        trial("restic_runs", &[Tool::Restic], || {
            says(&tools::restic().unwrap(), "version", "restic");
        }),
        trial("logrotate_runs", &[Tool::Logrotate], || {
            says(&tools::logrotate().unwrap(), "--version", "logrotate");
        }),
        trial("python_runs", &[Tool::Python(PYTHON)], || {
            says(
                &tools::python_with(PYTHON).unwrap(),
                "--version",
                "Python 3",
            );
        }),
    ]
}

fn main() {
    mhost_test_support::main(trials())
}
