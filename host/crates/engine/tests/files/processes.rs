//! Commands and signals through a guest.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use mhost_model::grant::{CommandGrant, ProcessGrant, Signal, SignalGrant};
use serde_json::json;

use crate::calls::{answers, calls, kinds};
use crate::support::Attack;

fn granted(attack: Attack, name: &str, grant: ProcessGrant) -> Attack {
    attack.grants(|grants| drop(grants.processes.insert(name.parse().unwrap(), grant)))
}

fn command(words: &[&str]) -> ProcessGrant {
    let command = words.iter().map(|word| (*word).to_owned()).collect();
    ProcessGrant::Command(CommandGrant { command })
}

fn asked() -> Attack {
    let asked = json!([
        {"do": "process run", "name": "hello"},
        {"do": "process run", "name": "reopen"},
        {"do": "process signal", "name": "reopen"},
        {"do": "process signal", "name": "hello"},
        {"do": "process run", "name": "other"},
    ]);
    granted(
        calls(asked),
        "hello",
        command(&["/bin/sh", "-c", "echo hello; exit 4"]),
    )
}

/// A process that waits for the signal, and the file that names it.
fn waiting(folder: &tempfile::TempDir) -> (std::process::Child, ProcessGrant) {
    let child = Command::new("/bin/sleep").arg("100").spawn().unwrap();
    let pid_file = folder.path().join("pid");
    std::fs::write(&pid_file, child.id().to_string()).unwrap();
    let signal = Signal::Usr1;
    (
        child,
        ProcessGrant::Signal(SignalGrant { pid_file, signal }),
    )
}

#[test]
fn granted_commands_and_signals_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, grant) = waiting(&folder);
    let went = granted(asked(), "reopen", grant).go();
    assert_eq!(kinds(&went), ["ok", "denied", "ok", "denied", "denied"]);
    assert_eq!(answers(&went)[0]["ok"], json!([4, "hello\n"]));
    assert_eq!(child.wait().unwrap().signal(), Some(10));
}

#[test]
fn a_dry_run_starts_and_signals_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, grant) = waiting(&folder);
    let went = granted(asked(), "reopen", grant).dry_run().go();
    assert_eq!(
        kinds(&went),
        ["dry-run", "denied", "dry-run", "denied", "denied"]
    );
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
}
