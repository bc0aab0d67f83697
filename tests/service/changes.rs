//! Tasks that run when files change: whoever looks, and whenever.

use std::fs;
use std::path::Path;

use super::home::{Home, Service, mirror};

const EVE: Option<&str> = Some("2026-12-01T02:00:00Z");

fn ticked(home: &Home) -> usize {
    home.json(EVE, 0, &["tick"]).as_array().unwrap().len()
}

#[test]
fn a_tick_notices_what_changed_since_the_last_run() {
    let home = Home::new(&mirror("copy", "{ on_change = \"a\", settle = \"10ms\" }"));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    // What is there at first is no change.
    assert_eq!(ticked(&home), 0);
    home.write("a/new", "more");
    let runs = home.json(EVE, 0, &["tick"]);
    assert_eq!(runs[0]["trigger"], "change", "{runs}");
    assert_eq!(runs[0]["outcome"], "succeeded", "{runs}");
    assert_eq!(fs::read_to_string(home.path("b/new")).unwrap(), "more");
    // Once for each change, and a file that came and went is none.
    assert_eq!(ticked(&home), 0);
    home.write("a/gone", "");
    fs::remove_file(home.path("a/gone")).unwrap();
    assert_eq!(ticked(&home), 0);
    // A directory that is away, such as one that is not mounted, is no change.
    fs::rename(home.path("a"), home.path("away")).unwrap();
    assert_eq!(ticked(&home), 0);
    fs::rename(home.path("away"), home.path("a")).unwrap();
    assert_eq!(ticked(&home), 0);
    fs::remove_file(home.path("a/new")).unwrap();
    assert_eq!(ticked(&home), 1);
}

#[test]
fn a_pause_passes_changes_over_unless_asked() {
    let home = Home::new(&mirror("copy", "{ on_change = \"a\", settle = \"10ms\" }"));
    home.json(EVE, 0, &["apply", "mhost.toml"]);
    let switch = |args: &[&str]| home.json(EVE, 0, args);
    switch(&["task", "pause", "copy"]);
    home.write("a/one", "1");
    assert_eq!(ticked(&home), 0);
    switch(&["task", "resume", "copy"]);
    assert_eq!(ticked(&home), 0);
    switch(&["task", "pause", "copy"]);
    home.write("a/two", "2");
    switch(&["task", "resume", "copy", "--catch-up"]);
    assert_eq!(ticked(&home), 1);
}

/// Waits for runs to end until one has made this file.
fn until(service: &mut Service, file: &Path) {
    loop {
        service.wait_for("run ended");
        if file.exists() {
            return;
        }
    }
}

/// By the kernel's notices, and what changed while it was not there.
#[test]
fn the_service_notices_changes() {
    let home = Home::new(&mirror("copy", "{ on_change = \"a\", settle = \"50ms\" }"));
    let mut service = home.serve();
    fs::create_dir_all(home.path("a/deep/er")).unwrap();
    until(&mut service, &home.path("b/deep/er"));
    home.write("a/deep/er/file", "1");
    until(&mut service, &home.path("b/deep/er/file"));
    service.signal(rustix::process::Signal::TERM);
    assert_eq!(service.end(), Some(0));
    home.write("a/while", "nobody looked");
    let mut service = home.serve();
    until(&mut service, &home.path("b/while"));
    let rows = home.json(None, 0, &["runs", "list", "--task", "copy"]);
    let mut runs = rows.as_array().unwrap().iter();
    assert!(runs.len() >= 3, "{rows}");
    assert!(runs.all(|row| row["trigger"] == "change"), "{rows}");
}
