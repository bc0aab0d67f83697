//! A real Zope, packed over HTTP while it runs.

use std::process::Command;

use libtest_mimic::Trial;
use mhost_test_support::servers::{ZOPE, Zope};
use mhost_test_support::{scratch, trial};

use super::place::told;

pub fn trials() -> Vec<Trial> {
    vec![trial("a_live_zope_is_packed_over_http", &[ZOPE], live)]
}

fn live() {
    let folder = scratch("zope");
    let zope = Zope::start(&folder.path().join("instance")).unwrap();
    let origin = format!("http://127.0.0.1:{}", zope.port);
    let run_to = |before: &str, login: &str, database: &str, more: &[&str]| {
        std::fs::write(folder.path().join("login"), login).unwrap();
        let secret = format!("zope=file:{}", folder.path().join("login").display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args([
                "exec", "pack", "pack", "--net", &origin, "--secret", &secret,
            ])
            .args(["--set", &format!("target.zope={origin}")])
            .args(["--set", &format!("target.database={database}")])
            .args(["--set", "target.login_secret=zope"])
            .args(["--set", &format!("before={before}")])
            .args(more)
            .env("MHOST_HOME", folder.path().join("state"))
            .env_remove("MHOST_NOW");
        let output = command.output().unwrap();
        (output.status.code(), told(&output))
    };
    let run = |login: &str, database: &str, more: &[&str]| run_to("now", login, database, more);
    let data = zope.instance.join("var/Data.fs");
    let size = || std::fs::metadata(&data).unwrap().len();
    let before = size();
    let (code, said) = run("admin:secret", "main", &["--dry-run"]);
    assert_eq!((code, size()), (Some(0), before), "{said}");
    // All that there is was made today: it stays, with its history, when only older history is to go.
    let (code, said) = run_to("7 days", "admin:secret", "main", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(size(), before, "history was lost: {said}");
    let (code, said) = run("admin:secret", "main", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(size() < before, "{before} bytes are {} now", size());
    assert!(!said.contains("secret\""), "{said}");
    for (login, database, named) in [
        ("admin:wrong", "main", "role Manager"),
        ("admin:secret", "none", "no such database"),
    ] {
        let (code, said) = run(login, database, &[]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(named), "{said}");
    }
    // The file of the running server is packed into another, but not in its place.
    let grant = format!("data={}:rw", data.parent().unwrap().display());
    let pack = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
        command
            .args(["exec", "pack", "pack", "--dir", &grant])
            .args(["--set", "target.filestorage=/data/Data.fs"])
            .args(more)
            .env("MHOST_HOME", folder.path().join("state"));
        command.output().unwrap().status.code()
    };
    assert_eq!(pack(&[]), Some(5));
    assert_eq!(pack(&["--set", "output=/data/copy.fs"]), Some(0));
}
