//! Runs both programs on copies of one tree, and compares what they made.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

use mhost_test_support::{scratch, tools, tree_differences};
use serde_json::Value;

use super::grove::{self, Grove};

/// A comparison.
#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub source: fn(&Grove),
    pub target: fn(&Grove),
    /// Options of rsync, after `-aHX`.
    pub rsync: &'static [&'static str],
    /// Settings of `mirror`.
    pub settings: &'static [&'static str],
}

/// Nothing.
pub fn bare(_: &Grove) {}

/// A home that all runs share, so that the component is compiled once.
fn home() -> &'static Path {
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    HOME.get_or_init(|| scratch("mirror-home").keep())
}

/// `mhost exec sync mirror` from `a` to `b`; one at a time, as a process that ends may
/// still be asked by another.
pub fn mirror(a: &Path, b: &Path, settings: &[&str], dry: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command
        .env("MHOST_HOME", home())
        .args(["exec", "sync", "mirror", "--format", "json", "--dir"])
        .arg(format!("a={}:ro", a.display()))
        .arg("--dir")
        .arg(format!("b={}:rw", b.display()))
        .args(["--set", "from=/a"]);
    if !settings.iter().any(|setting| setting.starts_with("to=")) {
        command.args(["--set", "to=/b"]);
    }
    for setting in settings {
        command.args(["--set", setting]);
    }
    if dry {
        command.arg("--dry-run");
    }
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    command.output().unwrap()
}

fn rsync(a: &Path, b: &Path, options: &[&str]) -> Output {
    let mut from = a.as_os_str().to_owned();
    from.push("/");
    let mut command = Command::new(tools::rsync().unwrap());
    command.arg("-aHX").args(options).arg(from).arg(b);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Makes the trees, runs both, compares; then runs once more, which must find nothing.
pub fn compare(case: &Case) {
    let room = scratch(case.name);
    let place = |name: &str| room.path().join(name);
    let (source, theirs, ours) = (place("source"), place("theirs"), place("ours"));
    make(&source, case.source);
    make(&theirs, case.target);
    make(&ours, case.target);
    let expected = rsync(&source, &theirs, case.rsync);
    let done = mirror(&source, &ours, case.settings, false);
    assert_eq!(
        done.status.success(),
        expected.status.success(),
        "rsync: {}\nmhost: {}",
        said(&expected),
        said(&done)
    );
    let mut differences = tree_differences(&theirs, &ours);
    // What is in no source and changed has the time at which it did.
    differences.retain(|difference| {
        let told = difference.split_once(": modified ");
        told.is_none_or(|(path, rest)| rest.contains(": ") || source.join(path).exists())
    });
    assert!(
        differences.is_empty(),
        "{differences:#?}\nrsync: {}\nmhost: {}",
        said(&expected),
        said(&done)
    );
    same_root(&theirs, &ours);
    if done.status.success() {
        let again = mirror(&source, &ours, case.settings, false);
        assert!(again.status.success(), "{}", said(&again));
        for figure in [
            "files_copied",
            "files_deleted",
            "dirs_created",
            "links_made",
            "hard_links_made",
        ] {
            if !(case.settings.contains(&"ignore_times=true") && figure == "files_copied") {
                assert_eq!(metric(&again, figure), 0.0, "{figure}: {}", said(&again));
            }
        }
    }
}

fn make(root: &Path, with: fn(&Grove)) {
    let grove = Grove::new(root);
    with(&grove);
    grove.settle();
}

fn same_root(left: &Path, right: &Path) {
    let seen = |path: &Path| {
        let found = fs::metadata(path).unwrap();
        (
            found.mode(),
            found.uid(),
            found.gid(),
            found.mtime(),
            found.mtime_nsec(),
        )
    };
    assert_eq!(seen(left), seen(right), "the roots differ");
}

/// The report of a run.
pub fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let run: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {}", said(output)));
    run["report"].clone()
}

/// A figure of the report.
pub fn metric(output: &Output, name: &str) -> f64 {
    let report = report(output);
    report["metrics"][name]
        .as_f64()
        .unwrap_or_else(|| panic!("no `{name}` in {report:#}"))
}

/// The dry run's list beside that of `rsync -ni`.
pub fn itemised() {
    let room = scratch("itemised");
    let place = |name: &str| room.path().join(name);
    let (source, target) = (place("source"), place("target"));
    make(&source, |grove| {
        grove::mixed(grove);
        grove.file("mode", "same", grove::T).mode("mode", 0o600);
        grove.file("owner", "same", grove::T).owner("owner", 12, 34);
        grove.file("size", "larger", grove::T);
        grove.fifo("pipe", 0o644);
    });
    make(&target, |grove| {
        grove::older(grove);
        grove.file("mode", "same", grove::T).mode("mode", 0o644);
        grove.file("owner", "same", grove::T);
        grove.file("size", "small", grove::T);
    });
    let listed = rsync(&source, &target, &["-ni", "--delete"]);
    let mut expected: Vec<String> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let (code, path) = line.split_at(12);
            let path = path.split(" -> ").next().unwrap().trim_end_matches('/');
            let path = if path == "." { "" } else { path };
            format!("{} {path}", code.trim_end())
        })
        .collect();
    let done = mirror(&source, &target, &["delete=true"], true);
    let report = report(&done);
    let mut found: Vec<String> = report["details"]["steps"]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            format!(
                "{} {}",
                step["change"].as_str().unwrap(),
                step["path"].as_str().unwrap()
            )
        })
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}
