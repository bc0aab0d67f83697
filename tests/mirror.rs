//! `mhost exec sync mirror` beside rsync: the same trees, the same options, and the
//! targets must be the same in the end.

#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

#[path = "mirror/cases.rs"]
mod cases;
#[path = "mirror/crash.rs"]
mod crash;
#[path = "mirror/filters.rs"]
mod filters;
#[path = "mirror/grove.rs"]
mod grove;
#[path = "mirror/nested.rs"]
mod nested;
#[path = "mirror/options.rs"]
mod options;
#[path = "mirror/remote.rs"]
mod remote;
#[path = "mirror/run.rs"]
mod run;

use mhost_test_support::tools::Tool;
use mhost_test_support::{servers, trial};

fn main() {
    let all = cases::all()
        .into_iter()
        .chain(filters::all())
        .chain(options::all());
    let mut trials: Vec<_> = all
        .map(|case| {
            let name = case.name;
            trial(name, &[Tool::Rsync], move || run::compare(&case))
        })
        .collect();
    trials.push(trial(
        "every_change_is_itemised_as_rsync_does",
        &[Tool::Rsync],
        run::itemised,
    ));
    trials.push(trial(
        "killed_at_any_time_the_next_run_goes_on",
        &[],
        crash::killed,
    ));
    let alone: [(&str, fn()); 4] = [
        ("ends_that_lie_in_each_other_are_refused", nested::refused),
        ("a_dry_run_makes_no_directory", nested::dry),
        ("nobody_gets_more_rights", nested::rights),
        ("what_is_left_alone_is_not_removed", nested::left_alone),
    ];
    trials.extend(alone.map(|(name, body)| trial(name, &[], body)));
    trials.push(trial("a_folder_as_a_remote", &[], remote::folder));
    trials.push(trial("a_remote_by_sftp", &[Tool::Sshd], remote::sftp));
    trials.push(trial("a_remote_by_s3", &[servers::S3], remote::s3));
    trials.push(trial(
        "a_remote_by_webdav",
        &[servers::WEBDAV],
        remote::webdav,
    ));
    mhost_test_support::main(trials)
}
