//! Rules 7 and 8: crashes and retries.

use mhost_model::plan::{Ended, Verdict};
use mhost_model::policy::{Delivery, Policy, Retry};
use mhost_model::run::{Outcome, RunState};
use mhost_model::{Instant, Span};

use crate::world::{World, at, failure, running};

fn retry(attempts: u32, backoff: u64, max: u64) -> Retry {
    Retry {
        attempts,
        backoff: Span::seconds(backoff),
        max_backoff: Span::seconds(max),
        past_next_fire: false,
    }
}

/// A daily task whose run of 01:00 is in this attempt.
fn world(retry: Retry, attempt: u32) -> World {
    let policy = Policy {
        retry,
        ..Policy::default()
    };
    let mut world = World::new("0 1 * * *", policy);
    world.tick(1, at("01:00"));
    world.progress.open[0].attempt = attempt;
    world
}

fn end(world: &mut World, ended: Ended, now: Instant) -> Verdict {
    world.end(at("01:00"), ended, now)
}

fn settled(verdict: &Verdict) -> Option<Outcome> {
    match verdict {
        Verdict::Settle { outcome, .. } => Some(*outcome),
        Verdict::Retry { .. } => None,
    }
}

fn reason(verdict: Verdict) -> String {
    match verdict {
        Verdict::Settle { reason, .. } => reason.unwrap_or_default(),
        Verdict::Retry { at } => panic!("retry at {at}"),
    }
}

#[test]
fn rule_8_what_ends_a_fire_and_what_is_tried_again() {
    use Outcome::*;
    for (ended, attempt, expected) in [
        (Ended::Succeeded, 1, Some(Succeeded)),
        (Ended::Cancelled, 1, Some(Cancelled)),
        (failure(false), 1, Some(Failed)),
        (failure(true), 1, None),
        (failure(true), 2, None),
        (failure(true), 3, Some(Failed)),
        (failure(true), 4, Some(Failed)),
        (Ended::TimedOut, 2, None),
        (Ended::TimedOut, 3, Some(TimedOut)),
    ] {
        let mut world = world(retry(3, 30, 600), attempt);
        let verdict = end(&mut world, ended.clone(), at("01:10"));
        assert_eq!(settled(&verdict), expected, "{ended:?} {attempt}");
    }
    let once = end(&mut world(Retry::default(), 1), failure(true), at("01:10"));
    assert_eq!(settled(&once), Some(Failed));
}

#[test]
fn rule_8_waits_double_up_to_the_greatest_and_are_jittered() {
    for (attempt, most) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 300), (40, 300)] {
        let mut world = world(retry(99, 30, 300), attempt);
        let now = at("01:10");
        let Verdict::Retry { at } = end(&mut world, failure(true), now) else {
            panic!("attempt {attempt} was settled");
        };
        let wait = (at - now).num_milliseconds();
        assert!(wait <= most * 1_000, "{attempt}: {wait}");
        assert!(wait >= most * 750, "{attempt}: {wait}");
        assert_eq!(world.progress.open[0].attempt, attempt + 1);
    }
}

#[test]
fn rule_8_waits_differ_between_tasks_and_not_between_calls() {
    let wait = |task| {
        let mut world = world(retry(3, 600, 3_600), 1);
        world.task.id = mhost_model::TaskId(task);
        match end(&mut world, failure(true), at("01:10")) {
            Verdict::Retry { at } => at,
            Verdict::Settle { .. } => panic!("settled"),
        }
    };
    let waits: std::collections::BTreeSet<_> = (0..50).map(wait).collect();
    assert!(waits.len() > 45, "{}", waits.len());
    assert_eq!(wait(7), wait(7));
}

#[test]
fn rule_8_retries_end_before_the_next_fire() {
    let long = retry(9, 4 * 3_600, 24 * 3_600);
    let mut late = world(long, 1);
    assert!(settled(&end(&mut late, failure(true), at("20:00"))).is_none());
    let mut late = world(long, 1);
    let verdict = end(&mut late, failure(true), at("23:00"));
    assert_eq!(settled(&verdict), Some(Outcome::Failed));
    assert!(reason(verdict).contains("next fire is due at 2026-03-03T01:00:00Z"));

    let past = Retry {
        past_next_fire: true,
        ..long
    };
    let mut late = world(past, 1);
    assert!(settled(&end(&mut late, failure(true), at("23:00"))).is_none());
}

#[test]
fn rule_8_a_queued_fire_is_a_next_fire() {
    let mut world = world(retry(9, 30, 60), 1);
    world.add(at("01:05"), RunState::Queued);
    let verdict = end(&mut world, failure(true), at("01:10"));
    assert_eq!(settled(&verdict), Some(Outcome::Failed));
}

#[test]
fn rule_7_at_least_once_tries_again_after_a_crash() {
    let mut world = world(Retry::default(), 1);
    let verdict = end(&mut world, Ended::Crashed, at("05:00"));
    assert_eq!(verdict, Verdict::Retry { at: at("05:00") });
    let decision = world.tick(1, at("05:00"));
    assert_eq!(decision.resume.len(), 1);
    assert_eq!(world.progress.open[0].attempt, 2);
}

/// Even when the machine was down over the next fire: the fire was promised.
#[test]
fn rule_7_a_crash_is_made_good_after_the_next_fire_too() {
    let mut world = world(Retry::default(), 1);
    world.task.spec.policy.catch_up_window = Span::seconds(3 * 24 * 60 * 60);
    let now = at("04 05:00");
    assert_eq!(
        end(&mut world, Ended::Crashed, now),
        Verdict::Retry { at: now }
    );
    let decision = world.tick(1, now);
    assert!(decision.give_up.is_empty() && decision.resume.len() == 1);
}

#[test]
fn rule_7_no_crash_is_made_good_after_the_catch_up_window() {
    let mut world = world(Retry::default(), 1);
    let verdict = end(&mut world, Ended::Crashed, at("04 05:00"));
    assert_eq!(settled(&verdict), Some(Outcome::Lost));
    assert!(reason(verdict).contains("catch-up window of"));
}

#[test]
fn rule_8_a_retry_that_nobody_began_gives_way_to_the_next_fire() {
    let failed = |past_next_fire| {
        let mut world = world(retry(3, 60, 60), 1);
        world.task.spec.policy.retry.past_next_fire = past_next_fire;
        let verdict = end(&mut world, failure(true), at("01:10"));
        assert!(matches!(verdict, Verdict::Retry { .. }), "{verdict:?}");
        world
    };
    let mut world = failed(false);
    let id = world.progress.open[0].id;
    // Still its own time, without a slot.
    assert!(world.tick(0, at("03 00:59")).give_up.is_empty());
    let decision = world.tick(1, at("03 01:00"));
    assert_eq!(decision.give_up, [id]);
    assert_eq!(decision.start, [at("03 01:00")]);
    assert!(decision.resume.is_empty() && decision.pass.is_empty());
    let mut world = failed(true);
    let decision = world.tick(1, at("03 01:00"));
    assert!(decision.give_up.is_empty() && decision.resume.len() == 1);
}

#[test]
fn rule_7_a_run_that_keeps_killing_its_process_waits_and_is_given_up() {
    let now = at("01:10");
    for (attempt, expected) in [(1, Some(0)), (2, Some(0)), (3, Some(30)), (4, Some(60))] {
        let verdict = end(&mut world(Retry::default(), attempt), Ended::Crashed, now);
        let Verdict::Retry { at } = verdict else {
            panic!("attempt {attempt} was settled");
        };
        let wait = (at - now).num_milliseconds();
        let most = expected.unwrap_or_default() * 1_000;
        assert!((most * 3 / 4..=most).contains(&wait), "{attempt}: {wait}");
    }
    let verdict = end(&mut world(Retry::default(), 20), Ended::Crashed, now);
    assert_eq!(settled(&verdict), Some(Outcome::Lost));
    assert!(reason(verdict).contains("20 attempts"));
    let verdict = end(
        &mut world(Retry::default(), 5),
        Ended::Crashed,
        at("04 01:10"),
    );
    assert_eq!(settled(&verdict), Some(Outcome::Lost));
}

#[test]
fn rule_7_at_most_once_is_lost_after_a_crash() {
    let mut world = world(retry(9, 1, 1), 1);
    world.task.spec.policy.delivery = Delivery::AtMostOnce;
    let verdict = end(&mut world, Ended::Crashed, at("01:10"));
    assert_eq!(settled(&verdict), Some(Outcome::Lost));
    assert!(reason(verdict).contains("at most once"));
}

#[test]
fn a_schedule_without_a_next_fire_does_not_end_retries() {
    let policy = Policy {
        retry: retry(2, 30, 60),
        ..Policy::default()
    };
    let mut world = World::new("manual", policy);
    world.add(at("01:00"), running());
    let verdict = world.end(at("01:00"), failure(true), at("01:10"));
    assert!(settled(&verdict).is_none());
}
