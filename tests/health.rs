//! Probes end to end: the command against servers with every bad behaviour, what is
//! remembered from run to run, and the verdicts of Prometheus' blackbox_exporter.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[path = "health/blackbox.rs"]
mod blackbox;
#[path = "health/faults.rs"]
mod faults;
#[path = "health/holds.rs"]
mod holds;
#[path = "health/home.rs"]
mod home;
#[path = "health/names.rs"]
mod names;
#[path = "health/second.rs"]
mod second;
#[path = "health/servers.rs"]
mod servers;
#[path = "health/standing.rs"]
mod standing;
#[path = "health/table.rs"]
mod table;
#[path = "health/tls.rs"]
mod tls;
#[path = "health/wire.rs"]
mod wire;

use mhost_test_support::{Tool, trial};

fn main() {
    mhost_test_support::main(vec![
        trial(
            "every_bad_behaviour_has_its_verdict",
            &[],
            faults::every_bad_behaviour_has_its_verdict,
        ),
        trial(
            "certificates_of_every_kind",
            &[],
            wire::certificates_of_every_kind,
        ),
        trial("both_versions_of_http", &[], wire::both_versions_of_http),
        trial("one_deadline_for_all", &[], faults::one_deadline_for_all),
        trial(
            "no_part_of_a_secret_is_kept",
            &[],
            faults::no_part_of_a_secret_is_kept,
        ),
        trial(
            "a_mistake_of_the_configuration_is_no_outage",
            &[],
            faults::a_mistake_of_the_configuration_is_no_outage,
        ),
        trial(
            "a_redirect_needs_its_own_grant",
            &[],
            faults::a_redirect_needs_its_own_grant,
        ),
        trial(
            "a_check_is_silent_while_a_pack_holds_its_target",
            &[],
            holds::a_check_is_silent_while_a_pack_holds_its_target,
        ),
        trial(
            "states_outlive_a_failed_run",
            &[],
            standing::states_outlive_a_failed_run,
        ),
        trial(
            "windows_files_and_processes",
            &[],
            standing::windows_files_and_processes,
        ),
        trial(
            "the_verdicts_of_blackbox_exporter",
            &[Tool::Blackbox],
            blackbox::the_verdicts_of_blackbox_exporter,
        ),
    ]);
}
