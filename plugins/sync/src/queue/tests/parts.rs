//! Rows of a database, and a remote as the way.

use std::fs;

use super::{T, run};
use mhost_sdk::database::Value as Cell;
use mhost_sdk::testing::{FakeDatabase, FakeRemote, NativeHost};
use serde_json::json;

fn cell(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn host() -> NativeHost {
    let host = NativeHost::new()
        .with_directory("east")
        .with_directory("west")
        .with_database("here", FakeDatabase::new("redb", 1 << 20, 0))
        .with_database("there", FakeDatabase::new("redb", 1 << 20, 0))
        .with_remote("far", FakeRemote::default());
    for folder in ["east/queues", "east/content", "west/queues", "west/content"] {
        fs::create_dir(host.path(&format!("/{folder}"))).unwrap();
    }
    host
}

fn rows(host: &NativeHost, name: &str) -> Vec<(Vec<Cell>, Vec<Cell>)> {
    use mhost_sdk::Host as _;
    let database = host.database(name).unwrap();
    let view = database.begin_read().unwrap();
    match view.scan("people", None, 100) {
        Ok(page) => page
            .rows
            .into_iter()
            .map(|row| (row.key, row.columns))
            .collect(),
        Err(_) => Vec::new(),
    }
}

fn change(host: &NativeHost, name: &str, put: &[(&str, &str)], delete: &[&str]) {
    use mhost_sdk::Host as _;
    let database = host.database(name).unwrap();
    let changes = database.begin_write().unwrap();
    for (key, value) in put {
        changes.put("people", &[cell(key)], &[cell(value)]).unwrap();
    }
    for key in delete {
        changes.delete("people", &[cell(key)]).unwrap();
    }
    changes.commit().unwrap();
}

fn round(host: &NativeHost) -> f64 {
    let export = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }],
        "records": [{ "database": "here", "tables": ["people"] }],
    });
    run(host, "export", export).unwrap();
    let way = json!({ "name": "west", "directory": "/west/queues/east" });
    let transfer = json!({ "queues": "/east/queues", "targets": [way] });
    run(host, "transfer", transfer.clone()).unwrap();
    let import = json!({ "queues": "/west/queues", "importers": [{ "database": "there" }] });
    let applied = run(host, "import", import)
        .unwrap()
        .figure("items_applied")
        .unwrap();
    run(host, "transfer", transfer).unwrap();
    applied
}

#[test]
fn rows_follow() {
    let host = host();
    run(
        &host,
        "create-queue",
        json!({ "queues": "/west/queues", "targets": ["east"] }),
    )
    .unwrap();
    change(
        &host,
        "here",
        &[("a", "Ada"), ("b", "Bob"), ("c", "Cy")],
        &[],
    );
    assert_eq!(round(&host), 3.0);
    assert_eq!(rows(&host, "there"), rows(&host, "here"));
    change(&host, "here", &[("a", "Alan"), ("d", "Di")], &["b"]);
    assert_eq!(round(&host), 3.0);
    assert_eq!(rows(&host, "there"), rows(&host, "here"));
    assert_eq!(round(&host), 0.0);
}

#[test]
fn a_remote_carries_items() {
    use mhost_sdk::Host as _;
    let host = host();
    host.write_file("/east/content/a", vec![7; 700_000], T);
    let export = json!({
        "queues": "/east/queues", "source": "east", "targets": [{ "name": "west" }],
        "files": [{ "from": "/east/content" }],
    });
    run(&host, "export", export).unwrap();
    let way = json!({ "name": "west", "remote": { "name": "far", "path": "queues/east" } });
    let transfer = json!({ "queues": "/east/queues", "targets": [way] });
    let report = run(&host, "transfer", transfer.clone()).unwrap();
    assert_eq!(report.figure("items_sent"), Some(1.0));
    let remote = host.remote("far").unwrap();
    let sent = remote
        .listing("queues/east/IMPORT/TO_PROCESS", false, None, 10)
        .unwrap();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].metadata.size > 700_000);
    let path = sent[0].path.clone();
    remote
        .rename(&path, &path.replace("TO_PROCESS", "DONE"))
        .unwrap();
    let report = run(&host, "transfer", transfer).unwrap();
    assert_eq!(report.figure("items_acknowledged"), Some(1.0));
}
