//! What is built is what the host looks for: components that export the contract,
//! small enough to be embedded.

#![allow(clippy::unwrap_used)] // Also in the helpers of the tests.

use std::fs;
use std::path::Path;

use wasmparser::{Parser, Payload};

const PACKAGES: [&str; 6] = [
    "mhost-example-hello",
    "mhost-plugin-backup",
    "mhost-plugin-logrotate",
    "mhost-plugin-pack",
    "mhost-plugin-ping",
    "mhost-plugin-sync",
];

/// Code and data, without what only debuggers read.
const MOST_BYTES: usize = 2 << 20;

#[test]
fn every_plugin_exports_the_contract_and_is_small() {
    let near = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let built = mhost_plugin_build::build(&PACKAGES, near).unwrap();
    for (package, path) in PACKAGES.iter().zip(built) {
        let component = fs::read(&path).unwrap();
        assert_eq!(
            exports(&component),
            ["mhost:plugin/plugin@0.1.1"],
            "{package}"
        );
        let size = size(&component);
        assert!(size < MOST_BYTES, "{package} has {size} bytes");
    }
}

#[test]
fn the_same_sources_make_the_same_component() {
    let near = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let read = || {
        let built = mhost_plugin_build::build(&["mhost-example-hello"], near).unwrap();
        fs::read(&built[0]).unwrap()
    };
    let component = read();
    assert_eq!(component, read());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let root = root.to_str().unwrap().as_bytes();
    let leaks = component.windows(root.len()).any(|window| window == root);
    assert!(
        !leaks,
        "a component names no path of the machine that built it"
    );
}

/// The exports of the outermost component.
fn exports(component: &[u8]) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentExportSection(section) if depth == 0 => {
                names.extend(
                    section
                        .into_iter()
                        .map(|export| export.unwrap().name.name.to_owned()),
                );
            }
            _ => {}
        }
    }
    names
}

/// Bytes of the code and data of all modules.
fn size(component: &[u8]) -> usize {
    let payloads = Parser::new(0).parse_all(component);
    let sizes = payloads.map(|payload| match payload.unwrap() {
        Payload::CodeSectionStart { size, .. } => size as usize,
        Payload::DataSection(section) => (section.range().end - section.range().start) as usize,
        _ => 0,
    });
    sizes.sum()
}
