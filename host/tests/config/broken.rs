//! Files with mistakes, and what a person is told: `broken/NAME.toml` and `broken/NAME.stderr`.
//! `MHOST_BLESS=1` writes the latter anew.

use std::fs;
use std::path::Path;

use mhost::config::{ConfigError, Severity, parse};

use super::support::{cases, read};

#[test]
fn every_broken_file_is_explained() {
    let cases = cases("broken", "toml");
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    let bless = std::env::var_os("MHOST_BLESS").is_some();
    let mut failures = Vec::new();
    for (name, path) in cases {
        let text = fs::read_to_string(&path).unwrap();
        let said = match read(&text) {
            Err(error) => error.to_string() + "\n",
            Ok(_) => panic!("{name}: nothing is wrong with it"),
        };
        let golden = path.with_extension("stderr");
        if bless {
            fs::write(&golden, &said).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            failures.push(format!(
                "--- {name}: expected\n{expected}\n--- but it says\n{said}"
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The promise of every message: file, line, key and remedy.
#[test]
fn every_mistake_names_line_key_and_remedy() {
    for (name, path) in cases("broken", "toml") {
        let error = read(&fs::read_to_string(&path).unwrap()).unwrap_err();
        assert_eq!(error.count(), error.mistakes.len(), "{name}");
        for mistake in &error.mistakes {
            assert_eq!(mistake.severity, Severity::Error, "{name}");
            assert_eq!(mistake.file, super::support::FILE, "{name}");
            assert!(
                mistake.line.is_some() && mistake.column.is_some(),
                "{name}: {mistake:?}"
            );
            assert!(mistake.help.is_some(), "{name}: {mistake:?}");
            // What is no TOML may have no key yet.
            assert!(
                mistake.key.is_some() || name.starts_with("syntax-") || name == "unknown-table",
                "{name}: {mistake:?}"
            );
        }
    }
}

fn refused(path: &Path) -> ConfigError {
    mhost::config::read(path).unwrap_err()
}

#[test]
fn files_that_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mhost.toml");
    let check = |path: &Path, expected: &str| {
        let said = refused(path).to_string();
        assert!(said.contains(expected), "{said}");
        assert!(
            said.contains("help:") && said.contains(&path.display().to_string()),
            "{said}"
        );
    };
    check(&path, "there is no such file");
    check(folder.path(), "this is a directory");
    fs::write(&path, b"[tasks.a]\nplugin = \"\xff\"\n").unwrap();
    check(&path, "the file is not UTF-8 (byte 20)");
    check(&path, "mhost.toml:2:11");
    let file = fs::File::create(&path).unwrap();
    file.set_len((16 << 20) + 1).unwrap();
    check(&path, "larger than 16 MiB");
    // Zero bytes are text, so a file of just this size is judged as TOML.
    file.set_len(1 << 20).unwrap();
    let text = mhost::config::read(&path).unwrap();
    assert!(parse(&text, &path).is_err());
}

#[test]
fn a_file_with_thousands_of_mistakes_is_told_in_short() {
    let mut text = String::from("[tasks.a]\n");
    for line in 0..20_000 {
        text.push_str(&format!("unknown_{line} = 1\n"));
    }
    let error = read(&text).unwrap_err();
    // Three keys are missing besides.
    assert_eq!((error.mistakes.len(), error.count()), (100, 20_003));
    assert!(error.to_string().ends_with("and 19903 more mistakes"));
}

#[test]
fn a_line_without_end_is_shown_in_part() {
    let text = format!("tasks.a.description = \"{}\"\n", "x".repeat(1 << 20));
    let said = read(&text).unwrap_err().to_string();
    assert!(said.len() < 10_000, "{} bytes", said.len());
    assert!(
        said.contains("1:23") && said.contains("at most 4096"),
        "{said}"
    );
}

#[test]
fn mistakes_cannot_steer_a_terminal() {
    let said = read("\"\\u001b[31m\" = 1\n[tasks.\"\\u0007\"]\n")
        .unwrap_err()
        .to_string();
    assert!(
        !said.contains('\u{1b}') && !said.contains('\u{7}'),
        "{said:?}"
    );
}
