//! The plugin contract: what was released never changes, and the working package only
//! adds to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::root;

/// Released versions with the digest of their text.
const RELEASED: [(&str, &str); 1] = [("0.1.0", include_str!("../../wit/released/0.1.0.sha256"))];

/// All WIT files of a package by their path in it, dependencies included.
fn package(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && name != "released" {
            let below = package(&path).into_iter();
            files.extend(below.map(|(file, text)| (format!("{name}/{file}"), text)));
        } else if name.ends_with(".wit") {
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    files
}

fn digest(files: &BTreeMap<String, String>) -> String {
    let mut hasher = Sha256::new();
    for (name, text) in files {
        hasher.update(format!("{name}\n{}\n", text.len()));
        hasher.update(text);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn released_packages_are_frozen() {
    for (version, expected) in RELEASED {
        let files = package(&root().join("wit/released").join(version));
        assert_eq!(
            digest(&files),
            expected.trim(),
            "wit/released/{version} was changed"
        );
    }
}

#[test]
fn the_working_package_is_the_newest_released_one_or_adds_to_it() {
    let working = package(&root().join("wit"));
    let (version, _) = RELEASED[RELEASED.len() - 1];
    let released = package(&root().join("wit/released").join(version));
    let declared = format!("package mhost:plugin@{version};");
    if working["world.wit"].contains(&declared) {
        assert_eq!(
            working, released,
            "a change of {version} needs a new version number"
        );
    }
}

/// What a package says, without its comments and its version.
fn statements(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .filter(|line| !line.starts_with("package mhost:plugin@"))
        .collect()
}

/// A guest of an older version of the track runs only where everything that it may
/// import is still there, in the same shape.
#[test]
fn the_working_package_keeps_what_was_released() {
    let working = package(&root().join("wit"));
    let (version, _) = RELEASED[RELEASED.len() - 1];
    for (name, text) in package(&root().join("wit/released").join(version)) {
        let mut now = statements(&working[&name]).into_iter();
        for line in statements(&text) {
            assert!(
                now.any(|other| other == line),
                "{name}: `{line}` of {version} is gone or has moved"
            );
        }
    }
}

#[test]
fn every_function_is_documented() {
    for (name, text) in package(&root().join("wit")) {
        if name.starts_with("deps/") {
            continue;
        }
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            if line.contains(": func(") && !line.contains("-> result<list<table>") {
                let before = lines[..at]
                    .iter()
                    .rev()
                    .find(|line| !line.is_empty())
                    .unwrap();
                let told = before.starts_with("///") || before.contains(": func(");
                assert!(told, "{name}: `{line}` is not documented");
            }
        }
    }
}
