//! Rule 4: overlap policies and pools.

use mhost_model::plan::{Decision, Ended};
use mhost_model::policy::{Overlap, Policy};
use mhost_model::run::{Outcome, RunState};
use mhost_model::{Instant, RunId};

use crate::world::{World, at, names, running};

fn world(overlap: Overlap) -> World {
    let policy = Policy {
        overlap,
        ..Policy::default()
    };
    World::new("0 * * * *", policy)
}

fn skipped(decision: &Decision) -> Vec<Instant> {
    let skipped = decision
        .pass
        .iter()
        .filter(|passed| passed.outcome == Outcome::Skipped);
    skipped.map(|passed| passed.fire_at).collect()
}

#[test]
fn rule_4_what_becomes_of_a_fire_while_a_run_is_alive() {
    let waiting = RunState::Waiting {
        retry_at: at("09:00"),
    };
    let states = [running(), RunState::Queued, waiting];
    for (overlap, expected) in [
        (Overlap::Skip, "skip"),
        (Overlap::QueueOne, "queue"),
        (Overlap::Queue(0), "skip"),
        (Overlap::Queue(2), "queue"),
        (Overlap::CancelPrevious, "cancel, queue"),
        (Overlap::Allow, "start"),
    ] {
        for state in &states {
            let mut world = world(overlap);
            world.add(at("00:00"), state.clone());
            if overlap == Overlap::QueueOne && *state == RunState::Queued {
                continue; // The one place is taken; see below.
            }
            let decision = world.tick(2, at("01:00"));
            assert_eq!(shown(&decision), expected, "{overlap:?} {state:?}");
            assert_eq!(decision.next_due, Some(at("02:00")));
            assert_eq!(decision.wake_at, Some(at("02:00")));
        }
    }
}

fn shown(decision: &Decision) -> String {
    let parts = [
        ("skip", skipped(decision).len()),
        ("start", decision.start.len()),
        ("cancel", decision.cancel.len()),
        ("queue", decision.queue.len()),
    ];
    let parts = parts.into_iter().filter(|(_, count)| *count > 0);
    let names: Vec<_> = parts.map(|(name, _)| name).collect();
    names.join(", ")
}

#[test]
fn rule_4_skip_names_the_run_that_is_in_the_way() {
    let mut world = world(Overlap::Skip);
    world.tick(1, at("01:00"));
    let decision = world.tick(1, at("02:00"));
    assert_eq!(skipped(&decision), [at("02:00")]);
    assert!(decision.pass[0].reason.contains("run 1 is still running"));
}

#[test]
fn rule_4_queues_are_bounded_and_served_in_order() {
    let mut world = world(Overlap::Queue(2));
    for hour in ["01:00", "02:00", "03:00", "04:00"] {
        world.tick(1, at(hour));
    }
    let queued = world.in_state(|state| *state == RunState::Queued);
    assert_eq!(names(&queued), "02:00 03:00");
    assert_eq!(world.rows[&at("04:00")][0].0, Outcome::Skipped);

    assert_eq!(world.tick(1, at("04:10")).resume, []);
    world.end(at("01:00"), Ended::Succeeded, at("04:20"));
    assert_eq!(world.tick(0, at("04:20")).resume, []);
    assert_eq!(world.tick(5, at("04:21")).resume, [RunId(2)]);
    assert_eq!(names(&world.running()), "02:00");
}

#[test]
fn rule_4_queue_one_holds_one() {
    let mut world = world(Overlap::QueueOne);
    for hour in ["01:00", "02:00", "03:00"] {
        world.tick(1, at(hour));
    }
    let queued = world.in_state(|state| *state == RunState::Queued);
    assert_eq!(names(&queued), "02:00");
    assert_eq!(world.rows.len(), 1);
}

#[test]
fn rule_4_cancel_previous_waits_for_the_end_and_keeps_the_newest() {
    let mut world = world(Overlap::CancelPrevious);
    world.tick(1, at("01:00"));
    assert_eq!(world.tick(1, at("02:00")).cancel, [RunId(1)]);
    assert_eq!(names(&world.running()), "01:00");
    assert_eq!(world.tick(1, at("02:01")), quiet("03:00"));

    let decision = world.tick(1, at("03:00"));
    assert_eq!(decision.cancel, [RunId(1), RunId(2)]);
    assert_eq!(world.rows[&at("02:00")][0].0, Outcome::Cancelled);
    world.end(at("01:00"), Ended::Cancelled, at("03:01"));
    assert_eq!(world.tick(1, at("03:01")).resume, [RunId(3)]);
    assert_eq!(names(&world.running()), "03:00");
}

fn quiet(next: &str) -> Decision {
    Decision {
        next_due: Some(at(next)),
        wake_at: Some(at(next)),
        ..Decision::default()
    }
}

#[test]
fn rule_4_cancel_previous_does_not_resume_what_it_cancels() {
    let mut world = world(Overlap::CancelPrevious);
    world.add(at("00:00"), RunState::Queued);
    let decision = world.tick(5, at("01:00"));
    assert_eq!(decision.resume, []);
    assert_eq!(decision.cancel, [RunId(1)]);
    assert_eq!(world.tick(5, at("01:00")).resume, [RunId(2)]);
}

#[test]
fn rule_4_a_pool_without_a_slot_lets_nothing_start() {
    for overlap in [Overlap::Skip, Overlap::Allow, Overlap::CancelPrevious] {
        let mut world = world(overlap);
        let decision = world.tick(0, at("01:00"));
        assert_eq!((decision.start.len(), decision.queue.len()), (0, 0));
        assert_eq!(decision.next_due, Some(at("01:00")));
        assert_eq!(decision.wake_at, None);
        assert_eq!(world.tick(1, at("01:30")).start, [at("01:00")]);
    }
}

#[test]
fn rule_4_allow_shares_slots_between_old_and_new() {
    let mut world = world(Overlap::Allow);
    world.add(at("00:00"), RunState::Queued);
    world.add(at("00:30"), RunState::Queued);
    let decision = world.tick(1, at("01:00"));
    assert_eq!(decision.resume, [RunId(1)]);
    assert_eq!((decision.start, decision.wake_at), (vec![], None));
    let decision = world.tick(3, at("01:01"));
    assert_eq!(decision.resume, [RunId(2)]);
    assert_eq!(decision.start, [at("01:00")]);
}

#[test]
fn rule_8_a_retry_goes_on_when_its_time_and_a_slot_have_come() {
    let mut world = world(Overlap::Skip);
    let retry_at = at("00:30");
    world.add(at("00:00"), RunState::Waiting { retry_at });
    assert_eq!(world.tick(1, at("00:29:59")).resume, []);
    assert_eq!(world.tick(0, at("00:30")).resume, []);
    assert_eq!(world.tick(1, at("00:30")).resume, [RunId(1)]);
}

/// A forced run may stand beside an older one that waits for its retry.
#[test]
fn rule_4_nothing_goes_on_beside_a_running_run() {
    let mut world = world(Overlap::QueueOne);
    let retry_at = at("00:30");
    world.add(at("00:00"), RunState::Waiting { retry_at });
    world.add(at("00:10"), running());
    assert_eq!(world.tick(5, at("00:40")).resume, []);
    world.end(at("00:10"), Ended::Succeeded, at("00:50"));
    assert_eq!(world.tick(5, at("00:50")).resume, [RunId(1)]);
}
