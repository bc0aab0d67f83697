//! Rule 3: missed fires, the catch-up window, pauses; and what of rule 6 and 9
//! comes from it.

use mhost_model::Span;
use mhost_model::plan::{Decision, Planner};
use mhost_model::policy::{Missed, Policy};
use mhost_model::run::Outcome;

use crate::world::{World, at, name, names, running};

fn policy(missed: Missed) -> Policy {
    Policy {
        missed,
        ..Policy::default()
    }
}

/// `COALESCED > STARTED QUEUED > NEXT`, with `x` before skipped ones.
fn shown(decision: &Decision) -> String {
    let pass = decision.pass.iter().map(|passed| match passed.outcome {
        Outcome::Skipped => format!("x{}", name(passed.fire_at)),
        _ => name(passed.fire_at),
    });
    let run = [decision.start.clone(), decision.queue.clone()].concat();
    let next = decision.next_due.map(name).unwrap_or_default();
    format!(
        "{} > {} > {next}",
        pass.collect::<Vec<_>>().join(" "),
        names(&run)
    )
}

fn check(expr: &str, policy: Policy, now: &str, expected: &str) {
    let mut world = World::new(expr, policy);
    let decision = world.tick(1, at(now));
    assert_eq!(shown(&decision), expected, "{expr} at {now}");
    let reasons = decision.pass.iter().map(|passed| &passed.reason);
    assert!(reasons.clone().all(|reason| !reason.is_empty()));
    assert_eq!(decision.wake_at, decision.next_due);
}

#[test]
fn rule_3_latest_runs_the_newest_and_coalesces_the_older() {
    for (now, expected) in [
        ("00:59:59", " >  > 01:00"),
        ("01:00", " > 01:00 > 02:00"),
        ("01:59", " > 01:00 > 02:00"),
        ("04:10", "01:00 02:00 03:00 > 04:00 > 05:00"),
    ] {
        check("0 * * * *", policy(Missed::Latest), now, expected);
    }
}

#[test]
fn rule_3_skip_runs_no_missed_fire_but_one_that_is_on_time() {
    for (now, expected) in [
        ("01:05", " > 01:00 > 02:00"),
        ("01:05:01", "x01:00 >  > 02:00"),
        ("03:30", "x01:00 x02:00 x03:00 >  > 04:00"),
        ("03:02", "x01:00 x02:00 > 03:00 > 04:00"),
    ] {
        check("0 * * * *", policy(Missed::Skip), now, expected);
    }
}

#[test]
fn rule_3_all_runs_the_newest_n_one_after_another() {
    for (count, now, expected) in [
        (2, "04:10", "01:00 02:00 > 03:00 04:00 > 05:00"),
        (9, "04:10", " > 01:00 02:00 03:00 04:00 > 05:00"),
        (0, "04:10", "01:00 02:00 03:00 04:00 >  > 05:00"),
        (0, "04:01", "01:00 02:00 03:00 > 04:00 > 05:00"),
    ] {
        check("0 * * * *", policy(Missed::All(count)), now, expected);
    }
}

#[test]
fn rule_3_all_catches_up_in_turn_in_spite_of_overlap_skip() {
    let mut world = World::new("0 * * * *", policy(Missed::All(3)));
    world.tick(1, at("03:30"));
    for (fire, minute) in [("01:00", "03:31"), ("02:00", "03:32"), ("03:00", "03:33")] {
        assert_eq!(names(&world.running()), fire);
        world.end(at(fire), mhost_model::plan::Ended::Succeeded, at(minute));
        world.tick(1, at(minute));
    }
    assert!(world.progress.open.is_empty());
    assert_eq!(world.rows.len(), 3);
}

#[test]
fn rule_3_nothing_older_than_the_window_runs() {
    let window = |missed, window: &str| Policy {
        catch_up_window: window.parse().unwrap(),
        ..policy(missed)
    };
    for (policy, now, expected) in [
        (
            window(Missed::Latest, "30m"),
            "02:45",
            "01:00 02:00 >  > 03:00",
        ),
        (
            window(Missed::Latest, "45m"),
            "02:45",
            "01:00 > 02:00 > 03:00",
        ),
        (
            window(Missed::All(9), "2h"),
            "03:30",
            "01:00 > 02:00 03:00 > 04:00",
        ),
        (
            window(Missed::Latest, "0s"),
            "02:04",
            "01:00 > 02:00 > 03:00",
        ),
        (
            window(Missed::Latest, "0s"),
            "02:06",
            "01:00 02:00 >  > 03:00",
        ),
    ] {
        check("0 * * * *", policy, now, expected);
    }
    let mut world = World::new("0 1 * * *", Policy::default());
    let decision = world.tick(1, at("03 01:00"));
    assert_eq!(shown(&decision), "01:00 > 03 01:00 > 04 01:00");
    let mut world = World::new("0 1 2 3 *", Policy::default());
    let decision = world.tick(1, at("03 01:00:01"));
    assert!(decision.pass[0].reason.contains("catch-up window of 1day"));
}

#[test]
fn rule_3_a_new_resumed_or_edited_task_catches_nothing_up() {
    let mut world = World::new("0 * * * *", Policy::default());
    assert_eq!(world.progress.next_due, Some(at("01:00")));
    let arm = |world: &World, now| world.scheduler.arm(&world.task, at(now));
    assert_eq!(arm(&world, "05:00").0, Some(at("06:00")));
    world.task.enabled = false;
    assert_eq!(arm(&world, "05:00"), (None, None));
    let decision = world.tick(1, at("05:00"));
    assert_eq!(decision, Decision::default());
}

#[test]
fn rule_3_a_schedule_that_is_over_has_no_next() {
    let at_two = "{ at = \"2026-03-02T02:00:00Z\" }";
    check(at_two, Policy::default(), "01:00", " >  > 02:00");
    check(at_two, Policy::default(), "03:00", " > 02:00 > ");
    let world = World::new("manual", Policy::default());
    assert_eq!(world.progress.next_due, None);
}

/// Rule 3 counts from the start, which jitter puts off; `fire_at` stays nominal.
#[test]
fn rule_9_jitter_puts_the_start_off_and_not_the_fire() {
    let jitter = Policy {
        jitter: Some(Span::seconds(600)),
        ..Policy::default()
    };
    let mut world = World::new("0 * * * *", jitter);
    assert_eq!(world.progress.next_due, Some(at("01:00")));
    assert_eq!(world.progress.wake_at, Some(at("01:02:14")));
    assert!(world.tick(1, at("01:02:13")).start.is_empty());
    let decision = world.tick(1, at("01:02:14"));
    assert_eq!(decision.start, [at("01:00")]);
    assert_eq!(decision.next_due, Some(at("02:00")));
    assert_eq!(decision.wake_at, Some(at("02:02:14")));
}

#[test]
fn rule_4_a_fire_that_waits_for_its_pool_is_not_missed() {
    let mut world = World::new("0 1 * * *", policy(Missed::Skip));
    let decision = world.tick(0, at("01:00"));
    assert_eq!(shown(&decision), " >  > 01:00");
    assert_eq!(decision.wake_at, None);
    assert_eq!(world.tick(1, at("20:00")).start, [at("01:00")]);
}

#[test]
fn rule_4_of_fires_that_wait_for_their_pool_the_newest_runs() {
    let mut world = World::new("0 * * * *", Policy::default());
    world.tick(0, at("01:00"));
    assert_eq!(shown(&world.tick(0, at("02:30"))), "01:00 >  > 02:00");
    assert_eq!(shown(&world.tick(1, at("02:31"))), " > 02:00 > 03:00");
}

#[test]
fn rule_6_after_a_jump_backward_nothing_is_due_and_nothing_comes_twice() {
    let mut world = World::new("0 * * * *", Policy::default());
    world.tick(1, at("03:00"));
    world.end(
        at("03:00"),
        mhost_model::plan::Ended::Succeeded,
        at("03:01"),
    );
    for now in ["01:00", "02:30", "03:00", "03:59:59"] {
        let decision = world.tick(1, at(now));
        assert_eq!(shown(&decision), " >  > 04:00", "{now}");
    }
}

#[test]
fn a_task_in_quarantine_is_held() {
    let mut world = World::new("0 * * * *", Policy::default());
    world.task.quarantine = Some("new digest".into());
    let decision = world.tick(1, at("05:00"));
    assert_eq!(shown(&decision), " >  > 01:00");
    assert_eq!(decision.wake_at, None);
}

#[test]
fn rule_1_arrears_of_a_day_of_seconds_are_settled_in_batches() {
    let mut world = World::new("* * * * * *", Policy::default());
    let now = at("03 00:00");
    let mut calls = 0;
    loop {
        calls += 1;
        let before = world.progress.next_due;
        let decision = world.tick(1, now);
        assert!(decision.pass.len() <= 1_000, "{}", decision.pass.len());
        assert!(world.progress.next_due > before);
        if decision.wake_at != Some(now) {
            assert_eq!(decision.start, [now]);
            break;
        }
        assert!(decision.start.is_empty());
    }
    assert_eq!(calls, 87);
    assert_eq!(world.rows.len(), 86_399);
    assert!(world.rows.values().all(|rows| rows.len() == 1));
    let mut outcomes = world.rows.values().map(|rows| rows[0].0);
    assert!(outcomes.all(|outcome| outcome == Outcome::Coalesced));
}

#[test]
fn rule_3_all_finds_the_newest_n_across_batches() {
    let all = Policy {
        catch_up_window: Span::seconds(7_200),
        ..policy(Missed::All(2_500))
    };
    let mut world = World::new("* * * * * *", all);
    let now = at("06:00");
    while world.tick(1, now).wake_at == Some(now) {}
    let queued = world.in_state(|state| *state == mhost_model::run::RunState::Queued);
    assert_eq!(queued.len(), 2_499);
    assert_eq!(world.running(), [now - chrono::TimeDelta::seconds(2_499)]);
    assert_eq!(queued.last(), Some(&now));
    assert_eq!(world.rows.len(), 6 * 3_600 - 2_500);
}

#[test]
fn a_living_run_leaves_missed_fires_to_the_overlap_policy() {
    let mut world = World::new("0 * * * *", Policy::default());
    world.add(at("00:00"), running());
    let decision = world.tick(1, at("03:10"));
    assert_eq!(shown(&decision), "01:00 02:00 x03:00 >  > 04:00");
}
