//! Components that are none, lack something, or come from a cache.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use mhost_engine::{Allocation, EngineConfig, EngineError, Plugin, Sandbox};
use serde_json::json;

use crate::support::{Attack, block_on, component, plugin, sandbox};

fn refused(bytes: &[u8]) -> EngineError {
    block_on(sandbox(&[]).load(bytes)).unwrap_err()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn what_is_no_component_is_named() {
    for (bytes, words) in [
        (b"".to_vec(), "does not begin like"),
        (b"#!/bin/sh\necho hello\n".to_vec(), "does not begin like"),
        (wat("(module)"), "core module"),
        (component()[..1000].to_vec(), "component"),
    ] {
        let error = refused(&bytes).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_component_that_is_no_plugin_is_named() {
    let error = refused(&wat("(component)"));
    assert!(matches!(error, EngineError::NotAPlugin(_)), "{error}");
    assert!(error.to_string().contains("mhost:plugin/plugin"), "{error}");
}

#[test]
fn missing_imports_are_named_with_what_there_is() {
    let bytes = wat(r#"(component
            (import "mhost:plugin/files@0.2.0" (instance (export "copy" (func))))
            (import "wasi:nn/graph@0.2.0" (instance (export "load" (func))))
        )"#);
    let EngineError::MissingImports(lines) = refused(&bytes) else {
        panic!("missing imports");
    };
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].contains("files@0.2.0") && lines[0].contains("0.1.1"),
        "{lines:?}"
    );
    assert!(lines[1].contains("wasi:nn/graph@0.2.0"), "{lines:?}");
    let inspection = sandbox(&[]).inspect(&bytes).unwrap();
    assert_eq!(inspection.missing, lines);
    assert_eq!(
        inspection.imports,
        ["mhost:plugin/files@0.2.0", "wasi:nn/graph@0.2.0"]
    );
}

#[test]
fn a_missing_function_is_named() {
    let bytes = wat(r#"(component
            (import "mhost:plugin/progress@0.1.9" (instance (export "pause" (func))))
        )"#);
    let error = refused(&bytes).to_string();
    assert!(
        error.contains("progress@0.1.9") && error.contains("`pause`"),
        "{error}"
    );
    assert!(error.contains("progress@0.1.1"), "{error}");
}

#[test]
fn a_plugin_says_what_it_is() {
    let manifest = block_on(plugin().describe()).unwrap();
    assert_eq!(manifest.name.as_str(), "hostile");
    assert!(manifest.action("loop").is_some());
}

#[test]
fn an_inspection_names_imports_and_exports() {
    let inspection = sandbox(&[]).inspect(component()).unwrap();
    assert!(inspection.missing.is_empty(), "{:?}", inspection.missing);
    assert!(
        inspection
            .imports
            .iter()
            .any(|name| name.starts_with("wasi:filesystem/types@0.2."))
    );
    assert!(
        inspection
            .exports
            .contains(&"mhost:plugin/plugin@0.1.1".to_owned())
    );
    assert_eq!(inspection.digest, plugin().digest());
}

fn cached(folder: &Path) -> Sandbox {
    Sandbox::new(EngineConfig {
        allocation: Allocation::Pooling { instances: 4 },
        cache: Some(folder.to_owned()),
        protected: Vec::new(),
    })
    .unwrap()
}

fn runs(plugin: Arc<Plugin>) {
    let mut attack = Attack::new("nothing", json!({}));
    attack.plugin = plugin;
    attack.go().report();
}

#[test]
fn compiled_code_is_kept_and_used_without_the_component() {
    let folder = tempfile::tempdir().unwrap();
    let digest = plugin().digest();
    assert!(block_on(cached(folder.path()).load_cached(digest)).is_none());
    runs(block_on(cached(folder.path()).load(component())).unwrap());
    let files: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(files.len(), 1);
    let mode = files[0].metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    runs(block_on(cached(folder.path()).load_cached(digest)).unwrap());
}

#[test]
fn code_that_others_could_have_written_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let digest = plugin().digest();
    block_on(cached(folder.path()).load(component())).unwrap();
    let file = fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(block_on(cached(folder.path()).load_cached(digest)).is_none());
    // A cut file is made anew.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&file, &fs::read(&file).unwrap()[..100]).unwrap();
    assert!(block_on(cached(folder.path()).load_cached(digest)).is_none());
    runs(block_on(cached(folder.path()).load(component())).unwrap());
    runs(block_on(cached(folder.path()).load_cached(digest)).unwrap());
}

#[test]
fn a_cache_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let config = EngineConfig {
        allocation: Allocation::OnDemand,
        cache: Some(folder.path().to_owned()),
        protected: Vec::new(),
    };
    let error = Sandbox::new(config).err().unwrap().to_string();
    assert!(error.contains("others can write"), "{error}");
}
