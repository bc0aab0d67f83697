//! With restic itself.

use std::process::Command;

use mhost_test_support::{assert_same_tree, tools};

use crate::bench::{Bench, PASSWORD};

#[track_caller]
fn restic(bench: &Bench, password: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(tools::restic().unwrap());
    command.env("RESTIC_PASSWORD", password).env("LC_ALL", "C");
    command.arg("--no-cache").arg("-r").arg(bench.path("repo"));
    let output = command.args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

pub fn restic_restores_what_the_command_wrote() {
    let bench = Bench::new();
    bench.write("src/a", "a".repeat(2 << 20));
    bench.write("src/deep/b", "b");
    bench.backup(&["--set", r#"tags=["ours"]"#]);
    let (well, said) = restic(&bench, PASSWORD, &["check", "--read-data"]);
    assert!(well, "{said}");
    let target = bench.path("theirs");
    let (well, said) = restic(
        &bench,
        PASSWORD,
        &["restore", "latest", "--target", target.to_str().unwrap()],
    );
    assert!(well, "{said}");
    assert_same_tree(
        &bench.path("src"),
        &target.join(bench.path("src").strip_prefix("/").unwrap()),
    );
    let (_, said) = restic(&bench, PASSWORD, &["snapshots", "--tag", "ours"]);
    assert!(said.contains("1 snapshots"), "{said}");
}

pub fn keys_open_for_restic_too() {
    let bench = Bench::new();
    bench.write("src/a", "a");
    bench.backup(&[]);
    bench.write("second", "another\n");
    let (secret, repo) = (
        format!("second=file:{}", bench.path("second").display()),
        bench.grant("main", "repo", "keys"),
    );
    let given = ["--repo", repo.as_str(), "--secret", secret.as_str()];
    bench.fine("keys", &[&given[..], &["--set", "add=second"]].concat());
    let (well, said) = restic(&bench, "another", &["snapshots"]);
    assert!(well, "{said}");
    let listed = bench.fine("keys", &given);
    let keys = listed["report"]["details"]["keys"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(keys.len(), 2);
    let other = keys.iter().find(|key| key["current"] == false).unwrap();
    let remove = format!("remove={}", other["id"].as_str().unwrap());
    bench.fine("keys", &[&given[..], &["--set", &remove]].concat());
    let (well, _) = restic(&bench, "another", &["snapshots"]);
    assert!(!well, "the removed key still opens it");
}
