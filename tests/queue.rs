//! Queues from end to end: the real command at either end, the service of another mhost
//! between them, an SFTP server, two live Zopes. Whatever is killed, cut, filled or doubled,
//! both ends are equal in the end.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[path = "queue/crash.rs"]
mod crash;
#[path = "queue/disk.rs"]
mod disk;
#[path = "queue/ends.rs"]
mod ends;
#[path = "queue/receiver.rs"]
mod receiver;
#[path = "queue/service.rs"]
mod service;
#[path = "queue/sftp.rs"]
mod sftp;
#[path = "queue/zopes.rs"]
mod zopes;

use libtest_mimic::Trial;
use mhost_test_support::{Mount, Tool, harness, servers, trial};

fn main() {
    let alone: [(&str, fn()); 9] = [
        ("killed_at_any_time_the_ends_are_equal", crash::killed),
        ("the_service_carries_items", service::carries),
        ("a_token_opens_its_queue_alone", service::tokens),
        ("doubled_and_turned_round", service::doubled),
        ("what_is_not_whole_is_dropped", service::damaged),
        ("too_large_and_too_much", service::bounds),
        ("a_cut_in_the_middle_goes_on_there", service::cut),
        ("the_receiver_is_killed_and_down_for_a_while", service::down),
        ("the_sender_is_killed_in_the_middle", service::sender_killed),
    ];
    let mut trials: Vec<Trial> = alone
        .map(|(name, body)| trial(name, &[], body))
        .into_iter()
        .collect();
    trials.push(harness::trial_with(
        "a_full_disk_at_the_target",
        || Mount::new(disk::SIZE),
        disk::full,
    ));
    trials.push(trial("by_sftp", &[Tool::Sshd], sftp::carries));
    trials.push(trial(
        "an_object_moves_between_two_zopes",
        &[servers::ZOPE],
        zopes::moves,
    ));
    mhost_test_support::main(trials)
}
