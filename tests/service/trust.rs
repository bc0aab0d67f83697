//! Pins, quarantine and approval, with components of one name and version that declare
//! different things; see the guest.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use super::home::Home;

const MARK: &[u8] = b"@turncoat declares:";

const TASKS: &str = r#"
[tasks.hi]
plugin = "turncoat"
action = "go"
schedule = "manual"
grants.dirs.d = { path = "a", access = "read-write" }
[tasks.pinned]
plugin = "turncoat@0.1.0"
action = "go"
schedule = "manual"
grants.dirs.d = { path = "a", access = "read-write" }
"#;

/// The component with this letter, in a file of the home.
fn component(home: &Home, letter: u8) -> String {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    let mut bytes = COMPONENT
        .get_or_init(|| {
            let near = Path::new(env!("CARGO_TARGET_TMPDIR"));
            let built = mhost_plugin_build::build(&["mhost-guest-turncoat"], near).unwrap();
            std::fs::read(&built[0]).unwrap()
        })
        .clone();
    let marks = bytes.windows(MARK.len()).enumerate();
    let marks = marks.filter(|(at, part)| *part == MARK && bytes[at + MARK.len()] == b'A');
    let marks: Vec<usize> = marks.map(|(at, _)| at).collect();
    assert_eq!(marks.len(), 1);
    bytes[marks[0] + MARK.len()] = letter;
    let name = format!("{}.wasm", char::from(letter));
    std::fs::write(home.path(&name), bytes).unwrap();
    name
}

/// Installs it: its digest, and what was said of tasks in quarantine.
fn install(home: &Home, letter: u8) -> (String, Vec<String>) {
    let told = home.json(None, 0, &["plugin", "install", &component(home, letter)]);
    let digest = told["plugin"]["digest"].as_str().unwrap().to_owned();
    let quarantined = told["quarantined"].as_array().unwrap().iter();
    let quarantined = quarantined.map(|task| task.as_str().unwrap().to_owned());
    (digest, quarantined.collect())
}

/// A home with both tasks, approved with A.
fn home() -> (Home, String) {
    let home = Home::new(TASKS);
    let (digest, quarantined) = install(&home, b'A');
    assert!(quarantined.is_empty());
    home.json(None, 0, &["apply", "mhost.toml"]);
    (home, digest)
}

/// Which component ran.
fn ran(home: &Home, task: &str) -> String {
    let run = home.json(None, 0, &["run", task]);
    run["report"]["summary"].as_str().unwrap().to_owned()
}

fn pin(home: &Home) -> String {
    let task = home.json(None, 0, &["task", "show", "hi"]);
    task["pin"].as_str().unwrap().to_owned()
}

/// A command that ends with `code`, and the error that it tells.
fn refused(home: &Home, code: i32, args: &[&str]) -> Value {
    let all: Vec<&str> = args.iter().copied().chain(["--format", "json"]).collect();
    let output = home.run(None, &all);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
    serde_json::from_str::<Value>(&told).unwrap()["error"].clone()
}

fn text<'a>(error: &'a Value, key: &str) -> &'a str {
    error[key].as_str().unwrap_or_default()
}

#[test]
fn a_task_follows_what_asks_for_nothing_more() {
    let (home, _) = home();
    assert_eq!(ran(&home, "hi"), "A");
    let (digest, quarantined) = install(&home, b'D');
    assert!(quarantined.is_empty());
    assert_eq!((ran(&home, "hi"), pin(&home)), ("D".into(), digest));
    // One that names a version keeps what it was approved with.
    assert_eq!(ran(&home, "pinned"), "A");
}

#[test]
fn what_asks_for_more_waits_for_its_approval() {
    let (home, approved) = home();
    let (digest, quarantined) = install(&home, b'B');
    assert_eq!(quarantined.len(), 1, "{quarantined:?}");
    assert!(
        quarantined[0].contains("directories, to change them"),
        "{quarantined:?}"
    );
    let error = refused(&home, 4, &["run", "hi"]);
    assert!(text(&error, "message").contains("in quarantine"), "{error}");
    assert!(text(&error, "hint").contains(&digest[..12]), "{error}");
    assert_eq!(pin(&home), approved);
    assert_eq!(ran(&home, "pinned"), "A");

    // Only the component that was looked at is approved.
    let error = refused(&home, 2, &["task", "approve", "hi", "--digest", &approved]);
    assert!(text(&error, "message").contains(&digest[..12]), "{error}");
    refused(&home, 4, &["run", "hi"]);
    home.json(
        None,
        0,
        &["task", "approve", "hi", "--digest", &digest[..12]],
    );
    assert_eq!((ran(&home, "hi"), pin(&home)), ("B".into(), digest));
}

#[test]
fn the_approved_component_lifts_the_quarantine_when_it_is_back() {
    let (home, approved) = home();
    install(&home, b'B');
    refused(&home, 4, &["run", "hi"]);
    install(&home, b'A');
    assert_eq!((ran(&home, "hi"), pin(&home)), ("A".into(), approved));
    // So does another one that asks for nothing more than the approved one.
    install(&home, b'B');
    let (digest, _) = install(&home, b'D');
    assert_eq!((ran(&home, "hi"), pin(&home)), ("D".into(), digest));
}

#[test]
fn what_does_not_fit_the_task_is_not_approved() {
    for (letter, words) in [(b'C', "has no action `go`"), (b'E', "needs `must`")] {
        let (home, approved) = home();
        let (_, quarantined) = install(&home, letter);
        assert_eq!(quarantined.len(), 1);
        let error = refused(&home, 2, &["task", "approve", "hi"]);
        let mistake = &error["mistakes"][0];
        assert!(text(mistake, "message").contains(words), "{error}");
        assert_eq!(mistake["file"], "task hi");
        refused(&home, 4, &["run", "hi"]);
        assert_eq!(pin(&home), approved);
    }
}
