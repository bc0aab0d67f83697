//! What docs/backup.md says of collective.recipe.backup, done.

use std::fs;

use crate::bench::Bench;
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
