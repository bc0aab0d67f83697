//! Backups from end to end, through `mhost exec`, beside other programs: restic, and
//! a live ZODB.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails.

#[path = "backup/bench.rs"]
mod bench;
#[path = "backup/databases.rs"]
mod databases;
#[path = "backup/drills.rs"]
mod drills;
#[path = "backup/killed.rs"]
mod killed;
#[path = "backup/oracle.rs"]
mod oracle;
#[path = "backup/places.rs"]
mod places;
#[path = "backup/recipe.rs"]
mod recipe;
#[path = "backup/restic.rs"]
mod restic;
#[path = "backup/storage.rs"]
mod storage;

use libtest_mimic::Trial;
use mhost_test_support::{Tool, servers, trial};

/// A name, what it needs, and what it does.
type Case = (&'static str, &'static [Tool], fn());

fn main() {
    let alone: [(&str, fn()); 7] = [
        ("a_killed_restore_goes_on", killed::a_killed_restore_goes_on),
        (
            "a_killed_prune_loses_nothing",
            killed::a_killed_prune_loses_nothing,
        ),
        (
            "a_drill_and_its_dry_run_leave_nothing",
            drills::a_drill_and_its_dry_run_leave_nothing,
        ),
        (
            "a_backup_that_was_never_drilled_shows",
            drills::a_backup_that_was_never_drilled_shows,
        ),
        (
            "a_busy_sqlite_is_one_state",
            databases::a_busy_sqlite_is_one_state,
        ),
        (
            "a_drill_proves_a_backup",
            databases::a_drill_proves_a_backup,
        ),
        (
            "several_repositories_and_one_reading",
            databases::several_repositories_and_one_reading,
        ),
    ];
    let restic: [(&str, fn()); 2] = [
        (
            "restic_restores_what_the_command_wrote",
            restic::restic_restores_what_the_command_wrote,
        ),
        ("keys_open_for_restic_too", restic::keys_open_for_restic_too),
    ];
    let zodb: [(&str, fn()); 4] = [
        (
            "the_oracle_of_a_live_storage_agrees",
            oracle::the_oracle_of_a_live_storage_agrees,
        ),
        (
            "the_recipe_runs_as_it_stands_in_the_documentation",
            recipe::the_recipe_runs_as_it_stands_in_the_documentation,
        ),
        (
            "a_live_storage_and_its_blobs_fit",
            storage::a_live_storage_and_its_blobs_fit,
        ),
        (
            "the_recipe_of_collective_recipe_backup",
            recipe::the_recipe_of_collective_recipe_backup,
        ),
    ];
    let mut trials: Vec<Trial> = Vec::new();
    trials.extend(alone.map(|(name, body)| trial(name, &[], body)));
    const RESTIC: Tool = Tool::Restic;
    let places: [Case; 13] = [
        (
            "sftp_both_ways",
            &[RESTIC, Tool::Sshd],
            places::sftp_both_ways,
        ),
        ("sftp_killed", &[RESTIC, Tool::Sshd], places::sftp_killed),
        ("sftp_cut", &[RESTIC, Tool::Sshd], places::sftp_cut),
        ("s3_both_ways", &[RESTIC, servers::S3], places::s3_both_ways),
        ("s3_killed", &[RESTIC, servers::S3], places::s3_killed),
        ("s3_cut", &[RESTIC, servers::S3], places::s3_cut),
        (
            "rest_both_ways",
            &[RESTIC, Tool::Rclone],
            places::rest_both_ways,
        ),
        ("rest_killed", &[RESTIC, Tool::Rclone], places::rest_killed),
        ("rest_cut", &[RESTIC, Tool::Rclone], places::rest_cut),
        (
            "webdav_both_ways",
            &[RESTIC, servers::WEBDAV],
            places::webdav_both_ways,
        ),
        (
            "webdav_killed",
            &[RESTIC, servers::WEBDAV],
            places::webdav_killed,
        ),
        ("webdav_cut", &[RESTIC, servers::WEBDAV], places::webdav_cut),
        (
            "three_two_one",
            &[Tool::Sshd, Tool::Rclone, servers::S3],
            places::three_two_one,
        ),
    ];
    trials.extend(places.map(|(name, needs, body)| trial(name, needs, body)));
    trials.extend(restic.map(|(name, body)| trial(name, &[Tool::Restic], body)));
    trials.extend(zodb.map(|(name, body)| trial(name, &[storage::ZODB], body)));
    mhost_test_support::main(trials)
}
