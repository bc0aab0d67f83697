//! Backups from end to end, through `mhost exec`, beside other programs: restic, and
//! a live ZODB.

#![allow(clippy::unwrap_used)] // A panic is how a trial fails.

#[path = "backup/bench.rs"]
mod bench;
#[path = "backup/databases.rs"]
mod databases;
#[path = "backup/recipe.rs"]
mod recipe;
#[path = "backup/restic.rs"]
mod restic;
#[path = "backup/storage.rs"]
mod storage;

use libtest_mimic::Trial;
use mhost_test_support::{Tool, trial};

fn main() {
    let alone: [(&str, fn()); 3] = [
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
    let zodb: [(&str, fn()); 2] = [
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
    trials.extend(restic.map(|(name, body)| trial(name, &[Tool::Restic], body)));
    trials.extend(zodb.map(|(name, body)| trial(name, &[storage::ZODB], body)));
    mhost_test_support::main(trials)
}
