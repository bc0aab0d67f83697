//! Import directions, read from the manifests.

use std::collections::BTreeSet;
use std::fs;

use super::root;

/// The crates below `host/crates`, and which of each other they may import.
const CRATES: [(&str, &[&str]); 10] = [
    ("channels", &["model"]),
    // What any store must show, for the tests of one.
    ("conformance", &["model", "store"]),
    ("model", &[]),
    ("sched", &["model"]),
    ("store", &["model"]),
    ("trees", &["model"]),
    ("engine", &["model", "trees"]),
    ("databases", &["model"]),
    // Where a `Data.fs` is complete, the library of its format says.
    ("repositories", &["model", "filestorage"]),
    ("remotes", &["model"]),
];

/// Libraries that only some may name.
const RESERVED: [(&str, &[&str]); 13] = [
    ("mail-send", &["channels"]),
    ("minijinja", &["channels"]),
    ("wasmtime", &["engine"]),
    ("wasmtime-wasi", &["engine"]),
    ("wasmtime-wasi-http", &["engine"]),
    // The host makes one for its demo; tables of tasks are the store's alone.
    ("redb", &["store", "databases", "host"]),
    ("rustic_core", &["repositories"]),
    ("opendal", &["remotes"]),
    ("reqwest", &["remotes"]),
    ("openssh-sftp-client", &["remotes"]),
    ("clap", &["host"]),
    ("axum", &["host"]),
    ("croner", &["sched"]),
];

fn manifest(path: &str) -> toml::Table {
    let text = fs::read_to_string(root().join(path).join("Cargo.toml")).unwrap();
    text.parse().unwrap()
}

/// What a crate is built with; tests may use more.
fn dependencies(path: &str) -> BTreeSet<String> {
    let manifest = manifest(path);
    let table = manifest["dependencies"].as_table().unwrap();
    table.keys().cloned().collect()
}

#[test]
fn every_crate_is_listed() {
    let found: BTreeSet<String> = fs::read_dir(root().join("host/crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let listed: BTreeSet<String> = CRATES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(found, listed);
}

#[test]
fn crates_import_only_downwards() {
    for (name, allowed) in CRATES {
        let ours = dependencies(&format!("host/crates/{name}"));
        for dependency in ours.iter().filter_map(|name| name.strip_prefix("mhost-")) {
            assert!(
                allowed.contains(&dependency),
                "{name} must not import {dependency}"
            );
        }
    }
}

#[test]
fn libraries_stay_where_they_belong() {
    let paths = CRATES.map(|(name, _)| (name, format!("host/crates/{name}")));
    let all = paths.into_iter().chain([("host", "host".to_owned())]);
    for (name, path) in all {
        let dependencies = dependencies(&path);
        for (library, allowed) in RESERVED {
            let named = dependencies.contains(library);
            assert!(
                !named || allowed.contains(&name),
                "{name} must not name {library}"
            );
        }
    }
}

#[test]
fn the_model_does_no_io() {
    let forbidden = [
        "tokio",
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::process",
    ];
    for file in super::files::sources("host/crates/model/src") {
        let text = fs::read_to_string(&file).unwrap();
        for word in forbidden {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}
