//! The behaviour that every store must show, whatever it stands on: functions over
//! the trait and a clock that is set. [`conformance_tests!`]
//! makes a test of each.
//!
//! Decisions come from [`IntervalPlanner`], so that nothing here depends on the
//! scheduler. What only one store promises (files, locks, crashes) is tested beside it.
#![allow(clippy::unwrap_used, missing_docs)] // Tests, although they lie in a library.

pub mod asks;
pub mod edits;
pub mod ends;
pub mod fires;
mod planner;
pub mod pools;
pub mod reads;
mod subject;
pub mod watched;

pub use planner::IntervalPlanner;
pub use subject::{BASE, Subject, at, digest, name, spec};

/// Makes a test of every function of the suite. `$make` gives a
/// [`Subject`] with an empty store, whose clock shows
/// [`BASE`].
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests!(@ $make;
            fires: a_new_task_first_fires_at_its_next_due_time, each_fire_has_one_row,
                missed_fires_are_settled, claims_are_numbered, a_limit_cuts_a_claim_short,
                a_clock_that_goes_back_runs_nothing_twice, idle_tasks_are_not_claimed,
                next_wake_is_the_earliest;
            pools: a_full_pool_holds_fires_and_does_not_spin, waiting_fires_go_oldest_first,
                a_missing_pool_takes_its_size, queued_runs_are_handed_out,
                cancel_previous_makes_way, a_task_that_moves_pools_waits_there;
            ends: an_end_commits_everything, a_stale_fence_cannot_complete,
                a_failure_is_retried_when_its_time_has_come, failures_are_counted,
                a_lease_that_ends_is_reaped, renewing_keeps_a_claim, dependents_are_set_off,
                dependents_wait_for_their_outcome, hostile_reports_are_kept,
                an_open_run_can_be_cancelled;
            asks: a_run_by_hand_starts_or_queues, a_run_by_hand_obeys_the_overlap_policy,
                a_forced_run_starts_beside, asked_fires_are_distinct, an_exec_has_a_row_and_no_task,
                a_dry_run_changes_nothing, who_may_not_be_asked;
            edits: a_batch_is_all_or_nothing, a_renamed_task_keeps_its_history,
                only_a_schedule_change_arms_anew, overdue_fires_are_passed_over,
                catching_up_is_asked_for, many_overdue_fires_are_settled_in_turn,
                eras_are_remembered, marks_are_remembered, watchers_are_found, runs_are_forgotten,
                disabling_and_enabling, quarantine_holds_fires,
                a_removed_task_leaves_its_runs, definitions_come_and_go, contradictions_are_refused,
                an_unreadable_configuration_is_refused;
            reads: runs_are_paged_newest_first, runs_are_filtered, logs_are_numbered,
                state_is_listed_in_order, tasks_are_listed_in_order, changes_share_a_group;
            watched: what_is_observed_is_kept_whatever_the_outcome, a_dry_run_observes_nothing,
                an_exec_observes_for_its_plugin, what_is_old_is_forgotten,
                a_removed_task_is_forgotten;
        );
    };
    (@ $make:expr; $($module:ident: $($test:ident),+;)+) => {
        $(mod $module {
            use super::*;
            $(#[tokio::test]
            async fn $test() {
                let subject = $make;
                $crate::$module::$test(&subject).await;
                let findings = subject.store.verify().await.unwrap();
                assert_eq!(findings, Vec::<String>::new());
            })+
        })+
    };
}
