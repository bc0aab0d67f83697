//! Files of every format that was released stay readable, and can be gone on with.

use std::path::Path;
use std::sync::Arc;

use mhost_conformance::{Subject, at, name};
use mhost_model::FixedClock;
use mhost_model::plan::Ended;
use mhost_model::run::{Outcome, RunState};
use mhost_store::{RedbStore, RunFilter};

use crate::common::options;

/// The fixture of a format, unpacked.
fn open_fixture(format: u32, clock: &FixedClock) -> (tempfile::TempDir, Subject) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let packed = std::fs::read(fixtures.join(format!("format-{format}.redb.zst"))).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    std::fs::write(&path, zstd::decode_all(packed.as_slice()).unwrap()).unwrap();
    let store = RedbStore::open(options(&path, clock, false)).unwrap();
    let s = Subject {
        store: Arc::new(store),
        clock: clock.clone(),
    };
    (folder, s)
}

#[tokio::test]
async fn format_1() {
    let (_folder, s) = open_fixture(1, &FixedClock::new(at(300)));
    assert_eq!(s.store.verify().await.unwrap(), Vec::<String>::new());
    let definitions = s.store.definitions().await.unwrap();
    assert_eq!(definitions.pools[&name("x")].size, 4);
    assert_eq!(definitions.plugins[0].manifest.name, name("pack"));

    let tasks = s.store.tasks(None, 99).await.unwrap();
    let names: Vec<_> = tasks
        .iter()
        .map(|status| status.task.name.as_str())
        .collect();
    assert_eq!(names, ["after", "held", "off", "queues", "timed"]);
    let timed = s.task("timed").await;
    assert_eq!(timed.task.spec.config["level"][1]["deep"], true);
    assert_eq!(timed.progress.last_success, Some(at(180)));
    assert!(matches!(
        timed.progress.open[0].state,
        RunState::Waiting { .. }
    ));
    let state = s.store.state(timed.task.id, "cursor".into()).await.unwrap();
    assert_eq!(state.as_deref(), Some(b"42".as_slice()));

    let filter = RunFilter {
        task: Some(timed.task.id),
        outcomes: [Outcome::Succeeded].into(),
        limit: 9,
        ..RunFilter::default()
    };
    let run = s.store.runs(filter).await.unwrap().remove(0);
    let report = run.report.unwrap();
    assert_eq!(
        (report.summary.as_str(), report.metrics["bytes"]),
        ("reclaimed", 1234.5)
    );
    assert_eq!(report.details.unwrap()["tables"], 3);
    assert_eq!(run.receipt.unwrap().bytes_written, 77);
    let log = s.store.log(run.id, 0, 9).await.unwrap();
    let texts: Vec<_> = log.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["first", "second"]);

    s.store.reap().await.unwrap();
    let mut went_on = 0;
    for claim in s.claim(9).await.start {
        s.end(&claim, Ended::Succeeded).await;
        went_on += 1;
    }
    assert!(went_on >= 2);
    assert_eq!(s.store.verify().await.unwrap(), Vec::<String>::new());
}
