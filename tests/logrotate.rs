//! Rotation beside Debian's logrotate: each scenario of `logrotate/scenarios` is laid out
//! twice, runs through both programs at the same instant, and must leave the same names,
//! kinds, modes, owners, contents and state.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails.

#[path = "logrotate/hardship.rs"]
mod hardship;
#[path = "logrotate/host.rs"]
mod host;
#[path = "logrotate/import.rs"]
mod import;
#[path = "logrotate/instead.rs"]
mod instead;
#[path = "logrotate/scenario.rs"]
mod scenario;
#[path = "logrotate/world.rs"]
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

use libtest_mimic::Trial;
use mhost_model::{Clock, SystemClock};
use mhost_test_support::tools::Unavailable;
use mhost_test_support::{Mount, Tool, harness, scratch, tools};
use scenario::{Scenario, Through};
use world::World;

/// What differs by a moment is the same.
const MOMENT: i64 = 120;
/// A disk that is soon full, MiB.
const DISK: u32 = 4;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/logrotate/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let scenarios = files.iter().flat_map(|file| scenario::read(file));
    let mut trials: Vec<Trial> = scenarios.map(trial).collect();
    assert!(trials.len() >= 60, "{} scenarios", trials.len());
    let hardships: [(&str, fn()); 14] = [
        (
            "a_writer_that_is_signalled_loses_no_line",
            hardship::a_writer_that_is_signalled_loses_no_line,
        ),
        (
            "a_writer_that_is_not_told_loses_a_moment_at_most",
            hardship::a_writer_that_is_not_told_loses_a_moment_at_most,
        ),
        (
            "a_killed_rotation_is_finished_by_the_next",
            hardship::a_killed_rotation_is_finished_by_the_next,
        ),
        (
            "a_watch_tells_what_is_too_much",
            host::a_watch_tells_what_is_too_much,
        ),
        (
            "an_archive_that_goes_is_mailed_by_the_host",
            host::an_archive_that_goes_is_mailed_by_the_host,
        ),
        (
            "a_task_that_always_fails_remembers_the_others",
            host::a_task_that_always_fails_remembers_the_others,
        ),
        (
            "a_state_file_that_is_held_is_waited_for",
            host::a_state_file_that_is_held_is_waited_for,
        ),
        (
            "it_says_what_it_stands_in_for",
            instead::it_says_what_it_stands_in_for,
        ),
        (
            "what_is_wrong_is_told_in_this_machines_words",
            instead::what_is_wrong_is_told_in_this_machines_words,
        ),
        (
            "a_configuration_in_another_encoding_is_read",
            instead::a_configuration_in_another_encoding_is_read,
        ),
        (
            "what_goes_unmentioned_fails_all_the_same",
            instead::what_goes_unmentioned_fails_all_the_same,
        ),
        (
            "an_import_grants_what_is_there_and_no_more",
            import::an_import_grants_what_is_there_and_no_more,
        ),
        (
            "an_imported_task_refuses_until_its_script_is_granted",
            import::an_imported_task_refuses_until_its_script_is_granted,
        ),
        (
            "an_import_spoils_no_configuration",
            import::an_import_spoils_no_configuration,
        ),
    ];
    trials.extend(hardships.map(|(name, body)| harness::trial(name, &[], body)));
    trials.push(harness::trial_with(
        "a_full_disk_takes_no_log",
        || Mount::new(DISK),
        |disk| hardship::a_full_disk_takes_no_log(&disk),
    ));
    harness::main(trials);
}

fn trial(scenario: Scenario) -> Trial {
    let name = scenario.name.clone();
    let need = scenario.root;
    let have = move || {
        Tool::Logrotate.path()?;
        match need && !rustix::process::geteuid().is_root() {
            false => Ok(()),
            true => Err(Unavailable {
                tool: "the user root".to_owned(),
                reason: "it runs as another one".to_owned(),
            }),
        }
    };
    harness::trial_with(&name, have, move |()| check(&scenario))
}

fn check(scenario: &Scenario) {
    let now = SystemClock.now().timestamp();
    let theirs = World::new("theirs", scenario, now);
    let ours = World::new("ours", scenario, now);
    for _ in 0..scenario.times {
        let they = logrotate(scenario, &theirs);
        let we = mhost(scenario, &ours, now);
        let told = || {
            format!(
                "{}\nlogrotate: {}\nmhost: {}",
                scenario.name,
                text(&they),
                text(&we)
            )
        };
        match (scenario.code, scenario.through) {
            (Some(code), _) => assert_eq!(we.status.code(), Some(code), "{}", told()),
            (None, Through::Command) => {
                assert_eq!(they.status.code(), we.status.code(), "{}", told());
            }
            // Codes of its own: whether it fails is compared.
            (None, Through::Exec) => {
                let failed = (!they.status.success(), !we.status.success());
                assert_eq!(failed.0, failed.1, "who fails? {}", told());
            }
        }
        let (left, right) = (theirs.look(), ours.look());
        if scenario.expected.is_empty() {
            let differences = world::differences(&left, &right, MOMENT);
            assert!(differences.is_empty(), "{}\n{differences:#?}", told());
        } else {
            let names = right.files.keys().filter(|name| *name != ".state");
            let names: Vec<_> = names.cloned().collect();
            assert_eq!(names, scenario.expected, "{}", told());
        }
    }
}

fn logrotate(scenario: &Scenario, world: &World) -> Output {
    let mut command = Command::new(tools::logrotate().unwrap());
    command.args(["-s"]).arg(world.state());
    command
        .args(scenario.force.then_some("-f"))
        .args(&scenario.arguments);
    command
        .env("TZ", "UTC")
        .arg(world.configuration())
        .output()
        .unwrap()
}

fn mhost(scenario: &Scenario, world: &World, now: i64) -> Output {
    // One store, which one process holds at a time: its clock is the scenario's.
    static ONE: Mutex<()> = Mutex::new(());
    static HOME: OnceLock<PathBuf> = OnceLock::new();
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let home = HOME.get_or_init(|| scratch("logrotate-home").keep());
    let mut command = Command::new(env!("CARGO_BIN_EXE_mhost"));
    command.arg("--home").arg(home);
    command.env("MHOST_NOW", now.to_string()).env("TZ", "UTC");
    match scenario.through {
        Through::Exec => {
            command.args(["exec", "logrotate", "rotate", "--dir"]);
            command.arg(format!("logs={}:rw", world.logs().display()));
            command.args(["--set", "state=/logs/.state", "--set"]);
            command.arg(format!("conf_text={}", scenario.configuration));
            if scenario.force {
                command.args(["--set", "force=true"]);
            }
        }
        Through::Command => {
            command.args(["logrotate", "-s"]).arg(world.state());
            command
                .args(scenario.force.then_some("-f"))
                .args(&scenario.arguments);
            command.arg(world.configuration());
        }
    }
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
