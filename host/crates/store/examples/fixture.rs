//! Writes a store with a row of every kind, to be kept as a fixture of the present
//! format: `cargo run -p mhost-store --example fixture -- PATH`. Made once for every
//! format that is released, and never again.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::Arc;

use mhost_conformance::{IntervalPlanner, Subject, at, digest, name, spec};
use mhost_model::FixedClock;
use mhost_model::plan::Ended;
use mhost_model::plugin::{Manifest, PluginRecord};
use mhost_model::policy::Overlap;
use mhost_model::receipt::Receipt;
use mhost_model::resource::{DatabaseDef, Endpoint, Engine, PoolDef};
use mhost_model::run::{ErrorKind, LogLevel, LogLine, Report, RunError};
use mhost_model::schedule::{AfterOn, Schedule};
use mhost_store::{Edit, OpenOptions, RedbStore};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = PathBuf::from(std::env::args().nth(1).unwrap());
    let clock = FixedClock::new(at(0));
    let store = RedbStore::open(OpenOptions {
        path,
        clock: Arc::new(clock.clone()),
        planner: Arc::new(IntervalPlanner),
        create: true,
    });
    let s = Subject {
        store: Arc::new(store.unwrap()),
        clock,
    };
    define(&s).await;
    tasks(&s).await;
    runs(&s).await;
    assert!(s.store.verify().await.unwrap().is_empty());
}

async fn define(s: &Subject) {
    let x = || name("x");
    let url = || "file:///srv/x".to_owned();
    let plugin = PluginRecord {
        digest: digest(3),
        manifest: Manifest {
            name: name("pack"),
            version: "1.0.0".into(),
            summary: "packs".into(),
            actions: Vec::new(),
        },
        built_in: true,
        installed_at: at(0),
    };
    let database = DatabaseDef {
        engine: Engine::Sqlite,
        path: "/srv/x.db".into(),
    };
    let edits = vec![
        Edit::PutDatabase(x(), database),
        Edit::PutRepository(x(), Endpoint::at(url()).into()),
        Edit::PutRemote(x(), Endpoint::at(url()).into()),
        Edit::PutPool(x(), PoolDef { size: 4 }),
        Edit::PutPlugin(Box::new(plugin)),
    ];
    s.store.edit(edits).await.unwrap();
}

async fn tasks(s: &Subject) {
    s.put_with("timed", 60, |spec| {
        spec.config
            .insert("level".into(), serde_json::json!([1, { "deep": true }]));
        spec.policy.retry.attempts = 2;
    })
    .await;
    s.put_with("after", 0, |spec| {
        let after = name("timed");
        spec.schedule = Schedule::After {
            after,
            on: AfterOn::Any,
        };
    })
    .await;
    s.put_with("queues", 60, |spec| spec.policy.overlap = Overlap::QueueOne)
        .await;
    s.put("held", spec(3600)).await;
    s.put("off", spec(60)).await;
    let off = Edit::SetEnabled {
        name: name("off"),
        enabled: false,
    };
    let quarantine = Edit::SetQuarantine {
        name: name("held"),
        quarantine: Some("it asks for more".into()),
    };
    s.store.edit(vec![off, quarantine]).await.unwrap();
}

async fn runs(s: &Subject) {
    s.set(180);
    let claims = s.claim(2).await.start;
    let line = |text: &str| LogLine {
        at: at(181),
        level: LogLevel::Warn,
        source: "guest".into(),
        text: text.into(),
    };
    s.store
        .append_log(claims[0].run.id, vec![line("first")])
        .await
        .unwrap();
    let mut completion = s.completion(&claims[0], Ended::Succeeded).await;
    completion.report = Some(Report {
        summary: "reclaimed".into(),
        metrics: [("bytes".to_owned(), 1234.5)].into(),
        artifacts: Vec::new(),
        details: Some(serde_json::json!({ "tables": 3 })),
    });
    completion.receipt = Some(Receipt {
        bytes_written: 77,
        ..Receipt::default()
    });
    completion.state = [("cursor".to_owned(), Some(b"42".to_vec()))].into();
    completion.log = vec![line("second")];
    s.store.complete(completion).await.unwrap();
    s.set(240);
    // The other one is still on: a fire is queued behind it. And the dependent starts.
    let claims = s.claim(9).await.start;
    let timed = |claim: &&mhost_store::Claim| claim.run.task_name == name("timed");
    let again = claims.iter().find(timed).unwrap();
    let failed = Ended::Failed(RunError {
        message: "it did not work".into(),
        kind: ErrorKind::Failure,
        retryable: true,
        cause: None,
    });
    s.end(again, failed).await;
}
