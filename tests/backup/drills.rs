//! Whether somebody ever restored a backup for a try.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::bench::{Bench, PASSWORD};

#[track_caller]
pub fn mhost(bench: &Bench, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command.args(arguments).env("PW", PASSWORD);
    let output = command.env("MHOST_HOME", bench.path("home")).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

pub fn a_backup_that_was_never_drilled_shows() {
    let bench = Bench::new();
    bench.write("src/a", "a");
    let at = |below: &str| bench.path(below).display().to_string();
    let config = format!(
        r#"
[repositories.site]
url = "{repo}"
[tasks.keep]
plugin = "backup"
action = "backup"
schedule = "manual"
config = {{ repository = "site", sources = ["/src"] }}
[tasks.keep.grants]
dirs.src = {{ path = "{src}" }}
repositories.site = {{ verbs = ["append", "read"] }}
secrets.repo = {{ env = "PW" }}
[tasks.try]
plugin = "backup"
action = "drill"
schedule = "manual"
config = {{ repository = "site", scratch = "/scratch" }}
[tasks.try.grants]
dirs.scratch = {{ path = "{scratch}", access = "read-write" }}
repositories.site = {{ verbs = ["read"] }}
secrets.repo = {{ env = "PW" }}
"#,
        repo = at("repo"),
        src = at("src"),
        scratch = at("scratch"),
    );
    fs::write(bench.path("mhost.toml"), config).unwrap();
    mhost(&bench, &["apply", &at("mhost.toml")]);
    mhost(&bench, &["run", "keep"]);
    let of = |task: &str| {
        let listed = mhost(&bench, &["task", "list"]);
        let line = listed.lines().find(|line| line.contains(task));
        line.unwrap_or_else(|| panic!("{listed}")).to_owned()
    };
    assert!(of("keep").contains("never drilled"), "{}", of("keep"));
    assert!(!of("try").contains("never drilled"), "{}", of("try"));
    mhost(&bench, &["run", "try"]);
    assert!(!of("keep").contains("never drilled"), "{}", of("keep"));
}

/// Through the sandbox: names of any bytes, a closed folder, and nothing written at all in
/// a dry run.
pub fn a_drill_and_its_dry_run_leave_nothing() {
    let bench = Bench::new();
    bench.write("src/deep/a", "a");
    let odd = OsStr::from_bytes(b"no text \xff");
    fs::write(bench.path("src").join(odd), "odd").unwrap();
    bench.write("src/closed/inside", "b");
    let closed = fs::Permissions::from_mode(0o555);
    fs::set_permissions(bench.path("src/closed"), closed).unwrap();
    bench.backup(&[]);
    let (scratch, repo) = (
        bench.grant("scratch", "scratch", "rw"),
        bench.grant("main", "repo", "read"),
    );
    let given = [
        "--dir",
        &scratch,
        "--repo",
        &repo,
        "--set",
        "scratch=/scratch",
    ];
    // Not where the repository lies, whose snapshots could be removed there.
    let inside = bench.grant("scratch", "repo", "rw");
    let refused = [
        "--dir",
        &inside,
        "--repo",
        &repo,
        "--set",
        "scratch=/scratch",
    ];
    let output = bench.exec("drill", &refused);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("the repository `main`"), "{said}");
    let report = bench.fine("drill", &[&given[..], &["--dry-run"]].concat());
    let figure = report["report"]["metrics"]["files_found"].as_f64();
    assert_eq!(figure, Some(3.0), "{report}");
    for _ in 0..2 {
        let report = bench.fine("drill", &given);
        let figure = report["report"]["metrics"]["files_restored"].as_f64();
        assert_eq!(figure, Some(3.0), "{report}");
        assert_eq!(fs::read_dir(bench.path("scratch")).unwrap().count(), 0);
    }
}
