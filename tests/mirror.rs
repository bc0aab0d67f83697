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
#[path = "mirror/options.rs"]
mod options;
#[path = "mirror/run.rs"]
mod run;

use mhost_test_support::tools::Tool;
use mhost_test_support::trial;

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
    mhost_test_support::main(trials)
}
