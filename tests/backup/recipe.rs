//! What docs/backup.md says of collective.recipe.backup, done.

use std::fs;
use std::process::Command;

use mhost_test_support::noise;

use crate::bench::Bench;
use crate::drills::mhost;
use crate::storage::{Writer, blobs};

pub fn the_recipe_of_collective_recipe_backup() {
    let bench = Bench::new();
    let mut writer = Writer::start(&bench.path("src"));
    let storages = r#"storages=[{"file":"/src/filestorage/Data.fs","blobs":"/src/blobstorage"}]"#;
    let backup = |bench: &Bench, tag: &str| {
        let tags = format!(r#"tags=["{tag}"]"#);
        let exclude = r#"exclude=["*.lock","*.tmp"]"#;
        let report = bench.backup(&["--set", storages, "--set", exclude, "--set", &tags]);
        report["report"]["details"]["snapshot"].clone()
    };
    writer.commit();
    let first = backup(&bench, "snapshot");
    writer.commit();
    backup(&bench, "daily");
    writer.commit();
    backup(&bench, "daily");
    drop(writer);
    // Keep the last, and what is tagged.
    let repo = bench.grant("main", "repo", "read,forget,prune");
    let keep = [
        "--set",
        "keep_last=1",
        "--set",
        r#"keep_tags=["snapshot"]"#,
        "--set",
        "prune=true",
    ];
    let report = bench.fine(
        "forget",
        &[&["--repo", repo.as_str()][..], &keep[..]].concat(),
    );
    let figure = |name: &str| {
        let metrics = report["report"]["metrics"].clone();
        metrics
            .as_array()
            .into_iter()
            .flatten()
            .find(|one| one["name"] == name)
            .map(|one| one["value"].as_f64().unwrap())
            .or_else(|| metrics[name].as_f64())
    };
    assert_eq!(
        (figure("snapshots_kept"), figure("snapshots_removed")),
        (Some(2.0), Some(1.0)),
        "{report}"
    );
    // Restore to a date, in place.
    // The instant of the first snapshot itself: the others follow within the same second.
    let time = first["time"].as_i64().unwrap();
    let at = format!(
        "at={}",
        chrono::DateTime::from_timestamp_millis(time)
            .unwrap()
            .to_rfc3339()
    );
    let (src, repo) = (
        bench.grant("src", "src", "rw"),
        bench.grant("main", "repo", "read"),
    );
    let place = [
        "--set",
        "to=/src",
        "--set",
        "in_place=true",
        "--set",
        "overwrite=true",
        "--set",
        "delete=true",
    ];
    let given = [
        "--dir",
        src.as_str(),
        "--repo",
        repo.as_str(),
        "--set",
        at.as_str(),
    ];
    bench.fine("restore", &[&given[..], &place[..]].concat());
    assert_eq!(blobs(&bench.path("src")), 1);
    assert!(
        !fs::exists(bench.path("src/filestorage/Data.fs.lock")).unwrap(),
        "`delete` took it"
    );
}

/// The configuration of docs/backup.md, with the places of this test in it: what it
/// appends is little, its command runs before, and one that fails stops it.
pub fn the_recipe_runs_as_it_stands_in_the_documentation() {
    let bench = Bench::new();
    let at = |below: &str| bench.path(below).display().to_string();
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/backup.md");
    let docs = fs::read_to_string(docs).unwrap();
    let (_, recipe) = docs.split_once("## From collective.recipe.backup").unwrap();
    let (_, recipe) = recipe.split_once("```toml\n").unwrap();
    let (recipe, _) = recipe.split_once("```").unwrap();
    let mut config = recipe.to_owned();
    for (there, here) in [
        ("\"/srv/plone/var\"", format!("\"{}\"", at("src"))),
        ("\"/backup/plone\"", format!("\"{}\"", at("repo"))),
        ("/etc/mhost/plone.password", at("password")),
        (
            r#"["/usr/bin/logger", "backup of plone begins"]"#,
            format!(r#"["/usr/bin/env", "touch", "{}"]"#, at("announced")),
        ),
        (
            r#"["/usr/bin/logger", "backup of plone ended"]"#,
            format!(r#"["/usr/bin/env", "touch", "{}"]"#, at("ended")),
        ),
    ] {
        assert!(config.contains(there), "{there}");
        config = config.replace(there, &here);
    }
    fs::write(bench.path("password"), "secret of the test").unwrap();
    let mut writer = Writer::start(&bench.path("src"));
    writer.commit();
    bench.write("src/steady", noise(4 << 20, 7));
    fs::write(bench.path("mhost.toml"), &config).unwrap();
    mhost(&bench, &["apply", &at("mhost.toml")]);
    let run = |task: &str| {
        let said = mhost(&bench, &["run", task, "--format", "json"]);
        let start = said.find('{').unwrap();
        let mut read = serde_json::Deserializer::from_str(&said[start..]).into_iter();
        let run: serde_json::Value = read.next().unwrap().unwrap();
        run["report"]["metrics"].clone()
    };
    let first = run("backup-plone")["bytes_added"].as_f64().unwrap();
    assert!(bench.path("announced").exists() && bench.path("ended").exists());
    writer.commit();
    let second = run("backup-plone")["bytes_added"].as_f64().unwrap();
    assert!(first > 4e6 && second < 1e5, "{first} {second}");
    drop(writer);
    // What follows the backups.
    mhost(&bench, &["tick"]);
    // A command before that fails: nothing is stored.
    let failing = config.replace("touch", "false");
    assert_ne!(failing, config);
    fs::write(bench.path("mhost.toml"), failing).unwrap();
    mhost(&bench, &["apply", &at("mhost.toml")]);
    let snapshots = || fs::read_dir(bench.path("repo/snapshots")).unwrap().count();
    let before = snapshots();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command.args(["run", "backup-plone"]);
    let output = command.env("MHOST_HOME", bench.path("home")).output();
    assert_eq!(output.unwrap().status.code(), Some(1));
    assert_eq!(snapshots(), before);
}
