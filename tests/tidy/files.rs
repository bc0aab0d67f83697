//! Small rooms: the size of files, and that each says what it is for.

use std::fs;
use std::path::PathBuf;

use super::root;

/// Past this a file is a drawer for everything.
const MAX_LINES: usize = 600;

/// All Rust files below a folder of the repository.
pub fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources below {folder}");
    found
}

fn all() -> Vec<PathBuf> {
    ["host", "plugins", "tests"]
        .iter()
        .flat_map(|folder| sources(folder))
        .collect()
}

#[test]
fn files_are_small() {
    for file in all() {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(
            lines <= MAX_LINES,
            "{} has {lines} lines: look for the seam",
            file.display()
        );
    }
}

#[test]
fn files_open_with_what_they_are_for() {
    for file in all() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} does not say what it is for",
            file.display()
        );
    }
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not name them.
    let words = ["TO", "FIX", "XX"]
        .iter()
        .zip(["DO", "ME", "X"])
        .map(|(a, b)| format!("{a}{b}"));
    let words: Vec<String> = words.chain(["#[ig".to_owned() + "nore"]).collect();
    for file in all() {
        let text = fs::read_to_string(&file).unwrap();
        for word in &words {
            assert!(!text.contains(word), "{} says {word}", file.display());
        }
    }
}
